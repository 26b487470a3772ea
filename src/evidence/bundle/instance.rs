//! A Sigstore instance: one trusted root, prepared once, and what a bundle has to bring under it.
//!
//! Spec: <https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto> and
//! <https://docs.sigstore.dev/about/bundle/>. In: the bytes of a `trusted_root.json`; then bundles.
//! Out: [`Proof`]: chain, SCT, log entry, time stamps and signature all hold under this one root,
//! at every time that the bundle proves.
//!
//! Not ours: the library asks the machine's clock whether an integrated time lies in the future
//! and whether a log's key has started yet. What we decide about time is decided with an argument.

use std::fmt;
use std::io::Read;

use serde_json::Value;
use sigstore::trust_root::TrustedRoot;
use sigstore::types::{
    Artifact, ArtifactDigest, Bundle as Wire, DerCertificate, DerPublicKey, VerificationMaterialContent,
};
use sigstore::{Policy, PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult, Verifier};

use super::certificate::{self, AuthorityCertificate, CertifiedIdentity};
use super::{Bundle, SignedDigest, rejected};
use crate::evidence::limits::quoted;
use crate::evidence::rejection::Rejection;
use crate::json::{self, JsonError};
use crate::key::PublicKey;
use crate::time::Timestamp;

/// Media types of trusted roots: the form in use, and the one that replaces it.
const ROOT_MEDIA_TYPES: [&str; 2] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
];

/// What a client is configured with (`ClientTrustConfig`): its trusted root and where to sign.
const CONFIG_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

/// One trusted root, ready to verify.
pub struct Instance {
    verifier: Verifier,
    /// Whether it names a transparency log: then every certificate bundle shows an entry of it.
    names_log: bool,
    /// Whether it names neither a transparency log nor a CT log, as GitHub's own does.
    is_private: bool,
    /// The chains of its certificate authorities, each from the one that issues to the root.
    authorities: Vec<Vec<AuthorityCertificate>>,
}

/// Why the bytes of a trusted root cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// Not JSON, or read in more than one way.
    #[error("trusted root cannot be read")]
    Json(#[from] JsonError),
    /// Of another kind or version.
    #[error("trusted root: wanted media type `{}`, got `{got}`", ROOT_MEDIA_TYPES[0])]
    MediaType {
        /// What it says.
        got: String,
    },
    /// Certificates, keys or dates that cannot be used.
    #[error("trusted root cannot be used: {detail}")]
    Material {
        /// What the library says.
        detail: String,
    },
}

/// What a bundle proves under one instance.
#[derive(Debug)]
pub(crate) struct Proof {
    /// Who a certificate says signed; `None` for a managed key.
    pub(crate) identity: Option<CertifiedIdentity>,
    /// Every proved time, sorted. Each lies in the certificate's validity.
    pub(crate) times: Vec<Timestamp>,
}

/// What has to stand beside a managed key's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Witness {
    /// An entry of a log.
    Log,
    /// A time stamp.
    TimeStamp,
}

/// What a bundle's signature is over, as far as the library needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signed<'a> {
    /// An artifact of this digest, or a statement that names it.
    Digest(&'a SignedDigest),
    /// A statement that names no digest that the library reads, by its envelope's PAE.
    Pae(&'a [u8]),
    /// A message that is at hand.
    Bytes(&'a [u8]),
}

/// What a signature is held against.
pub(super) enum Over<'a> {
    /// A digest of it.
    Digest(ArtifactDigest),
    /// All of it, held in memory.
    Bytes(&'a [u8]),
    /// All of it, read once.
    Reader(&'a mut dyn Read),
}

impl Instance {
    /// Reads and prepares a trusted root, or the one that a client's configuration holds.
    ///
    /// # Errors
    /// [`RootError`] when any part of it cannot be used.
    pub fn prepare(root: &[u8]) -> Result<Self, RootError> {
        let mut value = without_nulls(json::parse(root)?);
        if media_type(&value) == CONFIG_MEDIA_TYPE {
            value = value.get("trustedRoot").cloned().unwrap_or_default();
        }
        if !ROOT_MEDIA_TYPES.contains(&media_type(&value)) {
            return Err(RootError::MediaType { got: quoted(media_type(&value)) });
        }
        let unusable = |error: &dyn fmt::Display| RootError::Material { detail: quoted(&error.to_string()) };
        let mut root: TrustedRoot = serde_json::from_value(value).map_err(|error| unusable(&error))?;
        // An authority whose certificate is for something else as well, or not critically for stamps,
        // vouches for no time (RFC 3161, 2.3); the rest of its root is none the worse for it.
        root.timestamp_authorities.retain(|authority| {
            let leaf = authority.cert_chain.certificates.first();
            leaf.is_some_and(|leaf| certificate::is_for_stamps_alone(&leaf.raw_bytes))
        });
        let verifier = Verifier::new(&root).map_err(|error| unusable(&error))?;
        let mut certificates = root.certificate_authorities.iter().flat_map(|ca| &ca.cert_chain.certificates);
        if !certificates.all(|entry| certificate::is_authority(&entry.raw_bytes)) {
            return Err(unusable(&"a certificate authority has a certificate that may issue none"));
        }
        // One that was left out of its chain would be asked for no dates.
        let chains = root.certificate_authorities.iter().map(|authority| {
            let certificates = authority.cert_chain.certificates.iter();
            certificates.map(|entry| AuthorityCertificate::of(&entry.raw_bytes)).collect::<Option<Vec<_>>>()
        });
        let chains: Option<Vec<_>> = chains.collect();
        let unread = || unusable(&"a certificate authority has a certificate of unknown dates or key");
        Ok(Self {
            verifier,
            names_log: !root.tlogs.is_empty(),
            is_private: root.tlogs.is_empty() && root.ctlogs.is_empty(),
            authorities: chains.ok_or_else(unread)?,
        })
    }

    /// Whether one of its authorities issued the bundle's certificate, by the certificate's own
    /// word: good for a reason, proof of nothing.
    pub(crate) fn seems_to_have_issued(&self, bundle: &Bundle) -> bool {
        let leaf = bundle.wire.signing_certificate();
        let authority = leaf.and_then(certificate::issuer_key_id);
        authority.is_some_and(|id| self.authorities.iter().flatten().any(|known| known.is_of_key(&id)))
    }

    /// Whether the authority that issued the bundle's certificate, and all above it, were in date at these
    /// times. The library takes each of a root's certificates for an anchor, which it asks for no dates
    /// (CVE-2026-24122). Of a key that was certified again, one certificate in date is enough.
    fn was_certified_in_date(&self, bundle: &Wire, times: &[Timestamp]) -> bool {
        let mut issuers = bundle_chain(bundle).filter_map(certificate::issuer_key_id);
        // Of what a bundle brings only the first issuer that the root names matters.
        let above = |id: &[u8]| {
            let chains = self.authorities.iter().filter_map(|chain| {
                let at = chain.iter().position(|authority| authority.is_of_key(id))?;
                chain.get(at..)
            });
            chains.collect::<Vec<_>>()
        };
        let named = issuers.find_map(|id| Some(above(&id)).filter(|chains| !chains.is_empty()));
        let in_date =
            |chain: &&[AuthorityCertificate]| chain.iter().all(|authority| authority.holds_at(times));
        named.is_some_and(|chains| chains.iter().any(in_date))
    }

    /// Verifies a bundle that came with a certificate.
    pub(crate) fn certified(&self, bundle: &Bundle, signed: Signed<'_>) -> Result<Proof, Rejection> {
        match signed {
            Signed::Digest(digest) => self.verify_certified(&bundle.wire, Over::Digest(digest.wire()?)),
            Signed::Pae(pae) => self.verify_certified(&bundle.over_its_pae()?, Over::Bytes(pae)),
            Signed::Bytes(bytes) => self.verify_certified(&bundle.wire, Over::Bytes(bytes)),
        }
    }

    /// Verifies a bundle of a managed key that brings log entries or time stamps: whichever it
    /// brings must hold.
    pub(crate) fn keyed(
        &self,
        bundle: &Bundle,
        key: &PublicKey,
        signed: Signed<'_>,
    ) -> Result<Proof, Rejection> {
        let witness = if bundle.is_logged() { Witness::Log } else { Witness::TimeStamp };
        let key = DerPublicKey::new(key.spki().to_vec());
        match signed {
            Signed::Digest(digest) => {
                self.verify_keyed(&bundle.wire, key, witness, Over::Digest(digest.wire()?))
            }
            Signed::Pae(pae) => self.verify_keyed(&bundle.over_its_pae()?, key, witness, Over::Bytes(pae)),
            Signed::Bytes(bytes) => self.verify_keyed(&bundle.wire, key, witness, Over::Bytes(bytes)),
        }
    }

    /// Only a root that names no log at all makes do with a time stamp; one that names a log but no
    /// CT log cannot check an SCT, and then nothing is taken.
    pub(super) fn verify_certified(&self, bundle: &Wire, over: Over<'_>) -> Result<Proof, Rejection> {
        let mut policy = VerificationPolicy::any_identity();
        if !self.names_log {
            policy = policy.skip_tlog_unsafe();
        }
        if self.is_private {
            policy = policy.skip_sct();
        }
        let result = over.verify(&self.verifier, bundle, &policy).map_err(rejected::because)?;
        let whole = result.certificate_verified()
            && (result.tlog_verified() || !self.names_log)
            && (result.sct_verified() || self.is_private);
        let leaf = bundle.signing_certificate();
        if !leaf.is_some_and(certificate::is_leaf) {
            let detail = "wanted one to sign code with, and none to issue others with".to_owned();
            return Err(Rejection::BadMaterial { part: "certificate", detail });
        }
        let identity = leaf.zip(result.certificate()).filter(|_| whole);
        let identity = identity.and_then(|(leaf, info)| CertifiedIdentity::of(leaf, info));
        let identity = identity.ok_or_else(|| Rejection::BadMaterial {
            part: "certificate",
            detail: "wanted an issuer and one subject alternative name, got others".to_owned(),
        })?;
        let times = some(times(&result))?;
        if !self.was_certified_in_date(bundle, &times) {
            let detail = "wanted an authority that was in date when it was signed, got one that was not";
            return Err(Rejection::BadMaterial { part: "certificate", detail: detail.to_owned() });
        }
        Ok(Proof { identity: Some(identity), times })
    }

    /// Verifies a managed key's bundle, which must bring this witness.
    pub(super) fn verify_keyed(
        &self,
        bundle: &Wire,
        key: DerPublicKey,
        witness: Witness,
        over: Over<'_>,
    ) -> Result<Proof, Rejection> {
        let policy = PublicKeyVerificationPolicy::new(key);
        let policy = match witness {
            Witness::Log => policy,
            Witness::TimeStamp => policy.skip_tlog_unsafe(),
        };
        let result = over.verify(&self.verifier, bundle, &policy).map_err(rejected::because)?;
        let times = match witness {
            Witness::Log => times(&result),
            Witness::TimeStamp => some(times(&result))?,
        };
        Ok(Proof { identity: None, times })
    }

    /// What a managed key's bundle has to bring when nothing else is known of it.
    pub(super) fn witness(&self) -> Witness {
        if self.names_log { Witness::Log } else { Witness::TimeStamp }
    }
}

/// The certificates that a bundle brings, from the one that signed.
fn bundle_chain(bundle: &Wire) -> impl Iterator<Item = &DerCertificate> {
    let more = match &bundle.verification_material.content {
        VerificationMaterialContent::X509CertificateChain { certificates } => certificates.as_slice(),
        _ => &[],
    };
    bundle
        .signing_certificate()
        .into_iter()
        .chain(more.iter().skip(1).map(|certificate| &certificate.raw_bytes))
}

impl fmt::Debug for Instance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Instance").field("names_log", &self.names_log).finish_non_exhaustive()
    }
}

impl Over<'_> {
    fn verify(
        self,
        verifier: &Verifier,
        bundle: &Wire,
        policy: &dyn Policy,
    ) -> sigstore::Result<VerificationResult> {
        match self {
            Self::Digest(digest) => verifier.verify(Artifact::from_digest(digest), bundle, policy),
            Self::Bytes(bytes) => verifier.verify(bytes, bundle, policy),
            Self::Reader(reader) => verifier.verify_reader(reader, bundle, policy),
        }
    }
}

/// Every time that the library has proved, in our terms, sorted.
fn times(result: &VerificationResult) -> Vec<Timestamp> {
    let instants = result.verified_timestamps().iter();
    let mut times: Vec<Timestamp> = instants
        .filter_map(|time| i64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_timestamp_nanos))
        .collect();
    times.sort_unstable();
    times
}

fn some(times: Vec<Timestamp>) -> Result<Vec<Timestamp>, Rejection> {
    if times.is_empty() {
        let detail = "wanted a log entry's time or a time stamp, got neither".to_owned();
        return Err(Rejection::NoTrustedTime { detail });
    }
    Ok(times)
}

fn media_type(value: &Value) -> &str {
    value.get("mediaType").and_then(Value::as_str).unwrap_or_default()
}

/// The value without its null members, which protobuf's JSON takes for absent.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::embedded::{INSTANCES, embedded_root};

    fn changed(change: impl Fn(&mut Value)) -> Result<Instance, RootError> {
        let mut root: Value = serde_json::from_str(embedded_root("public-good").unwrap()).unwrap();
        change(&mut root);
        Instance::prepare(&serde_json::to_vec(&root).unwrap())
    }

    #[test]
    fn prepares_every_embedded_root() {
        for name in INSTANCES {
            let names_log = name != "github";
            let instance = Instance::prepare(embedded_root(name).unwrap().as_bytes()).unwrap();
            assert_eq!((instance.names_log, instance.is_private), (names_log, !names_log), "{name}");
            assert!(!instance.authorities.is_empty(), "{name}");
        }
    }

    #[test]
    fn refuses_a_root_that_says_two_things_or_nothing_known() {
        let twice = Instance::prepare(br#"{"tlogs": [], "tlogs": []}"#).unwrap_err();
        assert!(matches!(twice, RootError::Json(_)));
        let newer = "application/vnd.dev.sigstore.trustedroot+json;version=9.9";
        let other = changed(|root| root["mediaType"] = newer.into()).unwrap_err();
        assert!(matches!(other, RootError::MediaType { got } if got == newer));
        let short = changed(|root| root["tlogs"][0]["logId"]["keyId"] = "AAAA".into()).unwrap_err();
        assert!(matches!(short, RootError::Material { .. }));
    }

    #[test]
    fn asks_for_an_sct_unless_the_root_names_no_log_at_all() {
        let without_ct = changed(|root| root["ctlogs"] = Value::Null).unwrap();
        assert!(without_ct.names_log && !without_ct.is_private);
    }
}
