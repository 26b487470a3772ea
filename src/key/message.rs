//! A message that signatures are held against: each of its digests is made once, however many keys are tried.
//!
//! In: bytes, or no more than their digests. Out: whether a key made a signature over it. ECDSA signs a digest,
//! so that a further key costs no more than its own arithmetic; Ed25519 hashes all of the message anew for each
//! key and signature (<https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7>), so that who has many of either
//! must ask what it [costs](Message::costs) first.

use std::cell::OnceCell;

use aws_lc_rs::digest::{self, Digest as Hashed};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED,
    EcdsaVerificationAlgorithm, UnparsedPublicKey,
};

use super::{Algorithm, BadSignature, PublicKey};

/// A message, or what is known of one.
#[derive(Debug, Default)]
pub struct Message<'m> {
    bytes: Option<&'m [u8]>,
    sha256: OnceCell<Hashed>,
    sha384: OnceCell<Hashed>,
}

/// In which forms a signature by ECDSA is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As ASN.1.
    Asn1,
    /// Also as the two numbers one after the other (IEEE P1363), which JOSE and some key services write.
    Either,
}

impl<'m> Message<'m> {
    /// A message that is at hand.
    pub fn of(bytes: &'m [u8]) -> Self {
        Self { bytes: Some(bytes), ..Self::default() }
    }

    /// A message that was hashed before, with its bytes where they are at hand.
    pub fn hashed(bytes: Option<&'m [u8]>, sha256: Option<&[u8; 32]>, sha384: Option<&[u8; 48]>) -> Self {
        let known = |bytes: &[u8], algorithm| {
            // Of the algorithm's own length, so that there is nothing to refuse.
            Hashed::import_less_safe(bytes, algorithm).map(OnceCell::from).unwrap_or_default()
        };
        Self {
            bytes,
            sha256: sha256.map(|sha256| known(sha256, &digest::SHA256)).unwrap_or_default(),
            sha384: sha384.map(|sha384| known(sha384, &digest::SHA384)).unwrap_or_default(),
        }
    }

    /// How many bytes are hashed to try a key; none where nothing but bytes could tell and there are none.
    pub fn costs(&self, algorithm: Algorithm) -> Option<u64> {
        let known = match algorithm {
            Algorithm::EcdsaP256 => self.sha256.get().is_some(),
            Algorithm::EcdsaP384 => self.sha384.get().is_some(),
            Algorithm::Ed25519 => false,
        };
        if known { Some(0) } else { self.bytes.map(|bytes| bytes.len() as u64) }
    }

    /// Verifies that this key made the signature.
    ///
    /// # Errors
    /// [`BadSignature`], also where the key signs what is not known of the message.
    pub fn verify(&self, key: &PublicKey, signature: &[u8], form: Form) -> Result<(), BadSignature> {
        match key.algorithm() {
            Algorithm::Ed25519 => key.verify(self.bytes.ok_or(BadSignature)?, signature),
            Algorithm::EcdsaP256 => {
                let schemes = [&ECDSA_P256_SHA256_ASN1, &ECDSA_P256_SHA256_FIXED];
                ecdsa(schemes, form, key, self.digest(&self.sha256, &digest::SHA256)?, signature)
            }
            Algorithm::EcdsaP384 => {
                let schemes = [&ECDSA_P384_SHA384_ASN1, &ECDSA_P384_SHA384_FIXED];
                ecdsa(schemes, form, key, self.digest(&self.sha384, &digest::SHA384)?, signature)
            }
        }
    }

    fn digest<'d>(
        &self,
        cell: &'d OnceCell<Hashed>,
        algorithm: &'static digest::Algorithm,
    ) -> Result<&'d Hashed, BadSignature> {
        match (cell.get(), self.bytes) {
            (Some(hashed), _) => Ok(hashed),
            (None, Some(bytes)) => Ok(cell.get_or_init(|| digest::digest(algorithm, bytes))),
            (None, None) => Err(BadSignature),
        }
    }
}

fn ecdsa(
    [asn1, fixed]: [&'static EcdsaVerificationAlgorithm; 2],
    form: Form,
    key: &PublicKey,
    hashed: &Hashed,
    signature: &[u8],
) -> Result<(), BadSignature> {
    let made = |scheme| UnparsedPublicKey::new(scheme, key.raw()).verify_digest(hashed, signature).is_ok();
    match made(asn1) || form == Form::Either && made(fixed) {
        true => Ok(()),
        false => Err(BadSignature),
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;

    use super::super::secret::SecretKey;
    use super::*;

    #[test]
    fn a_digest_stands_for_the_bytes_where_ecdsa_signed_them_and_for_no_others() {
        let key = SecretKey::generate(Algorithm::EcdsaP256).unwrap();
        let signature = key.sign(b"an app").unwrap();
        let of = |bytes: &[u8]| -> [u8; 32] { sha2::Sha256::digest(bytes).into() };
        let known = |bytes: &[u8]| {
            Message::hashed(None, Some(&of(bytes)), None).verify(key.public(), &signature, Form::Asn1)
        };
        assert_eq!((known(b"an app"), known(b"another app")), (Ok(()), Err(BadSignature)));
        assert_eq!(Message::of(b"an app").verify(key.public(), &signature, Form::Asn1), Ok(()));
        assert_eq!(Message::default().verify(key.public(), &signature, Form::Asn1), Err(BadSignature));
    }

    #[test]
    fn only_what_signs_more_than_a_known_digest_costs_its_bytes() {
        let costs = |message: &Message<'_>| {
            [Algorithm::EcdsaP256, Algorithm::EcdsaP384, Algorithm::Ed25519].map(|it| message.costs(it))
        };
        let (sha256, sha384) = ([0; 32], [0; 48]);
        assert_eq!(costs(&Message::hashed(Some(b"app"), Some(&sha256), None)), [Some(0), Some(3), Some(3)]);
        assert_eq!(costs(&Message::hashed(None, Some(&sha256), Some(&sha384))), [Some(0), Some(0), None]);
        assert_eq!(costs(&Message::of(b"app")), [Some(3); 3]);
    }
}
