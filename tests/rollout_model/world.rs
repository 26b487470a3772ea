//! The world of the model, what can happen in it, and what must never.
//!
//! Epochs and windows are kept as ages (of this one, or older), and instants as eras, so that the
//! states are finitely many. What a rule needs to remember beside the guard's state stands in the world.

use laforge::rollout::machine::event::{Runs, Series, StableSide};
use laforge::rollout::machine::state::Leg;
use laforge::rollout::machine::step::Command;
use laforge::rollout::machine::{
    Cause, Event, Occurrence, Operator, Outcome, Row, Schedule, Stage, State, Step, Weight,
};
use laforge::rollout::objective::{Count, Measured};
use stateright::{Model, Property};

use crate::course::{Era, OBJECTIVE, schedule};
use crate::fault::Fault;
use crate::guard;

/// Where every epoch and window id is kept: ages are what matters.
const BASE: u64 = 8;

/// What must hold always (`rollout.md` section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Rule {
    P1 = 1,
    P2 = 1 << 1,
    P3 = 1 << 2,
    P4 = 1 << 3,
    P5 = 1 << 4,
    P6 = 1 << 5,
    P7 = 1 << 6,
    P8 = 1 << 7,
    P9 = 1 << 8,
    P15 = 1 << 9,
}

impl Rule {
    pub(crate) const ALL: [Self; 10] =
        [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5, Self::P6, Self::P7, Self::P8, Self::P9, Self::P15];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
            Self::P6 => "P6",
            Self::P7 => "P7",
            Self::P8 => "P8",
            Self::P9 => "P9",
            Self::P15 => "P15",
        }
    }
}

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
    weight: Weight,
    epoch: Age,
    /// It took effect, and its answer is due.
    done: bool,
}

/// A message that is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Late {
    Confirmed(Weight, Age),
    Migrated(Age),
    Pass { epoch: Age, window: Age, weight: Weight },
    Breach(Age),
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    guard: State,
    era: Era,
    proxy: Weight,
    /// Somebody else set the weight that the proxy has.
    foreign: bool,
    /// The candidate has connections.
    busy: bool,
    command: Option<InFlight>,
    /// A command that another one has overtaken, or whose guard is gone.
    orphan: Option<InFlight>,
    late: Option<Late>,
    /// How many windows were passed with requests, in order.
    earned: usize,
    /// The candidate was probed and found well.
    warm: bool,
    /// Rules that were broken on the way here.
    broken: u16,
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
    LateArrives,
    LateIsLost,
    Pauses,
    Resumes,
    Deadline,
    RollsBack,
    ConnectionsEnd,
    ReadsDrain,
    Restarts,
}

const ACTIONS: [Action; 35] = [
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
    Action::LateArrives,
    Action::LateIsLost,
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
    schedule: Schedule,
    fault: Option<Fault>,
    operator: Operator,
}

impl Rollout {
    pub(crate) fn new(weights: &[u64], operator_deadline: Option<u64>, fault: Option<Fault>) -> Self {
        let operator = Operator::new("alice", "asked").expect("an operator");
        Self { schedule: schedule(weights, operator_deadline), fault, operator }
    }

    fn steps(&self) -> usize {
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
            late: None,
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
        self.watch(world, &mut next, action);
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
    fn breaks(&mut self, rule: Rule) {
        self.broken |= rule as u16;
    }

    /// The proxy takes a weight.
    fn set(&mut self, weight: Weight) {
        self.proxy = weight;
        self.busy |= weight > Weight::ZERO;
    }

    fn is_watching(&self) -> bool {
        self.guard.stage.window().is_some()
    }
}

impl Rollout {
    /// Lets one thing happen; none where it can't.
    fn act(&self, world: &mut World, action: Action) -> Option<()> {
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
            Action::ConnectionsEnd => world.busy = false,
            Action::LosesCommand => {
                world.command.take()?;
            }
            Action::LateIsLost => {
                world.late.take()?;
            }
            Action::MigratedLate | Action::AnswersLate | Action::PassesLate | Action::BreachesLate => {
                self.keep_late(world, action)?;
            }
            Action::LateArrives => {
                let late = world.late.take()?;
                let (epoch, event) = self.late_event(late);
                self.tell(world, epoch, event);
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

    /// Something is said and does not arrive yet.
    fn keep_late(&self, world: &mut World, action: Action) -> Option<()> {
        if world.late.is_some() {
            return None;
        }
        let late = match action {
            Action::MigratedLate if matches!(world.guard.stage, Stage::Migrating { .. }) => {
                Late::Migrated(Age::Current)
            }
            Action::AnswersLate => {
                let command = world.command.filter(|command| command.done)?;
                world.command = None;
                (world.proxy == command.weight).then_some(Late::Confirmed(command.weight, command.epoch))?
            }
            Action::PassesLate if world.is_watching() => {
                Late::Pass { epoch: Age::Current, window: Age::Current, weight: world.proxy }
            }
            Action::BreachesLate if world.is_watching() => Late::Breach(Age::Current),
            _ => return None,
        };
        world.late = Some(late);
        Some(())
    }

    fn late_event(&self, late: Late) -> (Age, Event) {
        match late {
            Late::Confirmed(weight, epoch) => (epoch, Event::WeightConfirmed { weight }),
            Late::Migrated(epoch) => (epoch, Event::MigrationSucceeded),
            Late::Pass { epoch, window, weight } => (epoch, self.verdict(window, weight, 1_000)),
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
                world.orphan = overtaken.or(world.orphan);
                world.command = Some(InFlight { weight: *weight, epoch: Age::Current, done: false });
            }
        }
        self.remember(&before, world, &occurrence, outcome, &commands);
    }

    fn age(&self, world: &mut World, epochs: u64, windows: u64) {
        for command in [&mut world.command, &mut world.orphan].into_iter().flatten() {
            command.epoch.grow(epochs);
        }
        match &mut world.late {
            Some(Late::Confirmed(_, epoch) | Late::Migrated(epoch)) => epoch.grow(epochs),
            Some(Late::Pass { epoch, window, .. }) => {
                epoch.grow(epochs);
                window.grow(windows);
            }
            Some(Late::Breach(window)) => window.grow(windows),
            None => {}
        }
    }

    /// What the rules need to know of an event that was taken, and what it must not have done.
    fn remember(
        &self,
        before: &World,
        world: &mut World,
        occurrence: &Occurrence,
        outcome: Outcome,
        commands: &[Command],
    ) {
        let event = &occurrence.event;
        if let Event::WindowVerdict { window, measured, .. } = event {
            let requests = measured.iter().all(|measured| measured.count.total > 0);
            let current = *window == BASE && occurrence.epoch == BASE && before.is_watching();
            let taken = matches!(outcome, Outcome::Applied(Row::T9 | Row::T10));
            world.earned += usize::from(taken && current && requests);
        }
        let after = world.guard.stage.clone();
        let began = (&before.guard.stage, &after);
        if let (Stage::WarmingUp { .. }, Stage::Applying { .. }) = began {
            world.warm = matches!(event, Event::HealthReport { .. });
            if before.proxy != Weight::ZERO {
                world.breaks(Rule::P6);
            }
        }
        if let (Stage::Planned, Stage::Migrating { .. }) = began
            && before.era != Era::Valid
        {
            world.breaks(Rule::P9);
        }
        let read = match event {
            Event::Drift { weight } | Event::WeightMismatch { weight } => Some(*weight),
            Event::Replay { readback } => Some(*readback),
            _ => None,
        };
        let corrects = |command: &Command| match command {
            Command::SetWeight { weight, .. } => *weight == world.guard.target,
            _ => false,
        };
        if matches!(began, (Stage::Paused { .. }, Stage::Paused { .. }))
            && read.is_some_and(|weight| weight > world.guard.target)
            && !commands.iter().any(corrects)
        {
            world.breaks(Rule::P1);
        }
        self.watch_pause(before, world, event);
    }

    /// P1: a pause is entered at or below what was read, and left by nobody's verdict.
    fn watch_pause(&self, before: &World, world: &mut World, event: &Event) {
        let (was, is) = (&before.guard, &world.guard);
        let paused = |state: &State| matches!(state.stage, Stage::Paused { .. });
        let entered = !paused(was) && paused(is) && (is.target > is.actual || is.target > was.target);
        let rose = paused(was) && paused(is) && is.target > was.target;
        let left = paused(was) && !paused(is);
        let by_right = matches!(event, Event::Resume { .. } | Event::PauseDeadline | Event::Rollback(_));
        if entered || rose || (left && !by_right) {
            world.breaks(Rule::P1);
        }
    }

    /// What must hold of where the world has come to.
    fn watch(&self, before: &World, world: &mut World, _: Action) {
        let allowed = self.schedule.rung(world.earned).weight;
        let guard = world.guard.clone();
        if guard.target == Weight::FULL && world.earned + 1 < self.steps() {
            world.breaks(Rule::P2);
        }
        if guard.target > allowed || (world.proxy > allowed && !world.foreign) {
            world.breaks(Rule::P8);
        }
        if guard.target > Weight::ZERO && !world.warm {
            world.breaks(Rule::P6);
        }
        if before.guard.stage.is_terminal() && before.guard != guard {
            world.breaks(Rule::P7);
        }
        if guard.stage == Stage::Completed && before.guard.stage != Stage::Completed {
            let there = [guard.target, guard.actual, world.proxy] == [Weight::FULL; 3];
            if !there || world.earned != self.steps() {
                world.breaks(Rule::P3);
            }
        }
        if guard.stage == Stage::RolledBack && before.guard.stage != Stage::RolledBack {
            let there = [guard.target, guard.actual, world.proxy] == [Weight::ZERO; 3];
            let raises = |command: &InFlight| {
                command.epoch == Age::Current && !command.done && command.weight > Weight::ZERO
            };
            if !there || world.busy || [&world.command, &world.orphan].into_iter().flatten().any(raises) {
                world.breaks(Rule::P4);
            }
        }
        if guard.stage.is_live() && before.guard.stage != guard.stage {
            self.watch_way_out(world);
        }
    }

    /// P5, P15: if the driver answers and nobody asks for anything, a live state ends; only a pause
    /// that an operator asked for may last.
    fn watch_way_out(&self, world: &mut World) {
        let mut ahead = world.clone();
        let rule = match ahead.guard.stage {
            Stage::RollingBack { .. } => Rule::P5,
            _ => Rule::P15,
        };
        for _ in 0..16 {
            if ahead.guard.stage.is_terminal() || holds(&ahead.guard) {
                return;
            }
            self.go_on(&mut ahead);
        }
        world.breaks(rule);
    }

    /// One step of a world that is for it: commands are done, and what is late is bad news.
    fn go_on(&self, world: &mut World) {
        let done = |command: &InFlight| command.done;
        let action = match &world.guard.stage {
            Stage::Observing { .. } | Stage::Monitoring { .. } => Action::Inconclusive,
            Stage::Paused { .. } => Action::Deadline,
            Stage::RollingBack { retreat } => match (&world.command, retreat.leg) {
                (Some(command), _) if done(command) => Action::Answers,
                (Some(_), _) => Action::TakesEffect,
                (None, Leg::Lowering { .. }) => Action::Times,
                (None, Leg::Draining { .. }) if world.proxy > Weight::ZERO => Action::Reads,
                (None, Leg::Draining { .. }) if world.busy => Action::ConnectionsEnd,
                (None, Leg::Draining { .. }) => Action::ReadsDrain,
            },
            _ => Action::Times,
        };
        // What can't happen changes nothing, and the bound on steps sees it.
        let _ = self.act(world, action);
    }
}

/// A pause that an operator asked for, and that has no end.
fn holds(state: &State) -> bool {
    state.stage.pause().is_some_and(|pause| pause.cause == Cause::Operator && pause.deadline.is_none())
}
