//! What of an accepted plan goes into manifests, every number one that they hold.
//!
//! In: the plan and the settings. Out: a [`Course`], with what an engine needs where it can be asked for.

use crate::plan::RecordedCore;
use crate::plan::members::{MigrationClass, Objective, Phase, Role, Step, Subject};
use crate::plan::recorded::Unsound;
use crate::release::digest::Digest;
use crate::rollout::envelope::AcceptedPlan;

use super::settings::{Gateway, Settings, is_app, is_label_value};
use super::{Engine, Lossy, RenderError};

/// The most that a 32-bit member of a manifest holds.
const MOST: u64 = i32::MAX as u64;

/// A plan on its way into manifests.
pub(super) struct Course<'a> {
    pub(super) core: &'a RecordedCore,
    pub(super) plan_digest: Digest,
    pub(super) log_origin: &'a str,
    pub(super) log_index: u64,
    pub(super) settings: &'a Settings,
    pub(super) engine: Engine,
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) replicas: u64,
    pub(super) candidate: Image<'a>,
    pub(super) migration: Option<Migration<'a>>,
    pub(super) warmup: Warmup<'a>,
    pub(super) steps: &'a [Step],
    pub(super) monitor: Monitor<'a>,
}

/// What runs: an image of which a digest is known.
#[derive(Clone, Copy)]
pub(super) struct Image<'a> {
    pub(super) subject: &'a Subject,
    repository: &'a str,
}

/// The migration.
pub(super) struct Migration<'a> {
    pub(super) command: &'a [String],
    pub(super) class: MigrationClass,
    pub(super) backup: Option<&'a str>,
    pub(super) timeout_seconds: u64,
}

/// How the candidate gets ready.
pub(super) struct Warmup<'a> {
    pub(super) path: &'a str,
    pub(super) period_seconds: u64,
    pub(super) successes: u64,
    pub(super) latency_ms: u64,
    pub(super) timeout_seconds: u64,
}

/// The watch at 100 %.
pub(super) struct Monitor<'a> {
    pub(super) window_seconds: u64,
    pub(super) objectives: &'a [String],
}

impl Image<'_> {
    /// As Kubernetes pulls it: by digest alone.
    pub(super) fn reference(&self) -> String {
        format!("{}@sha256:{}", self.repository, self.subject.digest.sha256)
    }
}

impl<'a> Course<'a> {
    /// Reads a plan for an engine.
    ///
    /// # Errors
    /// [`RenderError`]: what every engine needs is missing, or not one image is deployed.
    pub(super) fn of(
        plan: &'a AcceptedPlan,
        settings: &'a Settings,
        engine: Engine,
    ) -> Result<Self, RenderError> {
        let proven = plan.proven();
        let core = proven.core();
        let [migrate, warmup, Phase::Shift { steps, .. }, Phase::Monitor { window_seconds, objectives, .. }] =
            core.phases.as_slice()
        else {
            return Err(RenderError::Unsound(Unsound::Phases));
        };
        let missing = |member| RenderError::Missing { engine, member };
        let course = Self {
            core,
            plan_digest: proven.digest(),
            log_origin: &proven.reference().origin,
            log_index: proven.reference().index,
            settings,
            engine,
            name: name(core, settings)?,
            namespace: settings.namespace.as_deref().ok_or_else(|| missing("namespace"))?,
            replicas: settings.replicas.ok_or_else(|| missing("replicas"))?,
            candidate: candidate(core)?,
            migration: migration(migrate),
            warmup: warmed_up(warmup).ok_or(RenderError::Unsound(Unsound::Phases))?,
            steps,
            monitor: Monitor { window_seconds: *window_seconds, objectives },
        };
        course.check_numbers()?;
        Ok(course)
    }

    fn check_numbers(&self) -> Result<(), RenderError> {
        let warmup = &self.warmup;
        let mut numbers = vec![
            ("periodSeconds", warmup.period_seconds, 1),
            ("consecutiveSuccesses", warmup.successes, 1),
            ("probeLatencyMaxMs", warmup.latency_ms, 1),
            ("timeoutSeconds", warmup.timeout_seconds, 1),
            ("drainWithinSeconds", self.core.rollback.drain_within_seconds, 1),
            ("windowSeconds", self.monitor.window_seconds, 1),
        ];
        numbers.extend(self.migration.as_ref().map(|run| ("timeoutSeconds", run.timeout_seconds, 1)));
        numbers.extend(self.steps.iter().map(|step| ("windowSeconds", step.window_seconds, 0)));
        numbers.extend(self.steps.iter().map(|step| ("settleSeconds", step.settle_seconds, 0)));
        // Half of it, since two of them are added up.
        let most = MOST / 2;
        match numbers.into_iter().find(|(_, value, least)| !(*least..=most).contains(value)) {
            Some((what, value, least)) => Err(RenderError::Number { what, value, least, most }),
            None => Ok(()),
        }
    }

    /// What `render:` has to name for this engine.
    ///
    /// # Errors
    /// [`RenderError::Missing`].
    pub(super) fn needs<T>(&self, member: &'static str, value: Option<T>) -> Result<T, RenderError> {
        value.ok_or(RenderError::Missing { engine: self.engine, member })
    }

    /// The Gateway that routes attach to.
    pub(super) fn gateway(&self) -> Result<&'a Gateway, RenderError> {
        self.needs("gateway", self.settings.gateway.as_ref())
    }

    /// Where an object of the app is called after its part.
    pub(super) fn part(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.name)
    }

    /// The objectives of a list of ids, all of which a plan has.
    pub(super) fn objectives(&self, ids: &[String]) -> Vec<&'a Objective> {
        self.core.objectives.iter().filter(|objective| ids.contains(&objective.id)).collect()
    }

    /// The stable version's image, which has the candidate's repository.
    ///
    /// # Errors
    /// [`RenderError::NoStable`] where the plan names none.
    pub(super) fn stable(&self) -> Result<Image<'a>, RenderError> {
        let name = &self.candidate.subject.name;
        let stable = |subject: &&Subject| subject.role == Role::Stable && subject.name == *name;
        let subject = self.core.subject.iter().find(stable);
        let subject = subject.ok_or_else(|| RenderError::NoStable(name.clone()))?;
        Ok(Image { subject, repository: self.candidate.repository })
    }

    /// The candidate's weight of each step.
    pub(super) fn weights(&self) -> &'a [u64] {
        &self.core.strategy.traffic_steps
    }

    /// Digests of configuration, by name.
    pub(super) fn config(&self) -> impl Iterator<Item = &'a Subject> {
        self.core.subject.iter().filter(|subject| subject.role == Role::Config)
    }

    /// What is lost whatever the engine.
    pub(super) fn lossy(&self) -> Vec<Lossy> {
        let version = &self.core.release.version;
        [
            (Lossy::ProbeLatency, !self.warmup.latency_ms.is_multiple_of(1000)),
            (Lossy::Config, self.config().next().is_some()),
            (Lossy::VersionLabel, !is_label_value(version)),
        ]
        .into_iter()
        .filter_map(|(lossy, is_so)| is_so.then_some(lossy))
        .collect()
    }

    /// Refuses a text that the engine would take for a template of its own.
    ///
    /// # Errors
    /// [`RenderError::Template`].
    pub(super) fn refuse_template(&self, text: &str) -> Result<(), RenderError> {
        match text.contains("{{") {
            true => Err(RenderError::Template { engine: self.engine, text: text.to_owned() }),
            false => Ok(()),
        }
    }
}

fn name<'a>(core: &'a RecordedCore, settings: &'a Settings) -> Result<&'a str, RenderError> {
    let name = settings.name.as_deref().unwrap_or(&core.release.name);
    match is_app(name) {
        true => Ok(name),
        false => Err(RenderError::Invalid {
            member: "name",
            value: name.to_owned(),
            expected: "set where the release's own name is none of a Kubernetes object: at most 40 lower-case \
                       letters, digits and `-`",
        }),
    }
}

/// The one image that is deployed.
fn candidate(core: &RecordedCore) -> Result<Image<'_>, RenderError> {
    let [name] = core.deploys.as_slice() else {
        return Err(RenderError::SeveralImages(core.deploys.clone()));
    };
    let named = |subject: &&Subject| subject.role == Role::Candidate && subject.name == *name;
    let image = core
        .subject
        .iter()
        .find(named)
        .and_then(|subject| subject.image.as_deref().map(|repository| Image { subject, repository }));
    image.ok_or_else(|| RenderError::NoImage(name.clone()))
}

fn migration(phase: &Phase) -> Option<Migration<'_>> {
    let Phase::Migrate { command: Some(command), class, backup, timeout_seconds, .. } = phase else {
        return None;
    };
    // A command without a class is refused by the gate; the safer word for it is the stronger one.
    let class = class.unwrap_or(MigrationClass::Contract);
    Some(Migration { command, class, backup: backup.as_deref(), timeout_seconds: *timeout_seconds })
}

fn warmed_up(phase: &Phase) -> Option<Warmup<'_>> {
    let Phase::Warmup {
        http_get,
        period_seconds,
        consecutive_successes,
        probe_latency_max_ms,
        timeout_seconds,
        ..
    } = phase
    else {
        return None;
    };
    Some(Warmup {
        path: &http_get.path,
        period_seconds: *period_seconds,
        successes: *consecutive_successes,
        latency_ms: *probe_latency_max_ms,
        timeout_seconds: *timeout_seconds,
    })
}
