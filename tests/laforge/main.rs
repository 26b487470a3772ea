//! Integration tests: one binary, a module per subject. All of them drive the real program.

#![expect(clippy::disallowed_methods, reason = "tests read the world")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]
#![expect(clippy::indexing_slicing, reason = "of JSON whose shape is under test")]
#![expect(unreachable_pub, reason = "modules of one test binary")]

mod action;
mod anchors;
mod attacks;
mod corpus;
mod courtesies;
mod docs;
mod doctor;
mod evidence;
mod example;
mod exits;
mod faults;
mod fixtures;
mod judged;
mod keyless;
mod manifests;
mod mistakes;
mod mutations;
mod nulls;
mod outputs;
mod pages;
mod parsers;
mod reading;
mod recipes;
mod registry;
mod render;
mod reports;
mod rooms;
mod scenarios;
mod seals;
mod shells;
mod tampering;
mod verdicts;

/// Says that a test was skipped, past the runner's capture: a skip that nobody sees looks like a pass.
fn skipped(why: &str) {
    use std::io::Write;
    // Where nobody reads stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
