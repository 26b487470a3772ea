//! Windows: what passes, what breaches, what is inconclusive or missing.

use super::*;

#[test]
fn a_pass_needs_its_window_its_end_its_counts_and_its_weight() {
    let mut rollout = Rollout::observing();
    let verdict = rollout.pass();
    assert_eq!(rollout.wait(314).on(verdict.clone()), Outcome::Refused(Refusal::Early));
    rollout.wait(1);
    let Event::WindowVerdict { window, measured, readback } = verdict.clone() else { panic!() };
    let of = |window, measured: &[Measured], readback| Event::WindowVerdict {
        window,
        measured: measured.to_vec(),
        readback,
    };
    assert_eq!(rollout.on(of(window + 1, &measured, readback)), Outcome::Ignored(Ignored::Window));
    let counted = |count| vec![Measured { count, ..measured[0].clone() }, measured[1].clone()];
    for evidence in [
        Vec::new(),
        measured[..1].to_vec(),
        counted(Count { bad: 0, total: 0 }),
        counted(Count { bad: 0, total: 499 }),
        counted(Count { bad: 11, total: 500 }),
    ] {
        let outcome = rollout.on(of(window, &evidence, readback));
        assert_eq!(outcome, Outcome::Refused(Refusal::Evidence), "{evidence:?}");
    }
    assert_eq!(rollout.of_epoch(0, verdict.clone()), Outcome::Ignored(Ignored::Epoch));
    let mut drifted = rollout.clone();
    drifted.takes(Row::T14, of(window, &measured, Weight::ZERO));
    assert_eq!((drifted.cause(), drifted.state.target), (Some(Cause::Drift), Weight::ZERO));
    rollout.takes(Row::T9, verdict);
    assert_eq!(rollout.sets(), [(80, 1)]);
}

#[test]
fn a_breach_freezes_at_once_and_fences_what_is_on_its_way() {
    let mut rollout = Rollout::observing();
    let breach = rollout.breach();
    rollout.takes(Row::T11, breach);
    assert_eq!((rollout.cause(), rollout.state.target), (Some(Cause::Breach), weight(20)));
    assert_eq!(rollout.commands(), [Command::Fence { epoch: 2 }]);
    assert_eq!(Cause::Breach.recommends(), Recommendation::Rollback);
    let mut both = Rollout::observing();
    let breach = breach_of(both.state.windows, StableSide::Breaching);
    both.takes(Row::T11, breach);
    assert_eq!(both.cause(), Some(Cause::Environment));
    assert_eq!(Cause::Environment.recommends(), Recommendation::Investigate);
}

#[test]
fn an_inconclusive_window_is_extended_twice_and_then_pauses() {
    let mut rollout = Rollout::observing();
    let end = Event::WindowEnd { window: 1 };
    assert_eq!(rollout.on(end.clone()), Outcome::Refused(Refusal::Early));
    for extensions in 1..=2 {
        rollout.wait(315).takes(Row::T12, end.clone());
        assert_eq!(rollout.state.stage.window().unwrap().extensions, extensions);
        assert_eq!(rollout.on(end.clone()), Outcome::Refused(Refusal::Early), "the same end twice");
    }
    rollout.wait(315).takes(Row::T13, end);
    assert_eq!(rollout.cause(), Some(Cause::Inconclusive));
}

#[test]
fn missing_metrics_pause_after_a_while_and_must_return_before_a_resume() {
    let mut rollout = Rollout::observing();
    let missing = Event::MetricsMissing { window: 1 };
    assert_eq!(rollout.wait(59).on(missing.clone()), Outcome::Refused(Refusal::Early));
    rollout.wait(1).takes(Row::T13, missing);
    let refused = Outcome::Refused(Refusal::NotCleared(Cause::Missing));
    assert_eq!(rollout.on(resume(20, Series::Absent)), refused);
    rollout.takes(Row::T17, resume(20, Series::Fresh));
}
