//! What holds for any events: once each, the same again on replay, nothing that is not earned.

use super::*;

#[test]
fn an_event_is_taken_once_and_replay_gives_the_same_state() {
    let mut history = History::new(schedule(PLAIN));
    let occurrence = Occurrence { epoch: 0, event: start() };
    let id = Digest::of_bytes(b"start");
    assert_eq!(history.receive(id, &occurrence, START).outcome, Outcome::Applied(Row::T1));
    let state = history.state().clone();
    assert_eq!(history.receive(id, &occurrence, START).outcome, Outcome::Ignored(Ignored::Repeated));
    assert_eq!(*history.state(), state);
}

#[test]
fn a_state_reads_back_from_its_line() {
    let mut rollout = Rollout::observing();
    let breach = rollout.breach();
    let mut lines = vec![rollout.state.clone(), State::planned()];
    rollout.takes(Row::T11, breach);
    lines.push(rollout.state.clone());
    rollout.takes(Row::T19, Event::Rollback(operator()));
    lines.push(rollout.state.clone());
    for state in lines {
        let line = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&line).unwrap(), state, "{line}");
    }
    let line = serde_json::to_string(&State::planned()).unwrap();
    assert!(serde_json::from_str::<State>(&line.replace("\"target\":0", "\"target\":101")).is_err());
    let event = serde_json::to_string(&Event::Pause(operator())).unwrap();
    assert!(serde_json::from_str::<Event>(&event.replace("alice", " ")).is_err(), "{event}");
}

#[test]
fn rows_are_named_by_their_number() {
    let names: Vec<String> = Row::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(names, (1..=27).map(|number| format!("T{number}")).collect::<Vec<_>>());
}

/// Any event at all, as an adversary would send it.
fn any_event() -> impl Strategy<Value = (u64, u64, Event)> {
    let weights = prop::sample::select(vec![0_u64, 20, 80, 100]).prop_map(weight);
    let window = 0_u64..4;
    let measured = prop::sample::select(vec![0_u64, 499, 1000]).prop_map(|total| {
        ["error-budget", "latency-budget"]
            .map(|id| Measured { objective: id.to_owned(), count: Count { bad: 0, total } })
            .to_vec()
    });
    let event = (0_u8..22, weights, window, measured, any::<bool>()).prop_map(
        |(kind, weight, window, measured, good)| match kind {
            0 => Event::Start { readback: weight, stable: Runs::AsPlanned },
            1 => Event::Cancel(operator()),
            2 => Event::MigrationSucceeded,
            3 => Event::MigrationFailed,
            4 | 5 => Event::Timeout,
            6 => {
                Event::HealthReport { successes: 5, slowest_ms: 10, runs: Runs::AsPlanned, readback: weight }
            }
            7 => Event::HealthFailed,
            8..=10 => Event::WeightConfirmed { weight },
            11 => Event::DriverError,
            12..=14 => Event::WindowVerdict { window, measured, readback: weight },
            15 => Event::Breach { window, objective: String::new(), stable: StableSide::Within },
            16 => Event::WindowEnd { window },
            17 => Event::Drift { weight },
            18 => Event::Resume {
                operator: operator(),
                readback: Some(weight),
                series: if good { Series::Fresh } else { Series::Absent },
            },
            19 => Event::PauseDeadline,
            20 => Event::Replay { readback: weight },
            _ => Event::Drained { weight, connections: u64::from(good), in_flight: 0 },
        },
    );
    (0_u64..3, 0_u64..500, event)
}

proptest! {
    /// P10, as far as it is pure: an event that comes again, at any time later, changes nothing.
    #[test]
    fn repeated_events_change_nothing(
        events in proptest::collection::vec(any_event(), 0..40),
        repeated in proptest::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let (mut once, mut often) = (History::new(schedule(PLAIN)), History::new(schedule(PLAIN)));
        let mut sent: Vec<(Digest, Occurrence)> = Vec::new();
        let mut at = START;
        for ((nonce, (behind, seconds, event)), again) in (0_u64..).zip(events).zip(repeated) {
            at += Duration::seconds(seconds.try_into().unwrap());
            let occurrence = Occurrence { epoch: once.state().epoch.saturating_sub(behind), event };
            let id = Digest::of_bytes(&nonce.to_be_bytes());
            let (first, second) = (once.receive(id, &occurrence, at), often.receive(id, &occurrence, at));
            prop_assert_eq!(first, second);
            sent.push((id, occurrence));
            let (id, occurrence) = again.get(&sent);
            let repeated = often.receive(*id, occurrence, at);
            prop_assert_eq!(repeated.outcome, Outcome::Ignored(Ignored::Repeated));
            prop_assert!(repeated.commands.is_empty() && repeated.entry.is_none());
            prop_assert_eq!(once.state(), often.state());
        }
    }

    /// Whatever comes, in whatever order: the target is never above what was earned, nothing ended
    /// goes on, and a fold over the same events gives the same state.
    #[test]
    fn no_sequence_of_events_raises_what_is_not_earned(
        events in proptest::collection::vec(any_event(), 0..80),
    ) {
        let (schedule, mut state, mut at) = (schedule(PLAIN), State::planned(), START);
        let (mut again, mut passes) = (State::planned(), 0);
        for (behind, seconds, event) in events {
            at += Duration::seconds(seconds.try_into().unwrap());
            let occurrence = Occurrence { epoch: state.epoch.saturating_sub(behind), event };
            let taken = step(&schedule, &state, &occurrence, at);
            again = step(&schedule, &again, &occurrence, at).next;
            prop_assert_eq!(&taken.next, &again);
            let next = taken.next;
            passes += usize::from(matches!(taken.outcome, Outcome::Applied(Row::T9 | Row::T10)));
            prop_assert_eq!(next.passed, passes);
            prop_assert!(next.target <= schedule.rung(next.passed).weight);
            prop_assert!(next.epoch >= state.epoch);
            prop_assert!(!state.stage.is_terminal() || next == state);
            if let (Stage::Paused { .. }, Stage::Paused { .. }) = (&state.stage, &next.stage) {
                prop_assert_eq!(next.target, state.target);
            }
            if next.target > state.target {
                prop_assert!(at < schedule.not_after || matches!(taken.outcome, Outcome::Applied(Row::T26)));
            }
            if next.stage == Stage::Completed {
                prop_assert_eq!((next.target, next.actual, next.passed), (Weight::FULL, Weight::FULL, 3));
            }
            if next.stage == Stage::RolledBack {
                prop_assert_eq!((next.target, next.actual), (Weight::ZERO, Weight::ZERO));
            }
            if !matches!(taken.outcome, Outcome::Applied(_)) {
                prop_assert_eq!(&next, &state);
            }
            state = next;
        }
    }
}
