//! Signers and people: who may sign what, and who is whom.

use std::collections::{BTreeMap, BTreeSet};

use super::super::document::{KeylessEntry, PersonEntry, PersonIdentity, SignerEntry, Uses};
use super::super::uses::{Keyless, Owner};
use super::super::{Identity, NO_ISSUER, Pattern, Person, Signer, Use};
use super::{Loaded, Loader};
use crate::release::name::{self, MAX_NAME, MAX_TEXT};
use crate::time::Timestamp;
use crate::yaml::Spanned;

impl Loader<'_, '_> {
    pub(super) fn signers(&mut self, entries: &[SignerEntry]) -> Loaded<Vec<Signer>> {
        let mut names = BTreeSet::new();
        entries.iter().map(|entry| self.signer(entry, &mut names)).collect()
    }

    fn signer(&mut self, entry: &SignerEntry, names: &mut BTreeSet<String>) -> Loaded<Signer> {
        let name = self.unique(&entry.name, names)?;
        let uses = self.uses(entry)?;
        let identity = self.signer_identity(entry, &uses)?;
        let (valid_from, valid_until) = self.validity(entry)?;
        Ok(Signer {
            predicate_types: self.predicate_types(entry, &uses)?,
            simple_signing: self.simple_signing(entry, &uses)?,
            raw_payload: self.raw_payload(entry, &uses)?,
            key_id: self.key_id(entry)?,
            name,
            uses,
            identity,
            valid_from,
            valid_until,
        })
    }

    fn uses(&self, entry: &SignerEntry) -> Loaded<Vec<Use>> {
        let at = &entry.r#use;
        let mut uses: Vec<_> = at.value.0.iter().map(|word| self.use_of(at, word)).collect::<Loaded<_>>()?;
        uses.sort();
        match uses.as_slice() {
            [_] => Ok(uses),
            [Use::Artifact, Use::Attestation] if entry.key.is_none() => Ok(uses),
            [Use::Artifact, Use::Attestation] => self.refuse(at, "a key has one use"),
            _ => self.refuse(at, "a signer has one use, or as a keyless identity `[artifact, attestation]`"),
        }
    }

    fn use_of(&self, at: &Spanned<Uses>, word: &str) -> Loaded<Use> {
        match word {
            "artifact" => Ok(Use::Artifact),
            "attestation" => Ok(Use::Attestation),
            "policy" => Ok(Use::Policy),
            "vsa" => Ok(Use::Vsa),
            other => self.refuse(
                at,
                format!(
                    "`{}` is not one of `artifact`, `attestation`, `policy`, `vsa`",
                    other.escape_debug()
                ),
            ),
        }
    }

    fn signer_identity(&mut self, entry: &SignerEntry, uses: &[Use]) -> Loaded<Identity> {
        let name = &entry.name;
        let owner = Owner::Signer { name: name.value.clone(), uses: uses.to_vec() };
        match (&entry.key, &entry.identity) {
            (Some(key), None) => {
                let root = self.root_name(entry.root.as_ref())?;
                Ok(Identity::Key { root, key: self.own_key(key, owner)? })
            }
            (None, Some(identity)) => match &entry.root {
                Some(root) => self.refuse(root, "the root of an identity stands in `identity`"),
                None if identity.issuer.value == NO_ISSUER && !is_narrow(entry, uses) => self.refuse(
                    &identity.issuer,
                    "`issuer: none`, of a certificate that names none, is for `use: attestation` with its \
                     `predicateTypes`",
                ),
                None => self.signer_keyless(identity, owner),
            },
            _ => self.refuse(name, format!("signer `{}` needs one of `key` and `identity`", name.value)),
        }
    }

    fn signer_keyless(&mut self, entry: &KeylessEntry, owner: Owner) -> Loaded<Identity> {
        let root = self.root_name(entry.root.as_ref())?;
        let issuer = self.exact(&entry.issuer)?;
        let subject = Pattern::parse(&name::read(self.source, &entry.subject, MAX_TEXT)?);
        if subject.is_vacuous() {
            return self.refuse(&entry.subject, format!("`{subject}` would match anybody, or nobody"));
        }
        self.own_identity(&entry.subject, Keyless { root, issuer, subject }, owner)
    }

    /// An identity that fits those already given out.
    fn own_identity(&mut self, at: &Spanned<String>, identity: Keyless, owner: Owner) -> Loaded<Identity> {
        match self.owners.take_identity(identity.clone(), owner) {
            Ok(()) => Ok(Identity::Keyless {
                root: identity.root,
                issuer: identity.issuer,
                subject: identity.subject,
            }),
            Err(clash) => self.refuse(at, format!("identity `{}` {clash}", identity.subject)),
        }
    }

    fn validity(&self, entry: &SignerEntry) -> Loaded<(Option<Timestamp>, Option<Timestamp>)> {
        let from = entry.valid_from.as_ref().map(|at| self.time(at)).transpose()?;
        let until = entry.valid_until.as_ref().map(|at| self.time(at)).transpose()?;
        match (&entry.valid_from, &entry.valid_until) {
            (Some(_), Some(at)) if until <= from => {
                self.refuse(at, "`validUntil` is not after `validFrom`: it would never count")
            }
            _ => Ok((from, until)),
        }
    }

    fn predicate_types(&self, entry: &SignerEntry, uses: &[Use]) -> Loaded<Vec<String>> {
        let Some(list) = &entry.predicate_types else { return Ok(Vec::new()) };
        if !uses.contains(&Use::Attestation) {
            return self.refuse(list, "only a signer with `use: attestation` has `predicateTypes`");
        }
        self.filled(list, "`predicateTypes` is empty; leave it out for any type")?;
        let mut seen = BTreeSet::new();
        for at in &list.value {
            let text = self.exact(at)?;
            if !seen.insert(text) {
                return self.refuse(at, format!("`{}` appears twice", at.value));
            }
        }
        Ok(seen.into_iter().collect())
    }

    fn simple_signing(&self, entry: &SignerEntry, uses: &[Use]) -> Loaded<bool> {
        match &entry.simple_signing {
            Some(at) if at.value && !uses.contains(&Use::Artifact) => {
                self.refuse(at, "only a signer with `use: artifact` has `simpleSigning`")
            }
            simple => Ok(simple.as_ref().is_some_and(|at| at.value)),
        }
    }

    /// A signature without a payload type could be one over anything: so the key is one that does
    /// nothing but attest, and what it may attest is listed.
    fn raw_payload(&self, entry: &SignerEntry, uses: &[Use]) -> Loaded<bool> {
        let Some(at) = entry.raw_payload.as_ref().filter(|at| at.value) else { return Ok(false) };
        if entry.key.is_none() || uses != [Use::Attestation] {
            return self.refuse(at, "only a key with `use: attestation` has `rawPayload`");
        }
        if entry.predicate_types.is_none() {
            return self.refuse(at, "a signer with `rawPayload` lists its `predicateTypes`");
        }
        Ok(true)
    }

    fn key_id(&self, entry: &SignerEntry) -> Loaded<Option<String>> {
        let Some(at) = &entry.key_id else { return Ok(None) };
        if entry.key.is_none() {
            return self.refuse(at, "only a signer with a `key` has a `keyId`");
        }
        self.exact(at).map(Some)
    }

    pub(super) fn people(&mut self, entries: &[PersonEntry]) -> Loaded<Vec<Person>> {
        let mut names = BTreeSet::new();
        let mut aliases = BTreeMap::new();
        entries.iter().map(|entry| self.person(entry, &mut names, &mut aliases)).collect()
    }

    fn person(
        &mut self,
        entry: &PersonEntry,
        names: &mut BTreeSet<String>,
        aliases: &mut BTreeMap<(String, String), String>,
    ) -> Loaded<Person> {
        let name = self.unique(&entry.name, names)?;
        self.filled(&entry.identities, "a person has at least one identity")?;
        let mut identities = Vec::new();
        for identity in &entry.identities.value {
            identities.push(self.person_identity(&name, identity)?);
        }
        Ok(Person {
            roles: self.unique_names(&entry.roles)?,
            aliases: self.aliases(&name, entry, aliases)?,
            name,
            identities,
        })
    }

    fn person_identity(&mut self, person: &str, at: &Spanned<PersonIdentity>) -> Loaded<Identity> {
        let owner = Owner::Person { name: person.to_owned() };
        let entry = &at.value;
        let root = self.root_name(entry.root.as_ref())?;
        match (&entry.key, &entry.issuer, &entry.subject) {
            (Some(key), None, None) => Ok(Identity::Key { root, key: self.own_key(key, owner)? }),
            (None, Some(at), Some(subject)) => {
                let issuer = self.exact(at)?;
                if issuer == NO_ISSUER {
                    return self.refuse(at, "a person's identity names its issuer");
                }
                let exact = Pattern::Exact(self.exact(subject)?);
                self.own_identity(subject, Keyless { root, issuer, subject: exact }, owner)
            }
            _ => self.refuse(at, "an identity is a `key`, or an `issuer` and a `subject`"),
        }
    }

    /// An alias says whose account acted; it has to say so of one person.
    fn aliases(
        &self,
        person: &str,
        entry: &PersonEntry,
        taken: &mut BTreeMap<(String, String), String>,
    ) -> Loaded<BTreeMap<String, String>> {
        let mut aliases = BTreeMap::new();
        for (scheme, at) in &entry.aliases {
            if name::check(scheme, MAX_NAME).is_err() || scheme.contains(':') {
                return self.refuse(at, format!("`{}` is not the name of a scheme", scheme.escape_debug()));
            }
            let alias = name::read(self.source, at, MAX_NAME)?;
            if let Some(other) = taken.insert((scheme.clone(), alias.clone()), person.to_owned()) {
                return self.refuse(at, format!("alias `{scheme}:{alias}` is also that of person `{other}`"));
            }
            aliases.insert(scheme.clone(), alias);
        }
        Ok(aliases)
    }
}

/// Whether a signer does nothing but attest, and what it may attest is listed.
fn is_narrow(entry: &SignerEntry, uses: &[Use]) -> bool {
    uses == [Use::Attestation] && entry.predicate_types.is_some()
}
