//! What a signing certificate says: its identity, its issuer's key, and Fulcio's claims.
//!
//! Specs: <https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md>,
//! <https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.1>. Nothing is verified here.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use sigstore::crypto::{CertificateInfo, FulcioCiClaims};
use sigstore::types::DerCertificate;
use x509_cert::der::asn1::{ObjectIdentifier, Utf8StringRef};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate};

use super::der::has_small_sets;
use crate::key::PublicKey;
use crate::time::Timestamp;
use crate::trust::NO_ISSUER;

/// What the one certificate of a time stamp authority is for, and nothing else
/// (<https://www.rfc-editor.org/rfc/rfc3161#section-2.3>).
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// Fulcio's other name for a user of a domain: `name!domain`.
const FULCIO_USERNAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// `id-kp-codeSigning`.
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");

/// An identity as a certificate states it.
#[derive(Debug)]
pub(crate) struct CertifiedIdentity {
    /// The OIDC issuer; [`NO_ISSUER`] where the certificate names none.
    pub(crate) issuer: String,
    /// The subject alternative name.
    pub(crate) subject: String,
    /// Fulcio's claims, by extension name in lower camel case.
    pub(crate) claims: BTreeMap<&'static str, String>,
    /// From when on, where it is in date for longer than [`BRIEF`].
    pub(crate) lasting_since: Option<Timestamp>,
}

/// The longest that a certificate may be in date and still say when its key signed, give or take an hour;
/// Fulcio's public instance issues them for ten minutes.
const BRIEF: TimeDelta = TimeDelta::hours(1);

impl CertifiedIdentity {
    /// What the certificate states; `None` unless it names exactly one subject, and an issuer that could
    /// not be taken for none.
    pub(super) fn of(certificate: &DerCertificate, info: &CertificateInfo) -> Option<Self> {
        let issuer = match &info.issuer {
            None => NO_ISSUER.to_owned(),
            Some(issuer) if issuer.is_empty() || issuer == NO_ISSUER => return None,
            Some(issuer) => issuer.clone(),
        };
        let certificate = Certificate::from_der(certificate.as_bytes()).ok()?.tbs_certificate;
        let subject = subject(&certificate).filter(|subject| !subject.is_empty())?;
        let lasting_since = lasting_since(&certificate.validity)?;
        Some(Self { issuer, subject, claims: claims(&info.ci_claims), lasting_since })
    }
}

/// What a certificate says of whoever has it, in DER: to be shown as a claim, and believed by nobody.
pub(crate) fn claimed_identity(der: &[u8]) -> Option<CertifiedIdentity> {
    if !has_small_sets(der) {
        return None;
    }
    let certificate = DerCertificate::new(der.to_vec());
    let info = sigstore::crypto::parse_certificate_info(&certificate).ok()?;
    CertifiedIdentity::of(&certificate, &info)
}

/// The one subject alternative name: an e-mail address, a URI or Fulcio's name for a user of a
/// domain. The library takes the first of several and knows no other name; Fulcio writes one.
fn subject(certificate: &TbsCertificate) -> Option<String> {
    let (_, names): (bool, SubjectAltName) = certificate.get().ok()??;
    match names.0.as_slice() {
        [GeneralName::Rfc822Name(address)] => Some(address.to_string()),
        [GeneralName::UniformResourceIdentifier(uri)] => Some(uri.to_string()),
        [GeneralName::OtherName(other)] if other.type_id == FULCIO_USERNAME => {
            Some(other.value.decode_as::<Utf8StringRef<'_>>().ok()?.to_string())
        }
        _ => None,
    }
}

/// When a certificate begins that is in date for long; none of dates in no known form.
fn lasting_since(validity: &Validity) -> Option<Option<Timestamp>> {
    let (from, until) = (instant(&validity.not_before)?, instant(&validity.not_after)?);
    Some((until.signed_duration_since(from) > BRIEF).then_some(from))
}

/// The claims that are there. GitHub's five older ones keep names of their own: their values differ
/// in form from those that replaced them.
fn claims(claims: &FulcioCiClaims) -> BTreeMap<&'static str, String> {
    let github = &claims.deprecated_github;
    [
        ("buildSignerUri", &claims.build_signer_uri),
        ("buildSignerDigest", &claims.build_signer_digest),
        ("runnerEnvironment", &claims.runner_environment),
        ("sourceRepositoryUri", &claims.source_repository_uri),
        ("sourceRepositoryDigest", &claims.source_repository_digest),
        ("sourceRepositoryRef", &claims.source_repository_ref),
        ("sourceRepositoryIdentifier", &claims.source_repository_identifier),
        ("sourceRepositoryOwnerUri", &claims.source_repository_owner_uri),
        ("sourceRepositoryOwnerIdentifier", &claims.source_repository_owner_identifier),
        ("buildConfigUri", &claims.build_config_uri),
        ("buildConfigDigest", &claims.build_config_digest),
        ("buildTrigger", &claims.build_trigger),
        ("runInvocationUri", &claims.run_invocation_uri),
        ("sourceRepositoryVisibilityAtSigning", &claims.source_repository_visibility_at_signing),
        ("deploymentEnvironment", &claims.deployment_environment),
        ("tokenSubject", &claims.token_subject),
        ("githubWorkflowTrigger", &github.workflow_trigger),
        ("githubWorkflowSha", &github.workflow_sha),
        ("githubWorkflowName", &github.workflow_name),
        ("githubWorkflowRepository", &github.workflow_repository),
        ("githubWorkflowRef", &github.workflow_ref),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.clone()?)))
    .collect()
}

/// A certificate authority: its key, and from when to when it may certify.
#[derive(Debug)]
pub(super) struct AuthorityCertificate {
    /// None of one that does not say which key is its own: nobody points to it, and it has dates.
    key_id: Option<Vec<u8>>,
    from: Timestamp,
    until: Timestamp,
}

impl AuthorityCertificate {
    /// Reads it; `None` when it says in no known form from when to when it may certify, or which key is its own.
    pub(super) fn of(certificate: &DerCertificate) -> Option<Self> {
        let certificate = Certificate::from_der(certificate.as_bytes()).ok()?.tbs_certificate;
        let id = certificate.get::<SubjectKeyIdentifier>().ok()?;
        let validity = certificate.validity;
        let (from, until) = (instant(&validity.not_before)?, instant(&validity.not_after)?);
        Some(Self { key_id: id.map(|(_, id)| id.0.into_bytes()), from, until })
    }

    /// Whether its key is the one of this identifier.
    pub(super) fn is_of_key(&self, id: &[u8]) -> bool {
        self.key_id.as_deref() == Some(id)
    }

    /// Whether it was in date at every one of these times.
    pub(super) fn holds_at(&self, times: &[Timestamp]) -> bool {
        times.iter().all(|at| (self.from..=self.until).contains(at))
    }
}

fn instant(time: &Time) -> Option<Timestamp> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    Timestamp::from_timestamp(seconds, 0)
}

/// Whether a certificate is for time stamps alone, and whoever doesn't know what that is must refuse it.
pub(super) fn is_for_stamps_alone(certificate: &DerCertificate) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate.as_bytes()) else { return false };
    let usage = certificate.tbs_certificate.get::<ExtendedKeyUsage>();
    matches!(usage, Ok(Some((true, ExtendedKeyUsage(usages)))) if usages == [TIME_STAMPING])
}

/// Whether a certificate may issue others: it says so, critically, and its key may sign
/// certificates (<https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.9>).
pub(super) fn is_authority(certificate: &DerCertificate) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate.as_bytes()) else { return false };
    let certificate = &certificate.tbs_certificate;
    let may_issue = matches!(certificate.get::<BasicConstraints>(), Ok(Some((true, it))) if it.ca);
    let may_sign = match certificate.get::<KeyUsage>() {
        Ok(Some((_, usage))) => usage.key_cert_sign(),
        Ok(None) => true, // then its key is for anything
        Err(_) => false,
    };
    may_issue && may_sign
}

/// Whether a certificate is one to sign code with, and none to issue others with.
pub(super) fn is_leaf(certificate: &DerCertificate) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate.as_bytes()) else { return false };
    let certificate = &certificate.tbs_certificate;
    let issues = !matches!(
        certificate.get::<BasicConstraints>(),
        Ok(None) | Ok(Some((_, BasicConstraints { ca: false, .. })))
    );
    let signs = matches!(certificate.get::<KeyUsage>(), Ok(Some((_, usage))) if usage.digital_signature());
    let code =
        matches!(certificate.get::<ExtendedKeyUsage>(), Ok(Some((_, it))) if it.0.contains(&CODE_SIGNING));
    !issues && signs && code
}

/// A certificate's identifier for the key that signed it.
pub(super) fn issuer_key_id(certificate: &DerCertificate) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(certificate.as_bytes()).ok()?;
    let (_, id): (bool, AuthorityKeyIdentifier) = certificate.tbs_certificate.get().ok()??;
    Some(id.key_identifier?.into_bytes())
}

/// A certificate's own key, if it is of a kind known here.
pub(super) fn key(certificate: &DerCertificate) -> Option<PublicKey> {
    let certificate = Certificate::from_der(certificate.as_bytes()).ok()?;
    let spki = certificate.tbs_certificate.subject_public_key_info.to_der().ok()?;
    PublicKey::from_spki(&spki).ok()
}

/// A certificate's issuer, as a distinguished name: for reasons only.
pub(super) fn issuer_name(certificate: &DerCertificate) -> Option<String> {
    let certificate = Certificate::from_der(certificate.as_bytes()).ok()?;
    Some(certificate.tbs_certificate.issuer.to_string())
}
