//! The table of cases: a name, what is wrong with it, what the gate must say, and how it is made.
//!
//! `fixtures/<name>/` is what [`crate::folder`] writes of one. A case is built on a sound release,
//! so that exactly one thing is wrong with it; those that allow begin with `allows-`, those that are
//! denied with `denies-`, those where no decision can be made with `refuses-`.

mod approvals;
mod artifacts;
mod attestations;
mod builders;
mod builds;
mod bytes;
mod documents;
mod kinds;
mod manifests;
mod overlapping;
mod provenance;
mod registry;
mod rollout;
mod signatures;
mod witnesses;

use laforge::policy::finding::RuleId;

use crate::scene::Scene;

/// One folder.
pub(crate) struct Case {
    /// The folder's name.
    pub(crate) name: &'static str,
    /// What is wrong with it, or what it shows.
    pub(crate) readme: &'static str,
    /// What the gate must say.
    pub(crate) expect: Expect,
    start: fn() -> Scene,
    change: fn(&mut Scene),
}

/// What the gate must say.
#[derive(Clone, Copy)]
pub(crate) enum Expect {
    /// Exit code 0, no finding.
    Allows,
    /// Exit code 10, and findings of exactly these rules.
    Denies(&'static [RuleId]),
    /// The same, and some evidence is set aside for a reason of this kind.
    SetAside(&'static [RuleId], &'static str),
    /// No decision: the exit code, and what the message must hold.
    Refuses(u8, &'static str),
}

impl Case {
    const fn sound(name: &'static str, readme: &'static str, expect: Expect, change: fn(&mut Scene)) -> Self {
        Self { name, readme, expect, start: Scene::sound, change }
    }

    const fn bare(name: &'static str, readme: &'static str, expect: Expect, change: fn(&mut Scene)) -> Self {
        Self { name, readme, expect, start: Scene::bare, change }
    }

    /// Makes it.
    pub(crate) fn scene(&self) -> Scene {
        let mut scene = (self.start)();
        (self.change)(&mut scene);
        scene
    }
}

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        kinds::CASES,
        artifacts::CASES,
        manifests::CASES,
        signatures::CASES,
        overlapping::CASES,
        bytes::CASES,
        witnesses::CASES,
        approvals::CASES,
        attestations::CASES,
        provenance::CASES,
        builds::CASES,
        builders::CASES,
        registry::CASES,
        rollout::CASES,
        documents::CASES,
    ]
    .into_iter()
    .flatten()
}
