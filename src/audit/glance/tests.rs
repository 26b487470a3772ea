//! A glance says what a parser says, or nothing.

use super::*;
use crate::audit::entry::decision::DecisionEntry;
use crate::audit::entry::{Body, Entry, Place};
use crate::audit::sample::{decision, largest, noon, report};
use crate::release::digest::Digest;
use proptest::prelude::*;

fn place() -> Place {
    Place { seq: 418, prev: super::super::tree::leaf_hash(b"before"), time: noon(0) }
}

fn parsed(line: &[u8]) -> DecisionEntry {
    match Entry::parse(line).unwrap().body {
        Body::Decision(decision) => *decision,
        other => panic!("{other:?}"),
    }
}

/// That whatever is told is what the parser reads; gives whether all was told.
fn agrees(line: &[u8]) -> bool {
    let entry = parsed(line);
    let glance = Glance::at(line).unwrap();
    assert_eq!((glance.seq, glance.prev), (418, place().prev));
    assert_eq!((glance.time, glance.kind), ("2026-11-24T12:00:00.000000Z", "decision"));
    let Some(decided) = glance.decided() else { return false };
    assert_eq!(
        (decided.verdict, decided.action, decided.mode, decided.actor),
        (entry.verdict, entry.action, entry.mode, entry.actor.id.as_str())
    );
    let release = (decided.name, decided.version, decided.environment);
    let Some(held) = decided.held_to() else { return false };
    assert_eq!(release, (&*entry.release.name, &*entry.release.version, &*entry.release.environment));
    assert_eq!(held.policy, entry.policy.digest.to_string());
    assert_eq!(held.trust, entry.trust.digest.to_string());
    let sets: Vec<_> = entry.policy.sets.iter().map(|set| (set.name.as_str(), set.version)).collect();
    assert_eq!(held.sets().collect::<Vec<_>>(), sets);
    true
}

proptest! {
    #[test]
    fn says_what_the_parser_says(
        texts in prop::array::uniform5("[ -~äß,:{}\\[\\]\"\\\\]{0,40}"),
        versions in prop::collection::vec(0_u64..1 << 53, 0..4),
    ) {
        let mut report = report();
        let [name, version, environment, set, finding] = texts;
        let escaped = [&name, &version, &environment].iter().any(|text| text.contains(['"', '\\']))
            || (!versions.is_empty() && set.contains(['"', '\\']));
        (report.release.name, report.release.version, report.release.environment) = (name, version, environment);
        // What looks like a member, inside a text.
        report.release.source.commit = format!("{finding},\"policy\":{{\"digest\":\"x\",\"sets\":[]}}");
        report.policy.sets.clear();
        for version in versions {
            let digest = Digest::of_bytes(&version.to_le_bytes());
            let own = crate::policy::account::SetSummary { name: set.clone(), version, digest };
            report.policy.sets.push(own);
        }
        let all = agrees(&decision(&report).line(&place()));
        prop_assert_eq!(all, !escaped);
    }
}

#[test]
fn sees_the_largest_decision_as_the_parser_does() {
    // Its texts are escaped: it is for the parser.
    assert!(!agrees(&decision(&largest()).line(&place())));
}

#[test]
fn leaves_what_is_written_otherwise_to_the_parser() {
    let line = String::from_utf8(decision(&report()).line(&place())).unwrap();
    assert!(agrees(line.as_bytes()));
    for (own, other) in [
        ("\"seq\":418", "\"seq\": 418"),
        ("\"seq\":418", "\"seq\":0418"),
        ("\"seq\":418", "\"seq\":-1"),
        ("\"seq\":418", "\"seq\":4e2"),
        ("{\"_type\"", "{ \"_type\""),
        ("entry/v1", "entry/v2"),
        ("\"prev\":\"sha256:", "\"prev\":\"sha256:A"),
        ("\"type\":\"decision\"", "\"type\":\"de\\u0063ision\""),
    ] {
        let other = line.replacen(own, other, 1);
        assert!(Glance::at(other.as_bytes()).is_none(), "{other}");
    }
    for (own, other) in [
        ("\"verdict\":\"pass\"", "\"verdict\":\"Pass\""),
        ("\"mode\":\"enforce\"", "\"mode\":\"enforced\""),
        ("\"verified\":false", "\"verified\":null"),
        ("\"actor\":{\"id\"", "\"actor\":{\"type\":\"unknown\",\"id\""),
        ("\"release\":{\"name\"", "\"release\":{\"digest\":\"\",\"name\""),
    ] {
        let other = line.replacen(own, other, 1);
        assert!(Glance::at(other.as_bytes()).unwrap().decided().is_none(), "{other}");
    }
    for (own, other) in [
        (",\"policy\":{\"digest\"", ",\"policy\":{\"sets\":[],\"digest\""),
        ("\"sets\":[{\"name\"", "\"sets\":[{\"version\":1,\"name\""),
        ("]},\"trust\":{", "]},\"facts\":{\"digest\":\"\"},\"trust\":{"),
    ] {
        let other = line.replacen(own, other, 1);
        assert_ne!(other, line);
        assert!(Glance::at(other.as_bytes()).unwrap().decided().unwrap().held_to().is_none(), "{other}");
    }
}
