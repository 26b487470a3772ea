//! The guard's workers: what takes time or may hang, each in a thread of its own.
//!
//! In: orders, each with the epoch in which it was given. Out: what was seen, with the same epoch. A
//! worker decides nothing and repeats nothing; that at the traffic drops a weight of a fenced epoch. Spec: `rollout.md`
//! section 2 ("drivers drop an older one").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use crate::audit::AuditError;
use crate::plan::members::Objective;
use crate::release::digest::ClaimedDigest;
use crate::rollout::driver::exec::{self, Commands, Migration, Variables};
use crate::rollout::driver::probe::{NotReady, Probe};
use crate::rollout::driver::{DriverError, Remaining, Traffic};
use crate::rollout::machine::step::Alarm;
use crate::rollout::machine::{Weight, Window};
use crate::rollout::metrics::{Counted, Metrics, MetricsError};
use crate::rollout::objective::Instance;
use crate::time::Timestamp;

use super::alarms::Alarms;
use super::book::{Due, Records};

/// What the traffic's worker is told.
#[derive(Debug)]
pub(super) enum TrafficOrder {
    /// Drop everything older.
    Fence(u64),
    /// Give the candidate this share, and read it back.
    Set { weight: Weight, epoch: u64 },
    /// Read the share.
    Read { purpose: Purpose, epoch: u64 },
    /// See what is left at the candidate.
    Remaining { epoch: u64 },
    /// Close its connections.
    Close,
}

/// What a reading is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To see whether it is still so.
    Watch,
    /// A guard that begins, or comes back.
    Begin,
    /// A candidate that is well.
    Health,
    /// A window that is passed.
    Verdict,
    /// Somebody who asks to go on.
    Resume,
    /// A candidate that was rolled back, before it is stopped again.
    Stop,
}

/// What the worker of programs is told.
#[derive(Debug)]
pub(super) enum ProgramOrder {
    /// Start the candidate.
    Start { epoch: u64 },
    /// Stop it.
    Stop { epoch: u64 },
    /// Bring it to a size.
    Scale { percent: u64, epoch: u64 },
    /// See what runs in a slot.
    Runs { slot: String, epoch: u64 },
}

/// What is counted for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counting {
    /// A window, its id, and the step that it is of.
    Window { window: Window, id: u64, passed: usize },
    /// Somebody who asks to go on: whether the series are there.
    Resume,
}

/// What the worker of metrics is told: count these objectives.
#[derive(Debug)]
pub(super) struct CountOrder {
    /// What for.
    pub(super) counting: Counting,
    /// The epoch.
    pub(super) epoch: u64,
    /// Whose series.
    pub(super) sides: Sides,
    /// What is counted.
    pub(super) objectives: Vec<Objective>,
    /// Since when.
    pub(super) from: Timestamp,
    /// Until when.
    pub(super) until: Timestamp,
}

/// What was counted.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) counting: Counting,
    pub(super) epoch: u64,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) counts: Vec<Counts>,
}

/// What one objective's series said, of both slots.
#[derive(Debug)]
pub(super) struct Counts {
    /// The objective.
    pub(super) objective: String,
    /// Of the version on trial.
    pub(super) candidate: Result<Vec<Instance>, MetricsError>,
    /// Of the version serving.
    pub(super) stable: Result<Vec<Instance>, MetricsError>,
}

/// Everything that workers see.
#[derive(Debug)]
pub(super) enum Observation {
    /// A share was read.
    Weight { purpose: Purpose, epoch: u64, result: Result<Weight, DriverError> },
    /// A share was set, or not.
    Set { epoch: u64, result: Result<(), DriverError> },
    /// What is left at the candidate.
    Remaining { epoch: u64, result: Result<Remaining, DriverError> },
    /// A program ended.
    Program { what: Program, epoch: u64, result: Result<(), DriverError> },
    /// What runs in a slot.
    Runs { slot: String, epoch: u64, result: Result<BTreeSet<ClaimedDigest>, DriverError> },
    /// The candidate was probed: so many milliseconds.
    Probe { epoch: u64, result: Result<u64, NotReady> },
    /// A window was counted.
    Counts(Tally),
    /// The log took an entry, or not.
    Recorded(Result<(), AuditError>),
}

/// Which program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// The candidate's start.
    Start,
    /// Its stop.
    Stop,
    /// Its size.
    Scale,
}

/// What a guard works with.
pub struct Tools {
    /// What splits the traffic.
    pub traffic: Box<dyn Traffic>,
    /// What starts and stops.
    pub programs: Programs,
    /// What asks whether the candidate is well.
    pub probe: Probe,
    /// What counts.
    pub metrics: Box<dyn Metrics>,
    /// What records.
    pub book: Box<dyn Records>,
}

/// The programs of an executor, and what they find in their environment.
#[derive(Debug, Clone)]
pub struct Programs {
    /// What starts, stops, scales and migrates.
    pub commands: Commands,
    /// What they are told of the candidate.
    pub variables: Variables,
    /// What says which digests run, by slot.
    pub runs: BTreeMap<String, Vec<String>>,
    /// How long that may take.
    pub timeout: Duration,
}

impl Programs {
    /// Starts the migration.
    pub(super) fn migrate(&self, arguments: &[String]) -> Result<Migration, DriverError> {
        self.commands.migrate(arguments, &self.variables)
    }

    fn running(&self, slot: &str) -> Result<BTreeSet<ClaimedDigest>, DriverError> {
        let arguments = self.runs.get(slot).map(Vec::as_slice).unwrap_or_default();
        let variables = Variables { slot: Some(slot.to_owned()), ..Variables::default() };
        exec::runs(arguments, &variables, self.timeout)
    }
}

/// The ends of all workers. They end when this is dropped.
pub(super) struct Workers {
    pub(super) traffic: Sender<TrafficOrder>,
    pub(super) programs: Sender<ProgramOrder>,
    pub(super) probes: Sender<u64>,
    pub(super) counts: Sender<CountOrder>,
    pub(super) entries: Sender<Due>,
    pub(super) alarms: Alarms,
    fence: Arc<AtomicU64>,
}

impl Workers {
    /// Starts them; what they see comes out of the other end.
    pub(super) fn of(tools: Tools) -> (Self, Receiver<Observation>) {
        let Tools { traffic, programs, probe, metrics, book } = tools;
        let (tell, seen) = mpsc::channel();
        let fence = Arc::new(AtomicU64::new(0));
        let workers = Self {
            traffic: worker(Driving { traffic, fence: Arc::clone(&fence) }, &tell, Driving::take),
            // Nobody waits for a start or a size to be woken.
            alarms: Alarms::of(programs.commands.clone(), programs.variables.clone()),
            programs: worker(programs, &tell, run),
            probes: worker(probe, &tell, |probe, epoch, tell| {
                told(tell, Observation::Probe { epoch, result: probe.ask() });
            }),
            counts: worker(metrics, &tell, |metrics, order, tell| told(tell, count(&mut **metrics, order))),
            entries: worker(book, &tell, |book, due, tell| {
                told(tell, Observation::Recorded(book.record(&due)))
            }),
            fence,
        };
        (workers, seen)
    }

    /// From now on no weight that an older epoch ordered is set, not even one that is queued already.
    pub(super) fn drop_older(&self, epoch: u64) {
        self.fence.fetch_max(epoch, Ordering::SeqCst);
    }

    /// The same for every guard of this target: the driver is told, too.
    pub(super) fn fence(&self, epoch: u64) {
        self.drop_older(epoch);
        give(&self.traffic, TrafficOrder::Fence(epoch));
    }
}

/// Gives an order. A worker only ends with the guard.
pub(super) fn give<O>(worker: &Sender<O>, order: O) {
    // A worker that is gone answers nothing, and what was waited for runs into its deadline.
    let _ = worker.send(order);
}

fn told(tell: &Sender<Observation>, seen: Observation) {
    // Nobody listens any more: the guard has ended.
    let _ = tell.send(seen);
}

/// A thread that takes orders one by one.
fn worker<T: Send + 'static, O: Send + 'static>(
    mut tool: T,
    tell: &Sender<Observation>,
    work: fn(&mut T, O, &Sender<Observation>),
) -> Sender<O> {
    let (orders, taken) = mpsc::channel();
    let tell = tell.clone();
    thread::spawn(move || {
        for order in taken {
            work(&mut tool, order, &tell);
        }
    });
    orders
}

/// The worker at the traffic.
struct Driving {
    traffic: Box<dyn Traffic>,
    fence: Arc<AtomicU64>,
}

impl Driving {
    fn take(&mut self, order: TrafficOrder, tell: &Sender<Observation>) {
        match order {
            // Where it can't be written down, the next command fails and says so.
            TrafficOrder::Fence(epoch) => drop(self.traffic.fence(epoch)),
            TrafficOrder::Set { weight, epoch } if epoch >= self.fence.load(Ordering::SeqCst) => {
                let result = self.traffic.set(weight, epoch);
                let done = result.is_ok();
                told(tell, Observation::Set { epoch, result });
                if done {
                    self.read(Purpose::Watch, epoch, tell);
                }
            }
            TrafficOrder::Set { .. } => {}
            TrafficOrder::Read { purpose, epoch } => self.read(purpose, epoch, tell),
            TrafficOrder::Remaining { epoch } => {
                told(tell, Observation::Remaining { epoch, result: self.traffic.remaining() });
            }
            // What stays open is seen by the next look at what is left.
            TrafficOrder::Close => drop(self.traffic.close_connections()),
        }
    }

    fn read(&mut self, purpose: Purpose, epoch: u64, tell: &Sender<Observation>) {
        let result = self.traffic.read().map(|share| share.weight());
        told(tell, Observation::Weight { purpose, epoch, result });
    }
}

fn run(programs: &mut Programs, order: ProgramOrder, tell: &Sender<Observation>) {
    let (commands, variables) = (&programs.commands, &programs.variables);
    let ended = |what, epoch, result| told(tell, Observation::Program { what, epoch, result });
    match order {
        ProgramOrder::Start { epoch } => ended(Program::Start, epoch, commands.start(variables)),
        ProgramOrder::Stop { epoch } => ended(Program::Stop, epoch, commands.stop(variables)),
        ProgramOrder::Scale { percent, epoch } => {
            ended(Program::Scale, epoch, commands.scale(percent, variables))
        }
        ProgramOrder::Runs { slot, epoch } => {
            let result = programs.running(&slot);
            told(tell, Observation::Runs { slot, epoch, result });
        }
    }
}

/// The two versions whose series are counted.
#[derive(Debug, Clone)]
pub struct Sides {
    /// The version on trial.
    pub candidate: Counted,
    /// The version serving; none where nobody knows which that is.
    pub stable: Option<Counted>,
}

fn count(metrics: &mut dyn Metrics, order: CountOrder) -> Observation {
    let CountOrder { counting, epoch, sides, objectives, from, until } = order;
    let counts = objectives.iter().map(|objective| Counts {
        objective: objective.id.clone(),
        candidate: metrics.counters(objective, &sides.candidate, from, until),
        stable: match &sides.stable {
            Some(stable) => metrics.counters(objective, stable, from, until),
            None => Ok(Vec::new()),
        },
    });
    Observation::Counts(Tally { counting, epoch, from, until, counts: counts.collect() })
}

/// The wire word of an alarm.
pub(super) fn word(alarm: Alarm) -> String {
    match alarm {
        Alarm::AboveTarget => "above-target",
        Alarm::NotLowered => "not-lowered",
    }
    .to_owned()
}
