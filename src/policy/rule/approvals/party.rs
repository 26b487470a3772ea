//! Parties of separation of duties: their names, whether evidence establishes them, and what would.

use super::Cure;
use crate::verify::facts::{Facts, Party};

/// Why a party is not established, and whether evidence could still do it.
pub(super) fn unestablished(party: Party, facts: &Facts) -> Option<(String, Cure)> {
    let known = facts.separation.iter().find(|fact| fact.party == party);
    match known {
        // Names are united over all evidence: more of it takes none away.
        Some(fact) if fact.unknown > 0 => {
            Some((format!("{} of its names are not said, or nobody's in trust", fact.unknown), Cure::None))
        }
        Some(fact) if !fact.people.is_empty() => None,
        _ => Some(("no evidence says so".to_owned(), Cure::Evidence)),
    }
}

/// A party as policies write it.
pub(super) fn name(party: Party) -> &'static str {
    match party {
        Party::SourceAuthor => "source-author",
        Party::WorkflowActor => "workflow-actor",
        Party::Deployer => "deployer",
        Party::PolicySigner => "policy-signer",
    }
}

/// What establishes a party.
pub(super) fn establish(party: Party) -> &'static str {
    match party {
        Party::SourceAuthor => {
            "add a `source/v1` statement by a signer that trust lists for it, and every author under `people`"
        }
        Party::WorkflowActor => {
            "add provenance that names who started the build, and list them under `people`"
        }
        Party::Deployer => "run the deploy under an identity that can be verified",
        Party::PolicySigner => "sign the policy set with a key of a person",
    }
}
