//! Spoken: what was authenticated, sorted by what it claims to be.
//!
//! In: authenticated evidence. Out: lists of statements, one per kind that is bound; what no rule
//! of this version reads is set aside. Sorting believes nothing: that a statement stands in the
//! list of approvals says only that its predicate type says so.

use super::InputRole;
use super::set_aside::{Quoted, SetAside, Why};
use super::standing::listed;
use crate::evidence::attestation::{Authenticated, Signed, Standing};
use crate::evidence::predicate::{self, approval, provenance, source};
use crate::evidence::statement::Statement;
use crate::trust::{Signer, Use};

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
    /// Platforms of image indexes that have it: the index's name, and the platform's.
    pub(super) leaves: &'a [(String, String)],
}

/// What a statement claims to be.
fn role_of(predicate_type: &str) -> InputRole {
    match predicate_type {
        approval::TYPE => InputRole::Approval,
        source::TYPE => InputRole::Source,
        predicate::COSIGN_SIGN => InputRole::Signature,
        other if provenance::version(other).is_some() => InputRole::Provenance,
        _ => InputRole::Attestation,
    }
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

    /// Why each statement of a type that no rule of this version reads is set aside.
    pub(super) fn unread(&self, signers: &[Signer]) -> Vec<SetAside> {
        self.others.iter().map(|said| SetAside::because(said.signed, &why_unread(*said, signers))).collect()
    }
}

fn why_unread(said: Said<'_>, signers: &[Signer]) -> Why {
    let got = Quoted::new(&said.statement.predicate_type);
    let names = match &said.signed.standing {
        Standing::Person(name) => {
            let got = format!("person `{name}` with predicate type {got}");
            return Why::WrongUse { wanted: "an approval from a person", got };
        }
        Standing::Signers(names) => names,
    };
    let attests = |signer: &Signer| signer.uses.iter().any(|it| matches!(it, Use::Attestation | Use::Vsa));
    if signers.iter().any(|signer| names.contains(&signer.name) && attests(signer)) {
        return Why::NotRead { got };
    }
    let got = format!("{} with predicate type {got}", listed(names));
    Why::WrongUse { wanted: "a signer with `use: attestation`", got }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::verify::standing::tests::{signed, signer};
    use crate::verify::subjects::tests::naming;

    #[test]
    fn an_sbom_is_no_provenance_whatever_its_predicate_says() {
        assert_eq!(role_of("https://cyclonedx.org/bom"), InputRole::Attestation);
        assert_eq!(role_of("https://slsa.dev/provenance/v1"), InputRole::Provenance);
        assert_eq!(role_of("https://SLSA.dev/provenance/v1"), InputRole::Attestation);
        assert_eq!(role_of("https://slsa.dev/provenance/v1 "), InputRole::Attestation);
        assert_eq!(role_of(""), InputRole::Attestation);
    }

    #[test]
    fn says_why_a_statement_is_not_read() {
        let signers = [signer("scanner", &[Use::Attestation], &[]), signer("release", &[Use::Artifact], &[])];
        let statement = Statement {
            subject: vec![naming("a")],
            predicate_type: "https://in-toto.io/attestation/vulns".to_owned(),
            predicate: Value::Null,
        };
        let kinds = ["scanner", "release"].map(|name| {
            let signed = signed(name, 0);
            let others = vec![Said { signed: &signed, statement: &statement }];
            Spoken { others, ..Spoken::default() }.unread(&signers).remove(0).kind
        });
        assert_eq!(kinds, ["wrong-predicate", "wrong-use"]);
    }
}
