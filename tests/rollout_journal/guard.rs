//! P7, P10, P1 and P8 on the real journal: random histories of a guard that is restarted, killed between
//! a line and its effect, and told things twice; the reference is the machine alone, in memory.

use std::fs;
use std::io::Write as _;

use chrono::Duration;
use laforge::release::digest::Digest;
use laforge::rollout::journal::{Anchor, Journal, JournalError, Notice, Reading, Repeated, check_anchors};
use laforge::rollout::machine::event::{Runs, Series, StableSide};
use laforge::rollout::machine::{Event, History, Schedule, Stage, State, Step, Weight};
use laforge::time::Timestamp;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use serde_json::json;

use crate::desk::{Desk, TARGET, created, next, notice, operator, pass, read, schedule};
use crate::driver::Driver;

/// What may happen.
#[derive(Debug, Clone)]
enum Move {
    /// The guard says what is so.
    Honest,
    /// Somebody says something, in this epoch or in the one before.
    Say(Box<Event>, Sender, i64),
    /// A pass of the current window, too early or not.
    Pass(i64),
    /// Something is told again.
    Again(usize),
    /// The guard is started anew, after so many bytes of an unfinished line.
    Restart(usize),
    /// The guard says what is so, is killed before it does anything about it, and started anew.
    Die,
    /// The proxy comes back without its weights.
    Forget,
}

#[derive(Debug, Clone, Copy)]
enum Sender {
    Current,
    Late,
}

/// What the journal is told, and whether anything is done about it.
#[derive(Debug, Clone)]
struct Said {
    notice: Notice,
    at: Timestamp,
    step: Step,
    executed: bool,
}

/// The machine and a driver, without a journal.
#[derive(Debug, Clone)]
struct Model {
    history: History,
    driver: Driver,
    now: Timestamp,
    sent: Vec<(Notice, Timestamp)>,
    /// The states after each line.
    states: Vec<State>,
    /// What the last move said.
    last: Vec<Said>,
    /// As it was before the last move.
    before: (State, Weight),
}

impl Model {
    fn new(schedule: Schedule) -> Self {
        let now = schedule.not_before;
        let history = History::new(schedule);
        let before = (history.state().clone(), Weight::ZERO);
        let states = vec![history.state().clone()];
        Self { history, driver: Driver::new(), now, sent: vec![], states, last: vec![], before }
    }

    fn say(&mut self, event: Event, epoch: u64, at: Timestamp, executed: bool) {
        self.now = at;
        let mut notice = notice(epoch, event, at);
        notice.nonce = Some(self.sent.len().to_string());
        let id = Digest::of_value(&json!(self.sent.len()));
        let step = self.history.receive(id, &notice.occurrence, at);
        if executed {
            self.driver.execute(&step.commands);
        }
        self.sent.push((notice.clone(), at));
        self.states.push(step.next.clone());
        self.last.push(Said { notice, at, step, executed });
    }

    fn honest(&mut self, executed: bool) {
        let state = self.history.state();
        if let Some((event, at)) = next(self.history.schedule(), state, self.driver.weight, self.now) {
            self.say(event, state.epoch, at, executed);
        }
    }

    fn restart(&mut self) {
        let (epoch, readback) = (self.history.state().epoch, self.driver.weight);
        self.say(Event::Replay { readback }, epoch, self.now + Duration::seconds(1), true);
    }
}

fn weight() -> impl Strategy<Value = Weight> {
    prop::sample::select(vec![0, 10, 20, 80, 100]).prop_map(|percent| Weight::new(percent).unwrap())
}

fn event() -> impl Strategy<Value = Event> {
    let window = 0..5_u64;
    let breach = |(window, within): (u64, bool)| Event::Breach {
        window,
        objective: "error-budget".into(),
        stable: if within { StableSide::Within } else { StableSide::Breaching },
    };
    prop_oneof![
        weight().prop_map(|readback| Event::Start { readback, stable: Runs::AsPlanned }),
        Just(Event::Cancel(operator())),
        Just(Event::MigrationFailed),
        Just(Event::Timeout),
        Just(Event::HealthFailed),
        weight().prop_map(|weight| Event::WeightConfirmed { weight }),
        weight().prop_map(|weight| Event::WeightMismatch { weight }),
        Just(Event::DriverError),
        (window.clone(), any::<bool>()).prop_map(breach),
        window.clone().prop_map(|window| Event::WindowEnd { window }),
        window.prop_map(|window| Event::MetricsMissing { window }),
        weight().prop_map(|weight| Event::Drift { weight }),
        Just(Event::Pause(operator())),
        weight().prop_map(|weight| Event::Resume {
            operator: operator(),
            readback: Some(weight),
            series: Series::Fresh
        }),
        Just(Event::PauseDeadline),
        Just(Event::Rollback(operator())),
        weight().prop_map(|weight| Event::Drained { weight, connections: 0, in_flight: 0 }),
    ]
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::new(schedule())).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Move> {
        let sender = prop_oneof![3 => Just(Sender::Current), 1 => Just(Sender::Late)];
        let said = (event(), sender, 0..400_i64);
        let sent = state.sent.len().max(1);
        prop_oneof![
            8 => Just(Move::Honest),
            4 => said.prop_map(|(event, sender, after)| Move::Say(Box::new(event), sender, after)),
            1 => (0..400_i64).prop_map(Move::Pass),
            1 => (0..sent).prop_map(Move::Again),
            1 => (0..2000_usize).prop_map(Move::Restart),
            1 => Just(Move::Die),
            1 => Just(Move::Forget),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Move) -> Self {
        state.before = (state.history.state().clone(), state.driver.weight);
        state.last.clear();
        let epoch = state.history.state().epoch;
        match transition {
            Move::Honest => state.honest(true),
            Move::Say(event, sender, after) => {
                let epoch = match sender {
                    Sender::Current => epoch,
                    Sender::Late => epoch.saturating_sub(1),
                };
                state.say((**event).clone(), epoch, state.now + Duration::seconds(*after), true);
            }
            Move::Pass(after) => {
                let event = pass(state.history.schedule(), state.history.state(), state.driver.weight);
                state.say(event, epoch, state.now + Duration::seconds(*after), true);
            }
            Move::Again(_) => {}
            Move::Restart(_) => state.restart(),
            Move::Die => {
                state.honest(false);
                state.restart();
            }
            Move::Forget => state.driver.weight = Weight::ZERO,
        }
        state
    }
}

/// The real journal and a driver of its own.
struct Guard {
    desk: Desk,
    journal: Option<Journal>,
    driver: Driver,
}

impl Guard {
    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().unwrap()
    }

    fn take(&mut self, said: &Said) {
        let told = self.journal().receive(said.notice.clone(), said.at).unwrap();
        assert_eq!((told.repeated, &told.step), (Repeated::No, &said.step));
        if said.executed {
            self.driver.execute(&told.step.commands);
        }
    }

    /// Killed, with so many bytes of the next line on the disk, and started anew.
    fn restart(&mut self, torn: usize) {
        let line = self.journal().lines().last().unwrap().unwrap().bytes;
        self.journal = None;
        let half = &line[..torn.min(line.len())];
        fs::File::options().append(true).open(self.desk.lines()).unwrap().write_all(half).unwrap();
        let journal = self.desk.open();
        assert_eq!(journal.set_aside().is_some(), !half.is_empty());
        self.journal = Some(journal);
    }
}

impl StateMachineTest for Guard {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        let desk = Desk::new();
        let journal = Some(desk.create());
        Self { desk, journal, driver: Driver::new() }
    }

    fn apply(mut guard: Self, model: &Model, transition: Move) -> Self {
        match transition {
            Move::Again(which) => {
                if let Some((notice, _)) = model.sent.get(which) {
                    let told = guard.journal().receive(notice.clone(), model.now).unwrap();
                    assert_eq!((told.repeated, told.step.commands), (Repeated::Yes, vec![]));
                }
            }
            Move::Forget => guard.driver.weight = Weight::ZERO,
            Move::Restart(torn) => {
                guard.restart(torn);
                guard.take(&model.last[0]);
            }
            Move::Die => {
                let (replay, said) = model.last.split_last().unwrap();
                said.iter().for_each(|said| guard.take(said));
                guard.restart(0);
                guard.take(replay);
            }
            Move::Honest | Move::Say(..) | Move::Pass(_) => {
                model.last.iter().for_each(|said| guard.take(said));
            }
        }
        guard
    }

    fn check_invariants(guard: &Self, model: &Model) {
        let journal = guard.journal.as_ref().unwrap();
        let state = model.history.state();
        assert_eq!((journal.state(), &guard.driver), (state, &model.driver));
        assert_eq!(journal.head().length, model.states.len() as u64);
        let (before, weight) = &model.before;
        // P8: exposure is bounded by evidence.
        assert!(guard.driver.weight <= journal.schedule().rung(state.passed).weight, "{state:?}");
        // P7: terminal states absorb, and command nothing.
        if before.stage.is_terminal() {
            assert_eq!(before, state);
            assert!(guard.driver.weight <= *weight);
        }
        // P1: in a pause nothing is raised.
        if let (Stage::Paused { .. }, Stage::Paused { .. }) = (&before.stage, &state.stage) {
            assert!(guard.driver.weight <= *weight && state.target <= before.target, "{before:?} {state:?}");
        }
    }

    /// P10: replay gives the state; cut at any line it is refused below an anchor, else safe.
    fn teardown(mut guard: Self, model: Model) {
        let implied: Vec<_> = guard.journal().implied().to_vec();
        guard.journal = None;
        let plan = created().plan_digest;
        let reading = Reading::open(&guard.desk.state(), TARGET, &plan).unwrap();
        assert_eq!((reading.state(), reading.implied()), (model.history.state(), implied.as_slice()));
        let anchors: Vec<Anchor> = (0..)
            .zip(&implied)
            .map(|(entry_index, implied)| Anchor {
                length: implied.head.length,
                leaf: implied.head.leaf.claim(),
                entry_index,
            })
            .collect();
        let bytes = read(&guard.desk.lines());
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for kept in 1..=lines.len() {
            let cut = Desk::with(&lines[..kept].concat());
            let journal = cut.open();
            assert_eq!(journal.state(), &model.states[kept - 1]);
            let held = check_anchors(journal.leaves(), &anchors);
            match anchors.iter().find(|anchor| anchor.length > kept as u64) {
                Some(lost) => assert!(
                    matches!(held, Err(JournalError::Shorter { anchored, .. }) if anchored == lost.length)
                ),
                None => held.unwrap(),
            }
        }
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_guard_with_a_journal_is_the_machine_alone(sequential 1..32 => Guard);
}

#[test]
fn a_guard_killed_between_line_and_effect_commands_it_after_its_restart() {
    let mut model = Model::new(schedule());
    let mut guard = Guard::init_test(&model);
    for _ in 0..2 {
        model = Model::apply(model, &Move::Honest);
        guard = Guard::apply(guard, &model, Move::Honest);
    }
    // The line of the first raise is durable, its command was never given.
    model = Model::apply(model, &Move::Die);
    guard = Guard::apply(guard, &model, Move::Die);
    let first = guard.journal().schedule().rung(0).weight;
    assert!(matches!(guard.journal().state().stage, Stage::Applying { .. }));
    assert_eq!(guard.driver.weight, first);
}
