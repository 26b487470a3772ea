//! Each page read as bytes: what it says, and that it is what the command line says.

use std::fs;

use laforge::audit::entry::Entry;

use crate::desk::{Desk, Studio, commands};
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
    assert_eq!(commands(&page), ["laforge audit list --reverse --release payments --action deny"]);
}

#[test]
fn a_field_of_the_filter_says_beside_it_what_is_wrong_with_it() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    let page = studio.page("/decisions?action=permit&since=tomorrow&rule=approval-threshold");
    let fields: Vec<&str> = page.split("<div class=\"field").skip(1).collect();
    let wrong: Vec<&str> = fields.iter().copied().filter(|field| field.contains("aria-invalid")).collect();
    assert_eq!((fields.len(), wrong.len()), (10, 2), "{page}");
    assert!(wrong[0].contains("<code>permit</code> is no action: allow, deny or none"), "{page}");
    assert!(wrong[1].contains("<code>tomorrow</code> is no time for <code>since</code>"), "{page}");
    assert!(
        wrong[1].contains("aria-describedby=\"f-since-wrong\"") && wrong[1].contains("id=\"f-since-wrong\"")
    );
    assert!(listed(&page).is_empty() && page.contains("see the fields that are marked"), "{page}");
    let unknown = studio.page("/decisions?colour=blue");
    assert!(unknown.contains("<code>colour</code> is no filter"), "{unknown}");
    assert!(!unknown.contains("aria-invalid"), "{unknown}");
}

#[test]
fn what_two_policies_ask_for_alike_is_one_finding_with_each_line_once() {
    let desk = Desk::new().with_roles();
    desk.rejected();
    assert_eq!(desk.deploy(&["--policy", "roles"]), 10);
    let studio = desk.studio().opened();
    let page = studio.page("/decisions/3");
    let articles: Vec<&str> = page.split("<article class=\"finding\">").skip(1).collect();
    assert_eq!(articles.len(), 3, "{page}");
    assert!(page.contains("7 by 3 rules"), "{page}");
    let rejected = articles.iter().find(|it| it.contains("rule=approval-rejected")).unwrap();
    let count = |text: &str| rejected.matches(text).count();
    assert_eq!((count("<code>bob</code> rejected"), count("To mend it:"), count("<figure")), (1, 1, 2));
    // The line wraps, and the word that decides is marked in it.
    let threshold = articles.iter().find(|it| it.contains("rule=approval-threshold")).unwrap();
    assert!(
        threshold.contains(
            "<span class=\"under\">2</span>, roles: {release-manager: 1, sre: <span class=\"under\">1</span>}"
        ),
        "{threshold}"
    );
    // Bob's own approval does not come back.
    assert!(page.contains("<code>superseded</code>: <code>bob</code> gave a later record"), "{page}");
    assert!(!page.contains('`') && !page.contains("superseded</code> superseded"), "{page}");
}

#[test]
fn that_nobody_is_known_to_have_asked_is_said_once_with_the_way_to_know_it() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    for path in ["/decisions", "/decisions/3", "/policies"] {
        let page = studio.page(path);
        assert_eq!(page.matches("not verified").count(), 1, "{path}: {page}");
        assert_eq!(page.matches("docs/runtime.md").count(), 1, "{path}");
        assert!(!page.contains("unknown"), "{path}: {page}");
    }
    assert!(studio.page("/").contains("2 of 3 not let through"), "{}", studio.page("/"));
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
    ] {
        assert!(allowed.contains(text), "`{text}` is not in: {allowed}");
    }
    assert_eq!(
        commands(&allowed),
        ["laforge audit show 3 --evidence", "laforge audit verify-proof plan.json"]
    );
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
    for text in ["1 of 2 required approvals", "Counted: alice.", "bob"] {
        assert!(page.contains(text), "`{text}` is not in: {page}");
    }
    let commands = commands(&page);
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert_eq!(commands[0], "laforge approve --release release.yaml --key file:KEY.key");
    assert!(commands[1].starts_with("laforge approve --blind sha256:"), "{commands:?}");
    assert_eq!(desk.deploy(&[]), 0);
    studio.wait_for("/approvals", "Nothing waits for approval");
}

#[test]
fn where_nobody_has_approved_nobody_else_is_asked_for() {
    let desk = Desk::new().with_roles();
    desk.without("evidence/approval-alice.sigstore.json", |desk| {
        fs::rename(desk.path("evidence/approval-bob.sigstore.json"), desk.path("gone")).unwrap();
        assert_eq!(desk.deploy(&["--policy", "roles"]), 10);
    });
    let page = desk.studio().opened().page("/approvals");
    assert!(!page.contains("someone else") && page.contains("Nobody's has counted yet."), "{page}");
    // "0 of 1" of a flag and "0 of 2" of two policies are one requirement, and the card's title names the release.
    let asked: Vec<&str> =
        page.split("<p class=\"message\">").skip(1).map(|it| it.split_once("</p>").unwrap().0).collect();
    assert_eq!(
        asked,
        [
            "<strong>0 of 2 required approvals</strong>",
            "<strong>0 of 1 required approvals by <code>release-manager</code></strong>",
            "<strong>0 of 1 required approvals by <code>sre</code></strong>",
        ]
    );
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
    assert_eq!(commands(&studio.page("/")), ["laforge init demo --example\nlaforge -C demo studio"]);
    assert_eq!(commands(&studio.page("/log")), ["laforge audit init"]);
    let new = Desk::new();
    let studio = new.studio().opened();
    assert_eq!(
        commands(&studio.page("/")),
        ["laforge deploy --require-signed --require-approved --require-provenance"]
    );
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
    assert!(page.contains("Paused by an operator, while observing"), "{page}");
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
        "Paused because of breach, while observing",
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
