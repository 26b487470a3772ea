//! X.509 certificates (<https://www.rfc-editor.org/rfc/rfc5280>), with the extensions of Fulcio
//! (<https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md>).

use chrono::TimeDelta;
use laforge::release::digest::Digest;
use laforge::time::Timestamp;

use crate::der;
use crate::keys::P256;

const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
const COMMON_NAME: &str = "2.5.4.3";
const ORGANIZATION: &str = "2.5.4.10";
const SUBJECT_KEY_ID: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const AUTHORITY_KEY_ID: &str = "2.5.29.35";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";
const FULCIO: &str = "1.3.6.1.4.1.57264.1";
/// What a leaf of Fulcio may do.
pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
/// What a leaf of a time stamp authority may do.
pub(crate) const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";

/// A key with a name that signs certificates.
pub(crate) struct Issuer {
    name: Vec<u8>,
    key: P256,
    /// Its own certificate.
    pub(crate) certificate: Vec<u8>,
}

/// Whether who does not know a usage must refuse the certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    /// It must.
    Critical,
    /// It may pass over it.
    Noted,
}

/// From and until when a certificate is valid.
#[derive(Clone, Copy)]
pub(crate) struct Validity(pub(crate) Timestamp, pub(crate) Timestamp);

/// A certificate that is not signed yet.
pub(crate) struct Template<'a> {
    /// Its subject's organization and common name; empty for Fulcio's leaves.
    pub(crate) subject: Option<(&'a str, &'a str)>,
    /// Its key.
    pub(crate) spki: &'a [u8],
    /// How long it is valid.
    pub(crate) validity: Validity,
    /// Its extensions.
    pub(crate) extensions: Vec<Vec<u8>>,
}

/// A subject alternative name: an e-mail address if it has no scheme, else a URI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Workload {
    /// The subject alternative name.
    pub(crate) subject: String,
    /// The OIDC issuer; empty for a certificate that names none.
    pub(crate) issuer: String,
    /// Fulcio's claims, by the last arc of their extension (9 to 24).
    pub(crate) claims: Vec<(u8, String)>,
}

impl Issuer {
    /// A self-signed root.
    pub(crate) fn root(organization: &str, common_name: &str, validity: Validity) -> Self {
        Self::self_signed(organization, common_name, validity, |spki| authority_extensions(spki, &[]))
    }

    /// The same, whose certificate does not say which key is its own.
    pub(crate) fn root_without_key_id(organization: &str, common_name: &str, validity: Validity) -> Self {
        Self::self_signed(organization, common_name, validity, |_| certifying())
    }

    fn self_signed(
        organization: &str,
        common_name: &str,
        validity: Validity,
        extensions: fn(&[u8]) -> Vec<Vec<u8>>,
    ) -> Self {
        let key = P256::named(&format!("{organization}/{common_name}"));
        let name = distinguished(organization, common_name);
        let unsigned = Self { name, key, certificate: Vec::new() };
        let spki = unsigned.key.spki().to_vec();
        let certificate = unsigned.issue(&Template {
            subject: Some((organization, common_name)),
            spki: &spki,
            validity,
            extensions: extensions(&spki),
        });
        Self { certificate, ..unsigned }
    }

    /// An intermediate for code signing that it vouches for, and what else its certificate says.
    pub(crate) fn intermediate(
        &self,
        organization: &str,
        common_name: &str,
        validity: Validity,
        more: Option<Vec<u8>>,
    ) -> Self {
        let key = P256::named(&format!("{organization}/{common_name}"));
        let mut extensions = authority_extensions(key.spki(), &[CODE_SIGNING]);
        extensions.push(self.authority_key_id());
        extensions.extend(more);
        let subject = Some((organization, common_name));
        let certificate = self.issue(&Template { subject, spki: key.spki(), validity, extensions });
        Self { name: distinguished(organization, common_name), key, certificate }
    }

    /// Signs a certificate.
    pub(crate) fn issue(&self, template: &Template<'_>) -> Vec<u8> {
        let signed = self.to_be_signed(template);
        let signature = der::bits(&self.key.signature(&signed));
        der::sequence(&[signed, ecdsa_with_sha256(), signature])
    }

    /// What is signed of a certificate; what a certificate transparency log signs of it, too.
    pub(crate) fn to_be_signed(&self, template: &Template<'_>) -> Vec<u8> {
        let Validity(from, until) = template.validity;
        let subject = template.subject.map_or_else(|| der::sequence(&[]), |(o, cn)| distinguished(o, cn));
        der::sequence(&[
            der::tagged(0, &der::integer(&[2])),
            self.serial(template),
            ecdsa_with_sha256(),
            self.name.clone(),
            der::sequence(&[der::utc_time(from), der::utc_time(until)]),
            subject,
            template.spki.to_vec(),
            der::tagged(3, &der::sequence(&template.extensions)),
        ])
    }

    /// Its name and a serial number, by which certificates are referred to.
    pub(crate) fn and_serial_of(&self, template: &Template<'_>) -> Vec<u8> {
        der::sequence(&[self.name.clone(), self.serial(template)])
    }

    /// A positive number of 16 bytes: of the key, since an extension is added after it is chosen.
    fn serial(&self, template: &Template<'_>) -> Vec<u8> {
        let digest = Digest::of_bytes(&[self.spki(), template.spki].concat());
        let bytes: Vec<u8> = digest.as_bytes().iter().copied().take(16).collect();
        der::integer(&bytes)
    }

    /// The DER of its key.
    pub(crate) fn spki(&self) -> &[u8] {
        self.key.spki()
    }

    /// The extension by which its certificates point to it.
    pub(crate) fn authority_key_id(&self) -> Vec<u8> {
        let id = der::value(0x80, &key_id(self.spki()));
        extension(AUTHORITY_KEY_ID, false, &der::sequence(&[id]))
    }
}

/// What a leaf of Fulcio says of its workload; without the signed certificate time stamp.
pub(crate) fn workload_extensions(workload: &Workload, spki: &[u8]) -> Vec<Vec<u8>> {
    let mut extensions = leaf_extensions(spki, &[CODE_SIGNING], Usage::Noted);
    let tag = if workload.subject.contains("://") { 0x86 } else { 0x81 };
    let name = der::value(tag, workload.subject.as_bytes());
    extensions.push(extension(SUBJECT_ALT_NAME, true, &der::sequence(&[name])));
    if !workload.issuer.is_empty() {
        extensions.push(extension(&format!("{FULCIO}.1"), false, workload.issuer.as_bytes()));
        extensions.push(extension(&format!("{FULCIO}.8"), false, &der::utf8(&workload.issuer)));
    }
    for (arc, claim) in &workload.claims {
        extensions.push(extension(&format!("{FULCIO}.{arc}"), false, &der::utf8(claim)));
    }
    extensions
}

/// What every leaf says: its key's id, that it signs, and what for.
pub(crate) fn leaf_extensions(spki: &[u8], usages: &[&str], usage: Usage) -> Vec<Vec<u8>> {
    let usages: Vec<Vec<u8>> = usages.iter().map(|usage| der::oid(usage)).collect();
    vec![
        extension(KEY_USAGE, true, &der::named_bits(7, &[0x80])),
        extension(EXTENDED_KEY_USAGE, usage == Usage::Critical, &der::sequence(&usages)),
        extension(SUBJECT_KEY_ID, false, &der::octets(&key_id(spki))),
    ]
}

/// The extension by which an authority may certify names of these e-mail hosts and URI hosts alone.
pub(crate) fn name_constraints(host: &str) -> Vec<u8> {
    let names = [der::value(0x81, host.as_bytes()), der::value(0x86, host.as_bytes())];
    let subtrees: Vec<Vec<u8>> = names.iter().map(|name| der::sequence(std::slice::from_ref(name))).collect();
    extension(NAME_CONSTRAINTS, true, &der::sequence(&[der::tagged(0, &subtrees.concat())]))
}

/// The extension that carries signed certificate time stamps.
pub(crate) fn sct_extension(list: &[u8]) -> Vec<u8> {
    extension(SCT_LIST, false, &der::octets(list))
}

/// The algorithm of every signature here.
pub(crate) fn ecdsa_with_sha256() -> Vec<u8> {
    der::sequence(&[der::oid(ECDSA_WITH_SHA256)])
}

/// Ten minutes from just before a moment, as Fulcio gives them.
pub(crate) fn ten_minutes(at: Timestamp) -> Validity {
    Validity(at - TimeDelta::seconds(5), at + TimeDelta::seconds(595))
}

fn authority_extensions(spki: &[u8], usages: &[&str]) -> Vec<Vec<u8>> {
    let mut extensions = certifying();
    extensions.push(extension(SUBJECT_KEY_ID, false, &der::octets(&key_id(spki))));
    if !usages.is_empty() {
        let usages: Vec<Vec<u8>> = usages.iter().map(|usage| der::oid(usage)).collect();
        extensions.push(extension(EXTENDED_KEY_USAGE, false, &der::sequence(&usages)));
    }
    extensions
}

/// That it issues certificates.
fn certifying() -> Vec<Vec<u8>> {
    vec![
        extension(KEY_USAGE, true, &der::named_bits(1, &[0x06])),
        extension(BASIC_CONSTRAINTS, true, &der::sequence(&[der::truth()])),
    ]
}

fn extension(oid: &str, critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if critical { der::truth() } else { Vec::new() };
    der::sequence(&[der::oid(oid), critical, der::octets(content)])
}

fn distinguished(organization: &str, common_name: &str) -> Vec<u8> {
    let part = |oid, text| der::set(&[der::sequence(&[der::oid(oid), der::utf8(text)])]);
    der::sequence(&[part(ORGANIZATION, organization), part(COMMON_NAME, common_name)])
}

/// The first 20 bytes of a digest: unique per key, as RFC 7093 allows.
fn key_id(spki: &[u8]) -> Vec<u8> {
    Digest::of_bytes(spki).as_bytes().iter().copied().take(20).collect()
}
