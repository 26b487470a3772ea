//! What a webhook of Flagger's is answered, from what is known: a table, without I/O.
//!
//! In: [`Known`], and what the last window says. Out: an [`Answer`]: go on, or hold and why. In doubt it is
//! held, and a rollback is never asked for without a reason. Spec: `rollout.md` section 4; which webhook is
//! asked when: <https://docs.flagger.app/usage/webhooks>.

use super::{Judged, Verdict, in_force, overall, reason};
use crate::plan::recorded::RecordedValidity;
use crate::time::Timestamp;

/// What is known of a plan, besides its windows.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Now.
    pub now: Timestamp,
    /// When the plan may be started.
    pub validity: &'a RecordedValidity,
    /// What became of its migration.
    pub migrated: Migrated,
    /// Why it was stopped: a breach that was seen before, or an operator's request.
    pub stopped: Option<String>,
}

/// What became of a plan's migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Migrated {
    /// The plan has none.
    NotPlanned,
    /// It was not asked for yet.
    Absent,
    /// It was begun, and nobody knows how it ended.
    Unknown,
    /// It ended with 0.
    Succeeded,
    /// It failed: the last line that it said, or why there is none.
    Failed(String),
}

/// What the candidate has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<'a> {
    /// It was given no traffic yet, so there is nothing to judge.
    Nothing,
    /// The last window, by objective.
    Window(&'a [Judged]),
}

/// What a webhook is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: go on; for `rollback`, roll back now. And why.
    Allow(String),
    /// 403: not now, and why.
    Hold(String),
}

impl Answer {
    fn of(held: Result<&str, String>) -> Self {
        match held {
            Ok(why) => Self::Allow(why.to_owned()),
            Err(why) => Self::Hold(why),
        }
    }
}

impl Known<'_> {
    /// `confirm-rollout`: the plan is in force, and was not stopped.
    pub fn start(&self) -> Answer {
        Answer::of(self.may_raise().map(|()| "the plan is in force"))
    }

    /// `pre-rollout`, before anything is run: whether to run it (`None`), or what is known of it already.
    pub fn migrate(&self) -> Option<Answer> {
        match &self.migrated {
            Migrated::Absent => self.may_raise().err().map(Answer::Hold),
            known => Some(Answer::of(migrated(known))),
        }
    }

    /// `confirm-traffic-increase`: migrated, in force, not stopped, and the last window passed.
    pub fn step(&self, shown: Shown<'_>) -> Answer {
        let ready = self.may_raise().and_then(|()| migrated(&self.migrated).map(drop));
        Answer::of(ready.and_then(|()| passed(shown)))
    }

    /// `confirm-promotion`: as a step, but that a plan which ended meanwhile may be finished (T16).
    pub fn promote(&self, shown: &[Judged]) -> Answer {
        let ready = self.not_stopped().and_then(|()| migrated(&self.migrated).map(drop));
        Answer::of(ready.and_then(|()| passed(Shown::Window(shown))))
    }

    /// `rollback`: a breach was seen, or somebody asked for it.
    pub fn rollback(&self, shown: &[Judged]) -> Answer {
        match (&self.stopped, overall(shown)) {
            (Some(why), _) => Answer::Allow(why.clone()),
            (None, Verdict::Breach) => Answer::Allow(reason(shown)),
            (None, _) => Answer::Hold("no breach was seen, and nobody asked for a rollback".to_owned()),
        }
    }

    fn not_stopped(&self) -> Result<(), String> {
        self.stopped.clone().map_or(Ok(()), Err)
    }

    fn may_raise(&self) -> Result<(), String> {
        self.not_stopped()?;
        in_force(self.validity, self.now).map_err(|error| error.to_string())
    }
}

fn migrated(migrated: &Migrated) -> Result<&'static str, String> {
    match migrated {
        Migrated::NotPlanned => Ok("the plan has no migration"),
        Migrated::Succeeded => Ok("the migration succeeded"),
        Migrated::Absent => Err("the plan's migration has not run".to_owned()),
        Migrated::Unknown => Err("the migration was begun, and nobody knows how it ended".to_owned()),
        Migrated::Failed(said) => Err(format!("the migration failed: {said}")),
    }
}

fn passed(shown: Shown<'_>) -> Result<&'static str, String> {
    match shown {
        Shown::Nothing => Ok("no traffic was given yet"),
        Shown::Window(judged) if overall(judged) == Verdict::Pass => Ok("the last window passed"),
        Shown::Window(judged) => Err(reason(judged)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draft::LimitedBy;
    use crate::rollout::objective::Budget;
    use crate::rollout::verdict::unjudged;
    use crate::time;

    const NOON: &str = "2026-11-24T12:00:00Z";

    fn judged(verdict: Verdict) -> Judged {
        let budget = Budget { id: "errors".to_owned(), ppm: 20_000, min_samples: 500, fast_burn: None };
        Judged { verdict, ..unjudged(&budget, "so".to_owned()) }
    }

    fn at(
        now: &str,
        migrated: Migrated,
        stopped: Option<&str>,
        asked: impl FnOnce(&Known<'_>) -> Answer,
    ) -> Answer {
        let instant = |text: &str| time::parse(text).unwrap();
        let validity = RecordedValidity {
            not_before: instant(NOON),
            not_after: instant("2026-11-24T16:00:00Z"),
            limited_by: LimitedBy::Ttl,
        };
        let stopped = stopped.map(str::to_owned);
        asked(&Known { now: instant(now), validity: &validity, migrated, stopped })
    }

    fn held(why: &str) -> Answer {
        Answer::Hold(why.to_owned())
    }

    fn allowed(why: &str) -> Answer {
        Answer::Allow(why.to_owned())
    }

    #[test]
    fn starts_while_the_plan_is_in_force_and_nobody_stopped_it() {
        let start = |now: &str, stopped| at(now, Migrated::NotPlanned, stopped, |known| known.start());
        assert_eq!(start(NOON, None), allowed("the plan is in force"));
        assert_eq!(start("2026-11-24T15:59:59Z", None), allowed("the plan is in force"));
        assert_eq!(start("2026-11-24T16:00:00Z", None), held("the plan ended at 2026-11-24T16:00:00Z"));
        assert_eq!(start("2026-11-24T11:59:59Z", None), held("the plan begins at 2026-11-24T12:00:00Z"));
        assert_eq!(start(NOON, Some("alice: red")), held("alice: red"));
    }

    #[test]
    fn migrates_once_and_then_says_how_it_went() {
        let migrate = |migrated| {
            let mut answer = None;
            at(NOON, migrated, None, |known| {
                answer = known.migrate();
                held("")
            });
            answer
        };
        assert_eq!(migrate(Migrated::Absent), None);
        assert_eq!(migrate(Migrated::NotPlanned), Some(allowed("the plan has no migration")));
        assert_eq!(migrate(Migrated::Succeeded), Some(allowed("the migration succeeded")));
        let unknown = held("the migration was begun, and nobody knows how it ended");
        assert_eq!(migrate(Migrated::Unknown), Some(unknown));
        let failed = held("the migration failed: no such table");
        assert_eq!(migrate(Migrated::Failed("no such table".to_owned())), Some(failed));
    }

    #[test]
    fn does_not_migrate_for_a_plan_that_ended() {
        let late = at("2026-11-24T16:00:00Z", Migrated::Absent, None, |known| known.migrate().unwrap());
        assert_eq!(late, held("the plan ended at 2026-11-24T16:00:00Z"));
    }

    #[test]
    fn gives_more_traffic_after_a_pass_alone() {
        let step = |migrated, shown: Shown<'_>| at(NOON, migrated, None, |known| known.step(shown));
        let window = |verdict| [judged(verdict)];
        let on = |verdict| step(Migrated::Succeeded, Shown::Window(&window(verdict)));
        assert_eq!(on(Verdict::Pass), allowed("the last window passed"));
        assert_eq!(on(Verdict::Breach), held("errors: so"));
        assert_eq!(on(Verdict::Inconclusive), held("errors: so"));
        assert_eq!(step(Migrated::NotPlanned, Shown::Window(&[])), held("no objective was judged"));
        assert_eq!(step(Migrated::NotPlanned, Shown::Nothing), allowed("no traffic was given yet"));
        for (migrated, why) in [
            (Migrated::Absent, "the plan's migration has not run"),
            (Migrated::Unknown, "the migration was begun, and nobody knows how it ended"),
            (Migrated::Failed("x".to_owned()), "the migration failed: x"),
        ] {
            assert_eq!(step(migrated, Shown::Nothing), held(why));
        }
    }

    #[test]
    fn a_plan_that_ended_is_given_no_more_traffic_and_may_be_finished() {
        let (late, pass) = ("2026-11-24T16:00:00Z", [judged(Verdict::Pass)]);
        let step = at(late, Migrated::NotPlanned, None, |known| known.step(Shown::Window(&pass)));
        assert_eq!(step, held("the plan ended at 2026-11-24T16:00:00Z"));
        let first = at(late, Migrated::NotPlanned, None, |known| known.step(Shown::Nothing));
        assert_eq!(first, held("the plan ended at 2026-11-24T16:00:00Z"));
        let promote = |judged: &[Judged]| at(late, Migrated::NotPlanned, None, |known| known.promote(judged));
        assert_eq!(promote(&pass), allowed("the last window passed"));
        assert_eq!(promote(&[judged(Verdict::Inconclusive)]), held("errors: so"));
    }

    #[test]
    fn what_was_stopped_is_held_everywhere_and_rolled_back() {
        let pass = [judged(Verdict::Pass)];
        let stopped = |asked: fn(&Known<'_>, &[Judged]) -> Answer| {
            at(NOON, Migrated::NotPlanned, Some("alice: red"), |known| asked(known, &pass))
        };
        assert_eq!(stopped(|known, judged| known.step(Shown::Window(judged))), held("alice: red"));
        assert_eq!(stopped(|known, _| known.step(Shown::Nothing)), held("alice: red"));
        assert_eq!(stopped(|known, judged| known.promote(judged)), held("alice: red"));
        assert_eq!(stopped(|known, judged| known.rollback(judged)), allowed("alice: red"));
    }

    #[test]
    fn rolls_back_for_a_breach_and_for_nothing_less() {
        let rollback =
            |verdict| at(NOON, Migrated::NotPlanned, None, |known| known.rollback(&[judged(verdict)]));
        let not = held("no breach was seen, and nobody asked for a rollback");
        assert_eq!(rollback(Verdict::Breach), allowed("errors: so"));
        assert_eq!(rollback(Verdict::Inconclusive), not);
        assert_eq!(rollback(Verdict::Pass), not);
    }
}
