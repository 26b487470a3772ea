//! Exports told as sentences.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::yaml::Source;

const COMMIT: &str = "4f1c0a6be1dd2a7f3c5e9d8b7a6f5e4d3c2b1a09";

fn release() -> Release {
    release_of("https://github.com/acme/payments")
}

fn release_of(repository: &str) -> Release {
    let digest = crate::release::digest::Digest::of_bytes(b"payments");
    let text = format!(
        "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {{name: payments, version: 2.4.0}}\nspec:\n  \
         environment: production\n  source: {{repository: '{repository}', commit: {COMMIT}, \
         ref: refs/tags/v2.4.0}}\n  artifacts: [{{name: payments, digest: '{digest}'}}]\n"
    );
    Release::parse(&Source::new("release.yaml", &text), Path::new("")).unwrap()
}

/// When the run of the environment approvals was created.
fn run() -> Timestamp {
    time::parse("2026-11-24T12:30:00Z").unwrap()
}

fn review(login: &str, state: &str, minute: u32) -> Value {
    json!({
        "id": 80 + minute, "node_id": "x", "user": {"login": login, "id": 1, "type": "User", "site_admin": false},
        "body": "looks good", "state": state, "commit_id": COMMIT, "author_association": "MEMBER",
        "html_url": "https://github.com/acme/payments/pull/12#pullrequestreview-80",
        "pull_request_url": "https://api.github.com/repos/acme/payments/pulls/12",
        "submitted_at": format!("2026-11-24T12:{minute:02}:00Z"),
    })
}

fn with(mut record: Value, pointer: &str, value: Value) -> Value {
    *record.pointer_mut(pointer).unwrap() = value;
    record
}

fn environments(login: &str, state: &str, name: &str) -> Value {
    json!({
        "state": state, "comment": "Ship it!", "user": {"login": login, "id": 1, "type": "User"},
        "environments": [{
            "id": 161, "name": name, "url": format!("https://api.github.com/repos/acme/payments/environments/{name}"),
            "html_url": format!("https://github.com/acme/payments/deployments/activity_log?environments_filter={name}"),
            "created_at": "2020-11-23T22:00:40Z", "updated_at": "2020-11-23T22:00:40Z",
        }],
    })
}

#[test]
fn a_repository_is_the_same_however_it_is_written_out() {
    let records = [review("alice", "APPROVED", 1), environments("bob", "approved", "production")];
    let bytes = serde_json::to_vec(&records).unwrap();
    for repository in ["https://github.com/acme/payments.git", "git+https://github.com/acme/payments/"] {
        let heard = read(&bytes, &release_of(repository), Some(run())).unwrap();
        let said: Vec<_> = heard.into_iter().map(|one| one.said.map(|said| said.decision)).collect();
        assert_eq!(said, [Ok(Word::Approved), Ok(Word::Approved)], "{repository}");
    }
    let other = read(&bytes, &release_of("https://github.com/acme/pay"), Some(run())).unwrap();
    assert!(other.iter().all(|one| one.said.is_err()), "{other:?}");
}

/// Each login with what is passed on, or a part of why it isn't.
fn heard(records: &[Value]) -> Vec<(String, Result<Word, String>)> {
    let bytes = serde_json::to_vec(records).unwrap();
    let heard = read(&bytes, &release(), Some(run())).unwrap();
    heard.into_iter().map(|one| (one.login, one.said.map(|said| said.decision))).collect()
}

fn only(records: &[Value]) -> Result<Word, String> {
    let mut heard = heard(records);
    assert_eq!(heard.len(), 1, "{heard:?}");
    heard.remove(0).1
}

#[test]
fn passes_on_each_person_s_last_review_comments_aside() {
    assert_eq!(only(&[review("alice", "APPROVED", 1)]), Ok(Word::Approved));
    let last = |states: [&str; 2]| only(&[review("alice", states[0], 1), review("alice", states[1], 2)]);
    assert_eq!(last(["CHANGES_REQUESTED", "APPROVED"]), Ok(Word::Approved));
    assert_eq!(last(["APPROVED", "CHANGES_REQUESTED"]), Ok(Word::Rejected));
    assert_eq!(last(["APPROVED", "COMMENTED"]), Ok(Word::Approved));
    assert_eq!(last(["APPROVED", "DISMISSED"]), Err("the review was dismissed".to_owned()));
    // The order in the file changes nothing.
    let turned = [review("alice", "CHANGES_REQUESTED", 2), review("alice", "APPROVED", 1)];
    assert_eq!(only(&turned), Ok(Word::Rejected));
    let nothing = Err("has commented, and decided nothing".to_owned());
    assert_eq!(only(&[review("alice", "COMMENTED", 1)]), nothing);
    let two = heard(&[review("bob", "APPROVED", 1), review("alice", "CHANGES_REQUESTED", 1)]);
    let names: Vec<_> = two.iter().map(|(login, said)| (login.as_str(), said.clone())).collect();
    assert_eq!(names, [("alice", Ok(Word::Rejected)), ("bob", Ok(Word::Approved))]);
}

#[test]
fn an_approval_of_another_commit_or_repository_is_none_and_a_request_for_changes_is_one_anyway() {
    let other = json!("0".repeat(40));
    let said = only(&[with(review("alice", "APPROVED", 1), "/commit_id", other.clone())]).unwrap_err();
    assert_eq!(said, format!("approved {}, and the release is of {COMMIT}", "0".repeat(40)));
    assert_eq!(
        only(&[with(review("alice", "CHANGES_REQUESTED", 1), "/commit_id", other)]),
        Ok(Word::Rejected)
    );
    for elsewhere in
        ["https://github.com/acme/payments-evil/pull/12", "https://evil.example/acme/payments/pull/1"]
    {
        let said = only(&[with(review("alice", "APPROVED", 1), "/html_url", json!(elsewhere))]).unwrap_err();
        assert!(said.contains("which is not of https://github.com/acme/payments"), "{said}");
    }
    // One without a time could be the last of its person: nothing of the export is passed on.
    let undated = with(review("alice", "CHANGES_REQUESTED", 1), "/submitted_at", json!("yesterday"));
    let export = serde_json::to_vec(&[review("bob", "APPROVED", 2), undated]).unwrap();
    let error = read(&export, &release(), Some(run())).unwrap_err();
    assert_eq!(error.to_string(), "record 2 of the export is a review that does not say when it was given");
}

#[test]
fn an_approval_of_another_commit_lifts_no_request_for_changes() {
    let asked = review("alice", "CHANGES_REQUESTED", 1);
    let of_another = with(review("alice", "APPROVED", 2), "/commit_id", json!("0".repeat(40)));
    assert_eq!(only(&[asked.clone(), of_another.clone()]), Ok(Word::Rejected));
    let of_ours = review("alice", "APPROVED", 3);
    assert_eq!(only(&[asked.clone(), of_another, of_ours.clone()]), Ok(Word::Approved));
    // A review that was dismissed lifts nothing either.
    let dismissed = review("alice", "DISMISSED", 2);
    assert_eq!(only(&[asked, dismissed.clone()]), Ok(Word::Rejected));
    assert!(only(&[of_ours, review("alice", "DISMISSED", 4)]).is_err());
}

#[test]
fn bots_and_accounts_that_are_gone_approve_nothing() {
    for user in [
        json!({"login": "renovate[bot]", "type": "Bot"}),
        json!({"login": "renovate[bot]", "type": "User"}),
        json!({"login": "acme", "type": "Organization"}),
        json!(null),
    ] {
        assert!(only(&[with(review("alice", "APPROVED", 1), "/user", user.clone())]).is_err(), "{user}");
    }
}

#[test]
fn an_environment_approval_has_to_name_the_release_s_environment() {
    assert_eq!(only(&[environments("alice", "approved", "production")]), Ok(Word::Approved));
    assert_eq!(only(&[environments("alice", "rejected", "production")]), Ok(Word::Rejected));
    let said = only(&[environments("alice", "approved", "staging")]).unwrap_err();
    assert_eq!(said, "spoke of `staging`, and the release is for `production`");
    // GitHub gives no order, so a rejection stands whichever came first.
    let both =
        [environments("alice", "rejected", "production"), environments("alice", "approved", "production")];
    assert_eq!(only(&both), Ok(Word::Rejected));
    let pending = only(&[environments("alice", "pending", "production")]);
    assert_eq!(pending, Err("has decided nothing yet".to_owned()));
    let elsewhere = json!("https://github.com/acme/payments-evil/deployments");
    let other = with(environments("alice", "approved", "production"), "/environments/0/html_url", elsewhere);
    assert!(only(&[other]).is_err());
}

#[test]
fn an_environment_approval_counts_from_when_its_run_was_created() {
    let said = |records: &[Value], since: Option<&str>| {
        let bytes = serde_json::to_vec(records).unwrap();
        let since = since.map(|since| time::parse(since).unwrap());
        let mut heard = read(&bytes, &release(), since).unwrap();
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard.remove(0).said.map(|said| (said.decision, said.at.map(time::to_seconds)))
    };
    let approved = environments("alice", "approved", "production");
    let undated = said(std::slice::from_ref(&approved), None).unwrap_err();
    assert!(undated.starts_with("approved, and GitHub does not say when: say with --since"), "{undated}");
    // A request for changes that may have come after it stands, one from before the run does not.
    let minute = |minute| format!("2026-11-24T12:{minute}:00Z");
    let (before, after) = (minute(10), minute(30));
    let records = [review("alice", "CHANGES_REQUESTED", 20), approved];
    assert_eq!(said(&records, None), Ok((Word::Rejected, Some(minute(20)))));
    assert_eq!(said(&records, Some(&before)), Ok((Word::Rejected, Some(minute(20)))));
    assert_eq!(said(&records, Some(&after)), Ok((Word::Approved, Some(after))));
    // A rejection of an environment may be the last word, and needs no time.
    let records = [review("alice", "APPROVED", 59), environments("alice", "rejected", "production")];
    assert_eq!(said(&records, None), Ok((Word::Rejected, None)));
}

#[test]
fn takes_pages_and_refuses_what_is_no_export() {
    let pages = json!([[review("alice", "APPROVED", 1)], [review("bob", "APPROVED", 1)]]);
    assert_eq!(read(pages.to_string().as_bytes(), &release(), None).unwrap().len(), 2);
    assert_eq!(read(b"[]", &release(), None).unwrap(), []);
    let shape = |text: &str| read(text.as_bytes(), &release(), None).unwrap_err().to_string();
    assert_eq!(shape("{}"), "the export is no list of records");
    assert_eq!(shape("[1"), "the export is not JSON");
    assert_eq!(shape(r#"[{"state": "APPROVED", "state": "APPROVED"}]"#), "the export is not JSON");
    let record = "record 1 of the export is neither a review nor an environment approval";
    assert_eq!(shape("[{}]"), record);
    assert_eq!(shape(&json!([review("alice", "approved", 1)]).to_string()), record);
}
