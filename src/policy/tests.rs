//! From facts to a verdict (`judging`), and from signed bytes to a decision (`deciding`).

use super::samples::{file, trust};
use super::set::{Flags, PolicySet};

mod deciding;
mod judging;

fn production() -> PolicySet {
    let text = include_str!("../../policies/production.yaml");
    PolicySet::load(vec![file("production.yaml", text)], &trust()).unwrap()
}

fn all_flags() -> Flags {
    Flags { signed: true, approved: true, provenance: true }
}
