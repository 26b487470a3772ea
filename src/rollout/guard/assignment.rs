//! What a guard is to run: the accepted plan's facts, and which slot plays which part.

use std::collections::BTreeSet;

use crate::audit::LogReference;
use crate::plan::RecordedCore;
use crate::plan::members::{Objective, Role, Subject};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::rollout::driver::exec::Variables;
use crate::rollout::journal::Slots;
use crate::rollout::machine::event::Runs;
use crate::rollout::metrics::Counted;

use super::workers::Sides;

/// What a guard is to run.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The plan.
    pub core: RecordedCore,
    /// Its digest.
    pub plan: Digest,
    /// The executor's names of its two slots, by the part that they play.
    pub slots: Slots,
    /// Where the decision stands, when that is another log than the executor's.
    pub elsewhere: Option<LogReference>,
}

impl Assignment {
    /// The versions whose series are counted: the first of `deploys`, and beside it what it replaces. Where
    /// the plan names none, that is what `runs` in stable's slot, if that is one thing.
    pub fn sides(&self, runs: &BTreeSet<ClaimedDigest>) -> Sides {
        let named = |role: Role| self.subjects(role).find(|it| Some(&it.name) == self.core.deploys.first());
        let of = |slot: &str, subject: Option<&Subject>| Counted {
            slot: slot.to_owned(),
            digest: subject.map(|subject| subject.digest.sha256.clone()),
            version: subject.and_then(|subject| subject.version.clone()),
        };
        let stable = named(Role::Stable);
        let found = runs.iter().next().filter(|_| runs.len() == 1).map(ClaimedDigest::hex);
        let found = found.map(|digest| Counted { digest: Some(digest), ..of(&self.slots.stable, None) });
        Sides {
            candidate: of(&self.slots.candidate, named(Role::Candidate)),
            stable: stable.map(|subject| of(&self.slots.stable, Some(subject))).or(found),
        }
    }

    /// What its programs find in their environment.
    pub fn variables(&self) -> Variables {
        let deployed = self.core.deploys.first();
        let subject = self.subjects(Role::Candidate).find(|subject| Some(&subject.name) == deployed);
        let digest = subject.map(|subject| format!("sha256:{}", subject.digest.sha256));
        let image = subject.and_then(|subject| subject.image.as_ref()).zip(digest.as_ref());
        let release = &self.core.release;
        Variables {
            slot: Some(self.slots.candidate.clone()),
            version: Some(release.version.clone()),
            image: image.map(|(image, digest)| format!("{image}@{digest}")),
            digest,
            plan_digest: Some(self.plan.to_string()),
            release: Some(release.name.clone()),
            ..Variables::default()
        }
    }

    /// The objectives of these ids.
    pub fn objectives<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Vec<Objective> {
        let find = |id| self.core.objectives.iter().find(|objective| objective.id == id).cloned();
        ids.filter_map(find).collect()
    }

    /// Whether a plan names what it replaces.
    pub fn names_stable(&self) -> bool {
        self.subjects(Role::Stable).next().is_some()
    }

    /// Whether what runs in the candidate's slot is what the plan deploys: all of it, and nothing else.
    pub fn runs_candidate(&self, running: &BTreeSet<ClaimedDigest>) -> Runs {
        same(
            running,
            self.subjects(Role::Candidate).filter(|subject| self.core.deploys.contains(&subject.name)),
        )
    }

    /// Whether what runs in stable's slot is what the plan replaces, as far as it names that.
    pub fn runs_stable(&self, running: &BTreeSet<ClaimedDigest>) -> Runs {
        same(running, self.subjects(Role::Stable).filter(|subject| self.core.deploys.contains(&subject.name)))
    }

    fn subjects(&self, role: Role) -> impl Iterator<Item = &Subject> {
        self.core.subject.iter().filter(move |subject| subject.role == role)
    }
}

fn same<'a>(running: &BTreeSet<ClaimedDigest>, planned: impl Iterator<Item = &'a Subject>) -> Runs {
    let planned: BTreeSet<String> =
        planned.map(|subject| format!("sha256:{}", subject.digest.sha256)).collect();
    let running: BTreeSet<String> = running.iter().map(ToString::to_string).collect();
    match running == planned {
        true => Runs::AsPlanned,
        false => Runs::Other,
    }
}
