//! `laforge runtime` through the real program: who is let in, what bad input comes to, what is not lost, and what its
//! metrics and its document promise.
//!
//! Each test has a folder and a service of its own, on loopback, on ports that the system gives ([`site`]); an issuer
//! of tokens is a few lines ([`issuer`]). Prometheus and schemathesis are real parts: without them a test says so in
//! one line and ends, and fails where `LAFORGE_REQUIRE_PARTS` is set.

#![expect(clippy::disallowed_methods, reason = "tests read the world")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]
#![expect(clippy::indexing_slicing, reason = "of JSON whose shape is under test")]

mod admission;
mod attacks;
#[path = "../rollout_journal/desk.rs"]
#[expect(dead_code, reason = "of another test binary, which needs more of it")]
mod desk;
#[path = "../rollout_journal/driver.rs"]
mod driver;
mod ending;
mod engines;
mod input;
mod issuer;
mod keys;
mod log;
mod login;
mod metrics;
mod reach;
mod rollouts;
mod schema;
mod sign_in;
mod site;
mod tls;
mod traces;

/// Says that a test is skipped, unless the parts are required.
fn skipped(why: &str) {
    use std::io::Write as _;
    assert!(std::env::var_os("LAFORGE_REQUIRE_PARTS").is_none(), "real parts are required here: {why}");
    // Where nobody reads stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
