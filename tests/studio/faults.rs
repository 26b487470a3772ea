//! A log that is spoiled while it is looked at: said loudly, and nothing ends.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use crate::desk::Desk;

const ENTRIES: &str = ".laforge/audit/entries/00000000000000000000.jsonl";

fn spoil(desk: &Desk, file: &str, from: &str, to: &str) {
    let text = desk.read(file);
    assert!(text.contains(from), "{file}");
    fs::write(desk.path(file), text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_line_that_was_changed_is_shown_as_not_what_was_recorded() {
    let desk = Desk::decided();
    let mut studio = desk.studio().opened();
    assert!(studio.page("/decisions/4").contains("verified now"));
    spoil(&desk, ENTRIES, "\"action\":\"deny\"", "\"action\":\"none\"");
    let page = studio.page("/decisions/4");
    assert!(page.contains("This is not what was recorded.") && page.contains("does not hold"), "{page}");
    assert!(!page.contains("verified now"), "{page}");
    studio.post("/log/verify", &[("how", "fast")]);
    studio.wait_for("/log", "The log does not check out");
    assert!(studio.is_up());
}

#[test]
fn a_log_that_was_changed_before_is_never_shown_as_sound() {
    let desk = Desk::decided();
    spoil(&desk, ENTRIES, "\"action\":\"deny\"", "\"action\":\"none\"");
    let studio = desk.studio().opened();
    let page = studio.wait_for("/", "The audit log does not check out.");
    assert!(page.contains("the lines do not give the signed root"), "{page}");
    assert!(page.contains("none of them has checked out here, and nothing vouches for them"), "{page}");
}

#[test]
fn a_report_that_was_changed_is_named() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    let entry: serde_json::Value = serde_json::from_str(desk.read(ENTRIES).lines().nth(4).unwrap()).unwrap();
    let hex = entry["report"]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let file = desk.path(&format!(".laforge/audit/evidence/sha256/{}/{hex}", &hex[..2]));
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(&file, permissions).unwrap();
    fs::write(&file, "{}").unwrap();
    let page = studio.page("/decisions/4");
    assert!(page.contains("Report: other bytes than the entry names"), "{page}");
    fs::remove_file(&file).unwrap();
    let page = studio.page("/decisions/4");
    assert!(page.contains("Report: not here") && page.contains("approval-threshold"), "{page}");
}

#[test]
fn a_log_that_is_cut_or_gone_stays_as_it_was_seen_under_an_alarm() {
    let desk = Desk::decided();
    let mut studio = desk.studio().opened();
    fs::rename(desk.path(".laforge/audit"), desk.path("elsewhere")).unwrap();
    let page = studio.wait_for("/decisions", "The audit log does not check out.");
    assert!(page.contains("payments") && page.contains("is from before: it checked out"), "{page}");
    assert!(studio.is_up());
    fs::rename(desk.path("elsewhere"), desk.path(".laforge/audit")).unwrap();
    studio.wait_for("/", "Log checks out");
}

/// Puts another log where a studio reads one.
fn replaced(desk: &Desk) {
    let other = Desk::decided();
    fs::rename(desk.path(".laforge/audit"), desk.path("elsewhere")).unwrap();
    fs::rename(other.path(".laforge/audit"), desk.path(".laforge/audit")).unwrap();
}

#[test]
fn another_log_than_the_configured_one_is_no_log_of_it() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    replaced(&desk);
    studio.wait_for("/", "The audit log does not check out.");
    studio.wait_for("/", "is configured");
    // One that was there before the studio began is none either.
    let late = desk.studio().opened();
    late.wait_for("/", "The audit log does not check out.");
    for path in ["/", "/decisions", "/approvals", "/rollouts", "/policies"] {
        let page = late.page(path);
        assert!(
            page.contains("Nothing of it is shown") && page.contains("Nothing can be shown"),
            "{path}: {page}"
        );
        assert!(!page.contains("is from before") && !page.contains("Nothing was decided"), "{path}: {page}");
    }
}

#[test]
fn another_log_in_its_place_is_noticed_also_where_none_is_pinned() {
    let desk = Desk::decided();
    let config = desk.read("laforge.yaml").replace("trust: trust.yaml\n", "");
    let (before, origin) = config.split_once(", origin: \"").unwrap();
    desk.write("laforge.yaml", &format!("{before}{}", origin.split_once('"').unwrap().1));
    let studio = desk.studio().opened();
    replaced(&desk);
    studio.wait_for("/", "another file was put in its place");
}

#[test]
fn a_log_that_appears_is_read_and_one_that_is_locked_is_read_on() {
    let desk = Desk::new();
    fs::rename(desk.path(".laforge/audit"), desk.path("elsewhere")).unwrap();
    let studio = desk.studio().opened();
    assert!(studio.page("/").contains("There is no log yet"), "{}", studio.page("/"));
    fs::rename(desk.path("elsewhere"), desk.path(".laforge/audit")).unwrap();
    studio.wait_for("/", "Nothing was decided yet");
    let lock = fs::File::open(desk.path(".laforge/audit/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(studio.page("/log").contains("Log checks out"));
}

#[test]
fn bytes_behind_the_signed_end_are_not_shown() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    let size = desk.read(ENTRIES).lines().count();
    let forged = desk.read(ENTRIES).lines().last().unwrap().replace("payments", "planted");
    writeln!(OpenOptions::new().append(true).open(desk.path(ENTRIES)).unwrap(), "{forged}").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(studio.get(&format!("/decisions/{size}")).status, 404);
    assert!(!studio.page("/decisions").contains("planted"));
}

#[test]
fn a_journal_that_was_changed_shows_nothing_of_itself() {
    let desk = Desk::decided().executes();
    let mut rollout = crate::journal::Rollout::of(&desk);
    rollout.begin();
    let studio = desk.studio().opened();
    let hex = rollout.hex();
    spoil(
        &desk,
        &format!(".laforge/rollouts/production/{hex}/entries/00000000000000000000.jsonl"),
        "\"slowestMs\":12",
        "\"slowestMs\":13",
    );
    let page = studio.page(&format!("/rollouts/{hex}"));
    assert!(page.contains("The journal does not check out."), "{page}");
    assert!(studio.page("/rollouts").contains("A journal does not check out"));
    assert_eq!(studio.get(&format!("/rollouts/{hex}/pause")).status, 404);
    assert!(desk.folder().exists());
}

#[test]
fn pages_are_made_at_once_while_the_log_grows() {
    let desk = Desk::decided();
    let studio = desk.studio().opened();
    std::thread::scope(|scope| {
        for path in ["/", "/decisions", "/approvals", "/policies", "/log", "/decisions/3"] {
            let studio = &studio;
            scope.spawn(move || (0..40).for_each(|_| assert_eq!(studio.get(path).status, 200, "{path}")));
        }
        desk.without("evidence/approval-bob.sigstore.json", |desk| {
            (0..8).for_each(|_| assert_eq!(desk.deploy(&[]), 10));
        });
    });
    studio.wait_for("/decisions", "/decisions/14\"");
}
