//! What the catalog finds, beside a search through every line.

use serde_json::json;

use super::*;

/// A catalog of these lines.
fn catalog(lines: &[serde_json::Value]) -> Catalog {
    let mut catalog = Catalog::default();
    for line in lines {
        catalog.take(&Brief::read(line.to_string().as_bytes()).unwrap());
    }
    catalog
}

fn decision(
    minute: u32,
    of: (&str, &str, &str),
    action: &str,
    verdict: &str,
    rule: &str,
) -> serde_json::Value {
    let (name, version, environment) = of;
    let findings = if rule.is_empty() { json!([]) } else { json!([{"rule": rule}]) };
    json!({
        "time": format!("2026-11-24T12:{minute:02}:00.000001Z"), "type": "decision", "verdict": verdict,
        "action": action, "actor": {"id": format!("runner-{}", minute % 3)},
        "release": {"name": name, "version": version, "environment": environment},
        "approvals": [{"person": "alice", "counted": true}, {"person": "bob", "counted": minute.is_multiple_of(2)}],
        "findings": findings,
    })
}

fn several() -> Vec<serde_json::Value> {
    let mut lines = vec![json!({"time": "2026-11-24T11:00:00Z", "type": "log.created"})];
    for minute in 0..40 {
        let of = (["payments", "search"][minute as usize % 2], ["1.0", "1.1", "2.0"][minute as usize % 3]);
        let environment = ["production", "staging"][minute as usize / 3 % 2];
        let (action, verdict, rule) = [
            ("allow", "pass", ""),
            ("deny", "fail", "approval-threshold"),
            ("none", "pass", ""),
            ("deny", "error", "evidence-unreachable"),
        ][minute as usize / 5 % 4];
        lines.push(decision(minute, (of.0, of.1, environment), action, verdict, rule));
    }
    lines.push(json!({"time": "2026-11-24T13:00:00Z", "type": "heartbeat"}));
    lines
}

#[test]
fn takes_what_the_filter_itself_takes() {
    let catalog = catalog(&several());
    let queries: [&[(&str, &str)]; 16] = [
        &[],
        &[("release", "payments")],
        &[("release", "payments@2.0")],
        &[("release", "payments@9.9")],
        &[("environment", "staging"), ("verdict", "fail")],
        &[("environment", "nowhere")],
        &[("action", "none")],
        &[("actor", "runner-1")],
        &[("approver", "bob")],
        &[("approver", "carol")],
        &[("rule", "approval-threshold"), ("release", "search")],
        &[("type", "decision")],
        &[("type", "log.*,heartbeat")],
        &[("type", "heartbeat"), ("actor", "runner-1")],
        &[("since", "2026-11-24T12:10:00.0000005Z"), ("until", "2026-11-24T12:20:00.0000015Z")],
        &[("until", "2026-11-24T12:10:00.000001Z")],
    ];
    for query in queries {
        let filter = Filter::of(query.iter().copied()).unwrap();
        for before in [0, 20, 42, u64::MAX] {
            let expected: Vec<u64> = catalog
                .newest_first()
                .filter(|(index, facets)| *index < before && filter.takes_facets(facets))
                .map(|(index, _)| index)
                .collect();
            assert_eq!(catalog.matching(&filter, before).collect::<Vec<_>>(), expected, "{query:?} {before}");
        }
    }
}

#[test]
fn a_release_waits_until_it_is_decided_otherwise() {
    let own = ("payments", "1.0", "production");
    let denied = decision(1, own, "deny", "fail", "approval-threshold");
    let other = decision(2, ("search", "1.0", "production"), "deny", "fail", "approval-threshold");
    let waiting = |lines: &[serde_json::Value]| -> Vec<(String, u64)> {
        catalog(lines).waiting().map(|(group, index)| (group.name, index)).collect()
    };
    let both = vec![("search".to_owned(), 1), ("payments".to_owned(), 0)];
    assert_eq!(waiting(&[denied.clone(), other.clone()]), both);
    let again = vec![("payments".to_owned(), 2), ("search".to_owned(), 1)];
    assert_eq!(waiting(&[denied.clone(), other.clone(), denied.clone()]), again);
    let rehearsed = decision(3, own, "none", "pass", "");
    assert_eq!(waiting(&[denied.clone(), rehearsed]), [("payments".to_owned(), 0)]);
    assert_eq!(waiting(&[denied, decision(3, own, "allow", "pass", "")]), []);
}

#[test]
fn rollouts_are_told_by_what_was_said_of_them_last() {
    let said = |minute: u32, kind: &str, plan: &str| {
        json!({
            "time": format!("2026-11-24T12:{minute:02}:00Z"), "type": kind, "plan": {"digest": plan}, "target": "t",
            "release": {"name": "payments", "version": "1.0", "environment": "production"},
        })
    };
    let catalog = catalog(&[
        said(1, "rollout.started", "a"),
        said(2, "rollout.started", "b"),
        said(3, "rollout.completed", "a"),
        json!({"time": "2026-11-24T12:04:00Z", "type": "anchor.recorded", "size": 3}),
    ]);
    let told: Vec<_> = catalog.rollouts().map(|(plan, last)| (plan, last.index, last.is_end())).collect();
    assert_eq!(told, [("a", 2, true), ("b", 1, false)]);
    assert_eq!(catalog.rollout("a").len(), 2);
    assert_eq!(catalog.last_anchor().map(|(index, _)| index), Some(3));
}
