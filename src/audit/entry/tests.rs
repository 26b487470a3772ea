//! Entries: written as the schema says, read back strictly, never longer than a line.

use super::decision::PlanView;
use super::rollout::JournalHead;
use super::*;
use crate::audit::recorded::LogReference;
use crate::audit::sample;
use crate::plan::Cause;
use crate::plan::members::PlannedRelease;
use crate::policy::Caller;
use crate::release::digest::Digest;

fn place(seq: u64) -> Place {
    Place { seq, prev: Place::NOTHING, time: time::parse("2026-09-14T09:12:33.123456Z").unwrap() }
}

fn heartbeat() -> Body {
    let actor = Actor::from(&Caller::unknown().actor);
    let tool = Tool { version: "1.3.0".into(), commit: None };
    Body::Heartbeat(Event { actor, tool, members: Heartbeat {} })
}

#[test]
fn writes_members_in_the_schemas_order() {
    let line = String::from_utf8(heartbeat().line(&place(7))).unwrap();
    let zeros = "0".repeat(64);
    assert_eq!(
        line,
        format!(
            r#"{{"_type":"https://laforge.dev/entry/v1","seq":7,"prev":"sha256:{zeros}","time":"2026-09-14T09:12:33.123456Z","type":"heartbeat","actor":{{"id":"unknown","type":"unknown","verified":false}},"tool":{{"version":"1.3.0"}}}}"#
        )
    );
    let line = String::from_utf8(sample::decision(&sample::report()).line(&place(7))).unwrap();
    let order = [
        "_type",
        "seq",
        "prev",
        "time",
        "type",
        "clock",
        "verdict",
        "action",
        "mode",
        "actor",
        "release",
        "approvals",
        "findings",
        "inputs",
        "totals",
        "policy",
        "trust",
        "facts",
        "report",
        "plan",
        "ci",
        "tool",
        "idem",
    ];
    let places: Vec<_> = order.iter().map(|name| line.find(&format!("\"{name}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
}

fn digest(of: &str) -> ClaimedDigest {
    Digest::of_bytes(of.as_bytes()).claim()
}

fn members(text: &str) -> Rollout {
    Rollout {
        plan: PlanView { digest: digest("plan"), size: 3120 },
        release: PlannedRelease {
            name: text.into(),
            version: text.into(),
            environment: text.into(),
            digest: digest("release"),
        },
        target: text.into(),
        state: text.into(),
        epoch: 4,
        cause: Some(Cause::Breach),
        note: Some(digest("note")),
        journal: JournalHead { length: 17, leaf: digest("leaf") },
        audit_entry: Some(LogReference {
            origin: text.into(),
            log_id: digest("log"),
            index: 1,
            size: 2,
            root: digest("root"),
        }),
    }
}

fn rollout(milestone: Milestone, members: Rollout) -> Body {
    let Body::Heartbeat(Event { actor, tool, .. }) = heartbeat() else { unreachable!() };
    Body::Rollout(milestone, Box::new(Event { actor, tool, members }))
}

#[test]
fn writes_a_rollouts_members_in_the_schemas_order() {
    let members = Rollout { cause: None, note: None, audit_entry: None, ..members("x") };
    let line = String::from_utf8(rollout(Milestone::Started, members).line(&place(7))).unwrap();
    let (plan, release, leaf) = (digest("plan"), digest("release"), digest("leaf"));
    let expected = format!(
        r#""plan":{{"digest":"{plan}","size":3120}},"release":{{"name":"x","version":"x","environment":"x","digest":"{release}"}},"target":"x","state":"x","epoch":4,"journal":{{"length":17,"leaf":"{leaf}"}}}}"#
    );
    assert!(line.ends_with(&expected) && line.contains(r#""type":"rollout.started""#), "{line}");
}

#[test]
fn every_milestone_is_read_back_and_held_to_its_bounds() {
    let long = "\u{1}".repeat(4000);
    for milestone in Milestone::ALL {
        let body = rollout(milestone, members(&long).bounded());
        let line = body.line(&place(1));
        assert!(line.len() < 8000, "{} bytes", line.len());
        assert_eq!(Entry::parse(&line).unwrap().body, body);
        assert_eq!(body.kind(), milestone.kind());
    }
}

#[test]
fn refuses_a_rollout_that_says_more_or_less_than_it_may() {
    let line = String::from_utf8(rollout(Milestone::Paused, members("x")).line(&place(1))).unwrap();
    for (from, to) in [
        ("\"epoch\":4", "\"epoch\":4,\"more\":1"),
        ("\"epoch\":4,", ""),
        ("\"cause\":\"breach\"", "\"cause\":\"weather\""),
        ("\"length\":17,", ""),
        ("\"state\":\"x\"", "\"state\":7"),
    ] {
        let other = line.replace(from, to);
        assert_ne!(other, line);
        assert!(Entry::parse(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn reads_back_what_it_writes() {
    for body in [heartbeat(), sample::decision(&sample::report()), sample::decision(&sample::largest())] {
        let line = body.line(&place(3));
        let entry = Entry::parse(&line).unwrap();
        assert_eq!((entry.seq, &entry.body), (3, &body));
        assert_eq!(entry.body.line(&place(3)), line);
    }
}

#[test]
fn the_largest_decision_is_a_line() {
    let line = sample::decision(&sample::largest()).line(&Place { seq: (1 << 53) - 1, ..place(0) });
    assert!(line.len() <= MAX_LINE, "{} bytes", line.len());
    assert!(line.len() > 55_000, "only {} bytes: not the largest", line.len());
    assert!(line.iter().all(|byte| *byte >= 0x20));
    let Body::Decision(decision) = Entry::parse(&line).unwrap().body else { panic!("another type") };
    assert_eq!(decision.findings.len(), 32);
    assert_eq!(decision.totals.findings, 1000);
    assert!(decision.approvals.iter().all(|approval| approval.counted), "counted ones come first");
}

#[test]
fn refuses_what_another_reader_might_read_otherwise() {
    let line = String::from_utf8(heartbeat().line(&place(7))).unwrap();
    let with = |from: &str, to: &str| line.replacen(from, to, 1);
    let wrong = [
        with("\"seq\":7", "\"seq\":7,\"seq\":7"),
        with("\"seq\":7", "\"seq\":-7"),
        with("\"seq\":7", "\"seq\":7.0"),
        with("\"seq\":7", "\"seq\":9007199254740993"),
        with("\"seq\":7", "\"seq\":\"7\""),
        with("\"seq\":7,", ""),
        with("\"verified\":false", "\"verified\":false,\"more\":1"),
        with("\"verified\":false", "\"verified\":false,\"issuer\":null"),
        with("\"type\":\"heartbeat\"", "\"type\":\"heartbeat\",\"more\":1"),
        with("entry/v1", "entry/v2"),
        with("2026-09-14T09:12:33.123456Z", "yesterday"),
        with("sha256:0", "sha256:"),
        with("1.3.0", "1.3.0\u{1}"),
        format!("{line} {{}}"),
        "[]".to_owned(),
        String::new(),
    ];
    for text in wrong {
        assert!(Entry::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn keeps_a_type_that_it_does_not_know_as_it_is() {
    let line = String::from_utf8(heartbeat().line(&place(7))).unwrap();
    let line = line.replace("\"type\":\"heartbeat\"", "\"type\":\"witness.asked\",\"epoch\":3");
    let entry = Entry::parse(line.as_bytes()).unwrap();
    let Body::Other { kind, members } = entry.body else { panic!("known") };
    assert_eq!((kind.as_str(), &members["epoch"]), ("witness.asked", &serde_json::json!(3)));
}

#[test]
fn names_every_blob_that_it_is_about() {
    let Body::Decision(decision) = sample::decision(&sample::report()) else { panic!("another type") };
    let mut members: Vec<_> = decision.blobs().map(|(member, _)| member).collect();
    members.dedup();
    assert_eq!(members, ["facts", "plan", "trust", "report", "policy", "inputs"]);
    assert_eq!(decision.set_aside().count(), 1);
    assert_ne!(Digest::of_bytes(b"a"), Digest::of_bytes(b"b"));
}
