//! `laforge render`: an accepted plan as manifests of an engine that exists.
//!
//! In: a plan, taken in by steps 0 to 8 of `Envelope::accept` (`formats.md` section 8), and what no plan
//! names. Out: YAML; on stderr what the engine does otherwise than the plan says.

use std::error::Error as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::Config;
use crate::release::digest::Digest;
use crate::report::paint::{Tone, printable};
use crate::rollout::AcceptedPlan;
use crate::rollout::acceptance::{Anchoring, JournalState};
use crate::rollout::render::settings::{Slot, StableSlot};
use crate::rollout::render::{self, Engine, RenderError, RenderSection, Rendered, Settings};

use super::flags::EvidenceFlags;
use super::load;
use super::{Exit, Failure, Session};

/// Print a plan, once it is accepted, as manifests of an engine that exists.
#[derive(Debug, Args)]
pub(super) struct Render {
    /// Whose manifests
    #[arg(value_enum, value_name = "ENGINE")]
    engine: EngineName,
    /// The plan, as `deploy` gave it
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    #[command(flatten)]
    acceptance: AcceptanceFlags,
    #[command(flatten)]
    settings: SettingFlags,
    /// Write the manifests to FILE instead of stdout
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

/// How every output begins: by it a file is known to be one.
const OPENING: &str = "# laforge render ";

/// An engine on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineName {
    /// A Rollout and its analyses
    ArgoRollouts,
    /// A Canary, its metrics and its Deployment
    Flagger,
    /// Two slots behind an HTTPRoute, for laforge's own guard
    GatewayApi,
    /// Two slots behind one Service: all or nothing
    Kubernetes,
}

/// What the plan is held to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Acceptance")]
struct AcceptanceFlags {
    /// The trust file whose `gates` pin the log (default: the one that laforge.yaml names)
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    anchor: load::AnchorFlags,
    /// The environment that is rendered for (default: `render:`, then `executor:`)
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The target that is rendered for (default: `render:`, then `executor:`)
    #[arg(long, value_name = "ID")]
    target: Option<String>,
}

/// What no plan names; each over the member of `render:` in laforge.yaml.
#[derive(Debug, Args)]
#[command(next_help_heading = "Manifests")]
struct SettingFlags {
    /// The namespace of every object
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The name of the app (default: the release's)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How many Pods are the full size
    #[arg(long, value_name = "N")]
    replicas: Option<u64>,
    /// The port at which a container serves (default: 8080)
    #[arg(long, value_name = "PORT")]
    port: Option<u64>,
    /// The slot that is free for the candidate (default: green)
    #[arg(long, value_enum, value_name = "SLOT")]
    candidate_slot: Option<SlotName>,
    /// Render the stable version, too, where nothing runs yet
    #[arg(long)]
    with_stable: bool,
    /// The Prometheus that the engine asks
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// The guard that Flagger asks
    #[arg(long, value_name = "URL")]
    guard: Option<String>,
    /// The Gateway that the route attaches to
    #[arg(long, value_name = "NAMESPACE/NAME")]
    gateway: Option<String>,
    /// A host that is routed (repeatable)
    #[arg(long = "hostname", value_name = "HOST")]
    hostnames: Vec<String>,
}

/// A slot on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SlotName {
    /// The one
    Blue,
    /// The other
    Green,
}

impl Render {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let section = self.settings.over(config.render.clone().unwrap_or_default());
        let stable = if self.settings.with_stable { StableSlot::Render } else { StableSlot::Leave };
        // A setting that is no such thing is told before a plan is asked for.
        let settings = Settings::of(&section, stable).map_err(|error| refused(&error))?;
        if let Some(path) = &self.output {
            session.refuse_other(path, "rendered plan", |bytes| bytes.starts_with(OPENING.as_bytes()))?;
        }
        let plan = self.acceptance.accept(&self.plan, &section, &config, session)?;
        let rendered =
            render::render(self.engine.engine(), &plan, &settings).map_err(|error| refused(&error))?;
        let manifests = self.manifests(&plan, &rendered);
        tell(&plan, &rendered, session);
        match &self.output {
            Some(path) => session.replace(path, manifests.as_bytes())?,
            None => session.print_result(manifests.as_bytes())?,
        }
        Ok(Exit::Holds)
    }

    fn manifests(&self, plan: &AcceptedPlan, rendered: &Rendered) -> String {
        let digest = plan.proven().digest();
        format!("{OPENING}{} of the plan {digest}\n{}", self.engine.engine(), rendered.yaml())
    }
}

impl EngineName {
    fn engine(self) -> Engine {
        match self {
            Self::ArgoRollouts => Engine::ArgoRollouts,
            Self::Flagger => Engine::Flagger,
            Self::GatewayApi => Engine::GatewayApi,
            Self::Kubernetes => Engine::Kubernetes,
        }
    }
}

impl SettingFlags {
    /// The section with what flags name in its place.
    fn over(&self, section: RenderSection) -> RenderSection {
        let slot = self.candidate_slot.map(|slot| match slot {
            SlotName::Blue => Slot::Blue,
            SlotName::Green => Slot::Green,
        });
        let hostnames = if self.hostnames.is_empty() { section.hostnames } else { self.hostnames.clone() };
        RenderSection {
            namespace: self.namespace.clone().or(section.namespace),
            name: self.name.clone().or(section.name),
            replicas: self.replicas.or(section.replicas),
            port: self.port.or(section.port),
            candidate_slot: slot.or(section.candidate_slot),
            prometheus: self.prometheus.clone().or(section.prometheus),
            guard: self.guard.clone().or(section.guard),
            gateway: self.gateway.clone().or(section.gateway),
            hostnames,
            ..section
        }
    }
}

impl AcceptanceFlags {
    /// Steps 0 to 8: whether the plan was run before is the executor's to know.
    fn accept(
        &self,
        plan: &std::path::Path,
        section: &RenderSection,
        config: &Config,
        session: &Session,
    ) -> Result<AcceptedPlan, Failure> {
        let (environment, target) = self.place(section, config)?;
        let flags = EvidenceFlags { evidence: Vec::new(), trust: self.trust.clone(), offline: true };
        if flags.trust.is_none() && config.trust.is_none() {
            return Err(Failure::usage("no trust file: nothing pins a gate")
                .hint("name one with --trust, or `trust:` in laforge.yaml"));
        }
        let trust = load::trust(&flags, config, session)?;
        let bytes = session.read_file(plan)?;
        let place = load::Whereabouts { environment: &environment, target: &target };
        // What is rendered is run elsewhere, and nothing is remembered of it here.
        let journal = |_: &Digest| JournalState::Absent;
        load::accept_for(place, &bytes, &self.anchor, config, &trust, &journal, (session, session.now()))
    }

    /// Where it is rendered for: a plan never says that of itself.
    fn place(&self, section: &RenderSection, config: &Config) -> Result<(String, String), Failure> {
        let executor = config.executor.as_ref();
        let environment = self.environment.clone().or_else(|| section.environment.clone());
        let environment = environment.or_else(|| executor.map(|executor| executor.environment.clone()));
        let environment = environment.ok_or_else(|| {
            Failure::usage("no environment is named, so a plan for any other would be rendered, too")
                .hint("name it with --environment, or `render: {environment: …}` in laforge.yaml")
        })?;
        let target = self.target.clone().or_else(|| section.target.clone());
        let target = target.or_else(|| executor.map(|executor| executor.target.clone()));
        // As an executor's: a target that nobody names is called like its environment.
        let target = target.unwrap_or_else(|| environment.clone());
        Ok((environment, target))
    }
}

/// What can't be rendered, and what mends it.
fn refused(error: &RenderError) -> Failure {
    let failure = Failure::of(Exit::Usage, error);
    match error {
        RenderError::Missing { member: "hostnames", .. } => {
            failure.hint("name them with --hostname, or `render: {hostnames: […]}` in laforge.yaml")
        }
        RenderError::Missing { member, .. } => {
            failure.hint(format!("name it with --{member}, or `render: {{{member}: …}}` in laforge.yaml"))
        }
        RenderError::Invalid { member, .. } => {
            failure.hint(format!("it is `render: {{{member}: …}}` in laforge.yaml, or its flag"))
        }
        RenderError::SeveralImages(_) => failure.hint(
            "name the one that serves with `rollout: {deploys: […]}`, and release the others by themselves",
        ),
        RenderError::NoImage(_) => {
            failure.hint("`rollout: {deploys: […]}` names an image of the release; `exec` runs files")
        }
        RenderError::Weights(_) => failure
            .hint("render it for gateway-api, argo-rollouts or flagger, or plan with --traffic-steps 100"),
        RenderError::NoStable(_) => failure
            .hint("`replaces:` in the release names it; without --with-stable what serves is left alone"),
        _ if error.source().is_some() => failure,
        _ => failure.hint("docs/render.md says what each engine can be given"),
    }
}

/// What was accepted, and what the engine does otherwise.
fn tell(plan: &AcceptedPlan, rendered: &Rendered, session: &Session) {
    let proven = plan.proven();
    let anchored = match proven.anchoring() {
        Anchoring::OwnLog => "the log is this one".to_owned(),
        Anchoring::Witnesses(count) => format!("{count} witnesses signed the checkpoint"),
        Anchoring::None => "L0: fork not excluded".to_owned(),
    };
    session.say(&format!(
        "{}: plan {} of entry {} in {}, signed by the pinned gate `{}`; {anchored}\n",
        session.paint.tone(Tone::Good, "accepted"),
        proven.digest(),
        proven.reference().index,
        printable(&proven.reference().origin),
        printable(proven.gate()),
    ));
    for lossy in &rendered.lossy {
        session.say(&format!("{lossy}\n"));
    }
    for (command, when) in rendered.commands.iter().zip(["to cut over", "to go back"]) {
        session.say(&format!("{when}: {}\n", printable(command)));
    }
}
