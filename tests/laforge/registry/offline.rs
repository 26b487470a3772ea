//! `laforge bundle` and `--offline`: with the bundle a deploy without a network is the one with it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Shipped;
use super::server::{Manner, Registry, Reply};
use crate::example::{PROGRAM, at_home, finished};

const OFFLINE: [&str; 4] = ["deploy", "--offline", "--evidence", "bundle.tar"];

/// An index of two platforms, each signed at its own digest, where one is found by a tag's list.
fn two_platforms() -> Shipped {
    let shipped = Shipped::new();
    let mut leaves = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let mut leaf = shipped.registry.image(architecture);
        shipped.registry.attach(&shipped.signature(&leaf), &leaf);
        leaf["platform"] = serde_json::json!({"os": "linux", "architecture": architecture});
        leaves.push(leaf);
    }
    let index = shipped.registry.index(&leaves);
    shipped.release(&index);
    shipped
}

impl Shipped {
    /// Ends so, on record, with this among what counted for nothing.
    #[track_caller]
    fn set_aside(&self, arguments: &[&str], ends: i32, why: &str) {
        let before = self.example.entries().len();
        let run = self.example.run(&[arguments, &["--report", "json=report.json"]].concat());
        run.ends(ends).says(why);
        assert!(ends == 0 || self.example.entries().len() > before, "it is not on record");
        if ends != 0 {
            // The image itself is not to be had, so that evidence was not looked at.
            return;
        }
        let report: Value = serde_json::from_str(&self.example.read("report.json")).unwrap();
        let aside = report["setAside"].as_array().unwrap();
        let is_it =
            |one: &&Value| one["kind"] == "unreadable" && one["reason"].as_str().unwrap().contains(why);
        assert!(aside.iter().any(|one| is_it(&one)), "{report}");
    }
}

/// Ends the registry, so that nothing can be had of it any more.
fn gone(shipped: &Shipped) {
    shipped.registry.script(|_, _| Some(Reply::status(500).given(Manner::HangUp)));
}

#[test]
fn a_bundle_gives_the_same_plan_without_a_network() {
    let shipped = two_platforms();
    let online = shipped.deploy(&[]).ends_with_data();
    let entry = shipped.example.last_decision();
    let bundled = shipped.example.run(&["bundle", "-o", "bundle.tar"]).ends_with_data();
    assert_eq!(bundled.stdout.trim(), entry["release"]["digest"].as_str().unwrap());
    assert!(bundled.stderr.contains("bundled 2 pieces of evidence and 3 manifests"), "{}", bundled.stderr);
    gone(&shipped);
    let asked = shipped.registry.asked().len();
    // Without it nothing is known; with it, it is the decision that is on record already.
    shipped.example.run(&["deploy", "--offline"]).ends(11);
    let offline = shipped.example.run(&OFFLINE).ends_with_data().says("already recorded as entry");
    assert_eq!(offline.stdout, online.stdout);
    assert_eq!(shipped.registry.asked().len(), asked);
}

#[test]
fn a_folder_and_an_archive_hold_the_same_each_time() {
    let shipped = two_platforms();
    shipped.example.run(&["bundle", "-o", "bundle.tar"]).ends_with_data();
    shipped.example.run(&["bundle", "-o", "again.tar"]).ends_with_data();
    shipped.example.run(&["bundle", "-o", "folder"]).ends_with_data();
    let bytes = |name: &str| fs::read(shipped.example.path(name)).unwrap();
    assert_eq!(bytes("bundle.tar"), bytes("again.tar"));
    let online = shipped.deploy(&[]).ends_with_data();
    gone(&shipped);
    let offline = shipped.example.run(&["deploy", "--offline", "--evidence", "folder"]).ends_with_data();
    assert_eq!(offline.stdout, online.stdout);
    // A bundle of a bundle is the bundle; other programs read the archive as well.
    let again = ["bundle", "--offline", "--evidence", "folder", "-o", "third.tar"];
    shipped.example.run(&again).ends_with_data();
    assert_eq!(bytes("bundle.tar"), bytes("third.tar"));
    let listed = at_home("tar", &shipped.example.path(".")).args(["-tf", "bundle.tar"]).output().unwrap();
    assert!(finished(listed).ends_with_data().stdout.starts_with("bundle.json\nevidence/"));
}

#[test]
fn a_bundle_of_another_release_stands_for_no_registry() {
    let shipped = two_platforms();
    shipped.example.run(&["bundle", "-o", "bundle.tar"]).ends_with_data();
    shipped.example.edit("release.yaml", "version: 2.4.0", "version: 2.4.1");
    // Its evidence counts as evidence does, but nobody says that it is all there is.
    let run = shipped.example.run(&[&OFFLINE[..], &["--report", "json=report.json"]].concat());
    let report: Value = serde_json::from_str(&shipped.example.read("report.json")).unwrap();
    assert!(!report["unreachable"].as_array().unwrap().is_empty(), "{}", run.stderr);
}

#[test]
fn no_bundle_is_made_of_what_can_not_be_reached_in_full() {
    let shipped = two_platforms();
    shipped.registry.script(|asked, _| asked.target.contains("/referrers/").then(|| Reply::status(403)));
    shipped.example.run(&["bundle", "-o", "bundle.tar"]).ends(11).says("no bundle was made");
    assert!(!shipped.example.path("bundle.tar").exists());
    let other = Shipped::from(Registry::start());
    let image = other.registry.image("payments");
    other.release(&image);
    other.registry.script(|_, _| Some(Reply::status(401)));
    other.example.run(&["bundle", "-o", "folder"]).ends(11).says("could not be had");
    assert!(!other.example.path("folder").exists());
    let absent = Shipped::from(Registry::start());
    let image = absent.registry.image("payments");
    absent.release(&image);
    absent.registry.script(|asked, _| asked.target.contains("/manifests/").then(|| Reply::status(404)));
    absent.example.run(&["bundle", "-o", "folder"]).ends(10).says("is not in its registry: there is no");
    assert!(!absent.example.path("folder").exists());
}

#[test]
fn a_bundle_that_was_altered_stands_for_nothing_and_is_on_record() {
    let shipped = two_platforms();
    shipped.example.run(&["bundle", "-o", "bundle.tar"]).ends_with_data();
    shipped.example.run(&["bundle", "-o", "bundle.tar"]).ends(2).says("is already there");
    let whole = fs::read(shipped.example.path("bundle.tar")).unwrap();
    let cut = whole[..whole.len() / 2].to_vec();
    let altered = [0, 124, 156, 520, 1100, whole.len() - 1].map(|at| {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        altered
    });
    let altered = altered.map(|altered| (altered, "warning: `bundle.tar` is "));
    for (broken, why) in altered.into_iter().chain([(cut, "is no archive that `laforge bundle` wrote")]) {
        fs::write(shipped.example.path("bundle.tar"), broken).unwrap();
        shipped.set_aside(&OFFLINE, 11, why);
        let again = ["bundle", "--offline", "--evidence", "bundle.tar", "-o", "second.tar"];
        shipped.example.run(&again).ends(2).says("make it again with `laforge bundle`");
    }
}

#[test]
fn a_folder_that_says_it_is_a_bundle_and_is_not_silences_nobody() {
    let shipped = two_platforms();
    shipped.example.run(&["bundle", "-o", "folder"]).ends_with_data();
    let list = shipped.example.read("folder/bundle.json");
    // What lies in the folder is evidence all the same, and its manifests are those of no registry.
    shipped.example.write("folder/notes.txt", "one more");
    gone(&shipped);
    let broken = ["deploy", "--offline", "--evidence", "folder"];
    shipped.set_aside(&broken, 11, "is not whole: `notes.txt` is not what its name says");
    let online = two_platforms();
    for text in [list.as_str(), r#"{"_type": "https://laforge.dev/bundle/v1"}"#] {
        online.example.write("evidence/bundle.json", text);
        online.set_aside(&["deploy"], 0, "is a release bundle ");
    }
}

#[test]
fn offline_opens_no_socket_and_needs_no_interface() {
    let shipped = two_platforms();
    let online = shipped.deploy(&[]).ends_with_data();
    shipped.example.run(&["bundle", "-o", "bundle.tar"]).ends_with_data();
    let folder = shipped.example.path(".");
    if let Some(trace) = traced(&folder) {
        assert!(!trace.contains("AF_INET"), "{trace}");
    }
    let without = |arguments: &[&str]| at_home("unshare", &folder).args(["-n"]).args(arguments).output();
    match without(&["true"]) {
        Ok(output) if output.status.success() => {
            let run = finished(without(&[&[PROGRAM], &OFFLINE[..]].concat()).unwrap()).ends_with_data();
            assert_eq!(run.stdout, online.stdout);
        }
        _ => unavailable("unshare can't make a network namespace here"),
    }
}

/// The network calls of an offline deploy, where `strace` can trace.
fn traced(folder: &Path) -> Option<String> {
    let strace = |arguments: &[&str]| {
        at_home("strace", folder)
            .args(["-f", "-qq", "-e", "trace=%network", "-o", "trace"])
            .args(arguments)
            .output()
    };
    if !strace(&["true"]).is_ok_and(|output| output.status.success()) {
        unavailable("strace can't trace here");
        return None;
    }
    // The control: asked of the registry, the same trace shows it.
    finished(strace(&[PROGRAM, "deploy"]).unwrap()).ends_with_data();
    assert!(fs::read_to_string(folder.join("trace")).unwrap().contains("AF_INET"));
    finished(strace(&[&[PROGRAM], &OFFLINE[..]].concat()).unwrap()).ends_with_data();
    Some(fs::read_to_string(folder.join("trace")).unwrap())
}

fn unavailable(reason: &str) {
    assert!(std::env::var_os("LAFORGE_REQUIRE_PARTS").is_none(), "{reason}");
    crate::skipped(reason);
}
