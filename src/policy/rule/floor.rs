//! The floor: what holds for every release, whatever a policy says.
//!
//! Bytes that were never read are denied unless every set says otherwise (`formats.md` section 1);
//! no artifact may have the shape of signed evidence (section 2); a contracting migration changes
//! no version and names a backup (`rollout.md` section 3).

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::members::MigrationClass;
use crate::release::deployed::Unpinned;
use crate::release::digest::ClaimedDigest;
use crate::release::resolved::{Content, ResolvedRelease};
use crate::yaml::Spanned;

use super::proposal::Migration;
use super::{Cure, Outcome, Scope, denial};
use crate::policy::finding::{Finding, Origin, RuleId};

/// What is asked of artifacts beside evidence.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ArtifactsSection {
    /// Whether artifacts and configuration may be named by digest alone, and never read here.
    #[schemars(with = "Permission")]
    pub by_digest: Spanned<Permission>,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// What a set says of artifacts that were never read: all of its policies that apply, together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ByDigest {
    /// Nothing, which is no.
    #[default]
    Silent,
    /// Nothing but that a migration's backup has to have been restored, which covers its digest.
    OfBackup,
    /// One allows it and none denies it.
    Allowed,
    /// One denies it.
    Denied(Origin),
}

impl ByDigest {
    /// Adds what one more policy of the set says.
    #[must_use]
    pub fn and(self, said: Option<&(Permission, Origin)>) -> Self {
        match (self, said) {
            (Self::Denied(origin), _) => Self::Denied(origin),
            (_, Some((Permission::Deny, origin))) => Self::Denied(origin.clone()),
            (_, Some((Permission::Allow, _))) => Self::Allowed,
            (before, None) => before,
        }
    }

    fn allows(&self, is_backup: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Allowed => true,
            Self::OfBackup => is_backup(),
            Self::Silent | Self::Denied(_) => false,
        }
    }
}

/// Denies artifacts and configuration that were never read, unless every set allows it: a set that
/// is added can only tighten.
pub fn deny_unread(sets: &[ByDigest], scope: &Scope<'_>, outcome: &mut Outcome) {
    let allowed = |name: &str| {
        let is_backup = || scope.proposal.backup_apart() == Some(name);
        !sets.is_empty() && sets.iter().all(|said| said.allows(is_backup))
    };
    let origin = sets.iter().find_map(|said| match said {
        ByDigest::Denied(origin) => Some(origin.clone()),
        ByDigest::Silent | ByDigest::OfBackup | ByDigest::Allowed => None,
    });
    for (name, digest) in unread(scope).filter(|(name, _)| !allowed(name)) {
        let message = format!("`{name}` is named by {digest} and was never read");
        let help = "give its bytes with `path` or `image`, or allow it by `artifacts: {byDigest: allow}` in each set";
        let finding = denial(RuleId::ArtifactNotRead, name, message, help.to_owned());
        outcome.deny(Cure::None, Finding { origin: origin.clone(), ..finding });
    }
}

fn unread<'a>(scope: &Scope<'a>) -> impl Iterator<Item = (&'a str, &'a ClaimedDigest)> {
    let artifacts = scope.facts.artifacts.iter().map(|one| (one.read, one.name.as_str(), &one.digest));
    let config = scope.facts.config.iter().map(|one| (one.read, one.name.as_str(), &one.digest));
    artifacts.chain(config).filter(|(read, ..)| !read).map(|(_, name, digest)| (name, digest))
}

/// Denies a contracting migration that changes a version, or that names no backup.
pub fn deny_contract(scope: &Scope<'_>, outcome: &mut Outcome) {
    let Some(migration) = &scope.proposal.migration else { return };
    for (message, help) in contract_lacks(migration) {
        let finding =
            denial(RuleId::RolloutMigration, &scope.release_name(), message.to_owned(), help.to_owned());
        outcome.deny(Cure::None, finding);
    }
}

fn contract_lacks(migration: &Migration) -> Vec<(&'static str, &'static str)> {
    let mut lacks = Vec::new();
    if migration.class == MigrationClass::Expand {
        return lacks;
    }
    if !migration.changes_no_version {
        lacks.push((
            "a contracting migration in a plan that changes a version",
            "contract in a later plan of its own, whose artifacts all run already (`replaces`)",
        ));
    }
    if migration.backup.is_none() {
        lacks.push(("a contracting migration without a backup", "name one under `rollout.migration.backup`"));
    }
    lacks
}

/// Denies artifacts whose bytes could pass for signed evidence: a signature over such a file is a
/// signature over what it says, too.
pub fn deny_shapes(release: &ResolvedRelease, outcome: &mut Outcome) {
    for artifact in release.artifacts().iter().chain(release.config()) {
        let Content::Read(digest) = artifact.content() else { continue };
        if let Some(trap) = digest.trap() {
            let message = format!("the bytes of `{}` are {}", artifact.name(), trap.as_str());
            let help = "deliver the artifact itself, not what somebody signs".to_owned();
            outcome.deny(Cure::None, denial(RuleId::ArtifactShape, artifact.name(), message, help));
        }
    }
}

/// Denies each container of the manifests whose image no digest names: a tag is never resolved.
pub fn deny_unpinned(containers: &[Unpinned], outcome: &mut Outcome) {
    for container in containers {
        outcome.deny(Cure::None, unpinned(container));
    }
}

/// One container without a digest, at its place in the manifests.
pub fn unpinned(container: &Unpinned) -> Finding {
    let Unpinned { container, place, reason } = container;
    let (message, help) = (format!("{container}: {reason}"), reason.help().to_owned());
    Finding { place: Some(place.clone()), ..denial(RuleId::ImageNotPinned, container, message, help) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rule::proposal::{Backup, Standing};

    #[test]
    fn asks_of_a_contracting_migration_that_nothing_else_changes_and_a_backup_exists() {
        let lacks = |class, named: bool, changes_no_version| {
            let backup = Backup { name: "nightly".to_owned(), standing: Standing::Apart };
            contract_lacks(&Migration { class, backup: named.then_some(backup), changes_no_version }).len()
        };
        assert_eq!(lacks(MigrationClass::Expand, false, false), 0);
        assert_eq!(lacks(MigrationClass::Contract, true, true), 0);
        assert_eq!(lacks(MigrationClass::Contract, false, false), 2);
        assert_eq!(lacks(MigrationClass::Contract, false, true), 1);
        assert_eq!(lacks(MigrationClass::Contract, true, false), 1);
    }
}
