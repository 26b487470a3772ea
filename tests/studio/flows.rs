//! What people do, in a real browser: look, filter, open, verify, pause with a reason, roll back; by mouse, by keys
//! alone, without script; with `axe` looking at each page in light and in dark, and pictures at four widths.

use std::thread;
use std::time::Duration;

use crate::chromium::{self, Browser};
use crate::desk::{Desk, Studio};
use crate::journal::Rollout;

/// A desk with something on each page, its studio, and a browser that was let in.
fn visit() -> Option<(Desk, Rollout, Studio, Browser)> {
    let mut browser = chromium::found()?;
    let desk = Desk::decided().executes().with_roles();
    let mut rollout = Rollout::of(&desk);
    rollout.begin();
    rollout.pass();
    rollout.show();
    desk.without("evidence/approval-bob.sigstore.json", |desk| assert_eq!(desk.deploy(&[]), 10));
    desk.rejected();
    assert_eq!(desk.deploy(&["--policy", "roles"]), 10);
    let studio = desk.studio();
    browser.go(&studio.link);
    browser.sees("Overview");
    browser.until("!document.body.innerText.includes('Reading the log')");
    Some((desk, rollout, studio, browser))
}

/// What is wider than its place, but the graph, which a list stands beside, and what is folded.
const CUT: &str = "[...document.querySelectorAll('.scroll, .source, .side nav')].filter(node => !node.querySelector('.graph') && !node.closest('details:not([open])') && node.scrollWidth > node.clientWidth).map(node => `${node.getAttribute('aria-label') ?? node.className}: ${node.scrollWidth} in ${node.clientWidth}`)";

fn paths(rollout: &Rollout) -> Vec<(&'static str, String)> {
    [
        ("overview", "/"),
        ("decisions", "/decisions"),
        ("allowed", "/decisions/3"),
        ("denied", "/decisions/4"),
        ("approvals", "/approvals"),
        ("rollouts", "/rollouts"),
        ("policies", "/policies"),
        ("log", "/log"),
        ("nothing", "/decisions?release=nothing"),
        ("wrong", "/decisions?since=tomorrow&action=permit"),
        ("rejected", "/decisions/9"),
    ]
    .map(|(name, path)| (name, path.to_owned()))
    .into_iter()
    .chain([
        ("rollout", format!("/rollouts/{}", rollout.hex())),
        ("pause", format!("/rollouts/{}/pause", rollout.hex())),
    ])
    .collect()
}

#[test]
fn every_page_is_accessible_in_light_and_in_dark_and_fits_its_width() {
    let Some((_desk, rollout, studio, mut browser)) = visit() else { return };
    let mut found = Vec::new();
    for (name, path) in paths(&rollout) {
        for scheme in ["light", "dark"] {
            browser.prefers(scheme);
            for width in [1200, 390, 768, 1920] {
                browser.size(width, if width < 600 { 844 } else { 900 });
                rollout.show();
                browser.go(&format!("http://{}{path}", studio.address));
                let wide = browser.value("document.documentElement.scrollWidth");
                if wide.as_u64() > Some(width) {
                    found.push(format!("{name} at {width}: {wide} wide"));
                }
                let cut = browser.value(CUT);
                if !cut.as_array().is_some_and(Vec::is_empty) {
                    found.push(format!("{name} at {width}: cut: {cut}"));
                }
                browser.picture(&format!("{name}-{width}-{scheme}"));
                if matches!(width, 1200 | 390) {
                    found.extend(
                        browser.axe().into_iter().map(|one| format!("{name} {scheme} {width}: {one}")),
                    );
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_filter_a_decision_and_back_by_mouse() {
    let Some((_desk, _rollout, studio, mut browser)) = visit() else { return };
    browser.click("nav a[href='/decisions']");
    browser.click("input[name='rule']");
    browser.types("signature-missing");
    browser.click(".filter button[type='submit']");
    browser.until("location.search.includes('rule=signature-missing')");
    browser.until("document.querySelectorAll('tr[data-row]').length === 1");
    browser.click("tr[data-row] a");
    browser.sees("0 of 1 required signatures");
    browser.until("document.querySelector('.source .mark') !== null");
    browser.click(".finding .help a");
    browser.until("location.pathname.startsWith('/policies/') && location.hash.includes('-L')");
    browser.go(&format!("http://{}/decisions/3", studio.address));
    browser.sees("verified now");
    browser.click("details summary");
    browser.sees("provenance by ci at level 2");
}

#[test]
fn a_verification_is_begun_and_its_end_is_seen_without_a_reload() {
    let Some((_desk, _rollout, studio, mut browser)) = visit() else { return };
    browser.go(&format!("http://{}/log", studio.address));
    browser.click("button[value='full']");
    browser.sees("Verified: ");
    browser.sees("pinned by trust");
}

#[test]
fn a_rollout_is_paused_with_a_reason_and_rolled_back_and_followed_live() {
    let Some((_desk, mut rollout, studio, mut browser)) = visit() else { return };
    browser.go(&format!("http://{}/rollouts/{}", studio.address, rollout.hex()));
    rollout.show();
    browser.click(".tools a[href$='/pause']");
    browser.sees("Pause this rollout");
    browser.click("textarea[name='reason']");
    browser.types("error rate looks odd, INC-42");
    browser.click("input[name='sure']");
    browser.click("button[type='submit'].primary");
    browser.until("location.search.startsWith('?asked=')");
    assert_eq!(rollout.take_asks(), [("alice".to_owned(), "error rate looks odd, INC-42".to_owned())]);
    rollout.show();
    browser.sees("The guard took it: Paused");
    browser.sees("error rate looks odd, INC-42");
    browser.picture("paused-1280");
    browser.click(".tools a[href$='/rollback']");
    browser.click("textarea[name='reason']");
    browser.types("going back");
    browser.click("input[name='sure']");
    browser.click("button.danger[type='submit']");
    browser.until("location.search.startsWith('?asked=')");
    assert_eq!(rollout.take_asks(), [("alice".to_owned(), "going back".to_owned())]);
    rollout.retreat();
    browser.sees("Rolled back");
    browser.picture("rolled-back-1280");
}

#[test]
fn everything_is_reached_by_keys_alone() {
    let Some((_desk, _rollout, _studio, mut browser)) = visit() else { return };
    browser.key("Tab");
    assert_eq!(browser.value("document.activeElement.textContent"), "Skip to content");
    browser.key("Enter");
    browser.until("location.hash === '#main'");
    for (letter, path) in [
        ("d", "/decisions"),
        ("a", "/approvals"),
        ("r", "/rollouts"),
        ("p", "/policies"),
        ("l", "/log"),
        ("o", "/"),
        ("d", "/decisions"),
    ] {
        browser.key("g");
        browser.key(letter);
        browser.until(&format!("location.pathname === '{path}'"));
        browser.loaded();
    }
    browser.key("j");
    browser.key("j");
    browser.until(
        "document.activeElement.closest('tr[data-row]') === document.querySelectorAll('tr[data-row]')[1]",
    );
    browser.key("k");
    browser.key("Enter");
    browser.until("/^.decisions.[0-9]+$/.test(location.pathname)");
    browser.loaded();
    browser.key("?");
    browser.until("document.getElementById('keys').open");
    browser.key("Escape");
    browser.until("!document.getElementById('keys').open");
    let visible = "(() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2; })()";
    for _ in 0..12 {
        browser.key("Tab");
        assert_eq!(browser.value(visible), true, "{}", browser.value("document.activeElement.outerHTML"));
    }
}

#[test]
fn colours_are_chosen_and_stay() {
    let Some((_desk, _rollout, studio, mut browser)) = visit() else { return };
    browser.prefers("light");
    browser.go(&format!("http://{}/log", studio.address));
    browser.click(".theme button");
    browser.click(".theme button");
    browser.until("document.documentElement.dataset.theme === 'dark' && location.pathname === '/log'");
    let dark = browser.value("getComputedStyle(document.body).backgroundColor");
    assert_eq!(dark, "rgb(13, 16, 20)");
}

#[test]
fn all_of_it_works_without_script() {
    let Some((_desk, mut rollout, studio, mut browser)) = visit() else { return };
    browser.without_script();
    for (name, path) in paths(&rollout) {
        browser.go(&format!("http://{}{path}", studio.address));
        assert_eq!(browser.value("document.querySelector('h1') !== null"), true, "{name}");
    }
    browser.click("textarea[name='reason']");
    browser.types("no script here");
    browser.click("input[name='sure']");
    browser.click("button[type='submit'].primary");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(rollout.take_asks(), [("alice".to_owned(), "no script here".to_owned())]);
}
