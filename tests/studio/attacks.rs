//! What somebody tries who should not: to get in, to be somebody else, to have a page run or fetch something.

use crate::desk::{Desk, Studio};
use crate::journal::Rollout;

#[test]
fn nothing_is_told_to_who_was_not_let_in() {
    let desk = Desk::decided();
    let studio = desk.studio();
    for path in [
        "/",
        "/decisions",
        "/decisions/3",
        "/decisions/3/plan.json",
        "/approvals",
        "/rollouts",
        "/policies",
        "/log",
        "/evidence/00",
    ] {
        for headers in
            [vec![], vec![("Cookie", "laforge_studio=guess")], vec![("Authorization", "Bearer guess")]]
        {
            let answer = studio.ask("GET", path, &headers, b"");
            assert_eq!(answer.status, 401, "{path} {headers:?}");
            assert!(!answer.text().contains("payments"), "{path}");
        }
    }
    assert_eq!(studio.ask("POST", "/log/verify", &[], b"how=full").status, 401);
    assert_eq!(studio.ask("GET", "/login?token=guess", &[], b"").status, 401);
    assert_eq!(studio.ask("GET", "/livez", &[], b"").status, 200);
}

#[test]
fn a_link_is_used_once() {
    let desk = Desk::new();
    let studio = desk.studio().opened();
    let path = studio.link.split_once(&studio.address).unwrap().1.to_owned();
    assert_eq!(studio.ask("GET", &path, &[], b"").status, 403);
    assert_eq!(studio.get(&path).status, 303, "its own browser may go on");
}

#[test]
fn a_name_that_is_pointed_here_is_not_answered() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    for host in ["evil.example", "127.0.0.1.evil.example:80"] {
        let answer = studio.ask("GET", "/", &[("Host", host), ("Cookie", studio.cookie())], b"");
        assert_eq!(answer.status, 421, "{host}");
    }
}

fn form_from(studio: &Studio, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> u16 {
    let headers = [&[("Cookie", studio.cookie())][..], headers].concat();
    studio.ask("POST", path, &headers, Studio::form(form).as_bytes()).status
}

#[test]
fn another_site_changes_nothing() {
    let desk = Desk::decided().executes();
    let mut rollout = Rollout::of(&desk);
    rollout.begin();
    let studio = desk.studio().opened();
    let token = studio.token();
    let path = format!("/rollouts/{}/rollback", rollout.hex());
    let own = format!("http://{}", studio.address);
    let said = [("reason", "gotcha"), ("sure", "yes")];
    let with = |token: &str| {
        [&[("token", token)][..], &said]
            .concat()
            .into_iter()
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect::<Vec<_>>()
    };
    for (headers, token) in [
        (vec![("Sec-Fetch-Site", "cross-site")], token.as_str()),
        (vec![("Sec-Fetch-Site", "same-site")], token.as_str()),
        (vec![("Sec-Fetch-Site", "none")], token.as_str()),
        (vec![("Origin", "http://evil.example")], token.as_str()),
        (vec![("Origin", "null")], token.as_str()),
        (vec![], token.as_str()),
        (vec![("Sec-Fetch-Site", "same-origin")], "guess"),
        (vec![("Sec-Fetch-Site", "same-origin")], ""),
        (vec![("Origin", own.as_str())], "guess"),
    ] {
        let form = with(token);
        let form: Vec<(&str, &str)> =
            form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(form_from(&studio, &path, &headers, &form), 403, "{headers:?} {token}");
    }
    assert_eq!(rollout.take_asks(), []);
    assert_eq!(studio.get(&path).status, 200, "a link alone only shows the form");
    assert_eq!(rollout.take_asks(), []);
}

#[test]
fn who_only_reads_controls_nothing() {
    let desk = Desk::decided().executes();
    let mut rollout = Rollout::of(&desk);
    rollout.begin();
    let studio = desk.studio_with(&["--actor", "eve"]).opened();
    let page = studio.page(&format!("/rollouts/{}", rollout.hex()));
    assert!(page.contains("You may read, and not control.") && !page.contains("Pause…"), "{page}");
    let path = format!("/rollouts/{}/pause", rollout.hex());
    assert_eq!(studio.get(&path).status, 403);
    assert_eq!(studio.post(&path, &[("reason", "x"), ("sure", "yes")]).status, 403);
    assert_eq!(rollout.take_asks(), []);
}

#[test]
fn no_path_leads_out_of_the_log() {
    let desk = Desk::decided().executes();
    let mut studio = desk.studio().opened();
    for path in [
        "/evidence/..%2f..%2f..%2flaforge.yaml",
        "/evidence/../../laforge.yaml",
        "/evidence/%2e%2e%2f%2e%2e%2f.laforge%2faudit.key",
        "/decisions/..%2f..%2fetc%2fpasswd",
        "/decisions/3/..%2f..%2fentry.json",
        "/decisions/-1",
        "/decisions/18446744073709551616",
        "/decisions/3e0",
        "/rollouts/..%2f..%2f..",
        "/rollouts/%00",
        "/policies/..%2fx",
        "/static/..%2fstudio.css",
        "/nowhere",
        "/%ff%fe",
    ] {
        let answer = studio.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains("PRIVATE KEY") && !answer.text().contains("root:x"), "{path}");
    }
    assert!(studio.is_up());
}

/// What would run, break out of an attribute, or turn the reading order.
const MARKUP: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

/// A field gives back what was typed into it, to the letter: what it holds runs nothing, and reorders itself alone.
fn without_values(page: &str) -> String {
    let mut parts = page.split("value=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.split_once('"').map_or("", |(_, behind)| behind))
}

fn is_quiet(page: &str, path: &str) {
    for sign in ["<script>alert", "<img", "\u{202e}"] {
        assert!(!page.contains(sign), "{path} lets `{sign}` through");
    }
}

#[test]
fn what_a_release_says_of_itself_is_text() {
    let desk = Desk::new();
    let release = desk.read("release.yaml");
    let version =
        release.lines().find(|line| line.contains("version:") && !line.contains("apiVersion")).unwrap();
    let hostile = version.replacen("2.4.0", "\\u0022 onmouseover=\\u0022x <b>2.4.0</b>", 1);
    let quoted = hostile
        .split_once("version:")
        .map(|(before, after)| format!("{before}version: \"{}\"", after.trim().trim_matches(['"', '\''])))
        .unwrap();
    desk.write("release.yaml", &release.replace(version, &quoted));
    let code = desk.deploy(&[]);
    assert!(code == 10 || code == 2, "{code}");
    let studio = desk.studio().opened();
    for path in ["/", "/decisions", "/decisions/3", "/approvals"] {
        let page = studio.get(path).text();
        assert!(!page.contains("<b>2.4.0") && !page.contains("\" onmouseover"), "{path}: {page}");
        is_quiet(&page, path);
    }
}

#[test]
fn what_a_reader_types_is_text() {
    let desk = Desk::decided().executes();
    let mut rollout = Rollout::of(&desk);
    rollout.begin();
    let studio = desk.studio_with(&["--control", "--actor", MARKUP]).opened();
    let typed: String = MARKUP.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut paths = vec![
        format!("/{typed}"),
        format!("/decisions/{typed}"),
        format!("/rollouts/{typed}"),
        format!("/policies/{typed}"),
        format!("/log?told={typed}"),
        format!("/?range={typed}"),
    ];
    paths.extend(
        [
            "release",
            "environment",
            "action",
            "verdict",
            "actor",
            "approver",
            "rule",
            "type",
            "since",
            "until",
            "before",
            "nonsense",
        ]
        .map(|name| format!("/decisions?{name}={typed}")),
    );
    paths.push(format!("/decisions?release=%E2%80%AE{typed}"));
    for path in &paths {
        is_quiet(&without_values(&studio.get(path).text()), path);
    }
    let path = format!("/rollouts/{}/pause", rollout.hex());
    let answer = studio.post(&path, &[("reason", MARKUP), ("sure", "yes")]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(rollout.take_asks(), [(MARKUP.to_owned(), MARKUP.to_owned())]);
    is_quiet(&studio.page(&format!("/rollouts/{}", rollout.hex())), "the rollout");
}

#[test]
fn a_request_that_is_too_large_or_no_request_hurts_nobody() {
    let desk = Desk::decided();
    let mut studio = desk.studio().opened();
    let large = vec![b'a'; 40_000];
    let answer = studio.ask(
        "POST",
        "/log/verify",
        &[("Cookie", studio.cookie()), ("Sec-Fetch-Site", "same-origin")],
        &large,
    );
    assert_eq!(answer.status, 413);
    assert_eq!(studio.ask("DELETE", "/", &[("Cookie", studio.cookie())], b"").status, 405);
    assert_eq!(
        studio.post("/theme", &[("theme", "dark"), ("back", "//evil.example/")]).header("location"),
        Some("/")
    );
    let reason = "x".repeat(5000);
    assert!(studio.post("/rollouts/00/pause", &[("reason", &reason), ("sure", "yes")]).status >= 400);
    assert!(studio.is_up());
}

#[test]
fn a_form_that_was_open_while_its_rollout_ended_asks_nothing_of_the_next_one() {
    let desk = Desk::decided().executes();
    let mut first = Rollout::of(&desk);
    first.begin();
    let studio = desk.studio().opened();
    let path = format!("/rollouts/{}/rollback", first.hex());
    assert!(studio.page(&path).contains(&format!("action=\"{path}\"")), "the form is of this plan");
    let form = [("reason", "the dashboard is red"), ("sure", "yes")];
    assert_eq!(studio.post(&path, &form).status, 303);
    assert_eq!(first.take_asks().len(), 1);
    first.retreat();
    drop(first);
    assert_eq!(desk.deploy(&["--ttl", "3h", "-o", "plan.json"]), 0);
    let mut next = Rollout::of(&desk);
    next.begin();
    let late = studio.post(&path, &form);
    assert!(late.status == 404 && late.text().contains("It has ended"), "{}: {}", late.status, late.text());
    assert_eq!(next.take_asks(), []);
}
