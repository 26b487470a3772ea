//! The desk: one accepted plan, and all that is asked about it.
//!
//! In: an [`AcceptedPlan`], what the service is configured with, metrics, the clock. Out: windows looked at, what
//! is known of the plan, its migration. The plan is judged by the digest of the first of its `deploys`. A breach
//! that any look finds is remembered. It starts nothing and shifts nothing: the engine does.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::time::{Duration as Patience, Instant};

use chrono::Duration;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::super::journal::tell;
use super::super::traces::{Part, Traced};
use super::counting::Counting;
use super::memory::{Memory, MemoryError};
use super::migration::{Job, Migrating};
use crate::plan::members::Objective;
use crate::plan::recorded::{RecordedCore, RecordedValidity, Unsound};
use crate::release::digest::Digest;
use crate::rollout::AcceptedPlan;
use crate::rollout::driver::exec::Commands;
use crate::rollout::executor::CommandsSection;
use crate::rollout::executor::runtime::{CanaryName, Runtime};
use crate::rollout::guard::{Ask, Assignment};
use crate::rollout::journal::Slots;
use crate::rollout::machine::schedule::Rung;
use crate::rollout::machine::{Operator, Schedule};
use crate::rollout::metrics::Metrics;
use crate::rollout::objective::Budget;
use crate::rollout::verdict::gates::{Answer, Known, Migrated};
use crate::rollout::verdict::{Judged, Span, Verdict, in_force, judge, overall, reason};
use crate::time::Timestamp;

/// How long `/readyz` waits for the metrics.
const READY: Patience = Patience::from_secs(3);

/// What a desk works with.
pub struct Source {
    /// What is configured.
    pub runtime: Runtime,
    /// What counts.
    pub metrics: Box<dyn Metrics>,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// One plan, and all that is asked about it.
pub struct Desk {
    core: RecordedCore,
    plan: Digest,
    schedule: Schedule,
    canary: Option<CanaryName>,
    counting: Counting,
    memory: Memory,
    migrating: Migrating,
    clock: fn() -> Timestamp,
}

/// A window that is to be looked at.
pub(super) struct Watch {
    objectives: Vec<Objective>,
    length: Duration,
}

/// A window that was.
pub(super) struct Looked {
    pub(super) span: Span,
    pub(super) judged: Vec<Judged>,
}

impl Desk {
    /// The desk of a plan.
    ///
    /// # Errors
    /// [`Unsound`] where the plan contradicts itself; an accepted plan never does.
    pub fn of(plan: &AcceptedPlan, memory: Memory, source: Source) -> Result<Self, Unsound> {
        let Source { runtime, metrics, clock } = source;
        let core = plan.proven().core().clone();
        let schedule = Schedule::of_core(&core)?;
        // Slots are a driver's; here they are names that programs see.
        let slots = Slots { stable: "stable".to_owned(), candidate: "candidate".to_owned() };
        let assignment =
            Assignment { core: core.clone(), plan: plan.proven().digest(), slots, elsewhere: None };
        let counted = assignment.sides(&BTreeSet::new()).candidate;
        let commands = CommandsSection { migrate: runtime.migrate, ..CommandsSection::default() };
        let within = Patience::from_secs(schedule.migrate_within_seconds);
        let job = Job {
            arguments: schedule.migration.clone(),
            within,
            commands: Commands::new(&commands, within),
            variables: assignment.variables(),
            memory: memory.clone(),
            clock,
            ends: AtomicBool::new(false),
        };
        Ok(Self {
            core,
            plan: plan.proven().digest(),
            schedule,
            canary: runtime.canary,
            counting: Counting::new(metrics, counted, runtime.prometheus.url, clock),
            memory,
            migrating: Migrating::new(job),
            clock,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn plan(&self) -> Digest {
        self.plan
    }

    /// Where the plan may run.
    pub(super) fn target(&self) -> &str {
        &self.core.target
    }

    pub(super) fn validity(&self) -> &RecordedValidity {
        &self.core.validity
    }

    pub(super) fn canary(&self) -> Option<&CanaryName> {
        self.canary.as_ref()
    }

    /// The version that is judged.
    pub(super) fn candidate(&self) -> Value {
        let counted = self.counting.counted();
        json!({"digest": counted.digest, "version": counted.version})
    }

    pub(super) fn steps(&self) -> usize {
        self.schedule.rungs().count()
    }

    /// A step's objectives over its own window or another; without a step all objectives. None where the plan
    /// has no such step, or nobody says how long.
    pub(super) fn watch(&self, step: Option<usize>, length: Option<Duration>) -> Option<Watch> {
        let Some(step) = step else {
            return Some(Watch { objectives: self.core.objectives.clone(), length: length? });
        };
        let rung = self.schedule.rungs().nth(step)?;
        let named = |objective: &&Objective| rung.budgets.iter().any(|budget| budget.id == objective.id);
        let objectives = self.core.objectives.iter().filter(named).cloned().collect();
        Some(Watch { objectives, length: length.unwrap_or_else(|| window_of(rung)) })
    }

    /// The longest window of a step, as rendered intervals are; of a plan of one step the last.
    pub(super) fn step_window(&self) -> Watch {
        let steps = self.steps().saturating_sub(1).max(1);
        let longest = self.schedule.rungs().take(steps).map(window_of).max();
        Watch { objectives: self.core.objectives.clone(), length: longest.unwrap_or_default() }
    }

    /// The window after the last step.
    pub(super) fn last_window(&self) -> Watch {
        let last = self.schedule.rungs().last().map(window_of);
        Watch { objectives: self.core.objectives.clone(), length: last.unwrap_or_default() }
    }

    /// Looks at a window that ends now. A breach is remembered, also where it can't be written down.
    pub(super) async fn look(&self, watch: &Watch, patience: Patience) -> Looked {
        let (span, series) = self.counting.series(&watch.objectives, watch.length, patience).await;
        let judged: Vec<Judged> = watch
            .objectives
            .iter()
            .zip(&series)
            .map(|(objective, series)| judge(&Budget::of(objective), series, &span))
            .collect();
        if overall(&judged) == Verdict::Breach {
            let (why, at) = (reason(&judged), span.until);
            let written = self.with_memory(move |memory| memory.breach(at, &why)).await;
            if let Err(error) = written {
                tell(self.now(), "trouble", json!({"why": error.told()}));
            }
        }
        Looked { span, judged }
    }

    /// What is known besides.
    pub(super) async fn known(&self) -> Result<Known<'_>, MemoryError> {
        let stopped = self.stopped().await?;
        let migrated = self.migrating.migrated()?;
        Ok(Known { now: self.now(), validity: self.validity(), migrated, stopped })
    }

    /// Why the plan was stopped, if it was.
    pub(super) async fn stopped(&self) -> Result<Option<String>, MemoryError> {
        self.with_memory(Memory::stopped).await
    }

    /// Runs the migration once, and waits for its end.
    pub(super) async fn migrate(&self) -> Result<Answer, MemoryError> {
        let Some(turn) = self.migrating.turn().await else {
            return Ok(Answer::Hold("the migration is under way, and others wait for it already".to_owned()));
        };
        if let Some(answer) = self.known().await?.migrate() {
            return Ok(answer);
        }
        let began = Instant::now();
        let migrated = self.migrating.run(turn).await;
        let wrong = match &migrated {
            Ok(Migrated::Failed(_)) => Some("failed"),
            Ok(Migrated::Unknown) | Err(_) => Some("interrupted"),
            Ok(_) => None,
        };
        let part = Part { name: "migrate", began, ended: Instant::now(), wrong, members: Vec::new() };
        Traced::current().tell(part);
        let migrated = migrated?;
        let known = Known { migrated, ..self.known().await? };
        let nothing = || Answer::Hold("the migration has not run".to_owned());
        Ok(match known.migrated {
            Migrated::Absent => nothing(),
            _ => known.migrate().unwrap_or_else(nothing),
        })
    }

    pub(super) async fn has_traffic(&self) -> Result<bool, MemoryError> {
        self.with_memory(Memory::has_traffic).await
    }

    pub(super) async fn remember_traffic(&self) -> Result<(), MemoryError> {
        let now = self.now();
        self.with_memory(move |memory| memory.give_traffic(now)).await
    }

    /// Whether a verdict could be given.
    pub(super) async fn readiness(&self) -> Result<(), String> {
        in_force(self.validity(), self.now()).map_err(|error| error.to_string())?;
        let first = self.core.objectives.get(..1).unwrap_or_default();
        let (_, series) = self.counting.series(first, Duration::minutes(1), READY).await;
        series.into_iter().try_for_each(|series| series.map(drop).map_err(|error| error.to_string()))
    }

    /// Leaves a request to have the engine roll back; one plan is rolled back once.
    pub(super) fn roll_back(&self, operator: Operator) -> std::io::Result<()> {
        self.memory.asks().leave(&Ask::of_engine(operator))
    }

    /// The service ends.
    pub(super) fn end(&self) {
        self.migrating.end();
    }

    /// The disk may take its time, on a thread that may wait for it.
    async fn with_memory<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Memory) -> Result<T, MemoryError> + Send + 'static,
    ) -> Result<T, MemoryError> {
        let memory = self.memory.clone();
        spawn_blocking(move || work(&memory)).await.map_err(|_| MemoryError::Interrupted)?
    }
}

fn window_of(rung: &Rung) -> Duration {
    let seconds = i64::try_from(rung.window_seconds).ok().and_then(Duration::try_seconds);
    seconds.unwrap_or(Duration::MAX)
}
