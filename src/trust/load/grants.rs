//! Builders, policy signers, gates and revocations: what is granted to those named before, and taken.

use std::collections::BTreeSet;

use super::super::document::{BuilderEntry, GateEntry, RevokedEntry};
use super::super::uses::{Owner, shapes_artifacts};
use super::super::{Builder, Gate, Revocation, Revoked, SHARED_LEVEL, Signer, Use};
use super::{Loaded, Loader};
use crate::key::{Algorithm, MAX_ORIGIN, PublicKey, is_origin, not_an_origin};
use crate::release::digest::ClaimedDigest;
use crate::release::name;
use crate::yaml::Spanned;

impl Loader<'_, '_> {
    pub(super) fn builders(&self, entries: &[BuilderEntry], signers: &[Signer]) -> Loaded<Vec<Builder>> {
        let mut seen = BTreeSet::new();
        let mut builders = Vec::new();
        for entry in entries {
            let builder = self.builder(entry, signers)?;
            if !seen.insert((builder.id.clone(), builder.signer.clone())) {
                let message =
                    format!("builder `{}` with signer `{}` appears twice", builder.id, builder.signer);
                return self.refuse(&entry.id, message);
            }
            builders.push(builder);
        }
        Ok(builders)
    }

    fn builder(&self, entry: &BuilderEntry, signers: &[Signer]) -> Loaded<Builder> {
        let id = self.exact(&entry.id)?;
        let level = match u8::try_from(entry.level.value) {
            Ok(level @ 1..=3) => level,
            _ => return self.refuse(&entry.level, format!("level {} is not 1, 2 or 3", entry.level.value)),
        };
        let signer = self.signer_for(&entry.signer, Use::Attestation, signers)?;
        if level > SHARED_LEVEL
            && let Some(artifact_signer) = shapes_artifacts(signers, signer)
        {
            let message = format!(
                "signer `{}` can't vouch for level {level}: its identity also signs artifacts, as `{artifact_signer}`",
                signer.name
            );
            return self.refuse(&entry.level, message);
        }
        Ok(Builder { id, level, signer: signer.name.clone() })
    }

    /// A signer that there is, with the use that is needed.
    fn signer_for<'s>(&self, at: &Spanned<String>, wanted: Use, signers: &'s [Signer]) -> Loaded<&'s Signer> {
        match signers.iter().find(|signer| signer.name == at.value) {
            None => self.refuse(at, format!("no signer is named `{}`", at.value.escape_debug())),
            Some(signer) if !signer.uses.contains(&wanted) => {
                self.refuse(at, format!("signer `{}` has no `use: {wanted}`", signer.name))
            }
            Some(signer) => Ok(signer),
        }
    }

    pub(super) fn policy_signers(&self, list: &[Spanned<String>], signers: &[Signer]) -> Loaded<Vec<String>> {
        for at in list {
            self.signer_for(at, Use::Policy, signers)?;
        }
        match list.first() {
            // Accepting the list without holding sets to it would be a promise not kept.
            Some(at) => self.refuse(at, "signed policy sets are not built yet; leave `policySigners` out"),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn gates(&mut self, entries: &[GateEntry]) -> Loaded<Vec<Gate>> {
        let mut names = BTreeSet::new();
        entries.iter().map(|entry| self.gate(entry, &mut names)).collect()
    }

    fn gate(&mut self, entry: &GateEntry, names: &mut BTreeSet<String>) -> Loaded<Gate> {
        let name = self.unique(&entry.name, names)?;
        self.filled(&entry.environments, "a gate decides for at least one environment")?;
        Ok(Gate {
            key: self.gate_key(&entry.key, &name)?,
            origin: self.origin(&entry.origin)?,
            log_id: self.parsed(&entry.log_id)?,
            environments: self.unique_names(&entry.environments.value)?,
            policy_digests: self.pins(entry.policy_digests.as_ref())?,
            trust_digests: self.pins(entry.trust_digests.as_ref())?,
            name,
        })
    }

    fn gate_key(&mut self, at: &Spanned<String>, gate: &str) -> Loaded<PublicKey> {
        let key = self.own_key(at, Owner::Gate { name: gate.to_owned() })?;
        if key.algorithm() != Algorithm::Ed25519 {
            return self.refuse(at, format!("key `{}` is not an Ed25519 key, which a log needs", at.value));
        }
        Ok(key)
    }

    /// <https://c2sp.org/tlog-checkpoint>: schema-less, and the name of the key that signs notes.
    fn origin(&self, at: &Spanned<String>) -> Loaded<String> {
        let origin = name::read(self.source, at, MAX_ORIGIN)?;
        match is_origin(&origin) {
            true => Ok(origin),
            false => self.refuse(at, not_an_origin(&origin)),
        }
    }

    fn pins(&self, list: Option<&Spanned<Vec<Spanned<String>>>>) -> Loaded<Option<Vec<ClaimedDigest>>> {
        let Some(list) = list else { return Ok(None) };
        self.filled(list, "no digest would be taken; leave the list out for any")?;
        list.value.iter().map(|at| self.parsed(at)).collect::<Loaded<_>>().map(Some)
    }

    pub(super) fn revoked(&mut self, entries: &[RevokedEntry]) -> Loaded<Vec<Revocation>> {
        entries.iter().map(|entry| self.revocation(entry)).collect()
    }

    fn revocation(&mut self, entry: &RevokedEntry) -> Loaded<Revocation> {
        let who = match (&entry.key, &entry.issuer, &entry.subject) {
            (Some(key), None, None) => Revoked::Key(self.key(key)?.id()),
            (None, Some(issuer), Some(subject)) => {
                Revoked::Keyless { issuer: self.exact(issuer)?, subject: self.exact(subject)? }
            }
            _ => {
                return self
                    .refuse(&entry.since, "a revocation names a `key`, or an `issuer` and a `subject`");
            }
        };
        let since = self.time(&entry.since)?;
        Ok(Revocation { who, since, reason: self.exact(&entry.reason)? })
    }
}
