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

use crate::action::{ALWAYS, Action, LATE, Reach};
use crate::course::{Era, OBJECTIVE, schedule};
use crate::fault::Fault;
use crate::guard;
use crate::rules::Rule;

/// Where every epoch and window id is kept: ages are what matters.
pub(crate) const BASE: u64 = 8;

/// A window's requests: enough of them and none bad, none, one below the floor of 150, and 2.1 % bad.
const ENOUGH: Count = Count { bad: 0, total: 1_000 };
const NONE: Count = Count { bad: 0, total: 0 };
const TOO_FEW: Count = Count { bad: 0, total: 149 };
const TOO_BAD: Count = Count { bad: 21, total: 1_000 };

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

/// A message that is late. What counts whenever it comes keeps no epoch: it is as if it were of an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Late {
    Confirmed(Weight, Age),
    Migrated(Age),
    MigrationFailed,
    Healthy(Age),
    Failed,
    /// A reading, of a weight that the proxy may not have any more.
    Read(Weight),
    Pass {
        epoch: Age,
        window: Age,
    },
    Ended {
        epoch: Age,
        window: Age,
    },
    Breach(Age, StableSide),
    Missing(Age),
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

/// The model.
#[derive(Debug, Clone)]
pub(crate) struct Rollout {
    pub(crate) schedule: Schedule,
    pub(crate) fault: Option<Fault>,
    pub(crate) operator: Operator,
    actions: Vec<Action>,
    /// The rows that took something, as bits: a row that no interleaving reaches is not checked.
    pub(crate) rows: Arc<AtomicU32>,
}

impl Rollout {
    pub(crate) fn new(
        weights: &[u64],
        reach: Reach,
        operator_deadline: Option<u64>,
        fault: Option<Fault>,
    ) -> Self {
        let operator = Operator::new("alice", "asked").expect("an operator");
        let schedule = schedule(weights, operator_deadline);
        let mut actions = ALWAYS.to_vec();
        if reach >= Reach::Late {
            actions.extend(LATE);
        }
        if reach >= Reach::Wide {
            let others = schedule.rungs().map(|rung| rung.weight).filter(|weight| *weight < Weight::FULL);
            actions.extend(others.map(Action::OtherWriter));
            actions.push(Action::ReadsLate);
        }
        Self { schedule, fault, operator, actions, rows: Arc::default() }
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
        actions.extend(&self.actions);
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
            Property::always(Rule::P5.name(), |model, world| model.finds_a_way_out(world, Rule::P5)),
            Property::always(Rule::P6.name(), kept::<{ Rule::P6 as u16 }>),
            Property::always(Rule::P7.name(), kept::<{ Rule::P7 as u16 }>),
            Property::always(Rule::P8.name(), kept::<{ Rule::P8 as u16 }>),
            Property::always(Rule::P9.name(), kept::<{ Rule::P9 as u16 }>),
            Property::always(Rule::P15.name(), |model, world| model.finds_a_way_out(world, Rule::P15)),
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

/// A late message that never arrives.
fn lost(world: &mut World, action: Action) -> Option<()> {
    match action {
        Action::LateAnswerIsLost => world.answer.take().map(drop),
        _ => world.verdict.take().map(drop),
    }
}

/// Whether something is said now that will arrive later.
fn is_late(action: Action) -> bool {
    matches!(
        action,
        Action::MigratedLate
            | Action::MigrationFailsLate
            | Action::HealthyLate
            | Action::AnswersLate
            | Action::FailsLate
            | Action::ReadsLate
            | Action::PassesLate
            | Action::BreachesLate
            | Action::BothBreachLate
            | Action::InconclusiveLate
            | Action::MetricsVanishLate
    )
}

/// One answer and one verdict at most are on their way.
fn send_late(world: &mut World, action: Action) -> Option<()> {
    if let Some(answer) = late_answer(world, action) {
        return world.answer.is_none().then(|| world.answer = Some(answer));
    }
    let verdict = late_verdict(world, action)?;
    world.verdict.is_none().then(|| world.verdict = Some(verdict))
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
            Action::OtherWriter(weight) => {
                world.set(weight);
                world.foreign = true;
            }
            Action::ConnectionsEnd if matches!(world.guard.stage, Stage::RollingBack { .. }) => {
                world.busy = false;
            }
            Action::LosesCommand => {
                world.command.take()?;
            }
            Action::LateAnswerIsLost | Action::LateVerdictIsLost => lost(world, action)?,
            Action::LateAnswerArrives => {
                let late = world.answer.take()?;
                self.arrives(world, late);
            }
            Action::LateVerdictArrives => {
                let late = world.verdict.take()?;
                self.arrives(world, late);
            }
            late if is_late(late) => send_late(world, late)?,
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

    /// A late message as it arrives: the weight that good news goes with is read then.
    fn late_event(&self, late: Late, proxy: Weight) -> (Age, Event) {
        match late {
            Late::Confirmed(weight, epoch) => (epoch, Event::WeightConfirmed { weight }),
            Late::Migrated(epoch) => (epoch, Event::MigrationSucceeded),
            Late::MigrationFailed => (Age::Older, Event::MigrationFailed),
            Late::Healthy(epoch) => (epoch, healthy(1, Runs::AsPlanned, proxy)),
            Late::Failed => (Age::Older, Event::DriverError),
            Late::Read(weight) => (Age::Older, Event::Drift { weight }),
            Late::Pass { epoch, window } => (epoch, self.verdict(window, proxy, ENOUGH)),
            Late::Ended { epoch, window } => (epoch, Event::WindowEnd { window: window.of() }),
            Late::Breach(window, stable) => (Age::Older, self.breach(window, stable)),
            Late::Missing(window) => (Age::Older, Event::MetricsMissing { window: window.of() }),
        }
    }

    fn verdict(&self, window: Age, readback: Weight, count: Count) -> Event {
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
            Action::StartsBesideAnother => Event::Start { readback: world.proxy, stable: Runs::Other },
            Action::Cancel => Event::Cancel(operator()),
            Action::Migrated => Event::MigrationSucceeded,
            Action::MigrationFails => Event::MigrationFailed,
            Action::Times => Event::Timeout,
            Action::Healthy => healthy(1, Runs::AsPlanned, world.proxy),
            Action::Slow => healthy(451, Runs::AsPlanned, world.proxy),
            Action::OtherRuns => healthy(1, Runs::Other, world.proxy),
            Action::TooSlow => Event::LatencyBudgetExceeded,
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
            Action::Passes if watching => self.verdict(Age::Current, world.proxy, ENOUGH),
            Action::PassesWithoutRequests if watching => self.verdict(Age::Current, world.proxy, NONE),
            Action::PassesBelowTheFloor if watching => self.verdict(Age::Current, world.proxy, TOO_FEW),
            Action::PassesOverBudget if watching => self.verdict(Age::Current, world.proxy, TOO_BAD),
            Action::Breaches if watching => self.breach(Age::Current, StableSide::Within),
            Action::BothBreach if watching => self.breach(Age::Current, StableSide::Breaching),
            Action::Inconclusive if watching => Event::WindowEnd { window: BASE },
            Action::MetricsVanish if watching => Event::MetricsMissing { window: BASE },
            Action::Pauses => Event::Pause(operator()),
            Action::Resumes => {
                Event::Resume { operator: operator(), readback: Some(world.proxy), series: Series::Fresh }
            }
            Action::ResumesUnread => {
                Event::Resume { operator: operator(), readback: None, series: Series::Absent }
            }
            Action::Deadline => Event::PauseDeadline,
            Action::RollsBack => Event::Rollback(operator()),
            Action::ReadsDrain if matches!(world.guard.stage, Stage::RollingBack { .. }) => {
                Event::Drained { weight: world.proxy, connections: world.busy.into(), in_flight: 0 }
            }
            Action::ReadsRequestsInFlight if matches!(world.guard.stage, Stage::RollingBack { .. }) => {
                Event::Drained { weight: world.proxy, connections: 0, in_flight: 1 }
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
                Late::Confirmed(_, epoch) | Late::Migrated(epoch) | Late::Healthy(epoch) => {
                    epoch.grow(epochs)
                }
                Late::Pass { epoch, window } | Late::Ended { epoch, window } => {
                    epoch.grow(epochs);
                    window.grow(windows);
                }
                Late::Breach(window, _) | Late::Missing(window) => window.grow(windows),
                Late::MigrationFailed | Late::Failed | Late::Read(_) => {}
            }
        }
    }
}

/// A rollback whose 0 is not read back yet: all that is on its way is another 0.
fn is_lowering(state: &State) -> bool {
    matches!(&state.stage, Stage::RollingBack { retreat } if matches!(retreat.leg, Leg::Lowering { .. }))
}

/// What the driver or the prober says now, and what does not arrive yet.
fn late_answer(world: &mut World, action: Action) -> Option<Late> {
    match (action, &world.guard.stage) {
        (Action::MigratedLate, Stage::Migrating { .. }) => Some(Late::Migrated(Age::Current)),
        (Action::MigrationFailsLate, Stage::Migrating { .. }) => Some(Late::MigrationFailed),
        (Action::HealthyLate, Stage::WarmingUp { .. }) => Some(Late::Healthy(Age::Current)),
        (Action::AnswersLate, _) if world.answer.is_none() => {
            let command = world.command.filter(|command| command.done)?;
            world.command = None;
            let confirmed = Late::Confirmed(command.weight, command.epoch);
            (world.proxy == command.weight).then_some(confirmed)
        }
        (Action::FailsLate, stage) if stage.is_live() => Some(Late::Failed),
        (Action::ReadsLate, stage) if stage.is_live() => Some(Late::Read(world.proxy)),
        _ => None,
    }
}

/// The same of the metrics.
fn late_verdict(world: &World, action: Action) -> Option<Late> {
    let (epoch, window) = (Age::Current, Age::Current);
    let late = match action {
        Action::PassesLate => Late::Pass { epoch, window },
        Action::InconclusiveLate => Late::Ended { epoch, window },
        Action::BreachesLate => Late::Breach(window, StableSide::Within),
        Action::BothBreachLate => Late::Breach(window, StableSide::Breaching),
        Action::MetricsVanishLate => Late::Missing(window),
        _ => return None,
    };
    world.is_watching().then_some(late)
}

fn healthy(slowest_ms: u64, runs: Runs, readback: Weight) -> Event {
    Event::HealthReport { successes: 1, slowest_ms, runs, readback }
}
