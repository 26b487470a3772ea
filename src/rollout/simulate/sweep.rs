//! Many random scenarios: how often a bad candidate passes, and a good one is stopped.
//!
//! In: a plan, how many, a seed. Out: [`Sweep`], by the candidate's true error rate, and beside it one
//! look at one window, drawn and computed, for the sizes of `rollout.md` section 2 ("Computed for
//! 0.02"). Each scenario has its own seed, so the same sweep gives the same numbers on any machine
//! and any number of threads.

use std::collections::BTreeMap;
use std::num::NonZero;

use chrono::Duration;
use serde::Serialize;

use crate::rollout::machine::{Cause, Stage, Weight};
use crate::rollout::objective::Progress;
use crate::rollout::objective::{Budget, Count, Freshness, Judgement};

use super::chance::Chance;
use super::scenario::{Change, Metrics, Rates, Scenario, Which};
use super::{Planned, Simulation, simulate};

const THOUSAND: u64 = 1000;
const MILLION: u64 = 1_000_000;
/// True error rates, in thousandths of the budget.
const RATES: [u64; 9] = [0, 250, 500, 750, 1000, 1500, 2000, 3000, 5000];
/// One scenario in so many has a mishap.
const MISHAP: u64 = 5;
/// Sizes of one look, as the design's table has them.
const SIZES: [u64; 5] = [50, 150, 250, 500, 1000];
/// How often each look is drawn.
const DRAWS: u32 = 100_000;

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sweep {
    /// How many scenarios.
    pub scenarios: u64,
    /// Their seed.
    pub seed: u64,
    /// By the candidate's true error rate.
    pub rates: Vec<RateLine>,
    /// Those with a mishap, by what it was.
    pub mishaps: BTreeMap<&'static str, Ends>,
    /// One look at one window.
    pub looks: Vec<LookLine>,
}

/// How rollouts of one true error rate ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLine {
    /// The candidate's true error rate, in thousandths of the budget.
    pub of_budget_permille: u64,
    /// Undisturbed ones.
    #[serde(flatten)]
    pub ends: Ends,
    /// Requests that the candidate failed, over all of them.
    pub failed: u64,
    /// All requests.
    pub served: u64,
}

/// How rollouts ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ends {
    /// How many.
    pub runs: u64,
    /// Completed.
    pub completed: u64,
    /// Rolled back, by the last pause's cause.
    pub stopped: BTreeMap<Cause, u64>,
    /// Neither: none, or something is wrong with the machine.
    pub unended: u64,
}

/// One look at a window of so many requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LookLine {
    /// How many requests.
    pub requests: u64,
    /// A candidate at twice the budget passes: computed.
    pub bad_passes: f64,
    /// Drawn.
    pub bad_passes_drawn: f64,
    /// A candidate at half the budget is stopped: computed.
    pub good_stopped: f64,
    /// Drawn.
    pub good_stopped_drawn: f64,
}

/// One scenario's part of a sweep.
struct Drawn {
    rate: u64,
    mishap: Option<&'static str>,
    scenario: Scenario,
}

/// Runs a sweep on so many threads.
pub fn sweep(planned: &Planned, scenarios: u64, seed: u64, threads: NonZero<usize>) -> Sweep {
    let threads = u64::try_from(threads.get()).unwrap_or(1);
    let parts: Vec<Vec<(u64, Option<&'static str>, Simulation)>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let mine = (worker..scenarios).step_by(usize::try_from(threads).unwrap_or(1));
                    mine.map(|index| run(planned, seed, index)).collect()
                })
            })
            .collect();
        // A worker that panicked has lost its part; the sums would say less than was asked for.
        workers.into_iter().map(|worker| worker.join().unwrap_or_default()).collect()
    });
    let mut found = Sweep {
        scenarios: parts.iter().map(|part| part.len() as u64).sum(),
        seed,
        rates: RATES.map(RateLine::new).to_vec(),
        mishaps: BTreeMap::new(),
        looks: SIZES.map(|requests| one_look(planned.error_ppm, requests, seed)).to_vec(),
    };
    for (rate, mishap, simulation) in parts.iter().flatten() {
        found.count(*rate, *mishap, simulation);
    }
    found
}

fn run(planned: &Planned, seed: u64, index: u64) -> (u64, Option<&'static str>, Simulation) {
    let drawn = draw(planned.error_ppm, seed, index);
    let mut simulation = simulate(planned, &drawn.scenario);
    // A sweep keeps the end alone.
    (simulation.rows, simulation.points) = (Vec::new(), Vec::new());
    (drawn.rate, drawn.mishap, simulation)
}

/// The scenario of an index: nothing but seed and index decide it.
fn draw(error_ppm: u64, seed: u64, index: u64) -> Drawn {
    let mut chance = Chance::of(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let pick = chance.below(RATES.len() as u64);
    let rate = usize::try_from(pick).ok().and_then(|pick| RATES.get(pick)).copied().unwrap_or(THOUSAND);
    let errors = (error_ppm * rate / THOUSAND).min(MILLION);
    let good = Rates { errors: error_ppm / 5, slow: 2_000 };
    let (mishap, changes) = match chance.below(MISHAP) {
        0 => mishap(&mut chance),
        _ => (None, Vec::new()),
    };
    let scenario = Scenario {
        seed: chance.next(),
        traffic: 60_000 + THOUSAND * chance.below(141),
        candidate: Rates { errors, slow: 2_000 },
        stable: good,
        warmup_seconds: 5 + chance.below(40),
        driver_seconds: 1 + chance.below(8),
        changes,
        ..Scenario::default()
    };
    Drawn { rate, mishap, scenario }
}

/// Something that goes wrong in the course of a rollout, at any time of it.
fn mishap(chance: &mut Chance) -> (Option<&'static str>, Vec<(Duration, Change)>) {
    let at = Duration::seconds(i64::try_from(60 + chance.below(1500)).unwrap_or(60));
    let soon = Duration::seconds(i64::try_from(10 + chance.below(110)).unwrap_or(10));
    match chance.below(6) {
        0 => (Some("proxy restarts"), vec![(at, Change::ProxyRestarts)]),
        1 => (Some("another writer sets 100"), vec![(at, Change::Writer(Weight::FULL))]),
        2 => (Some("candidate restarts"), vec![(at, Change::ProcessRestarts(Which::Candidate))]),
        3 => (Some("candidate exits"), vec![(at, Change::ProcessExits(Which::Candidate))]),
        4 => (Some("guard restarts"), vec![(at, Change::GuardRestarts)]),
        _ => {
            let gap = [(at, Change::Metrics(Metrics::Vanish)), (at + soon, Change::Metrics(Metrics::Return))];
            (Some("metrics vanish for a while"), gap.to_vec())
        }
    }
}

impl RateLine {
    fn new(of_budget_permille: u64) -> Self {
        Self { of_budget_permille, ends: Ends::default(), failed: 0, served: 0 }
    }
}

impl Ends {
    fn count(&mut self, simulation: &Simulation) {
        self.runs += 1;
        match (&simulation.end.stage, simulation.cause) {
            (Stage::Completed, _) => self.completed += 1,
            (Stage::RolledBack, Some(cause)) => *self.stopped.entry(cause).or_default() += 1,
            _ => self.unended += 1,
        }
    }
}

impl Sweep {
    fn count(&mut self, rate: u64, mishap: Option<&'static str>, simulation: &Simulation) {
        if let Some(mishap) = mishap {
            return self.mishaps.entry(mishap).or_default().count(simulation);
        }
        let Some(line) = self.rates.iter_mut().find(|line| line.of_budget_permille == rate) else { return };
        line.ends.count(simulation);
        line.failed += simulation.served.bad;
        line.served += simulation.served.total;
    }
}

/// One look at a window of so many requests, judged as at its end: the evaluator itself, drawn, beside
/// the sum over the binomial distribution.
fn one_look(ppm: u64, requests: u64, seed: u64) -> LookLine {
    let budget = Budget { id: String::new(), ppm, min_samples: requests, fast_burn: None };
    let mut chance = Chance::of(seed ^ requests);
    let mut drawn = |rate: u64, wanted: fn(Judgement) -> bool| {
        let hits = (0..DRAWS).filter(|_| {
            let count = Count { bad: chance.bad_of(requests, rate), total: requests };
            wanted(budget.judge(Progress::Complete, &count, None, Freshness::Fresh))
        });
        hits.count() as f64 / f64::from(DRAWS)
    };
    let most = requests * ppm / MILLION;
    LookLine {
        requests,
        bad_passes: at_most(requests, (2 * ppm).min(MILLION), most),
        bad_passes_drawn: drawn((2 * ppm).min(MILLION), |judged| judged == Judgement::Pass),
        good_stopped: 1.0 - at_most(requests, ppm / 2, most),
        good_stopped_drawn: drawn(ppm / 2, |judged| matches!(judged, Judgement::Breach(_))),
    }
}

/// The chance of at most `most` bad ones of `n`.
fn at_most(n: u64, ppm: u64, most: u64) -> f64 {
    let p = ppm as f64 / MILLION as f64;
    let odds = p / (1.0 - p);
    let mut term = (1.0 - p).powf(n as f64);
    let mut sum = term;
    for bad in 0..most.min(n) {
        term *= odds * (n - bad) as f64 / (bad + 1) as f64;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_is_as_sure_as_the_page_says() {
        let looks = SIZES.map(|requests| one_look(20_000, requests, 1));
        // In thousandths: "40 % at n=50, 15 % at 150, 6 % at 250, 1.0 % at 500, 0.03 % at 1000"; "9 %,
        // 6 %, 4 %, 1.3 %, 0.2 %".
        let page = [
            (50, 0.40, 0.09),
            (150, 0.15, 0.06),
            (250, 0.06, 0.04),
            (500, 0.010, 0.013),
            (1000, 0.0003, 0.002),
        ];
        for (look, (requests, passes, stopped)) in looks.iter().zip(page) {
            assert_eq!(look.requests, requests);
            for (computed, said) in [(look.bad_passes, passes), (look.good_stopped, stopped)] {
                assert!((computed - said).abs() <= 0.1 * said + 0.0005, "{requests}: {computed} of {said}");
            }
            for (computed, drawn) in
                [(look.bad_passes, look.bad_passes_drawn), (look.good_stopped, look.good_stopped_drawn)]
            {
                let deviation = (computed / f64::from(DRAWS)).sqrt();
                assert!((computed - drawn).abs() < 5.0 * deviation, "{requests}: {computed} of {drawn}");
            }
        }
    }
}
