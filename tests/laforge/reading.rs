//! The verbs that read the log: what they trust, what they say of it, and what they give of a log that was altered.

use std::fs;

use crate::example::Example;

/// An example with two decisions in its log: entries 0 to 4.
fn decided() -> Example {
    let example = Example::new();
    example.deploy(&["-o", "plan.json"]).ends(0);
    example.deploy(&["--dry-run"]).ends(0);
    example
}

const ENTRIES: &str = ".laforge/audit/entries/00000000000000000000.jsonl";

#[test]
fn verify_says_how_much_it_looked_at() {
    let example = decided();
    let looks: [(&[&str], [&str; 2]); 4] = [
        (&[], ["verified 5 entries in ", "checked full: every entry, commit, signature and blob"]),
        (&["--full"], ["verified 5 entries in ", "checked full: every entry, commit, signature and blob"]),
        (
            &["--fast"],
            [
                "verified the tree and head of 5 entries\n",
                "checked fast: every line is as it was signed; not what entries say, blobs and earlier signatures",
            ],
        ),
        (
            &["--range", "1..4"],
            [
                "verified the tree and head of 5 entries; 3 of them, ",
                "checked fast, and everything of entries 1 to 3;",
            ],
        ),
    ];
    for (flags, said) in looks {
        let run = example.run(&[&["audit", "verify"][..], flags].concat()).ends_with_data();
        for said in said {
            assert!(run.stdout.contains(said), "{flags:?}: {}", run.stdout);
        }
    }
    let json = |flags: &[&str]| {
        example.run(&[&["audit", "verify", "-o", "json"][..], flags].concat()).ends(0).json()
    };
    assert_eq!((&json(&[])["checked"], &json(&["--fast"])["checked"]), (&"full".into(), &"fast".into()));
    let range = json(&["--range", "1..4"]);
    assert_eq!((&range["checked"], &range["range"]), (&"range".into(), &serde_json::json!([1, 4])));
    assert_eq!(json(&["--fast"])["blobs"], 0);
}

#[test]
fn verify_takes_no_range_that_the_log_does_not_have() {
    let example = decided();
    for range in ["3..3", "4..1", "1-3", "..", "1..", "-1..3"] {
        let flag = format!("--range={range}");
        example.run(&["audit", "verify", &flag]).ends(2).says("it is no range of entries");
    }
    let beyond = example.run(&["audit", "verify", "--range", "2..6"]).ends(2);
    beyond.says("the log has no entry 5").says("its last is 4");
    example.run(&["audit", "verify", "--range", "2..4", "--fast"]).ends(2);
}

#[test]
fn the_fast_verification_sees_what_was_altered_in_the_log_and_nothing_beside_it() {
    let example = decided();
    let entries = fs::read(example.path(ENTRIES)).unwrap();
    for at in (0..entries.len()).step_by(997) {
        let mut changed = entries.clone();
        changed[at] ^= 1;
        fs::write(example.path(ENTRIES), changed).unwrap();
        example.run(&["audit", "verify", "--fast"]).ends(13);
    }
    fs::write(example.path(ENTRIES), entries).unwrap();
    let plan = example.run(&["audit", "show", "3", "-o", "json"]).ends(0).json();
    let hex = plan["plan"]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    fs::remove_file(example.path(&format!(".laforge/audit/evidence/sha256/{}/{hex}", &hex[..2]))).unwrap();
    example.run(&["audit", "verify", "--fast"]).ends(0);
    example.run(&["audit", "verify", "--range", "0..3"]).ends(0);
    example.run(&["audit", "verify", "--range", "3..4"]).ends(13);
    example.run(&["audit", "verify"]).ends(13);
}

#[test]
fn what_is_listed_is_what_was_asked_for_in_either_order() {
    let example = decided();
    let all = fs::read_to_string(example.path(ENTRIES)).unwrap();
    let lines: Vec<&str> = all.split_inclusive('\n').collect();
    let listed = |flags: &[&str]| {
        let run = example.run(&[&["audit", "list", "-o", "jsonl"][..], flags].concat()).ends(0);
        run.says("5 entries give the signed root").stdout
    };
    assert_eq!(listed(&[]), all);
    assert_eq!(listed(&["-n", "2"]), lines[3..].concat());
    assert_eq!(listed(&["-n", "2", "-r"]), [lines[4], lines[3]].concat());
    assert_eq!(listed(&["-n", "0"]), "");
    assert_eq!(listed(&["--action", "allow"]), lines[3]);
    assert_eq!(listed(&["--approver", "alice", "-n", "1"]), lines[4]);
    assert_eq!(listed(&["--approver", "nobody"]), "");
    assert_eq!(listed(&["--type", "policy.*,trust.changed"]), lines[1..3].concat());
    assert_eq!(listed(&["--since", "2100-01-01T00:00:00Z"]), "");
    example.run(&["audit", "show", "5"]).ends(2).says("the log has no entry 5").says("its last is 4");
}

#[test]
fn of_a_log_that_was_altered_nothing_is_shown() {
    let example = decided();
    let text = fs::read_to_string(example.path(ENTRIES)).unwrap();
    fs::write(
        example.path(ENTRIES),
        text.replacen("\"type\":\"log.created\"", "\"type\":\"log.createD\"", 1),
    )
    .unwrap();
    for verb in [&["list", "-n", "1"][..], &["list", "--action", "allow"], &["show", "3"], &["status"]] {
        let run = example.run(&[&["audit"][..], verb].concat()).ends(13);
        assert_eq!(run.stdout, "", "{verb:?}");
    }
}
