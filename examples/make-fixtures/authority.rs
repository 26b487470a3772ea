//! A whole private Sigstore instance in memory: certificates, logs, time stamps, a trusted root.
//!
//! In: a name, which is the seed of every key, and times. Out: bundles and `trusted_root.json`, the
//! same bytes each time. What is signed is built by [`laforge::signing`], as a user's would be; an
//! instance adds what it vouches for, or, for cases that must fail, leaves some of it out.
//! Spec: <https://github.com/sigstore/protobuf-specs>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::evidence::envelope::pae;
use laforge::evidence::statement::PAYLOAD_TYPE;
use laforge::release::digest::Digest;
use laforge::signing::{self, SigningError, Signs, hint};
use laforge::time::{self, Timestamp};
use serde_json::{Value, json};

use crate::certificate::{
    Issuer, TIME_STAMPING, Template, Usage, Validity, Workload, name_constraints, ten_minutes,
    workload_extensions,
};
use crate::keys::P256;
use crate::logs::{CertificateLog, FirstRekor, SecondRekor, Signed, Verifier};
use crate::stamps::StampAuthority;

/// A Sigstore instance of an organization.
pub(crate) struct Authority {
    name: String,
    validity: Validity,
    intermediate: Issuer,
    root: Issuer,
    certificate_log: CertificateLog,
    stamps: StampAuthority,
    first: FirstRekor,
    second: SecondRekor,
}

/// What is signed.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// A file.
    Message(&'a [u8]),
    /// A file, even if its bytes are what nobody may sign as one.
    ForbiddenMessage(&'a [u8]),
    /// An in-toto statement.
    Statement(&'a Value),
    /// Any payload in an envelope: its type and its bytes.
    Payload(&'a str, &'a [u8]),
}

/// Which log takes the signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// None.
    Absent,
    /// Rekor's first generation.
    First,
    /// Rekor's second generation.
    Second,
}

/// Which version of the bundle format is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// 0.1: a chain of certificates and a log's promise.
    V01,
    /// 0.2: a chain of certificates and a log's proof.
    V02,
    /// 0.3: one certificate.
    V03,
}

/// What a bundle carries beside its signature.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    /// The log.
    pub(crate) log: Log,
    /// When a time stamp was asked for, if one was.
    pub(crate) stamped: Option<Timestamp>,
    /// Whether the certificate was logged before it was issued.
    pub(crate) certificate_logged: bool,
    /// The version of the format.
    pub(crate) format: Format,
}

impl Parts {
    /// A log's entry and nothing else.
    pub(crate) const LOGGED: Self =
        Self { log: Log::First, stamped: None, certificate_logged: true, format: Format::V03 };

    /// A time stamp and nothing else.
    pub(crate) const fn stamped(at: Timestamp) -> Self {
        Self { log: Log::Absent, stamped: Some(at), ..Self::LOGGED }
    }

    /// A log's entry and a time stamp.
    pub(crate) const fn logged_and_stamped(log: Log, at: Timestamp) -> Self {
        Self { log, stamped: Some(at), ..Self::LOGGED }
    }

    /// The same in another version of the format.
    pub(crate) const fn in_format(self, format: Format) -> Self {
        Self { format, ..self }
    }
}

impl Authority {
    /// The instance of an organization, valid for some years.
    pub(crate) fn named(name: &str) -> Self {
        let year = |text: &str| time::parse(text).unwrap_or_default();
        let validity = Validity(year("2025-01-01T00:00:00Z"), year("2045-01-01T00:00:00Z"));
        let organization = format!("{name}.test");
        let root = Issuer::root(&organization, "certificate root", validity);
        let intermediate = root.intermediate(&organization, "certificates", validity, None);
        Self {
            name: organization.clone(),
            validity,
            intermediate,
            root,
            certificate_log: CertificateLog::named(&format!("ct.{organization}")),
            stamps: StampAuthority::new(&organization, validity, &[TIME_STAMPING], Usage::Critical),
            first: FirstRekor::at(&format!("rekor.{organization} - 1")),
            second: SecondRekor::at(&format!("rekor2.{organization}")),
        }
    }

    /// The same, certifying until a moment.
    pub(crate) fn certifying_until(self, end: Timestamp) -> Self {
        let validity = Validity(self.validity.0, end);
        Self { intermediate: self.root.intermediate(&self.name, "certificates", validity, None), ..self }
    }

    /// The same, under a root that ends at a moment and does not say which key is its own.
    pub(crate) fn under_unnamed_root_until(self, end: Timestamp) -> Self {
        let root =
            Issuer::root_without_key_id(&self.name, "certificate root", Validity(self.validity.0, end));
        let intermediate = root.intermediate(&self.name, "certificates", self.validity, None);
        Self { root, intermediate, ..self }
    }

    /// The same, certifying names of one host alone.
    pub(crate) fn certifying_only(self, host: &str) -> Self {
        let only = Some(name_constraints(host));
        Self { intermediate: self.root.intermediate(&self.name, "certificates", self.validity, only), ..self }
    }

    /// The same, whose time stamp authority's certificate says that it may do these things.
    pub(crate) fn stamping_with(self, usages: &[&str], usage: Usage) -> Self {
        Self { stamps: StampAuthority::new(&self.name, self.validity, usages, usage), ..self }
    }

    /// A keyless signature: a certificate for a workload at a time, and a fresh key.
    ///
    /// # Errors
    /// [`SigningError`] where a user would be refused, too.
    pub(crate) fn keyless(
        &mut self,
        workload: &Workload,
        content: Content<'_>,
        at: Timestamp,
        parts: Parts,
    ) -> Result<Value, SigningError> {
        let fresh = format!("{}/{}/{at}/{}", self.name, workload.subject, content.digest());
        let key = P256::named(&fresh);
        let certificate = self.certificate(workload, &key, at, parts);
        let bundle = signed_bundle(content, &key)?;
        Ok(self.vouch(bundle, content, Verifier::Certificate(&certificate), at, parts))
    }

    /// A signature with a key that somebody keeps.
    ///
    /// # Errors
    /// [`SigningError`] where a user would be refused, too.
    pub(crate) fn keyed(
        &mut self,
        key: &dyn Signs,
        content: Content<'_>,
        at: Timestamp,
        parts: Parts,
    ) -> Result<Value, SigningError> {
        let bundle = signed_bundle(content, key)?;
        Ok(self.vouch(bundle, content, Verifier::Key(key.public()), at, parts))
    }

    /// Its `trusted_root.json`.
    pub(crate) fn trusted_root(&self) -> Value {
        let first = Digest::of_bytes(self.first.spki());
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [
                self.log("rekor", self.first.spki(), first, "PKIX_ECDSA_P256_SHA_256"),
                self.log("rekor2", self.second.spki(), self.second.id(), "PKIX_ED25519"),
            ],
            "certificateAuthorities":
                [self.chain("fulcio", &[&self.intermediate.certificate, &self.root.certificate])],
            "ctlogs": [self.log(
                "ct",
                self.certificate_log.spki(),
                Digest::of_bytes(self.certificate_log.spki()),
                "PKIX_ECDSA_P256_SHA_256",
            )],
            "timestampAuthorities": [self.chain("tsa", &self.stamps.chain())],
        })
    }

    fn log(&self, host: &str, spki: &[u8], id: Digest, details: &str) -> Value {
        json!({
            "baseUrl": format!("https://{host}.{}", self.name),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {"rawBytes": STANDARD.encode(spki), "keyDetails": details,
                "validFor": {"start": time::to_seconds(self.validity.0)}},
            "logId": {"keyId": STANDARD.encode(id.as_bytes())},
        })
    }

    fn chain(&self, host: &str, certificates: &[&[u8]]) -> Value {
        let certificates: Vec<Value> = certificates.iter().map(|der| raw_bytes(der)).collect();
        json!({
            "subject": {"organization": self.name, "commonName": host},
            "uri": format!("https://{host}.{}", self.name),
            "certChain": {"certificates": certificates},
            "validFor": {"start": time::to_seconds(self.validity.0)},
        })
    }

    fn certificate(&self, workload: &Workload, key: &P256, at: Timestamp, parts: Parts) -> Vec<u8> {
        let mut extensions = workload_extensions(workload, key.spki());
        extensions.push(self.intermediate.authority_key_id());
        let mut template =
            Template { subject: None, spki: key.spki(), validity: ten_minutes(at), extensions };
        if parts.certificate_logged {
            let seen = self.certificate_log.seen(&self.intermediate, &template, at);
            template.extensions.push(seen);
        }
        self.intermediate.issue(&template)
    }

    /// Adds to a bundle what this instance says of its signature.
    fn vouch(
        &mut self,
        mut bundle: Value,
        content: Content<'_>,
        by: Verifier<'_>,
        at: Timestamp,
        parts: Parts,
    ) -> Value {
        let signature = signature_of(&bundle);
        let mut material = self.identity(by, parts.format);
        if let Some(entry) = self.entry(&bundle, content, &signature, by, at, parts) {
            material["tlogEntries"] = json!([entry]);
        }
        if let Some(at) = parts.stamped {
            let token = STANDARD.encode(self.stamps.response(&signature, at));
            material["timestampVerificationData"] =
                json!({"rfc3161Timestamps": [{"signedTimestamp": token}]});
        }
        bundle["mediaType"] = json!(parts.format.media_type());
        bundle["verificationMaterial"] = material;
        bundle
    }

    fn identity(&self, by: Verifier<'_>, format: Format) -> Value {
        match (by, format) {
            (Verifier::Key(key), _) => json!({"publicKey": {"hint": hint(key)}}),
            (Verifier::Certificate(leaf), Format::V03) => json!({"certificate": raw_bytes(leaf)}),
            (Verifier::Certificate(leaf), _) => json!({"x509CertificateChain": {"certificates":
                [raw_bytes(leaf), raw_bytes(&self.intermediate.certificate)]}}),
        }
    }

    fn entry(
        &mut self,
        bundle: &Value,
        content: Content<'_>,
        signature: &[u8],
        by: Verifier<'_>,
        at: Timestamp,
        parts: Parts,
    ) -> Option<Value> {
        let (payload_type, payload) = content.payload();
        let encoding = pae(&payload_type, &payload);
        let signed = match content {
            Content::Message(bytes) | Content::ForbiddenMessage(bytes) => Signed::Message(bytes),
            _ => {
                Signed::Envelope { envelope: &bundle["dsseEnvelope"], payload: &payload, encoding: &encoding }
            }
        };
        let mut entry = match parts.log {
            Log::Absent => return None,
            Log::First => self.first.integrate(signed, signature, by, at),
            Log::Second => self.second.integrate(signed, signature, by),
        };
        if parts.format == Format::V01 {
            entry.as_object_mut()?.remove("inclusionProof");
        }
        Some(entry)
    }
}

impl Content<'_> {
    fn payload(&self) -> (String, Vec<u8>) {
        match self {
            Self::Message(bytes) | Self::ForbiddenMessage(bytes) => (String::new(), bytes.to_vec()),
            Self::Statement(statement) => (PAYLOAD_TYPE.to_owned(), laforge::json::canonical(statement)),
            Self::Payload(payload_type, payload) => ((*payload_type).to_owned(), payload.to_vec()),
        }
    }

    fn digest(&self) -> Digest {
        Digest::of_bytes(&self.payload().1)
    }
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::V01 => "application/vnd.dev.sigstore.bundle+json;version=0.1",
            Self::V02 => "application/vnd.dev.sigstore.bundle+json;version=0.2",
            Self::V03 => laforge::evidence::bundle::MEDIA_TYPE,
        }
    }
}

/// A bundle as a user makes it with a local key: nobody vouches for its time.
///
/// # Errors
/// [`SigningError`] where a user would be refused, too.
pub(crate) fn signed_bundle(content: Content<'_>, key: &dyn Signs) -> Result<Value, SigningError> {
    let bytes = match content {
        Content::Message(bytes) => signing::message_bundle(bytes, key)?,
        Content::Statement(statement) => signing::statement_bundle(statement, key)?,
        Content::Payload(payload_type, payload) => signing::envelope_bundle(payload_type, payload, key)?,
        Content::ForbiddenMessage(bytes) => return Ok(forbidden_bundle(bytes, &key.sign(bytes)?, key)),
    };
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

/// A message signature over bytes that `laforge sign` refuses.
fn forbidden_bundle(bytes: &[u8], signature: &[u8], key: &dyn Signs) -> Value {
    json!({
        "mediaType": laforge::evidence::bundle::MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint(key.public())}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256",
                "digest": STANDARD.encode(Digest::of_bytes(bytes).as_bytes())},
            "signature": STANDARD.encode(signature),
        },
    })
}

fn signature_of(bundle: &Value) -> Vec<u8> {
    let message = bundle.pointer("/messageSignature/signature");
    let signature = message.or_else(|| bundle.pointer("/dsseEnvelope/signatures/0/sig"));
    signature.and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default()
}

fn raw_bytes(der: &[u8]) -> Value {
    json!({"rawBytes": STANDARD.encode(der)})
}

#[cfg(test)]
mod tests {
    use super::*;
    use laforge::key::PublicKey;
    use laforge::signing::statement;
    use sigstore::types::{Bundle, DerPublicKey};
    use sigstore::{
        PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult, Verifier, trust_root,
    };

    const ARTIFACT: &[u8] = b"an artifact\n";
    const SUBJECT: &str = "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0";
    const ISSUER: &str = "https://token.actions.githubusercontent.com";

    fn at() -> Timestamp {
        time::parse("2026-03-02T12:00:00Z").unwrap()
    }

    fn workload() -> Workload {
        let claims = vec![(9, SUBJECT.to_owned()), (11, "github-hosted".to_owned())];
        Workload { subject: SUBJECT.to_owned(), issuer: ISSUER.to_owned(), claims }
    }

    fn provenance() -> Value {
        let subject = statement::subject("app", &Digest::of_bytes(ARTIFACT).claim());
        statement::provenance(&[subject], json!({"buildDefinition": {}})).unwrap()
    }

    fn verifier(authority: &Authority) -> Verifier {
        let json = authority.trusted_root().to_string();
        Verifier::new(&trust_root::TrustedRoot::from_json(&json).unwrap()).unwrap()
    }

    fn check(authority: &Authority, bundle: &Value) -> Result<VerificationResult, sigstore::Error> {
        let bundle = Bundle::from_json(&bundle.to_string()).unwrap();
        verifier(authority).verify(ARTIFACT, &bundle, &VerificationPolicy::new(SUBJECT, ISSUER))
    }

    fn check_unlogged(authority: &Authority, bundle: &Value) -> Result<VerificationResult, sigstore::Error> {
        let bundle = Bundle::from_json(&bundle.to_string()).unwrap();
        let policy = VerificationPolicy::new(SUBJECT, ISSUER).skip_tlog_unsafe();
        verifier(authority).verify(ARTIFACT, &bundle, &policy)
    }

    fn check_key(
        authority: &Authority,
        bundle: &Value,
        key: &PublicKey,
        logged: bool,
    ) -> Result<VerificationResult, sigstore::Error> {
        let bundle = Bundle::from_json(&bundle.to_string()).unwrap();
        let policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.spki().to_vec()));
        let policy = if logged { policy } else { policy.skip_tlog_unsafe() };
        verifier(authority).verify(ARTIFACT, &bundle, &policy)
    }

    #[test]
    fn keyless_bundles_hold_with_every_check_on() {
        let mut acme = Authority::named("acme");
        let statement = provenance();
        for content in [Content::Message(ARTIFACT), Content::Statement(&statement)] {
            for parts in [
                Parts::LOGGED,
                Parts::logged_and_stamped(Log::First, at()),
                Parts::logged_and_stamped(Log::Second, at()),
                Parts::LOGGED.in_format(Format::V02),
            ] {
                let bundle = acme.keyless(&workload(), content, at(), parts).unwrap();
                let held = check(&acme, &bundle).unwrap();
                assert!(held.certificate_verified() && held.sct_verified() && held.tlog_verified());
                assert_eq!(held.identity().unwrap().as_str(), SUBJECT);
                assert_eq!(held.issuer().unwrap(), ISSUER);
                let claims = &held.certificate().unwrap().ci_claims;
                assert_eq!(claims.build_signer_uri.as_deref(), Some(SUBJECT));
                assert_eq!(claims.runner_environment.as_deref(), Some("github-hosted"));
                assert!(held.verified_timestamps().iter().all(|time| time.as_second() == at().timestamp()));
                assert!(!held.verified_timestamps().is_empty());
            }
        }
    }

    #[test]
    fn a_promise_alone_holds_in_the_first_format() {
        let mut acme = Authority::named("acme");
        let parts = Parts::LOGGED.in_format(Format::V01);
        let bundle = acme.keyless(&workload(), Content::Message(ARTIFACT), at(), parts).unwrap();
        assert!(check_unlogged(&acme, &bundle).is_ok());
    }

    #[test]
    fn a_time_stamp_alone_holds_where_no_log_is_asked_for() {
        let mut acme = Authority::named("acme");
        let statement = provenance();
        let parts = Parts::stamped(at());
        let bundle = acme.keyless(&workload(), Content::Statement(&statement), at(), parts).unwrap();
        assert!(check(&acme, &bundle).is_err());
        assert!(check_unlogged(&acme, &bundle).unwrap().sct_verified());
    }

    #[test]
    fn managed_keys_hold_with_an_entry_or_a_time_stamp_and_not_with_neither() {
        let mut acme = Authority::named("acme");
        let key = P256::named("release");
        let statement = provenance();
        for content in [Content::Message(ARTIFACT), Content::Statement(&statement)] {
            for log in [Log::First, Log::Second] {
                let parts = Parts::logged_and_stamped(log, at());
                let bundle = acme.keyed(&key, content, at(), parts).unwrap();
                assert!(check_key(&acme, &bundle, key.public(), true).unwrap().tlog_verified());
            }
            let stamped = acme.keyed(&key, content, at(), Parts::stamped(at())).unwrap();
            let held = check_key(&acme, &stamped, key.public(), false).unwrap();
            assert_eq!(held.verified_timestamps().len(), 1);
            let bare = signed_bundle(content, &key).unwrap();
            assert!(check_key(&acme, &bare, key.public(), false).is_err());
            assert!(check_key(&acme, &stamped, P256::named("other").public(), false).is_err());
        }
    }

    #[test]
    fn what_is_left_out_is_missed() {
        let mut acme = Authority::named("acme");
        let unseen = Parts { certificate_logged: false, ..Parts::LOGGED };
        let bundle = acme.keyless(&workload(), Content::Message(ARTIFACT), at(), unseen).unwrap();
        assert!(check(&acme, &bundle).unwrap_err().to_string().contains("SCT"));
        let nothing = Parts { log: Log::Absent, ..Parts::LOGGED };
        let bundle = acme.keyless(&workload(), Content::Message(ARTIFACT), at(), nothing).unwrap();
        assert!(check(&acme, &bundle).is_err());
    }

    #[test]
    fn another_instance_vouches_for_nothing_here() {
        let (acme, mut other) = (Authority::named("acme"), Authority::named("other"));
        let parts = Parts::logged_and_stamped(Log::First, at());
        let bundle = other.keyless(&workload(), Content::Message(ARTIFACT), at(), parts).unwrap();
        assert!(check(&other, &bundle).is_ok());
        assert!(check(&acme, &bundle).is_err());
    }

    #[test]
    fn a_stamp_after_the_certificate_expired_is_refused() {
        let mut acme = Authority::named("acme");
        let late = Parts::logged_and_stamped(Log::First, at() + chrono::TimeDelta::minutes(11));
        let bundle = acme.keyless(&workload(), Content::Message(ARTIFACT), at(), late).unwrap();
        assert!(check(&acme, &bundle).is_err());
    }

    #[test]
    fn gives_the_same_bytes_each_time() {
        let make = || {
            let mut acme = Authority::named("acme");
            let parts = Parts::logged_and_stamped(Log::First, at());
            let bundle = acme.keyless(&workload(), Content::Message(ARTIFACT), at(), parts).unwrap();
            (bundle.to_string(), acme.trusted_root().to_string())
        };
        assert_eq!(make(), make());
    }
}
