//! What `POST /v1/evaluate` asks: the loading of `laforge deploy`, for somebody else.
//!
//! In: an evaluation. Out: the decision that is on record. Configuration, trust and policies are read for each one, so
//! that what was changed behind review counts at once; the log stays open, and reads on. A release that came over the
//! network names images alone: no file of this machine is read for whoever asks, and no registry is asked beyond the
//! bounds of [`reach`](super::reach). Evidence that came with it lies in a folder of its own, which goes with the answer.
#![expect(
    clippy::disallowed_methods,
    reason = "evidence that came with a request lies in a folder of its own"
)]

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::{AppendError, AuditLog};
use crate::config::Config;
use crate::gate::{self, Outcome, World};
use crate::plan::{self, Mode, RolloutRequest};
use crate::policy::{Actor, ActorType, Caller, DecisionReport, Request, Standard};
use crate::random;
use crate::release::digest::Digest;
use crate::release::document::Artifacts;
use crate::release::{Location, Release};
use crate::report::json::{self, Timing};
use crate::serve::Kind;
use crate::serve::runtime::{Decide, Decided, Question, Step, Undecided};
use crate::source::oci::Reach;
use crate::trust::TrustRoot;
use crate::yaml;

use super::super::flags::{EvidenceFlags, PolicyFlags, ReleaseFlags};
use super::super::load::{self, LogPlace, Missing, Sources};
use super::super::progress::Progress;
use super::super::{Exit, Failure, Session};
use super::reach::bounds;

/// How long one waits for another writer of the log.
const PATIENCE: Duration = Duration::from_secs(5);

/// What decides, where a log and trust are configured.
pub(super) fn decide(config: &Config, session: &Session) -> Option<Decide> {
    if config.audit.is_none() || config.trust.is_none() {
        return None;
    }
    let gatekeeper =
        Gatekeeper { session: Session { quiet: true, ..session.clone() }, log: Mutex::default() };
    Some(Arc::new(move |question: Question| gatekeeper.decide(&question)))
}

/// One log, and whoever decides for it.
struct Gatekeeper {
    session: Session,
    log: Mutex<Option<Open>>,
}

/// An open log, and the trust that it was opened under.
struct Open {
    log: AuditLog,
    trust: Digest,
}

/// What one decision is made of.
struct Case {
    config: Config,
    release: Release,
    rollout: RolloutRequest,
    trust: TrustRoot,
    reach: Reach,
}

impl Gatekeeper {
    fn decide(&self, question: &Question) -> Result<Decided, Undecided> {
        let began = Instant::now();
        question.course.begin(Step::Load);
        let case = self.case(question)?;
        let inline = Inline::of(question, &self.session)?;
        self.judged(question, case, &inline, began)
    }

    fn case(&self, question: &Question) -> Result<Case, Undecided> {
        let config = load::config(&self.session).map_err(impossible)?;
        let rollout = config.rollout(&plan::RolloutFlags::default());
        let rollout = rollout.map_err(|error| impossible(error.into()))?;
        let release = self.release(question, &config).map_err(invalid)?;
        rollout.check(&release).map_err(|error| invalid(error.into()))?;
        let reach = bounds(&question.evaluation, &release, &config, &self.session).map_err(invalid)?;
        let trust = load::executor_trust(&config, &self.session).map_err(impossible)?;
        Ok(Case { config, release, rollout, trust, reach })
    }

    fn release(&self, question: &Question, config: &Config) -> Result<Release, Failure> {
        let asked = &question.evaluation;
        let flags = ReleaseFlags {
            release: None,
            manifests: None,
            image: asked.images.clone(),
            environment: asked.environment.clone(),
        };
        let Some(document) = &asked.release else {
            let found = load::release_in_reach(&flags, config, &self.session)?;
            return found.ok_or_else(|| {
                Failure::usage("there is no release: none is configured, and none was sent")
                    .hint("send one as `release`, with the members of release.yaml")
            });
        };
        // JSON is YAML: the same reader, with the same refusals.
        let source = yaml::Source::new("release", &format!("{document:#}"));
        let artifacts = if asked.images.is_empty() { Artifacts::Listed } else { Artifacts::Beside };
        let mut release = Release::parse_with(&source, Path::new(""), artifacts)?;
        let here = |location: &Location| matches!(location, Location::File(_) | Location::Layout { .. });
        let mut all = release.artifacts.iter().chain(&release.config);
        if let Some(artifact) = all.find(|artifact| here(&artifact.location)) {
            return Err(Failure::usage(format!(
                "`{}` is a file, and none of the service's is read",
                artifact.name
            ))
            .hint("name an image as `repository@sha256:…`, or have it decided with `laforge deploy`"));
        }
        load::add_images(&mut release, &asked.images)?;
        match &asked.environment {
            Some(environment) if *environment != release.environment => Err(Failure::usage(format!(
                "`{environment}` is not the release's environment, which is `{}`",
                release.environment
            ))),
            _ => Ok(release),
        }
    }

    fn judged(
        &self,
        question: &Question,
        case: Case,
        inline: &Inline,
        began: Instant,
    ) -> Result<Decided, Undecided> {
        let Case { config, release, rollout, trust, reach } = case;
        let evidence = EvidenceFlags { evidence: Vec::new(), trust: None, offline: false };
        let mut paths =
            load::evidence_paths(&evidence, &config, &trust, &self.session).map_err(impossible)?;
        paths.extend(inline.folder.clone());
        let bundles = load::bundles(&paths, &self.session);
        let (recorded, keeping) = self.with_log(&config, &trust, &release, |log| {
            Ok((log.last_versions(&release.environment), log.keeping()))
        })?;
        let none = PolicyFlags::default();
        let policies =
            load::policies(&none, &config, &trust, &recorded, &self.session).map_err(impossible)?;
        let mode = if question.evaluation.dry_run { Mode::DryRun } else { Mode::Enforce };
        let request = Request { rollout, mode, caller: caller(question) };
        let progress = Progress::on(&self.session);
        let sources = Sources::open(bundles, &evidence, &trust, &progress, &self.session).within(reach);
        let standard = Standard { trust, policies };
        let (images, found) = (sources.images(), sources.evidence());
        let world = World { artifacts: &sources.artifacts, images: &images, evidence: &found };
        let (now, named) = (self.session.now(), release.clone());
        question.course.begin(Step::Verify);
        let verified = || question.course.begin(Step::Decide);
        let decision = gate::judge(release, &request, world, &standard, now, verified)
            .map_err(|error| impossible(Failure::of(Exit::NoDecision, &error)))?;
        question.course.begin(Step::Append);
        let caller = &request.caller;
        // Several decisions keep their evidence at a time; for its entry each is alone with the log.
        let kept = keeping.keep(decision, caller).map_err(|error| self.not_kept(&error))?;
        let outcome = self.with_log(&config, &standard.trust, &named, |log| {
            gate::record_kept(kept, caller, log, self.session.now())
                .map_err(|error| load::audit_failure(&error.cause))
        })?;
        Ok(decided(&outcome, began))
    }

    /// As with an entry that failed, the log is opened anew the next time.
    fn not_kept(&self, error: &AppendError) -> Undecided {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Undecided::Unrecorded(text(&load::audit_failure(&error.cause)))
    }

    /// Does something with the log, which is opened where it isn't, or was under other trust. One that failed is
    /// opened anew the next time.
    fn with_log<T>(
        &self,
        config: &Config,
        trust: &TrustRoot,
        release: &Release,
        work: impl FnOnce(&mut AuditLog) -> Result<T, Failure>,
    ) -> Result<T, Undecided> {
        let unrecorded = |failure: Failure| Undecided::Unrecorded(text(&failure));
        let mut held = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held.take().filter(|open| open.trust == trust.digest());
        let mut open = match known {
            Some(open) => open,
            None => {
                let place = LogPlace::of(None, None, config).map_err(unrecorded)?.patient_for(PATIENCE);
                let now = self.session.now();
                let log = place.open(Missing::IsRefused, trust, &release.environment, &self.session, now);
                Open { log: log.map_err(unrecorded)?, trust: trust.digest() }
            }
        };
        load::refuse_other_gates(&open.log, trust, &release.environment).map_err(unrecorded)?;
        let done = work(&mut open.log).map_err(unrecorded)?;
        for warning in open.log.take_warnings() {
            self.session.tell(&format!("warning: {}\n", load::warning(&warning)));
        }
        *held = Some(open);
        Ok(done)
    }
}

/// Who asks, as the login knows them.
fn caller(question: &Question) -> Caller {
    let (r#type, verified) = match question.kind {
        Kind::Person => (ActorType::Person, true),
        Kind::Program => (ActorType::Workload, true),
        Kind::Anyone => (ActorType::Unknown, false),
    };
    let actor = Actor { id: question.caller.clone(), issuer: None, r#type, verified };
    Caller { actor, ci: None, trace: question.trace.clone() }
}

fn decided(outcome: &Outcome, began: Instant) -> Decided {
    let (report, reference, plan): (&DecisionReport, _, _) = match outcome {
        Outcome::Approved(plan) => {
            (plan.approved().report(), plan.approved().reference(), Some(plan.envelope()))
        }
        Outcome::Refused(refused) => (refused.report(), refused.reference(), None),
        Outcome::Rehearsed(rehearsed) => (rehearsed.report(), rehearsed.reference(), None),
    };
    let total_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let text = json::render(report, Some(reference), Timing { total_ms });
    Decided { report: serde_json::from_str(&text).unwrap_or_default(), plan }
}

/// For whoever asks over HTTP, who has neither a terminal nor flags.
fn text(failure: &Failure) -> String {
    failure.sentence()
}

fn invalid(failure: Failure) -> Undecided {
    Undecided::Invalid(text(&failure))
}

fn impossible(failure: Failure) -> Undecided {
    Undecided::Impossible(text(&failure))
}

/// Evidence that came with a request, as files.
struct Inline {
    folder: Option<PathBuf>,
}

impl Inline {
    fn of(question: &Question, session: &Session) -> Result<Self, Undecided> {
        let evidence = &question.evidence;
        if evidence.is_empty() {
            return Ok(Self { folder: None });
        }
        let failed = |path: &Path, error: &std::io::Error| {
            impossible(Failure::io(Exit::NoDecision, "write to", path, error))
        };
        let name = random::hex::<16>().map_err(|error| failed(Path::new("evidence"), &error))?;
        let base = session.variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
        let folder = base.join(format!("laforge-evidence-{name}"));
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| failed(&folder, &error))?;
        let inline = Self { folder: Some(folder.clone()) };
        for (number, piece) in evidence.iter().enumerate() {
            let path = folder.join(format!("{number}.sigstore.json"));
            fs::write(&path, piece).map_err(|error| failed(&path, &error))?;
        }
        Ok(inline)
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // What is left is in a folder of its owner's alone.
            let _ = fs::remove_dir_all(folder);
        }
    }
}
