//! Spoken: what was authenticated, sorted by what it claims to be.
//!
//! In: authenticated evidence. Out: lists of statements, one per kind that is bound. Sorting believes
//! nothing: that a statement stands in the list of approvals says only that its predicate type says so.

use super::InputRole;
use crate::evidence::attestation::{Authenticated, Signed};
use crate::evidence::predicate::{self, approval, provenance, source};
use crate::evidence::statement::Statement;
use crate::release::digest::ClaimedDigest;

/// Where the predicate types begin that are ours: each is bound by a file that reads it, or by none yet.
const OWN: &str = "https://laforge.dev/attestation/";

/// Everything that was said, by kind; within a kind in the order of the evidence.
#[derive(Default)]
pub(super) struct Spoken<'a> {
    pub(super) messages: Vec<Message<'a>>,
    pub(super) signatures: Vec<Said<'a>>,
    pub(super) provenances: Vec<Said<'a>>,
    pub(super) approvals: Vec<Said<'a>>,
    pub(super) sources: Vec<Said<'a>>,
    pub(super) others: Vec<Said<'a>>,
}

/// A statement and who signed it.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) signed: &'a Signed,
    pub(super) statement: &'a Statement,
}

/// A signature over an artifact, and who made it.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) signed: &'a Signed,
    /// All that share the digest that is signed.
    pub(super) artifacts: &'a [String],
    /// Platforms of image indexes that have it: the index's name, and the manifest's digest.
    pub(super) leaves: &'a [(String, ClaimedDigest)],
}

/// What a statement claims to be.
pub(super) fn role_of(predicate_type: &str) -> InputRole {
    match predicate_type {
        approval::TYPE => InputRole::Approval,
        source::TYPE => InputRole::Source,
        predicate::COSIGN_SIGN => InputRole::Signature,
        other if provenance::version(other).is_some() => InputRole::Provenance,
        _ => InputRole::Attestation,
    }
}

/// Whether a predicate type is one of ours: what no file binds yet proves nothing, whoever signed it.
pub(super) fn is_own(predicate_type: &str) -> bool {
    predicate_type.starts_with(OWN)
}

impl<'a> Spoken<'a> {
    /// Sorts one piece in, and says what it claims to be.
    pub(super) fn hear(&mut self, authenticated: &'a Authenticated) -> InputRole {
        let said = match authenticated {
            Authenticated::Artifact(signature) => {
                let (signed, artifacts) = (signature.signed(), signature.artifacts());
                self.messages.push(Message { signed, artifacts, leaves: signature.leaves() });
                return InputRole::Signature;
            }
            Authenticated::Statement(attestation) => {
                Said { signed: attestation.signed(), statement: attestation.statement() }
            }
        };
        let role = role_of(&said.statement.predicate_type);
        let list = match role {
            InputRole::Approval => &mut self.approvals,
            InputRole::Source => &mut self.sources,
            InputRole::Signature => &mut self.signatures,
            InputRole::Provenance => &mut self.provenances,
            InputRole::Attestation | InputRole::SetAside => &mut self.others,
        };
        list.push(said);
        role
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sbom_is_no_provenance_whatever_its_predicate_says() {
        assert_eq!(role_of("https://cyclonedx.org/bom"), InputRole::Attestation);
        assert_eq!(role_of("https://slsa.dev/provenance/v1"), InputRole::Provenance);
        assert_eq!(role_of("https://SLSA.dev/provenance/v1"), InputRole::Attestation);
        assert_eq!(role_of("https://slsa.dev/provenance/v1 "), InputRole::Attestation);
        assert_eq!(role_of(""), InputRole::Attestation);
    }
}
