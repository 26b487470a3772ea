//! What follows: commands carried out, entries owed, and what the guard does by itself as time passes.

use std::time::{Duration, Instant};

use crate::audit::entry::rollout::Milestone;
use crate::rollout::driver::exec::Progress;
use crate::rollout::journal::{JournalError, Told};
use crate::rollout::machine::state::Leg;
use crate::rollout::machine::{Cause, Command, Event, Stage, State, Weight};

use super::book::waits_for_the_log;
use super::pending::{Busy, Drain};
use super::workers::{ProgramOrder, Purpose, TrafficOrder, give, word};
use super::{Guard, GuardError, reading};

/// How often a weight is read while one is awaited.
const AWAITED: Duration = Duration::from_millis(250);
/// How often in a pause, when somebody may be changing it by hand.
const PAUSED: Duration = Duration::from_secs(1);
/// How often otherwise (`rollout.md` section 2).
const WATCHED: Duration = Duration::from_secs(5);
/// How often a window is counted at least.
const COUNTED: Duration = Duration::from_secs(1);
/// How often what is left at a candidate is looked at.
const DRAINED: Duration = Duration::from_millis(500);
/// How often operators' requests are looked for.
const ASKED: Duration = Duration::from_millis(200);

impl Guard<'_> {
    /// Carries out what follows from a line that is durable.
    ///
    /// # Errors
    /// As [`Guard::owe`].
    pub(super) fn execute(&mut self, before: &State, told: &Told) -> Result<(), JournalError> {
        let epoch = told.step.next.epoch;
        if epoch != before.epoch {
            // Before anything else: whatever is queued for an older epoch is dropped from now on.
            self.workers.drop_older(epoch);
        }
        if told.step.entry.is_some()
            && let Some(implied) = self.journal.implied().last().cloned()
        {
            if let (Milestone::Paused, Some(cause)) = (implied.milestone, implied.cause)
                && cause != Cause::Operator
            {
                self.workers.alarms.ring(format!("paused-{cause}"));
            }
            self.owe(implied)?;
        }
        for command in &told.step.commands {
            let waits = waits_for_the_log(command, told.step.entry, told.step.next.actual);
            match waits && !self.book.is_clear() {
                true => self.book.hold(epoch, *command),
                false => self.carry_out(*command),
            }
        }
        Ok(())
    }

    /// Carries out one command.
    pub(super) fn carry_out(&mut self, command: Command) {
        let epoch = self.epoch();
        match command {
            Command::Fence { epoch } => self.workers.fence(epoch),
            Command::RunMigration => self.run_migration(),
            Command::SkipMigration => self.soon.push_back(Event::MigrationSucceeded),
            Command::KillMigration => {
                if let Some(migration) = self.pending.migration.take() {
                    migration.kill();
                }
            }
            Command::Scale { percent } => {
                self.pending.scaling = Some(epoch);
                give(&self.workers.programs, ProgramOrder::Scale { percent, epoch });
            }
            Command::StartCandidate => give(&self.workers.programs, ProgramOrder::Start { epoch }),
            Command::SetWeight { weight, epoch, after_seconds } => {
                self.set_weight(weight, epoch, after_seconds)
            }
            Command::CloseConnections => {
                self.pending.drain.closed = true;
                give(&self.workers.traffic, TrafficOrder::Close);
            }
            Command::StopCandidate => {
                self.pending.busy.insert(Busy::Stopping);
                give(&self.workers.programs, ProgramOrder::Stop { epoch });
            }
            Command::Alarm { alarm } => {
                self.watcher.trouble(&format!("alarm: {}", word(alarm)));
                self.workers.alarms.ring(word(alarm));
            }
        }
    }

    /// A raise waits for the candidate's size; a lowering for nothing.
    fn set_weight(&mut self, weight: Weight, epoch: u64, after_seconds: u64) {
        let order = TrafficOrder::Set { weight, epoch };
        if weight == Weight::ZERO {
            // Drained anew, with the time that it takes.
            self.pending.drain = Drain::default();
        }
        if after_seconds > 0 {
            self.pending.later.push((Instant::now() + Duration::from_secs(after_seconds), order));
        } else if self.pending.scaling.is_some() && weight > self.journal.state().actual {
            self.pending.raise = Some((weight, epoch));
        } else {
            give(&self.workers.traffic, order);
        }
    }

    fn run_migration(&mut self) {
        let arguments = self.journal.schedule().migration.clone().unwrap_or_default();
        match self.programs.migrate(&arguments) {
            Ok(migration) => self.pending.migration = Some(migration),
            Err(error) => {
                self.watcher.trouble(&error.to_string());
                self.pending.trouble("program", error.to_string());
                self.soon.push_back(Event::MigrationFailed);
            }
        }
    }

    /// Whether it is time to look for requests.
    pub(super) fn asks_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.asked_at.is_none_or(|asked| now.duration_since(asked) >= ASKED);
        if due {
            self.asked_at = Some(now);
        }
        due
    }

    /// What is due by itself: orders whose time has come, the migration's end, deadlines, looks.
    pub(super) fn wake(&mut self) -> Result<(), GuardError> {
        let (now, instant) = ((self.clock)(), Instant::now());
        let (due, later) =
            std::mem::take(&mut self.pending.later).into_iter().partition(|(at, _)| *at <= instant);
        self.pending.later = later;
        let due: Vec<(Instant, TrafficOrder)> = due;
        due.into_iter().for_each(|(_, order)| give(&self.workers.traffic, order));
        self.poll_migration();
        let stage = self.stage().clone();
        if matches!(stage, Stage::Planned) {
            return Ok(());
        }
        if stage.deadline().is_some_and(|deadline| deadline <= now) {
            return self.tell(reading::lapsed(&stage));
        }
        if self.is_unread_for_too_long(&stage, instant) {
            self.pending.unread_since = Some(instant);
            return self.tell(Event::DriverError);
        }
        if !self.pending.begun {
            return Ok(());
        }
        self.look_again(&stage, instant);
        if let Some(window) = stage.window().filter(|window| window.opens <= now) {
            let every = self.count_every();
            let due = self.pending.counted_at.is_none_or(|counted| instant.duration_since(counted) >= every);
            let (id, silent) = (self.journal.state().windows, self.schedule_missing());
            let unanswered =
                self.pending.counted_at.is_some_and(|asked| instant.duration_since(asked) >= silent);
            if unanswered && self.pending.busy.contains(&Busy::Counting) {
                // Metrics that don't answer are missing, however long each question may take.
                self.pending.trouble("metrics", "the metrics do not answer".to_owned());
                self.pending.counted_at = Some(instant);
                return self.tell(Event::MetricsMissing { window: id });
            }
            if due && !self.pending.busy.contains(&Busy::Counting) && self.pending.verdict.is_none() {
                self.pending.counted_at = Some(instant);
                self.count(*window, now);
            }
        }
        Ok(())
    }

    /// A weight that nobody can read can't be held, nor a pause above it. (A command has its own deadline,
    /// but for that of a guard before.)
    fn is_unread_for_too_long(&self, stage: &Stage, now: Instant) -> bool {
        let limit = Duration::from_secs(self.journal.schedule().deadlines.confirm_seconds);
        let held = stage.window().is_some() || matches!(stage, Stage::Paused { .. } | Stage::Applying { .. });
        held && self.pending.unread_since.is_some_and(|since| now.duration_since(since) >= limit)
    }

    /// After how long without an answer the metrics are missing.
    fn schedule_missing(&self) -> Duration {
        Duration::from_secs(self.journal.schedule().deadlines.missing_seconds)
    }

    /// Counts eight times a scrape, at most once in `AWAITED` and at least once in `COUNTED`: how long a breach
    /// waits to be seen is this, and a query takes some milliseconds.
    fn count_every(&self) -> Duration {
        (self.interval / 8).to_std().unwrap_or(COUNTED).clamp(AWAITED, COUNTED)
    }

    fn poll_migration(&mut self) {
        let Some(migration) = &mut self.pending.migration else { return };
        let ended = migration.poll();
        if matches!(ended, Ok(Progress::Running)) {
            return;
        }
        self.pending.migration = None;
        match ended {
            Ok(_) => self.soon.push_back(Event::MigrationSucceeded),
            Err(error) => {
                self.watcher.trouble(&error.to_string());
                self.pending.trouble("program", error.to_string());
                self.soon.push_back(Event::MigrationFailed);
            }
        }
    }

    /// Orders the reading, probe or look whose time has come.
    fn look_again(&mut self, stage: &Stage, now: Instant) {
        let epoch = self.epoch();
        let every = match stage {
            Stage::Applying { .. } | Stage::RollingBack { .. } => AWAITED,
            Stage::Paused { .. } if self.journal.state().actual <= self.journal.state().target => PAUSED,
            _ => WATCHED,
        };
        let due = |last: Option<Instant>, every| last.is_none_or(|last| now.duration_since(last) >= every);
        if stage.is_live() && due(self.pending.read_at, every) && self.pending.busy.insert(Busy::Reading) {
            self.pending.read_at = Some(now);
            give(&self.workers.traffic, TrafficOrder::Read { purpose: Purpose::Watch, epoch });
        }
        let period = Duration::from_secs(self.journal.schedule().warmup.period_seconds);
        let probes = &mut self.pending.probes;
        if probes.started && !probes.asked && due(probes.asked_at, period) {
            (probes.asked, probes.asked_at) = (true, Some(now));
            give(&self.workers.probes, epoch);
        }
        let draining =
            matches!(stage, Stage::RollingBack { retreat } if matches!(retreat.leg, Leg::Draining { .. }));
        let drain = &mut self.pending.drain;
        if draining && !drain.asked && due(drain.asked_at, DRAINED) {
            (drain.asked, drain.asked_at) = (true, Some(now));
            give(&self.workers.traffic, TrafficOrder::Remaining { epoch });
        }
    }
}
