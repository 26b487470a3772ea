//! Signatures over artifacts, by signers with `use: artifact` (`formats.md` section 4).
//!
//! In: message signatures, and statements of cosign's predicate type. Out: [`SignatureFact`]s by
//! artifact. A message signature is one over the artifact's bytes; `evidence` has tied it to the
//! artifacts of this release that have them, and has let cosign's simple signing pass only from
//! signers that do nothing else. A statement's predicate is not read: the subject is all it says.
//! A signature over the manifest of a single platform counts for that platform: an image index is
//! signed when all of its platforms are, in the same name.

use std::collections::BTreeSet;

use super::coverage::{Cover, Piece, complete};
use super::facts::SignatureFact;
use super::set_aside::{Quoted, SetAside, Why};
use super::spoken::{Message, Said, Spoken};
use super::standing::signers_for;
use super::subjects::{Named, Wanted, WantedArtifact, WantedLeaf};
use crate::evidence::attestation::Signed;
use crate::trust::{Signer, Use};

/// Facts by artifact's position, and what was set aside.
pub(super) fn bind(
    spoken: &Spoken<'_>,
    wanted: &Wanted<'_>,
    signers: &[Signer],
) -> (Vec<(usize, SignatureFact)>, Vec<SetAside>) {
    let messages = spoken.messages.iter().map(|it| (it.signed, message(*it, wanted, signers)));
    let statements = spoken.signatures.iter().map(|it| (it.signed, statement(*it, wanted, signers)));
    let mut pieces = Vec::new();
    let mut set_aside = Vec::new();
    for (signed, bound) in messages.chain(statements) {
        match bound {
            Ok(bound) => pieces.extend(pieces_of(signed, &bound)),
            Err(why) => set_aside.push(SetAside::because(signed, &why)),
        }
    }
    let (covered, partial) = complete(pieces, wanted);
    set_aside.extend(partial);
    let facts = covered.into_iter().map(|it| {
        let fact = SignatureFact {
            signer: it.says.to_owned(),
            evidence: it.evidence,
            identity: it.identity,
            time: it.time,
            leaves: it.leaves,
        };
        (it.artifact, fact)
    });
    (facts.collect(), set_aside)
}

/// Whose signature it is, and over what.
struct Bound<'a> {
    signers: Vec<&'a Signer>,
    over: Named,
}

fn message<'a>(it: Message<'_>, wanted: &Wanted<'_>, signers: &'a [Signer]) -> Result<Bound<'a>, Why> {
    let signers = signers_for(it.signed, signers, Use::Artifact)?;
    let artifacts = wanted.artifacts.iter().enumerate();
    let over: Named = artifacts.filter_map(|(at, artifact)| Some((at, cover(&it, artifact)?))).collect();
    if over.is_empty() {
        let got = Quoted::new(&it.artifacts.join(", ")).to_string();
        return Err(Why::WrongSubject { wanted: "an artifact of this release".to_owned(), got });
    }
    Ok(Bound { signers, over })
}

/// How much of an artifact is signed, if any of it.
fn cover(it: &Message<'_>, artifact: &WantedArtifact) -> Option<Cover> {
    if it.artifacts.contains(&artifact.name) {
        return Some(Cover::Whole);
    }
    let is_signed = |leaf: &WantedLeaf| {
        it.leaves.iter().any(|(index, signed)| *index == artifact.name && *signed == leaf.digest)
    };
    let leaves = artifact.leaves.iter().enumerate().filter(|(_, leaf)| is_signed(leaf));
    let leaves: BTreeSet<usize> = leaves.map(|(at, _)| at).collect();
    (!leaves.is_empty()).then_some(Cover::Leaves(leaves))
}

fn statement<'a>(it: Said<'_>, wanted: &Wanted<'_>, signers: &'a [Signer]) -> Result<Bound<'a>, Why> {
    let signers = signers_for(it.signed, signers, Use::Artifact)?;
    Ok(Bound { signers, over: wanted.artifacts_named(&it.statement.subject)? })
}

fn pieces_of<'a>(signed: &'a Signed, bound: &Bound<'a>) -> Vec<Piece<'a, &'a str>> {
    let of = |signer: &'a Signer| {
        bound.over.iter().map(move |(artifact, cover)| Piece {
            artifact: *artifact,
            cover: cover.clone(),
            says: signer.name.as_str(),
            signed,
        })
    };
    bound.signers.iter().flat_map(|signer| of(signer)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::attestation::Standing;
    use crate::evidence::predicate::COSIGN_SIGN;
    use crate::evidence::statement::Statement;
    use crate::verify::standing::tests::{certified, signed, signer};
    use crate::verify::subjects::tests::{naming, source, wanted};

    fn signers() -> [Signer; 2] {
        [signer("release", &[Use::Artifact], &[]), signer("ci", &[Use::Attestation], &[])]
    }

    fn cosign(subject: &str) -> Statement {
        let subject = vec![naming(subject)];
        Statement { subject, predicate_type: COSIGN_SIGN.to_owned(), predicate: json!({}) }
    }

    #[test]
    fn counts_message_signatures_and_cosign_statements_of_artifact_signers() {
        let (source, signers) = (source(), signers());
        let wanted = wanted(&source, &[("a", &[]), ("b", &[])]);
        let a = ["a".to_owned()];
        let (over_a, over_b) = (signed("release", 1), signed("release", 2));
        let statement = cosign("b");
        let spoken = Spoken {
            messages: vec![Message { signed: &over_a, artifacts: &a, leaves: &[] }],
            signatures: vec![Said { signed: &over_b, statement: &statement }],
            ..Spoken::default()
        };
        let fact = |signed: &Signed| SignatureFact {
            signer: "release".to_owned(),
            evidence: signed.evidence,
            identity: None,
            time: None,
            leaves: Vec::new(),
        };
        let (facts, set_aside) = bind(&spoken, &wanted, &signers);
        assert_eq!(facts, [(0, fact(&over_a)), (1, fact(&over_b))]);
        assert!(set_aside.is_empty());
    }

    #[test]
    fn one_certificate_in_two_names_is_two_facts_of_one_identity() {
        let (source, signers) =
            (source(), [signer("release", &[Use::Artifact], &[]), signer("second", &[Use::Artifact], &[])]);
        let wanted = wanted(&source, &[("a", &[])]);
        let a = ["a".to_owned()];
        let both = ["release", "second"];
        // One workload by the certificates of two roots, and another one.
        let certified = [
            certified(&both, "own", "build", 1),
            certified(&both, "public-good", "build", 2),
            certified(&both, "own", "other", 3),
        ];
        let messages =
            certified.iter().map(|signed| Message { signed, artifacts: &a, leaves: &[] }).collect();
        let (facts, _) = bind(&Spoken { messages, ..Spoken::default() }, &wanted, &signers);
        assert_eq!(facts.len(), 6);
        let identities: BTreeSet<_> = facts.iter().map(|(_, fact)| fact.identity.unwrap()).collect();
        assert_eq!(identities.len(), 2);
    }

    #[test]
    fn sets_aside_signatures_of_other_subjects_and_people() {
        let (source, signers) = (source(), signers());
        let wanted = wanted(&source, &[("a", &[])]);
        let (a, x) = (["a".to_owned()], ["x".to_owned()]);
        let (ours, foreign) = (cosign("a"), cosign("x"));
        let mut person = signed("alice", 3);
        person.standing = Standing::Person("alice".to_owned());
        let release = signed("release", 2);
        let spoken = Spoken {
            messages: vec![
                Message { signed: &person, artifacts: &a, leaves: &[] },
                Message { signed: &release, artifacts: &x, leaves: &[] },
            ],
            signatures: vec![
                Said { signed: &person, statement: &ours },
                Said { signed: &release, statement: &foreign },
            ],
            ..Spoken::default()
        };
        let (facts, set_aside) = bind(&spoken, &wanted, &signers);
        assert!(facts.is_empty());
        let kinds: Vec<_> = set_aside.iter().map(|it| it.kind).collect();
        let expected = ["wrong-use", "wrong-subject"];
        assert_eq!(kinds, [expected, expected].concat());
    }

    #[test]
    fn an_index_is_signed_when_each_of_its_platforms_is_in_the_same_name() {
        let (source, signers) = (source(), signers());
        let wanted = wanted(&source, &[("index", &["linux/amd64", "linux/arm64"])]);
        let leaf = |index: &str, platform: &str| {
            [(index.to_owned(), crate::release::digest::Digest::of_bytes(platform.as_bytes()).claim())]
        };
        let (amd, arm, stranger) =
            (leaf("index", "linux/amd64"), leaf("index", "linux/arm64"), leaf("x", "linux/arm64"));
        let (one, two) = (signed("release", 1), signed("release", 2));
        let bound = |second: &[(String, crate::release::digest::ClaimedDigest)]| {
            let messages = vec![
                Message { signed: &one, artifacts: &[], leaves: &amd },
                Message { signed: &two, artifacts: &[], leaves: second },
            ];
            let spoken = Spoken { messages, ..Spoken::default() };
            let (facts, set_aside) = bind(&spoken, &wanted, &signers);
            let kinds: Vec<_> = set_aside.iter().map(|it| it.kind).collect();
            (facts.iter().map(|(_, fact)| fact.leaves.len()).collect::<Vec<_>>(), kinds)
        };
        assert_eq!(bound(&arm), (vec![2], vec![]));
        assert_eq!(bound(&amd), (vec![], vec!["incomplete-index"; 2]));
        assert_eq!(bound(&stranger).0, Vec::<usize>::new());
    }
}
