//! The clock moved to every moment that documents and evidence speak of, and to just before and after it.

use std::collections::BTreeSet;
use std::fs;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Tally, is_full, over, signed_in};
use crate::judged::{Bench, Judged};

/// Every moment that documents and evidence of a fixture speak of, and ends that follow from them.
fn moments(bench: &Bench) -> BTreeSet<DateTime<Utc>> {
    let mut texts: Vec<String> = ["trust.yaml", "policies/production.yaml"]
        .iter()
        .filter_map(|name| fs::read_to_string(bench.folder.join(name)).ok())
        .collect();
    for file in bench.evidence() {
        let bytes = fs::read(bench.folder.join("evidence").join(file)).unwrap();
        for signed in signed_in(&bytes) {
            texts.extend(signed.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    let mut found = BTreeSet::from([bench.now]);
    for text in &texts {
        let starts = text.match_indices("20").map(|(at, _)| at);
        found.extend(starts.filter_map(|at| laforge::time::parse(text.get(at..at + 20)?).ok()));
        let unix = text.match_indices("integratedTime\":\"").map(|(at, name)| at + name.len());
        found.extend(unix.filter_map(|at| DateTime::from_timestamp(text.get(at..at + 10)?.parse().ok()?, 0)));
    }
    let ends = [TimeDelta::minutes(10), TimeDelta::hours(4), TimeDelta::hours(24), TimeDelta::days(365)];
    let spread = found.iter().flat_map(|at| ends.iter().flat_map(move |end| [*at + *end, *at - *end]));
    found.iter().copied().chain(spread).collect()
}

/// What an allow at a time must not do, by the evidence's own dates; none where it is sound.
fn too_late(bench: &Bench, judged: &Judged, at: DateTime<Utc>) -> Option<String> {
    let slack = TimeDelta::seconds(60);
    let Some(plan) = &judged.report.plan else { return Some("no plan".to_owned()) };
    let mut least = at + TimeDelta::hours(24);
    for approval in judged.report.approvals.iter().filter(|approval| approval.counted) {
        let digest = approval.evidence.to_string();
        let facts = judged.facts["approvals"].as_array().unwrap();
        let fact = facts.iter().find(|fact| fact["evidence"] == digest.as_str())?;
        let expires = laforge::time::parse(fact["expiresAt"].as_str().unwrap()).unwrap();
        if expires <= at || approval.time > at + slack {
            return Some(format!("an approval of {} until {expires} counts", approval.time));
        }
        least = least.min(expires);
    }
    if plan.not_after <= at || plan.not_after > least {
        return Some(format!("the plan lives until {}", plan.not_after));
    }
    let trust = &bench.standard.trust;
    for fact in facts_of(&judged.facts, "signatures").chain(facts_of(&judged.facts, "provenances")) {
        let time = fact.get("time").and_then(Value::as_str).map(|text| laforge::time::parse(text).unwrap());
        if time.is_some_and(|time| time > at + slack) {
            return Some(format!("a signature from the future counts: {fact}"));
        }
        let judged_at = time.unwrap_or(at);
        let signer = trust.signers.iter().find(|signer| fact["signer"] == signer.name.as_str())?;
        let begins = signer.valid_from.is_none_or(|from| from <= judged_at);
        let lasts = signer.valid_until.is_none_or(|until| judged_at < until);
        if !begins || !lasts {
            return Some(format!("a signature outside its key's validity counts: {fact}"));
        }
    }
    None
}

fn facts_of<'a>(facts: &'a Value, list: &'a str) -> impl Iterator<Item = &'a Value> {
    let artifacts = facts["artifacts"].as_array().map(Vec::as_slice).unwrap_or_default();
    artifacts
        .iter()
        .flat_map(move |artifact| artifact[list].as_array().map(Vec::as_slice).unwrap_or_default())
}

#[test]
fn the_clock_moved_past_every_validity_gives_no_false_allow() {
    let benches = Bench::allowing();
    let tally = Tally::default();
    over(&benches, |bench| {
        let evidence = bench.folder.join("evidence");
        let moments: Vec<_> = moments(bench).into_iter().collect();
        for moment in moments.iter().step_by(if is_full() { 1 } else { 3 }) {
            for at in [*moment - TimeDelta::seconds(1), *moment, *moment + TimeDelta::seconds(1)] {
                let judged = bench.judge(&evidence, at);
                let wrong = judged.allows.then(|| too_late(bench, &judged, at)).flatten();
                let earned = judged.allows.then_some(wrong.is_none());
                tally.count(earned, || format!("{} at {at}: {}", bench.name, wrong.unwrap_or_default()));
            }
        }
    });
    tally.holds("times", 500);
}

/// Evidence with an end is not allowed once every end has passed.
#[test]
fn no_fixture_with_approvals_is_allowed_once_all_of_them_have_ended() {
    for bench in Bench::allowing() {
        let evidence = bench.folder.join("evidence");
        let judged = bench.judge(&evidence, bench.now);
        let ends = judged.facts["approvals"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fact| fact["expiresAt"].as_str().unwrap());
        if let Some(last) = ends.max() {
            let last = laforge::time::parse(last).unwrap();
            assert!(!bench.judge(&evidence, last).allows, "{} at {last}", bench.name);
        }
    }
}
