//! Signers for the tests of whatever asks trust.

use super::{Identity, Signer, Use};
use crate::key::PublicKey;
use crate::release::digest::Digest;

/// A signer with a key of its own, no dates and nothing out of the ordinary.
pub(crate) fn signer(name: &str, uses: &[Use], predicate_types: &[&str]) -> Signer {
    let key = PublicKey::from_ed25519(Digest::of_bytes(name.as_bytes()).as_bytes());
    Signer {
        name: name.to_owned(),
        uses: uses.to_vec(),
        identity: Identity::Key { root: "public-good".to_owned(), key },
        predicate_types: predicate_types.iter().map(|it| (*it).to_owned()).collect(),
        valid_from: None,
        valid_until: None,
        simple_signing: false,
        raw_payload: false,
        key_id: None,
    }
}
