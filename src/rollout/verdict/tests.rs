//! Windows as tables: what was scraped, and what is said of it.

use super::*;
use crate::rollout::objective::{Sample, Scraped};

fn budget() -> Budget {
    Budget { id: "errors".to_owned(), ppm: 20_000, min_samples: 100, fast_burn: None }
}

fn noon() -> Timestamp {
    time::parse("2026-11-24T12:00:00Z").unwrap()
}

/// The last minute of a process that counted up to so many.
fn process(scraped: Scraped, bad: u64, total: u64) -> Instance {
    let at = |ago| noon() - Duration::seconds(ago);
    let sample = |ago, bad, total| Sample { at: at(ago), bad: Some(bad), total: Some(total) };
    Instance { scraped, samples: vec![sample(60, 0, 0), sample(30, 0, 0), sample(1, bad, total)] }
}

fn judged(series: Result<Vec<Instance>, MetricsError>) -> (Option<u64>, Option<u64>, Verdict, String) {
    let span = Span::ending(noon(), Duration::seconds(60), Duration::seconds(5));
    let Judged { bad, total, verdict, why, .. } = judge(&budget(), &series, &span);
    (bad, total, verdict, why)
}

#[test]
fn passes_on_enough_good_requests_alone() {
    let up = |bad, total| judged(Ok(vec![process(Scraped::Up, bad, total)]));
    let said = |bad, total, verdict, why: &str| (Some(bad), Some(total), verdict, why.to_owned());
    let (pass, breach, unclear) = (Verdict::Pass, Verdict::Breach, Verdict::Inconclusive);
    assert_eq!(up(2, 100), said(2, 100, pass, "2 of 100 requests were bad, 20000 ppm may be"));
    assert_eq!(up(3, 100), said(3, 100, breach, "3 of 100 requests were bad, 20000 ppm may be"));
    assert_eq!(up(0, 99), said(0, 99, unclear, "99 requests were counted, a verdict needs 100"));
    assert_eq!(up(99, 99), said(99, 99, unclear, "99 requests were counted, a verdict needs 100"));
    assert_eq!(up(0, 0), said(0, 0, unclear, "no request was counted"));
    // Two processes are one candidate.
    let both = judged(Ok(vec![process(Scraped::Up, 1, 60), process(Scraped::Up, 0, 60)]));
    assert_eq!(both, said(1, 120, pass, "1 of 120 requests were bad, 20000 ppm may be"));
}

#[test]
fn never_passes_on_what_is_not_there_or_old() {
    let down = judged(Ok(vec![process(Scraped::Down, 0, 500)]));
    let why = "a process of the candidate is down, or its newest sample is old; 0 of 500 requests were bad, 20000 ppm may be";
    assert_eq!(down, (Some(0), Some(500), Verdict::Inconclusive, why.to_owned()));
    let absent = judged(Ok(Vec::new()));
    let why = "there is no series of the candidate";
    assert_eq!(absent, (None, None, Verdict::Inconclusive, why.to_owned()));
    let place = "http://127.0.0.1:9090".to_owned();
    let lost = judged(Err(MetricsError::Unreachable { place, reason: "connection refused".to_owned() }));
    let why = "the metrics at `http://127.0.0.1:9090` can't be reached: connection refused";
    assert_eq!(lost, (None, None, Verdict::Inconclusive, why.to_owned()));
    let spoilt = Sample { at: noon() - Duration::seconds(1), bad: None, total: None };
    let numberless = judged(Ok(vec![Instance { scraped: Scraped::Up, samples: vec![spoilt] }]));
    let why = "the candidate's series have no number of late";
    assert_eq!(numberless, (None, None, Verdict::Inconclusive, why.to_owned()));
}

#[test]
fn bad_news_of_a_process_that_is_down_is_bad() {
    let (.., verdict, _) = judged(Ok(vec![process(Scraped::Down, 50, 500)]));
    assert_eq!(verdict, Verdict::Breach);
}

#[test]
fn one_breach_is_a_breach_and_a_pass_needs_all() {
    let of = |verdicts: &[Verdict]| {
        let judged = |verdict: &Verdict| Judged { verdict: *verdict, ..unjudged(&budget(), String::new()) };
        overall(&verdicts.iter().map(judged).collect::<Vec<_>>())
    };
    let (pass, breach, unclear) = (Verdict::Pass, Verdict::Breach, Verdict::Inconclusive);
    assert_eq!(of(&[]), unclear);
    assert_eq!(of(&[pass]), pass);
    assert_eq!(of(&[pass, pass]), pass);
    assert_eq!(of(&[pass, unclear]), unclear);
    assert_eq!(of(&[unclear, breach]), breach);
}

#[test]
fn reads_windows_as_engines_write_them() {
    for (text, seconds) in
        [("300s", 300), ("5m", 300), ("1h30m", 5400), ("1m1s", 61), ("24h", 86_400), ("1s", 1)]
    {
        assert_eq!(window(text), Ok(Duration::seconds(seconds)), "{text}");
    }
    for text in [
        "",
        "5",
        "m",
        "5d",
        "-5m",
        "5 m",
        "5m ",
        "0s",
        "0m",
        "25h",
        "24h1s",
        "30s5m",
        "5m5m",
        "1.5h",
        "５m",
        "5ms",
        "99999999999999999999s",
        "6000000000000000h",
        "+5m",
        "5%6d",
    ] {
        assert_eq!(window(text), Err(WindowError(text.to_owned())), "{text}");
    }
}
