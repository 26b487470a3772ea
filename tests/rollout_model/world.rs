//! The world of the model, what can happen in it, and what must never.
//!
//! Epochs and windows are kept as ages (of this one, or older), and instants as eras, so that the
//! states are finitely many. What a rule needs to remember beside the guard's state stands in the world.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use laforge::rollout::machine::event::{Runs, Series, StableSide};
use laforge::rollout::machine::state::Leg;
use laforge::rollout::machine::step::Command;
use laforge::rollout::machine::{Event, Occurrence, Operator, Schedule, Stage, State, Step, Weight};
use laforge::rollout::objective::{Count, Measured};
use stateright::{Model, Property};

use crate::course::{Era, OBJECTIVE, schedule};
use crate::fault::Fault;
use crate::guard;
use crate::rules::Rule;

/// Where every epoch and window id is kept: ages are what matters.
pub(crate) const BASE: u64 = 8;

/// How old something is: of the current epoch or window, or of an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Age {
    Current,
    Older,
}

impl Age {
    fn of(self) -> u64 {
        BASE - self as u64
    }

    fn grow(&mut self, by: u64) {
        if by > 0 {
            *self = Self::Older;
        }
    }
}

/// A command with the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct InFlight {
    pub(crate) weight: Weight,
    pub(crate) epoch: Age,
    /// It took effect, and its answer is due.
    pub(crate) done: bool,
}

/// A message that is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Late {
    Confirmed(Weight, Age),
    Migrated(Age),
    Pass { epoch: Age, window: Age },
    Breach(Age),
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) guard: State,
    pub(crate) era: Era,
    pub(crate) proxy: Weight,
    /// Somebody else set the weight that the proxy has.
    pub(crate) foreign: bool,
    /// The candidate has connections.
    pub(crate) busy: bool,
    pub(crate) command: Option<InFlight>,
    /// A command that another one has overtaken, or whose guard is gone.
    pub(crate) orphan: Option<InFlight>,
    /// What the driver said, and has not arrived.
    pub(crate) answer: Option<Late>,
    /// What the metrics said.
    pub(crate) verdict: Option<Late>,
    /// How many windows were passed with requests, in order.
    pub(crate) earned: usize,
    /// The candidate was probed and found well.
    pub(crate) warm: bool,
    /// Rules that were broken on the way here.
    pub(crate) broken: u16,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    EraPasses,
    Start,
    Cancel,
    Migrated,
    MigratedLate,
    MigrationFails,
    Times,
    Healthy,
    Unhealthy,
    TakesEffect,
    OrphanTakesEffect,
    Answers,
    AnswersLate,
    Fails,
    LosesCommand,
    ProxyForgets,
    OtherWriter,
    Reads,
    Passes,
    PassesWithoutRequests,
    PassesLate,
    Breaches,
    BothBreach,
    BreachesLate,
    Inconclusive,
    MetricsVanish,
    LateAnswerArrives,
    LateAnswerIsLost,
    LateVerdictArrives,
    LateVerdictIsLost,
    Pauses,
    Resumes,
    Deadline,
    RollsBack,
    ConnectionsEnd,
    ReadsDrain,
    Restarts,
}

const ACTIONS: [Action; 37] = [
    Action::EraPasses,
    Action::Start,
    Action::Cancel,
    Action::Migrated,
    Action::MigratedLate,
    Action::MigrationFails,
    Action::Times,
    Action::Healthy,
    Action::Unhealthy,
    Action::TakesEffect,
    Action::OrphanTakesEffect,
    Action::Answers,
    Action::AnswersLate,
    Action::Fails,
    Action::LosesCommand,
    Action::ProxyForgets,
    Action::OtherWriter,
    Action::Reads,
    Action::Passes,
    Action::PassesWithoutRequests,
    Action::PassesLate,
    Action::Breaches,
    Action::BothBreach,
    Action::BreachesLate,
    Action::Inconclusive,
    Action::MetricsVanish,
    Action::LateAnswerArrives,
    Action::LateAnswerIsLost,
    Action::LateVerdictArrives,
    Action::LateVerdictIsLost,
    Action::Pauses,
    Action::Resumes,
    Action::Deadline,
    Action::RollsBack,
    Action::ConnectionsEnd,
    Action::ReadsDrain,
    Action::Restarts,
];

/// The model.
#[derive(Debug, Clone)]
pub(crate) struct Rollout {
    pub(crate) schedule: Schedule,
    pub(crate) fault: Option<Fault>,
    pub(crate) operator: Operator,
    /// The rows that took something, as bits: a row that no interleaving reaches is not checked.
    pub(crate) rows: Arc<AtomicU32>,
}

impl Rollout {
    pub(crate) fn new(weights: &[u64], operator_deadline: Option<u64>, fault: Option<Fault>) -> Self {
        let operator = Operator::new("alice", "asked").expect("an operator");
        Self { schedule: schedule(weights, operator_deadline), fault, operator, rows: Arc::default() }
    }

    pub(crate) fn steps(&self) -> usize {
        self.schedule.rungs().count()
    }
}

impl Model for Rollout {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            guard: normal(State::planned()),
            era: Era::Before,
            proxy: Weight::ZERO,
            foreign: false,
            busy: false,
            command: None,
            orphan: None,
            answer: None,
            verdict: None,
            earned: 0,
            warm: false,
            broken: 0,
        }]
    }

    fn actions(&self, _: &World, actions: &mut Vec<Action>) {
        actions.extend(ACTIONS);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.act(&mut next, action)?;
        self.watch(world, &mut next);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn kept<const RULE: u16>(_: &Rollout, world: &World) -> bool {
            world.broken & RULE == 0
        }
        vec![
            Property::always(Rule::P1.name(), kept::<{ Rule::P1 as u16 }>),
            Property::always(Rule::P2.name(), kept::<{ Rule::P2 as u16 }>),
            Property::always(Rule::P3.name(), kept::<{ Rule::P3 as u16 }>),
            Property::always(Rule::P4.name(), kept::<{ Rule::P4 as u16 }>),
            Property::always(Rule::P5.name(), kept::<{ Rule::P5 as u16 }>),
            Property::always(Rule::P6.name(), kept::<{ Rule::P6 as u16 }>),
            Property::always(Rule::P7.name(), kept::<{ Rule::P7 as u16 }>),
            Property::always(Rule::P8.name(), kept::<{ Rule::P8 as u16 }>),
            Property::always(Rule::P9.name(), kept::<{ Rule::P9 as u16 }>),
            Property::always(Rule::P15.name(), kept::<{ Rule::P15 as u16 }>),
            Property::sometimes("completes", |_, world: &World| world.guard.stage == Stage::Completed),
            Property::sometimes("rolls back", |_, world: &World| world.guard.stage == Stage::RolledBack),
            Property::sometimes("expires", |_, world: &World| world.guard.stage == Stage::Expired),
        ]
    }
}

/// A state without what grows for ever: ages and eras stand for it.
fn normal(mut state: State) -> State {
    state.epoch = BASE;
    state.windows = BASE;
    let past = Era::Before.now();
    match &mut state.stage {
        Stage::Migrating { deadline } | Stage::WarmingUp { deadline } | Stage::Applying { deadline } => {
            *deadline = past;
        }
        Stage::Observing { window } | Stage::Monitoring { window } => {
            (window.opens, window.ends) = (past, past);
        }
        Stage::Paused { pause } => {
            pause.since = past;
            pause.deadline = pause.deadline.map(|_| past);
        }
        Stage::RollingBack { retreat } => {
            (retreat.alarm_at, retreat.attempts) = (past, 0);
            match &mut retreat.leg {
                Leg::Lowering { deadline } | Leg::Draining { deadline } => *deadline = past,
            }
        }
        Stage::Planned | Stage::Completed | Stage::RolledBack | Stage::Expired => {}
    }
    state
}

impl World {
    pub(crate) fn breaks(&mut self, rule: Rule) {
        self.broken |= rule as u16;
    }

    /// The proxy takes a weight.
    fn set(&mut self, weight: Weight) {
        self.proxy = weight;
        self.busy |= weight > Weight::ZERO;
    }

    pub(crate) fn is_watching(&self) -> bool {
        self.guard.stage.window().is_some()
    }
}

impl Rollout {
    /// Lets one thing happen; none where it can't.
    pub(crate) fn act(&self, world: &mut World, action: Action) -> Option<()> {
        match action {
            Action::EraPasses => world.era = world.era.next()?,
            Action::TakesEffect => self.take_effect(world)?,
            Action::OrphanTakesEffect => self.orphan_takes_effect(world)?,
            Action::ProxyForgets => {
                world.set(Weight::ZERO);
                world.foreign = false;
            }
            Action::OtherWriter => {
                world.set(Weight::FULL);
                world.foreign = true;
            }
            Action::ConnectionsEnd if matches!(world.guard.stage, Stage::RollingBack { .. }) => {
                world.busy = false;
            }
            Action::LosesCommand => {
                world.command.take()?;
            }
            Action::LateAnswerIsLost => {
                world.answer.take()?;
            }
            Action::LateVerdictIsLost => {
                world.verdict.take()?;
            }
            Action::MigratedLate | Action::AnswersLate | Action::PassesLate | Action::BreachesLate => {
                self.keep_late(world, action)?;
            }
            Action::LateAnswerArrives => {
                let late = world.answer.take()?;
                self.arrives(world, late);
            }
            Action::LateVerdictArrives => {
                let late = world.verdict.take()?;
                self.arrives(world, late);
            }
            Action::Answers => {
                let command = world.command.filter(|command| command.done)?;
                world.command = None;
                let weight = world.proxy;
                let event = match weight == command.weight {
                    true => Event::WeightConfirmed { weight },
                    false => Event::WeightMismatch { weight },
                };
                self.tell(world, command.epoch, event);
            }
            Action::Restarts => {
                // What is with the driver goes on without its guard.
                world.orphan = world.command.take().or(world.orphan);
                let readback = world.proxy;
                self.tell(world, Age::Current, Event::Replay { readback });
            }
            told => {
                let event = self.event(world, told)?;
                self.tell(world, Age::Current, event);
            }
        }
        Some(())
    }

    /// A command takes effect, unless it is fenced off.
    fn take_effect(&self, world: &mut World) -> Option<()> {
        let command = world.command.filter(|command| !command.done)?;
        if command.epoch == Age::Older && self.fault != Some(Fault::NoFencing) {
            world.command = None;
            return Some(());
        }
        world.command = Some(InFlight { done: true, ..command });
        self.effect(world, command);
        Some(())
    }

    fn orphan_takes_effect(&self, world: &mut World) -> Option<()> {
        let orphan = world.orphan.take()?;
        if !orphan.done && (orphan.epoch == Age::Current || self.fault == Some(Fault::NoFencing)) {
            self.effect(world, orphan);
        }
        Some(())
    }

    /// What a command does, and what it must not.
    fn effect(&self, world: &mut World, command: InFlight) {
        if matches!(world.guard.stage, Stage::Paused { .. }) && command.weight > world.guard.target {
            world.breaks(Rule::P1);
        }
        if world.guard.stage.is_terminal() {
            world.breaks(Rule::P7);
        }
        if command.weight > Weight::ZERO && !world.warm {
            world.breaks(Rule::P6);
        }
        world.set(command.weight);
        world.foreign = false;
    }

    fn arrives(&self, world: &mut World, late: Late) {
        let (epoch, event) = self.late_event(late, world.proxy);
        self.tell(world, epoch, event);
    }

    /// Something is said and does not arrive yet.
    fn keep_late(&self, world: &mut World, action: Action) -> Option<()> {
        let (of_driver, of_metrics) = (world.answer.is_none(), world.verdict.is_none());
        match action {
            Action::MigratedLate if of_driver && matches!(world.guard.stage, Stage::Migrating { .. }) => {
                world.answer = Some(Late::Migrated(Age::Current));
            }
            Action::AnswersLate if of_driver => {
                let command = world.command.filter(|command| command.done)?;
                world.command = None;
                let confirmed = Late::Confirmed(command.weight, command.epoch);
                world.answer = (world.proxy == command.weight).then_some(confirmed);
            }
            Action::PassesLate if of_metrics && world.is_watching() => {
                world.verdict = Some(Late::Pass { epoch: Age::Current, window: Age::Current });
            }
            Action::BreachesLate if of_metrics && world.is_watching() => {
                world.verdict = Some(Late::Breach(Age::Current));
            }
            _ => return None,
        }
        Some(())
    }

    /// A late message as it arrives: the weight that a verdict goes with is read then.
    fn late_event(&self, late: Late, proxy: Weight) -> (Age, Event) {
        match late {
            Late::Confirmed(weight, epoch) => (epoch, Event::WeightConfirmed { weight }),
            Late::Migrated(epoch) => (epoch, Event::MigrationSucceeded),
            Late::Pass { epoch, window } => (epoch, self.verdict(window, proxy, 1_000)),
            // A breach has no use for an epoch.
            Late::Breach(window) => (Age::Older, self.breach(window, StableSide::Within)),
        }
    }

    fn verdict(&self, window: Age, readback: Weight, total: u64) -> Event {
        let count = Count { bad: 0, total };
        let measured = vec![Measured { objective: OBJECTIVE.to_owned(), count }];
        Event::WindowVerdict { window: window.of(), measured, readback }
    }

    fn breach(&self, window: Age, stable: StableSide) -> Event {
        Event::Breach { window: window.of(), objective: OBJECTIVE.to_owned(), stable }
    }

    /// What the guard is told at once, where somebody would say it.
    fn event(&self, world: &World, action: Action) -> Option<Event> {
        let operator = || self.operator.clone();
        let watching = world.is_watching();
        let event = match action {
            Action::Start => Event::Start { readback: world.proxy, stable: Runs::AsPlanned },
            Action::Cancel => Event::Cancel(operator()),
            Action::Migrated => Event::MigrationSucceeded,
            Action::MigrationFails => Event::MigrationFailed,
            Action::Times => Event::Timeout,
            Action::Healthy => Event::HealthReport {
                successes: 1,
                slowest_ms: 1,
                runs: Runs::AsPlanned,
                readback: world.proxy,
            },
            Action::Unhealthy => Event::HealthFailed,
            Action::Fails => Event::DriverError,
            Action::Reads if is_lowering(&world.guard) && world.proxy == Weight::ZERO => {
                Event::WeightConfirmed { weight: world.proxy }
            }
            Action::Reads if world.proxy != world.guard.target || world.proxy != world.guard.actual => {
                // While a weight is applied, the one before it is no news.
                let applying = matches!(world.guard.stage, Stage::Applying { .. });
                let expected = [world.guard.actual, world.guard.target].contains(&world.proxy);
                match applying {
                    true if expected => return None,
                    true => Event::WeightMismatch { weight: world.proxy },
                    false => Event::Drift { weight: world.proxy },
                }
            }
            Action::Passes if watching => self.verdict(Age::Current, world.proxy, 1_000),
            Action::PassesWithoutRequests if watching => self.verdict(Age::Current, world.proxy, 0),
            Action::Breaches if watching => self.breach(Age::Current, StableSide::Within),
            Action::BothBreach if watching => self.breach(Age::Current, StableSide::Breaching),
            Action::Inconclusive if watching => Event::WindowEnd { window: BASE },
            Action::MetricsVanish if watching => Event::MetricsMissing { window: BASE },
            Action::Pauses => Event::Pause(operator()),
            Action::Resumes => {
                Event::Resume { operator: operator(), readback: Some(world.proxy), series: Series::Fresh }
            }
            Action::Deadline => Event::PauseDeadline,
            Action::RollsBack => Event::Rollback(operator()),
            Action::ReadsDrain if matches!(world.guard.stage, Stage::RollingBack { .. }) => {
                Event::Drained { weight: world.proxy, connections: world.busy.into(), in_flight: 0 }
            }
            _ => return None,
        };
        Some(event)
    }

    /// The guard takes an event; its commands go to the driver, and everything else ages.
    fn tell(&self, world: &mut World, epoch: Age, event: Event) {
        let occurrence = Occurrence { epoch: epoch.of(), event };
        let before = world.clone();
        let Step { next, commands, outcome, .. } =
            guard::take(&self.schedule, self.fault, &world.guard, &occurrence, world.era.now());
        self.age(world, next.epoch - BASE, next.windows - BASE);
        world.guard = normal(next);
        for command in &commands {
            if let Command::SetWeight { weight, .. } = command {
                if *weight > world.guard.actual && world.era == Era::After {
                    world.breaks(Rule::P9);
                }
                // One at a time in an epoch; what is of an older one is overtaken.
                let overtaken = world.command.filter(|command| command.epoch == Age::Older);
                world.orphan = overtaken.filter(|_| self.fault == Some(Fault::NoFencing)).or(world.orphan);
                world.command = Some(InFlight { weight: *weight, epoch: Age::Current, done: false });
            }
        }
        self.remember(&before, world, &occurrence, outcome, &commands);
    }

    fn age(&self, world: &mut World, epochs: u64, windows: u64) {
        for command in [&mut world.command, &mut world.orphan].into_iter().flatten() {
            command.epoch.grow(epochs);
        }
        // Fenced off for good: it is as if it were lost.
        let fenced = |orphan: &InFlight| orphan.epoch == Age::Older && self.fault != Some(Fault::NoFencing);
        if world.orphan.as_ref().is_some_and(fenced) {
            world.orphan = None;
        }
        for late in [&mut world.answer, &mut world.verdict].into_iter().flatten() {
            match late {
                Late::Confirmed(_, epoch) | Late::Migrated(epoch) => epoch.grow(epochs),
                Late::Pass { epoch, window } => {
                    epoch.grow(epochs);
                    window.grow(windows);
                }
                Late::Breach(window) => window.grow(windows),
            }
        }
    }
}

/// A rollback whose 0 is not read back yet: all that is on its way is another 0.
fn is_lowering(state: &State) -> bool {
    matches!(&state.stage, Stage::RollingBack { retreat } if matches!(retreat.leg, Leg::Lowering { .. }))
}
