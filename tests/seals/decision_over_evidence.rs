//! A decision is over what was verified, not over what was gathered.
use laforge::evidence::Gathered;
use laforge::plan::PlanDraft;
use laforge::policy::{Decision, Request, Standard, decide};
use laforge::release::resolved::ResolvedRelease;
use laforge::time::Timestamp;

fn skip(release: &ResolvedRelease, g: Gathered, d: PlanDraft, s: &Standard, r: &Request, now: Timestamp) -> Decision {
    decide(release, g, d, s, r, now)
}

fn main() {}
