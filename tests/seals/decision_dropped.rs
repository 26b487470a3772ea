//! A decision that is not recorded never happened.
#![deny(unused_must_use)]
use laforge::plan::PlanDraft;
use laforge::policy::{Request, Standard, decide};
use laforge::release::resolved::ResolvedRelease;
use laforge::time::Timestamp;
use laforge::verify::Verified;

fn forget(release: &ResolvedRelease, v: Verified, d: PlanDraft, s: &Standard, r: &Request, now: Timestamp) {
    decide(release, v, d, s, r, now);
}

fn main() {}
