//! Each page read as bytes: what it says, and that it is what the command line says.

use std::fs;

use laforge::audit::entry::Entry;

use crate::desk::{Desk, Studio};
use crate::journal::Rollout;

const PAGES: [&str; 7] = ["/", "/decisions", "/approvals", "/rollouts", "/policies", "/log", "/decisions/3"];

#[test]
fn every_page_is_bound_to_itself_and_kept_by_nobody() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    for path in PAGES {
        let answer = studio.get(path);
        assert_eq!(answer.status, 200, "{path}");
        let csp = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(csp.contains(part), "{path}: {csp}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        let text = answer.text();
        for forbidden in [" style=", " onclick=", "javascript:", "http://", "<style"] {
            let own = text.replace("http://www.w3.org", "").replace("http_requests", "");
            assert!(!own.contains(forbidden), "{path} has `{forbidden}`");
        }
    }
}

#[test]
fn the_sheet_and_the_script_may_be_kept_for_ever() {
    let desk = Desk::new();
    let studio = desk.studio();
    for (path, kind) in [
        ("/static/studio.css", "text/css"),
        ("/static/studio.js", "text/javascript"),
        ("/static/icon.svg", "image/svg+xml"),
    ] {
        let answer = studio.ask("GET", path, &[], b"");
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{path}");
        assert!(answer.header("cache-control").unwrap().contains("immutable"), "{path}");
    }
}

/// The entries that a page of decisions shows, in its order.
fn listed(page: &str) -> Vec<u64> {
    let rows = page.split("<tr data-row").skip(1);
    rows.map(|row| row.split_once("/decisions/").unwrap().1.split('"').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_filter_finds_what_audit_list_finds() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    for (query, flags) in [
        ("", vec!["--type", "decision"]),
        ("release=payments", vec!["--release", "payments"]),
        ("release=payments%402.4.0&action=deny", vec!["--release", "payments@2.4.0", "--action", "deny"]),
        ("verdict=fail&environment=production", vec!["--verdict", "fail", "--environment", "production"]),
        ("rule=approval-threshold", vec!["--rule", "approval-threshold"]),
        ("approver=bob&action=allow", vec!["--approver", "bob", "--action", "allow"]),
        ("actor=unknown", vec!["--actor", "unknown"]),
        ("actor=nobody", vec!["--actor", "nobody"]),
        ("type=policy.*", vec!["--type", "policy.*"]),
        (
            "since=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z&action=allow",
            vec!["--since", "2000-01-01T00:00:00Z", "--until", "2001-01-01T00:00:00Z", "--action", "allow"],
        ),
    ] {
        let run = desk.laforge(&[&["audit", "list", "--reverse", "-o", "jsonl"][..], &flags].concat());
        assert!(run.success, "{flags:?}");
        let expected: Vec<u64> =
            run.stdout.lines().map(|line| Entry::parse(line.as_bytes()).unwrap().seq).collect();
        let page = studio.page(&format!("/decisions?{query}"));
        assert_eq!(listed(&page), expected, "{query}");
    }
}

#[test]
fn the_command_beside_a_filter_is_one_that_runs() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    let page = studio.page("/decisions?release=payments&action=deny");
    assert!(page.contains("laforge audit list --reverse --release payments --action deny"), "{page}");
    let refused = studio.page("/decisions?action=permit");
    assert!(refused.contains("<code>permit</code> is no action: allow, deny or none"), "{refused}");
}

#[test]
fn a_decision_tells_evidence_findings_with_their_line_and_its_proof() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    let allowed = studio.page("/decisions/3");
    for text in [
        "verified now",
        "Trust pins this log",
        "Report: the bytes that the entry names",
        "Plan: the bytes that the entry names",
        "release-signing",
        "https://ci.acme.example/builders/release@v1",
        "error-budget",
        "laforge audit show 3 --evidence",
    ] {
        assert!(allowed.contains(text), "`{text}` is not in: {allowed}");
    }
    let denied = studio.page("/decisions/4");
    for text in [
        "1 of 2 required approvals for <code>payments 2.4.0</code>",
        "approvals: {atLeast: 2}".split(':').next().unwrap(),
        "baseline.yaml",
        "baseline-yaml-L10",
    ] {
        assert!(denied.contains(text), "`{text}` is not in: {denied}");
    }
    assert_eq!(studio.get("/decisions/99").status, 404);
}

#[test]
fn the_plan_and_its_proof_are_the_ones_that_deploy_gave() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    assert_eq!(studio.get("/decisions/3/plan.json").text(), desk.read("plan.json"));
    assert_eq!(studio.get("/decisions/3/plan.tlog-proof").text(), desk.read("plan.json.tlog-proof"));
    desk.write("taken.json", &studio.get("/decisions/3/plan.json").text());
    assert!(desk.laforge(&["audit", "verify-proof", "taken.json"]).success);
    let line = desk.read(".laforge/audit/entries/00000000000000000000.jsonl");
    assert_eq!(studio.get("/decisions/4/entry.json").text(), format!("{}\n", line.lines().nth(4).unwrap()));
    let answer = studio.get("/decisions/3/report.json");
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"report-3.json\""));
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(studio.get("/decisions/4/plan.json").status, 404);
}

#[test]
fn what_waits_names_who_can_approve_and_how() {
    let desk = Desk::new();
    desk.without("evidence/approval-bob.sigstore.json", |desk| assert_eq!(desk.deploy(&[]), 10));
    let studio = desk.studio().opened();
    let page = studio.page("/approvals");
    for text in [
        "1 of 2 required approvals",
        "Counted: alice.",
        "bob",
        "laforge approve --release release.yaml",
        "laforge approve --blind sha256:",
    ] {
        assert!(page.contains(text), "`{text}` is not in: {page}");
    }
    assert_eq!(desk.deploy(&[]), 0);
    studio.wait_for("/approvals", "Nothing waits for approval");
}

#[test]
fn policies_are_shown_as_they_were_in_force() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    let page = studio.page("/policies");
    for text in ["baseline v1", "flags v0", "--require-signed", "Who changed the rules"] {
        assert!(page.contains(text), "`{text}` is not in: {page}");
    }
    let hex = page.split_once("/policies/").unwrap().1.split('"').next().unwrap().to_owned();
    let set = studio.page(&format!("/policies/{hex}"));
    assert!(set.contains("policy-set.yaml") || set.contains("--require-"), "{set}");
}

#[test]
fn a_log_that_grows_is_followed() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    assert!(!studio.page("/decisions").contains("/decisions/7\""));
    desk.without("evidence/approval-bob.sigstore.json", |desk| assert_eq!(desk.deploy(&[]), 10));
    studio.wait_for("/decisions", "/decisions/7\"");
}

#[test]
fn a_verification_runs_beside_and_tells_what_it_found() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    for (how, text) in [("fast", "every line gives the signed root"), ("full", "pinned by trust")] {
        let answer = studio.post("/log/verify", &[("how", how)]);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/log?told=verify")));
        studio.wait_for("/log", text);
    }
}

#[test]
fn where_nothing_is_yet_it_says_what_to_do() {
    let bare = Desk::bare();
    let studio = bare.studio().opened();
    assert!(studio.page("/").contains("laforge init demo --example"));
    assert!(studio.page("/log").contains("laforge audit init"));
    let new = Desk::new();
    let studio = new.studio().opened();
    assert!(studio.page("/").contains("laforge deploy --require-signed"), "{}", studio.page("/"));
    assert!(studio.page("/approvals").contains("Nothing waits for approval"));
    assert!(studio.page("/rollouts").contains("No rollout yet"));
}

fn live(desk: &Desk) -> (Rollout, Studio) {
    let mut rollout = Rollout::of(desk);
    rollout.begin();
    rollout.pass();
    let studio = desk.studio().opened();
    rollout.show();
    (rollout, studio)
}

#[test]
fn a_rollout_shows_weights_budgets_and_what_happened() {
    let desk = Desk::decided().executes();
    let (_rollout, studio) = live(&desk);
    let list = studio.page("/rollouts");
    assert!(list.contains("80 %") && list.contains("step 2 of"), "{list}");
    let hex = list.split_once("/rollouts/").unwrap().1.split('"').next().unwrap().to_owned();
    let page = studio.page(&format!("/rollouts/{hex}"));
    for text in [
        "9 of 4210 bad",
        "error-budget",
        "20 %: passed",
        "Weight confirmed",
        "the window to end",
        "Pause…",
        "Roll back…",
    ] {
        assert!(page.contains(text), "`{text}` is not in: {page}");
    }
}

#[test]
fn a_pause_is_a_request_with_the_logins_name_and_a_reason() {
    let desk = Desk::decided().executes();
    let (mut rollout, studio) = live(&desk);
    let path = format!("/rollouts/{}/pause", rollout.hex());
    let form = [("reason", "the dashboard <b>is</b> red"), ("sure", "yes"), ("actor", "mallory")];
    assert_eq!(studio.post(&path, &[("reason", "x")]).status, 422, "not confirmed");
    assert_eq!(studio.post(&path, &[("reason", "  "), ("sure", "yes")]).status, 422, "no reason");
    let answer = studio.post(&path, &form);
    assert_eq!(answer.status, 303);
    let told = answer.header("location").unwrap().to_owned();
    rollout.show();
    assert!(studio.page(&told).contains("the guard has not taken it yet"));
    assert_eq!(rollout.take_asks(), [("alice".to_owned(), "the dashboard <b>is</b> red".to_owned())]);
    rollout.show();
    let page = studio.page(&told);
    assert!(page.contains("The guard took it: Paused"), "{page}");
    assert!(page.contains("the dashboard &lt;b&gt;is&lt;/b&gt; red"), "{page}");
    assert_eq!(studio.get(&format!("/rollouts/{}/resume", rollout.hex())).status, 200);
}

#[test]
fn a_rollback_goes_its_way_and_nothing_is_asked_of_what_has_ended() {
    let desk = Desk::decided().executes();
    let (mut rollout, studio) = live(&desk);
    let path = format!("/rollouts/{}/rollback", rollout.hex());
    assert_eq!(studio.post(&path, &[("reason", "INC-7"), ("sure", "yes")]).status, 303);
    assert_eq!(rollout.take_asks(), [("alice".to_owned(), "INC-7".to_owned())]);
    rollout.retreat();
    let page = studio.page(&format!("/rollouts/{}", rollout.hex()));
    assert!(page.contains("Rolled back") && !page.contains("Roll back…"), "{page}");
    assert_eq!(studio.post(&path, &[("reason", "again"), ("sure", "yes")]).status, 404);
}

#[test]
fn a_breach_tells_measured_threshold_n_and_query() {
    let desk = Desk::decided().executes();
    let (mut rollout, studio) = live(&desk);
    rollout.breach();
    let page = studio.page(&format!("/rollouts/{}", rollout.hex()));
    for text in [
        "Paused because of breach",
        "310 of 4210 bad (7.3634 %), at most 2 %, needs 500 requests",
        "http_requests_total",
        "Recommended: <strong>Rollback",
        "fast-burn",
    ] {
        assert!(page.contains(text), "`{text}` is not in: {page}");
    }
}

#[test]
fn the_log_says_which_head_is_kept_elsewhere_and_how_long_ago() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    assert!(studio.page("/log").contains("None is recorded in the log."));
    assert!(desk.laforge(&["audit", "anchor", "--to", "file=anchor", "--record"]).success);
    let page = studio.wait_for("/log", "The last one was recorded");
    assert!(page.contains("Keeps the head of size") && page.contains("file <code>anchor</code>"), "{page}");
    fs::remove_dir_all(desk.path(".laforge/audit/anchors")).unwrap();
    assert!(studio.page("/log").contains("is not there, or is another"));
}
