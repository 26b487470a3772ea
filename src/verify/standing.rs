//! Standing: the signers of trust in whose names a statement counts.
//!
//! In: who signed, and trust's signers. Out: those that `evidence` found to be in use, type and date for what
//! they signed, looked up by name; a person is none of them.

use super::set_aside::Why;
use crate::evidence::attestation::{Signed, SignedBy, Standing};
use crate::release::digest::Digest;
use crate::trust::{Signer, Use};

/// The signers in whose names it counts, never none, where some of this use are wanted.
pub(super) fn signers_for<'a>(
    signed: &Signed,
    signers: &'a [Signer],
    wanted: Use,
) -> Result<Vec<&'a Signer>, Why> {
    let names = match &signed.standing {
        Standing::Signers(names) => names,
        Standing::Person(_) => {
            return Err(Why::WrongUse { wanted: described(wanted), got: "a person".to_owned() });
        }
    };
    let found: Vec<&Signer> = signers.iter().filter(|signer| names.contains(&signer.name)).collect();
    match found.is_empty() {
        true => Err(Why::WrongUse { wanted: described(wanted), got: listed(names) }),
        false => Ok(found),
    }
}

/// The identity of a certificate, whatever its root: one workload is one party wherever it gets
/// certificates. None of a key, which trust gives to one signer alone.
pub(super) fn identity(by: &SignedBy) -> Option<Digest> {
    match by {
        SignedBy::Key(_) => None,
        SignedBy::Certificate { issuer, subject, .. } => Some(Digest::of_value(&[issuer, subject])),
    }
}

/// Signers by name, for people.
pub(super) fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("signer `{name}`")).collect();
    quoted.join(", ")
}

fn described(wanted: Use) -> &'static str {
    match wanted {
        Use::Artifact => "a signer with `use: artifact`",
        Use::Attestation => "a signer with `use: attestation`",
        Use::Policy => "a signer with `use: policy`",
        Use::Vsa => "a signer with `use: vsa`",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    pub(in crate::verify) use crate::trust::sample::signer;

    /// A signature by a managed key in the name of a signer, without a trusted time.
    pub(in crate::verify) fn signed(signer: &str, evidence: u8) -> Signed {
        Signed {
            standing: Standing::Signers(vec![signer.to_owned()]),
            by: SignedBy::Key(Digest::of_bytes(signer.as_bytes())),
            trusted_time: None,
            evidence: Digest::of_bytes(&[evidence]),
            source: format!("evidence/{evidence}.json"),
        }
    }

    #[test]
    fn finds_every_signer_in_whose_name_it_counts_and_never_none() {
        let signers = ["release", "ci", "scanner"].map(|name| signer(name, &[Use::Attestation], &[]));
        let names = |by: &[&str]| {
            let mut signed = signed("", 0);
            signed.standing = Standing::Signers(by.iter().map(|it| (*it).to_owned()).collect());
            signers_for(&signed, &signers, Use::Attestation)
                .map(|found| found.iter().map(|it| it.name.clone()).collect::<Vec<_>>())
        };
        assert_eq!(names(&["ci", "release"]).unwrap(), ["release", "ci"]);
        assert_eq!(names(&["scanner", "unknown"]).unwrap(), ["scanner"]);
        assert!(matches!(names(&["unknown"]), Err(Why::WrongUse { .. })));
    }

    /// What a certificate of an identity signed, which fits these signers.
    pub(in crate::verify) fn certified(names: &[&str], root: &str, subject: &str, evidence: u8) -> Signed {
        Signed {
            standing: Standing::Signers(names.iter().map(|name| (*name).to_owned()).collect()),
            by: SignedBy::Certificate {
                root: root.to_owned(),
                issuer: "https://issuer.example".to_owned(),
                subject: subject.to_owned(),
                claims: std::collections::BTreeMap::new(),
                lasting_since: None,
            },
            ..signed("", evidence)
        }
    }

    #[test]
    fn an_identity_is_the_same_under_any_root_and_a_key_has_none() {
        let of = |root, subject| identity(&certified(&["ci"], root, subject, 1).by);
        assert_eq!(of("public-good", "build"), of("own", "build"));
        assert_ne!(of("public-good", "build"), of("public-good", "other"));
        assert_eq!(identity(&signed("ci", 1).by), None);
    }

    #[test]
    fn a_person_is_no_signer() {
        let signers = [signer("alice", &[Use::Attestation], &[])];
        let mut person = signed("alice", 0);
        person.standing = Standing::Person("alice".to_owned());
        let why = signers_for(&person, &signers, Use::Attestation).unwrap_err();
        assert_eq!(why.to_string(), "wrong use: wanted a signer with `use: attestation`, got a person");
    }
}
