//! Verdicts over counts and sample series: what passes, what never does (P11, P12).

use chrono::Duration;
use proptest::prelude::*;

use super::bucket::place;
use super::series::counter;
use super::*;
use crate::rollout::machine::event::StableSide;
use crate::rollout::machine::{Event, Weight, Window};
use crate::time::Timestamp;

const START: Timestamp = Timestamp::UNIX_EPOCH;
const INTERVAL: i64 = 5;

fn budget() -> Budget {
    let burn = FastBurn { lookback_seconds: 60, factor: 10, min_samples: 30 };
    Budget { id: "error-budget".to_owned(), ppm: 20_000, min_samples: 500, fast_burn: Some(burn) }
}

fn at(seconds: i64) -> Timestamp {
    START + Duration::seconds(seconds)
}

fn judged(bad: u64, total: u64) -> Judgement {
    budget().judge(Progress::Complete, &Count { bad, total }, None, Freshness::Fresh)
}

/// An instance that counts `total` and `bad` more at each scrape of a window of 300 s.
fn instance(bad: u64, total: u64) -> Instance {
    let sample = |scrape: i64| {
        let so_many = u64::try_from(scrape).unwrap();
        Sample { at: at(scrape * INTERVAL), bad: Some(bad * so_many), total: Some(total * so_many) }
    };
    Instance { scraped: Scraped::Up, samples: (0..=60).map(sample).collect() }
}

const WINDOW: fn() -> Window = || Window { opens: at(0), ends: at(300), extensions: 0 };

/// What one look at the window's end says of a candidate beside a flawless stable.
fn seen(candidate: &[Instance]) -> Look {
    seen_beside(candidate, &[instance(0, 10)], 300)
}

fn seen_beside(candidate: &[Instance], stable: &[Instance], now: i64) -> Look {
    let window = WINDOW();
    let sight = Sight {
        window: &window,
        id: 1,
        now: at(now),
        interval: Duration::seconds(INTERVAL),
        missing_after: Duration::seconds(45),
        readback: Weight::new(20).unwrap(),
    };
    let (candidate, stable) = (Side { instances: candidate }, Side { instances: stable });
    look(&sight, &[Watched { budget: &budget(), candidate, stable }])
}

fn passes(candidate: &[Instance]) -> bool {
    matches!(seen(candidate).event, Some(Event::WindowVerdict { .. }))
}

#[test]
fn equality_passes_and_one_more_does_not() {
    assert_eq!(judged(10, 500), Judgement::Pass);
    assert_eq!(judged(11, 500), Judgement::Breach(Breach::AtEnd));
    assert_eq!(judged(0, 499), Judgement::Inconclusive(Unclear::TooFew));
    assert_eq!(judged(400, 499), Judgement::Inconclusive(Unclear::TooFew));
    assert_eq!(judged(0, 0), Judgement::Inconclusive(Unclear::NoRequests));
    assert_eq!(judged(u64::MAX, u64::MAX), Judgement::Breach(Breach::AtEnd));
    assert_eq!(judged(u64::MAX / 50, u64::MAX), Judgement::Pass);
}

#[test]
fn a_budget_without_a_floor_passes_on_no_request_either() {
    let floorless = Budget { min_samples: 0, ..budget() };
    assert!(!floorless.passes(&Count::default()));
    let judged = floorless.judge(Progress::Complete, &Count::default(), None, Freshness::Fresh);
    assert_eq!(judged, Judgement::Inconclusive(Unclear::NoRequests));
}

#[test]
fn old_samples_hold_back_a_pass_and_never_a_breach() {
    let judge = |bad| budget().judge(Progress::Complete, &Count { bad, total: 500 }, None, Freshness::Stale);
    assert_eq!(judge(0), Judgement::Inconclusive(Unclear::Stale));
    assert_eq!(judge(11), Judgement::Breach(Breach::AtEnd));
}

#[test]
fn a_window_is_stopped_before_its_end_only_when_it_is_lost() {
    let open = |bad, total, elapsed_ms| {
        let progress = Progress::Open { elapsed_ms, length_ms: 300_000 };
        budget().judge(progress, &Count { bad, total }, None, Freshness::Fresh)
    };
    // Half way with 500: 1000 at the end, so that 20 may be bad.
    assert_eq!(open(20, 500, 150_000), Judgement::Open);
    assert_eq!(open(21, 500, 150_000), Judgement::Breach(Breach::Hopeless));
    // A verdict needs 500 anyway, so 10 are never too many.
    assert_eq!(open(10, 10, 1_000), Judgement::Open);
    assert_eq!(open(10, 10, 300_000), Judgement::Open);
    assert_eq!(open(11, 11, 299_999), Judgement::Breach(Breach::Hopeless));
    // Whatever is seen at the very beginning may still come right.
    assert_eq!(open(30, 100, 0), Judgement::Open);
}

#[test]
fn a_fast_burn_needs_its_samples_and_ten_times_the_budget() {
    let burns = |bad, total| {
        let recent = Count { bad, total };
        let progress = Progress::Open { elapsed_ms: 60_000, length_ms: 300_000 };
        budget().judge(progress, &Count::default(), Some(&recent), Freshness::Fresh)
    };
    assert_eq!(burns(29, 29), Judgement::Open);
    assert_eq!(burns(6, 30), Judgement::Open);
    assert_eq!(burns(7, 30), Judgement::Breach(Breach::FastBurn));
    assert_eq!(burns(0, 0), Judgement::Open);
}

#[test]
fn a_quantile_counts_only_where_its_bucket_proves_it() {
    let budget = Budget { id: "latency-budget".to_owned(), ppm: 10_000, min_samples: 1000, fast_burn: None };
    let buckets = |counts: [(Option<u64>, u64); 4]| counts.map(|(le_ms, count)| Bucket { le_ms, count });
    let fast = buckets([(Some(100), 900), (Some(250), 995), (Some(1000), 1000), (None, 1000)]);
    assert_eq!(place(&budget, 450, &fast, 1000), Quantile::Within);
    // The tail is between 0.5 and 1 s: beyond 450 ms, whatever an interpolation says.
    let slow = buckets([(Some(100), 900), (Some(500), 980), (Some(1000), 1000), (None, 1000)]);
    assert_eq!(place(&budget, 450, &slow, 1000), Quantile::Beyond);
    let divided = buckets([(Some(100), 900), (Some(250), 980), (Some(1000), 1000), (None, 1000)]);
    assert_eq!(place(&budget, 450, &divided, 1000), Quantile::Unclear(Unclear::Bucket));
    let endless = buckets([(Some(100), 900), (Some(250), 950), (Some(400), 980), (None, 1000)]);
    assert_eq!(place(&budget, 450, &endless, 1000), Quantile::Unclear(Unclear::Bucket));
    assert_eq!(place(&budget, 400, &endless, 1000), Quantile::Beyond);
    // Equality: exactly 1 % above 450 ms, in a bucket that ends there.
    let exact = buckets([(Some(450), 990), (Some(500), 1000), (Some(1000), 1000), (None, 1000)]);
    assert_eq!(place(&budget, 450, &exact, 1000), Quantile::Within);
    assert_eq!(place(&budget, 450, &fast, 999), Quantile::Unclear(Unclear::TooFew));
    assert_eq!(place(&budget, 450, &fast, 0), Quantile::Unclear(Unclear::NoRequests));
    assert_eq!(place(&budget, 450, &[], 1000), Quantile::Unclear(Unclear::Bucket));
    // Cumulative counts that fall are no histogram; the order in which they come is none of theirs.
    let falling = buckets([(Some(100), 995), (Some(250), 900), (Some(1000), 1000), (None, 1000)]);
    assert_eq!(place(&budget, 450, &falling, 1000), Quantile::Unclear(Unclear::Bucket));
    let mut shuffled = fast;
    shuffled.reverse();
    assert_eq!(place(&budget, 450, &shuffled, 1000), Quantile::Within);
}

#[test]
fn only_exact_whole_numbers_are_counts() {
    assert_eq!((counter("0"), counter("1000"), counter("1e3")), (Some(0), Some(1000), Some(1000)));
    for none in ["NaN", "+Inf", "-Inf", "-1", "0.5", "", "1e300", "9007199254740993", "one"] {
        assert_eq!(counter(none), None, "{none}");
    }
}

#[test]
fn counters_are_subtracted_and_aware_of_restarts() {
    let sample = |seconds, bad, total| Sample { at: at(seconds), bad: Some(bad), total: Some(total) };
    let one = |samples: Vec<Sample>| Instance { scraped: Scraped::Up, samples };
    let grown = |samples| one(samples).growth(at(0), at(300), Duration::seconds(INTERVAL));
    assert_eq!(grown(vec![sample(0, 5, 100), sample(5, 6, 180)]), Some(Count { bad: 1, total: 80 }));
    // From 100 to 180, restarted, 30, then 40 more: what the first process counted last is lost to nobody.
    let restarted = vec![sample(0, 5, 100), sample(5, 6, 180), sample(10, 2, 30), sample(15, 2, 70)];
    assert_eq!(grown(restarted), Some(Count { bad: 3, total: 150 }));
    // A young sample before the window is where it begins; an old one is not.
    assert_eq!(grown(vec![sample(-5, 0, 90), sample(3, 0, 110)]), Some(Count { bad: 0, total: 20 }));
    assert_eq!(grown(vec![sample(-60, 0, 90), sample(3, 0, 110)]), Some(Count { bad: 0, total: 0 }));
    assert_eq!(grown(vec![sample(0, 9, 8)]), None, "more bad ones than all");
    assert_eq!(grown(vec![]), None);
}

/// A counter of bad ones that falls beside a total that grows is no restart: taken for one, the whole total
/// of the process's life counts as requests of this window, and any share of errors is diluted away.
#[test]
fn a_counter_of_bad_ones_that_falls_alone_adds_no_requests() {
    let sample = |scrape: i64| {
        let so_many = u64::try_from(scrape).unwrap();
        // A million answers in the process's life; 10 a scrape in this window, half of them bad.
        let (bad, total) = (100 + 5 * so_many, 1_000_000 + 10 * so_many);
        // Once a series with 60 bad ones, and as many in all, is dropped by the client's library.
        let dropped = if scrape > 30 { 6 } else { 0 };
        Sample { at: at(scrape * INTERVAL), bad: Some(bad - dropped), total: Some(total - dropped) }
    };
    let candidate = Instance { scraped: Scraped::Up, samples: (0..=60).map(sample).collect() };
    let grown = candidate.growth(at(0), at(300), Duration::seconds(INTERVAL)).unwrap();
    assert!(grown.total <= 600, "there were 600 requests: {grown:?}");
    assert!(!passes(&[candidate]), "half of them were bad");
}

/// P12: whatever is wrong with the series, it is no pass.
#[test]
fn nothing_but_positive_evidence_passes() {
    let good = instance(0, 10);
    assert!(passes(std::slice::from_ref(&good)), "the series without a fault passes");
    let broken: Vec<(&str, Vec<Instance>)> = vec![
        ("no instance", vec![]),
        ("no sample", vec![Instance { scraped: Scraped::Up, samples: vec![] }]),
        ("the scrape is down", vec![Instance { scraped: Scraped::Down, ..good.clone() }]),
        ("one of two is down", vec![good.clone(), Instance { scraped: Scraped::Down, ..good.clone() }]),
        ("NaN", vec![without(&good, |sample| Sample { total: None, ..sample })]),
        ("bad is no number", vec![without(&good, |sample| Sample { bad: None, ..sample })]),
        ("more good ones than all", vec![without(&good, |s| Sample::of_good(s.at, Some(9_999), s.total))]),
        ("0 requests", vec![instance(0, 0)]),
        ("too few requests", vec![instance(0, 8)]),
        ("answers stop", vec![only(&good, |second| second <= 280)]),
        ("answers begin late", vec![only(&good, |second| second >= 200)]),
        ("all are bad", vec![instance(10, 10)]),
    ];
    for (fault, instances) in broken {
        let look = seen(&instances);
        assert!(!matches!(look.event, Some(Event::WindowVerdict { .. })), "{fault}: {look:?}");
        assert!(look.event.is_some(), "{fault}: at a window's end something is said");
    }
}

fn without(instance: &Instance, change: impl Fn(Sample) -> Sample) -> Instance {
    Instance { samples: instance.samples.iter().copied().map(change).collect(), ..instance.clone() }
}

fn only(instance: &Instance, keep: impl Fn(i64) -> bool) -> Instance {
    let kept = instance.samples.iter().filter(|sample| keep((sample.at - START).num_seconds()));
    Instance { samples: kept.copied().collect(), ..instance.clone() }
}

#[test]
fn a_series_is_missing_only_after_a_while_and_then_at_any_time() {
    let silent = [Instance { scraped: Scraped::Up, samples: vec![] }];
    let says = |instances: &[Instance], now| seen_beside(instances, &[], now).event;
    assert_eq!(says(&silent, 44), None);
    assert_eq!(says(&silent, 45), Some(Event::MetricsMissing { window: 1 }));
    // It was there, and went.
    let gone = [only(&instance(0, 10), |second| second <= 100)];
    assert_eq!(says(&gone, 140), None);
    assert_eq!(says(&gone, 146), Some(Event::MetricsMissing { window: 1 }));
}

#[test]
fn both_sides_bad_is_the_environment() {
    let says = |stable: Instance| match seen_beside(&[instance(1, 10)], &[stable], 300).event {
        Some(Event::Breach { stable, .. }) => stable,
        other => panic!("{other:?}"),
    };
    assert_eq!(says(instance(0, 10)), StableSide::Within);
    assert_eq!(says(instance(1, 10)), StableSide::Breaching);
    // Too little of stable to tell: it is the candidate's.
    assert_eq!(says(instance(1, 5)), StableSide::Within);
}

proptest! {
    /// P11: order and repetition are nothing.
    #[test]
    fn samples_in_any_order_and_twice_say_the_same(
        bad in 0_u64..3,
        seed in proptest::collection::vec(any::<prop::sample::Index>(), 61),
    ) {
        let ordered = instance(bad, 10);
        let mut samples = ordered.samples.clone();
        for (at, index) in seed.iter().enumerate() {
            samples.swap(at, index.index(61));
        }
        samples.extend(samples.clone().into_iter().step_by(3));
        let shuffled = Instance { samples, ..ordered.clone() };
        prop_assert_eq!(seen(&[shuffled]), seen(&[ordered]));
    }

    /// P11: what is dropped never makes a pass of what was none.
    #[test]
    fn dropped_samples_never_make_a_pass(
        bad in 0_u64..3,
        total in 7_u64..12,
        keep in proptest::collection::vec(any::<bool>(), 61),
    ) {
        let whole = instance(bad.min(total), total);
        let kept = whole.samples.iter().zip(keep).filter_map(|(sample, keep)| keep.then_some(*sample));
        let thinned = Instance { samples: kept.collect(), ..whole.clone() };
        prop_assert!(!passes(&[thinned]) || passes(&[whole]));
    }

    /// The rule itself, against fractions of 128 bits.
    #[test]
    fn a_verdict_is_the_rule_to_the_last_request(total in 0_u64..5_000, bad in 0_u64..200) {
        let bad = bad.min(total);
        let above = u128::from(bad) * 1_000_000 > 20_000 * u128::from(total);
        let expected = match (total, total >= 500, above) {
            (0, ..) => Judgement::Inconclusive(Unclear::NoRequests),
            (_, false, _) => Judgement::Inconclusive(Unclear::TooFew),
            (_, true, true) => Judgement::Breach(Breach::AtEnd),
            (_, true, false) => Judgement::Pass,
        };
        prop_assert_eq!(judged(bad, total), expected);
        let pass = expected == Judgement::Pass;
        prop_assert_eq!(budget().passes(&Count { bad, total }), pass);
    }

    /// More bad requests are never better news.
    #[test]
    fn more_bad_ones_never_help(total in 1_u64..3_000, bad in 0_u64..100, more in 1_u64..50, elapsed in 0_u64..300_000) {
        let (fewer, most) = (bad.min(total), (bad + more).min(total));
        for progress in [Progress::Complete, Progress::Open { elapsed_ms: elapsed, length_ms: 300_000 }] {
            let judge = |bad| budget().judge(progress, &Count { bad, total }, None, Freshness::Fresh);
            if matches!(judge(fewer), Judgement::Breach(_)) {
                prop_assert!(matches!(judge(most), Judgement::Breach(_)));
            }
            prop_assert!(judge(most) != Judgement::Pass || judge(fewer) == Judgement::Pass);
        }
    }
}
