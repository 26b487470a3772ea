//! The made-up world: traffic, a proxy that takes its time, two versions that count.
//!
//! It moves in steps of one scrape. What the guard sees of it is what a driver, a probe and a scrape
//! would say; what it is told are the machine's commands.

use chrono::Duration;

use crate::rollout::machine::{Command, Weight};
use crate::rollout::objective::{Count, Instance, Sample, Scraped, Side};
use crate::time::Timestamp;

use super::chance::Chance;
use super::scenario::{Change, Ends, Metrics, Rates, RatesChange, Scenario, Which};

const THOUSAND: u64 = 1000;

/// A command on its way to the proxy.
#[derive(Debug, Clone, Copy)]
struct Pending {
    due: Timestamp,
    weight: Weight,
    epoch: u64,
}

/// One version: how it does, and what it counts.
#[derive(Debug)]
pub(super) struct Slot {
    rates: Rates,
    total: u64,
    failed: u64,
    slow: u64,
    /// Thousandths of a request that are not one yet.
    carry: u64,
    scraped: Scraped,
    /// What was scraped for the error budget.
    errors: Instance,
    /// What was scraped for the latency budget.
    latency: Instance,
    /// The last step's requests and failed ones, for the chart.
    pub(super) last: Count,
}

/// The made-up world.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    chance: Chance,
    traffic: u64,
    interval: Duration,
    pub(super) weight: Weight,
    pending: Vec<Pending>,
    taken_in: Option<u64>,
    fence: u64,
    driver_seconds: u64,
    metrics: Metrics,
    migration: (u64, Ends),
    migrated_at: Option<Timestamp>,
    warmup_seconds: u64,
    pub(super) probe_ms: u64,
    answers_at: Option<Timestamp>,
    /// When the last connection to a candidate without weight ends.
    idle_at: Timestamp,
    pub(super) candidate: Slot,
    pub(super) stable: Slot,
    /// All requests, and those that the candidate failed.
    pub(super) served: Count,
}

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// Requests that failed.
    Failed,
    /// Requests that were slow.
    Slow,
}

/// What has become of the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Migrated {
    /// It runs, or was never begun.
    NotYet,
    /// It is over.
    Well,
    /// It failed.
    Badly,
}

impl Slot {
    fn new(rates: Rates) -> Self {
        let silent = || Instance { scraped: Scraped::Up, samples: Vec::new() };
        Self {
            rates,
            total: 0,
            failed: 0,
            slow: 0,
            carry: 0,
            scraped: Scraped::Up,
            errors: silent(),
            latency: silent(),
            last: Count::default(),
        }
    }

    /// Answers so many thousandths of a request; says how many it took and failed.
    fn serve(&mut self, thousandths: u64, chance: &mut Chance) -> Count {
        let due = thousandths + self.carry;
        self.carry = due % THOUSAND;
        let total = due / THOUSAND;
        let failed = match self.scraped {
            Scraped::Up => chance.bad_of(total, self.rates.errors),
            Scraped::Down => total,
        };
        self.last = Count { bad: failed, total };
        if self.scraped == Scraped::Up {
            self.total += total;
            self.failed += failed;
            self.slow += chance.bad_of(total, self.rates.slow);
        }
        self.last
    }

    fn scrape(&mut self, at: Timestamp) {
        self.errors.scraped = self.scraped;
        self.latency.scraped = self.scraped;
        if self.scraped == Scraped::Up {
            let total = Some(self.total);
            self.errors.samples.push(Sample { at, bad: Some(self.failed), total });
            let good = Some(self.total - self.slow);
            self.latency.samples.push(Sample::of_good(at, good, total));
        }
    }

    /// What was scraped of it for a budget.
    pub(super) fn side(&self, counts: Counts) -> Side<'_> {
        let instance = match counts {
            Counts::Failed => &self.errors,
            Counts::Slow => &self.latency,
        };
        Side { instances: std::slice::from_ref(instance) }
    }

    /// Forgets what no window needs any more.
    pub(super) fn forget_before(&mut self, at: Timestamp) {
        self.errors.samples.retain(|sample| sample.at >= at);
        self.latency.samples.retain(|sample| sample.at >= at);
    }

    fn change(&mut self, change: RatesChange) {
        self.rates.errors = change.errors.unwrap_or(self.rates.errors);
        self.rates.slow = change.slow.unwrap_or(self.rates.slow);
    }

    fn restart(&mut self) {
        (self.total, self.failed, self.slow) = (0, 0, 0);
        self.scraped = Scraped::Up;
    }
}

impl World {
    pub(super) fn of(scenario: &Scenario, start: Timestamp) -> Self {
        Self {
            now: start,
            chance: Chance::of(scenario.seed),
            traffic: scenario.traffic,
            interval: seconds(scenario.scrape_seconds),
            weight: Weight::ZERO,
            pending: Vec::new(),
            taken_in: None,
            fence: 0,
            driver_seconds: scenario.driver_seconds,
            metrics: Metrics::Return,
            migration: scenario.migration,
            migrated_at: None,
            warmup_seconds: scenario.warmup_seconds,
            probe_ms: scenario.probe_ms,
            answers_at: None,
            idle_at: start,
            candidate: Slot::new(scenario.candidate),
            stable: Slot::new(scenario.stable),
            served: Count::default(),
        }
    }

    /// One scrape interval passes.
    pub(super) fn pass(&mut self) {
        self.now += self.interval;
        let each = self.traffic * u64::try_from(self.interval.num_seconds()).unwrap_or(0);
        let share = each * self.weight.percent() / 100;
        let taken = self.candidate.serve(share, &mut self.chance);
        let rest = self.stable.serve(each - share, &mut self.chance);
        self.served.total += taken.total + rest.total;
        self.served.bad += taken.bad;
        if self.metrics == Metrics::Return {
            self.candidate.scrape(self.now);
            self.stable.scrape(self.now);
        }
        self.deliver();
    }

    /// What the driver has got done by now; what bears an older epoch is dropped.
    fn deliver(&mut self) {
        let (now, fence) = (self.now, self.fence);
        let mut set = None;
        self.pending.retain(|pending| {
            let done = pending.due <= now;
            if done && pending.epoch >= fence {
                set = Some((pending.weight, pending.epoch));
            }
            !done
        });
        if let Some((weight, epoch)) = set {
            self.taken_in = Some(epoch);
            self.set(weight);
        }
    }

    fn set(&mut self, weight: Weight) {
        if weight == Weight::ZERO && self.weight > weight {
            self.idle_at = self.now + self.interval;
        }
        self.weight = weight;
    }

    pub(super) fn happen(&mut self, change: &Change) {
        match change {
            Change::Rates(which, change) => self.slot(*which).change(*change),
            Change::ProcessRestarts(which) => self.slot(*which).restart(),
            Change::ProcessExits(which) => self.slot(*which).scraped = Scraped::Down,
            Change::Traffic(traffic) => self.traffic = *traffic,
            Change::ProxyRestarts => self.set(Weight::ZERO),
            Change::Writer(weight) => self.set(*weight),
            Change::Driver(seconds) => self.driver_seconds = *seconds,
            Change::Metrics(metrics) => self.metrics = *metrics,
            // The guard's.
            Change::GuardRestarts | Change::Asks(..) => {}
        }
    }

    fn slot(&mut self, which: Which) -> &mut Slot {
        match which {
            Which::Candidate => &mut self.candidate,
            Which::Stable => &mut self.stable,
        }
    }

    pub(super) fn execute(&mut self, command: &Command) {
        match command {
            Command::Fence { epoch } => self.fence = *epoch,
            Command::RunMigration => self.migrated_at = Some(self.now + seconds(self.migration.0)),
            Command::SkipMigration => {
                self.migration.1 = Ends::Well;
                self.migrated_at = Some(self.now);
            }
            Command::KillMigration => self.migrated_at = None,
            Command::StartCandidate => {
                self.answers_at = Some(self.now + seconds(self.warmup_seconds));
                self.candidate.restart();
            }
            Command::SetWeight { weight, epoch, after_seconds } => {
                let due = self.now + seconds(after_seconds.saturating_add(self.driver_seconds));
                self.pending.push(Pending { due, weight: *weight, epoch: *epoch });
            }
            Command::CloseConnections => self.idle_at = self.now,
            Command::Scale { .. } | Command::StopCandidate | Command::Alarm { .. } => {}
        }
    }

    pub(super) fn migrated(&self) -> Migrated {
        let over = self.migrated_at.is_some_and(|at| at <= self.now);
        match (over, self.migration.1) {
            (true, Ends::Well) => Migrated::Well,
            (true, Ends::Badly) => Migrated::Badly,
            _ => Migrated::NotYet,
        }
    }

    /// Whether the candidate's probe is answered now.
    pub(super) fn answers(&self) -> bool {
        self.answers_at.is_some_and(|at| at <= self.now) && !self.exited()
    }

    pub(super) fn exited(&self) -> bool {
        self.candidate.scraped == Scraped::Down
    }

    /// Whether a command of this epoch was taken and no raise is on its way: a weight is confirmed by its own command.
    /// One that lowers may be repeated meanwhile: a slow driver always has one on its way.
    pub(super) fn is_settled(&self) -> bool {
        let raise = |pending: &Pending| pending.epoch >= self.fence && pending.weight > self.weight;
        self.taken_in >= Some(self.fence) && !self.pending.iter().any(raise)
    }

    pub(super) fn connections(&self) -> u64 {
        u64::from(self.weight > Weight::ZERO || self.now < self.idle_at)
    }

    pub(super) fn has_metrics(&self) -> bool {
        self.metrics == Metrics::Return && !self.exited()
    }
}

/// So many seconds, as far as time goes.
pub(super) fn seconds(count: u64) -> Duration {
    // A year is longer than any plan.
    Duration::seconds(i64::try_from(count.min(31_536_000)).unwrap_or(0))
}
