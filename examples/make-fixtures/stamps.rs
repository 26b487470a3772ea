//! A time stamp authority (<https://www.rfc-editor.org/rfc/rfc3161>): its tokens are CMS signed
//! data (<https://www.rfc-editor.org/rfc/rfc5652>) over a digest and a time.

use laforge::release::digest::Digest;
use laforge::time::Timestamp;

use crate::certificate::{Issuer, Template, Usage, Validity, ecdsa_with_sha256, leaf_extensions};
use crate::der;
use crate::keys::{P256, seed};

const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";
/// The policy that Sigstore's own authority names.
const POLICY: &str = "1.3.6.1.4.1.57264.2";

/// A root, a leaf and the leaf's key.
pub(crate) struct StampAuthority {
    root: Issuer,
    key: P256,
    leaf: Vec<u8>,
    leaf_reference: Vec<u8>,
}

impl StampAuthority {
    /// The authority of an organization, whose leaf says that it may do these things.
    pub(crate) fn new(organization: &str, validity: Validity, usages: &[&str], usage: Usage) -> Self {
        let root = Issuer::root(organization, "time stamp root", validity);
        let key = P256::named(&format!("{organization}/time stamp authority"));
        let mut extensions = leaf_extensions(key.spki(), usages, usage);
        extensions.push(root.authority_key_id());
        let subject = Some((organization, "time stamp authority"));
        let template = Template { subject, spki: key.spki(), validity, extensions };
        let (leaf, leaf_reference) = (root.issue(&template), root.and_serial_of(&template));
        Self { root, key, leaf, leaf_reference }
    }

    /// Leaf and root, in the order of a trusted root's chain.
    pub(crate) fn chain(&self) -> [&[u8]; 2] {
        [&self.leaf, &self.root.certificate]
    }

    /// A response that says that these bytes existed at that time.
    pub(crate) fn response(&self, bytes: &[u8], at: Timestamp) -> Vec<u8> {
        let granted = der::sequence(&[der::integer(&[])]);
        let info = token_info(bytes, at);
        let signed = der::sequence(&[der::oid(SIGNED_DATA), der::tagged(0, &self.signed_data(&info, at))]);
        der::sequence(&[granted, signed])
    }

    fn signed_data(&self, info: &[u8], at: Timestamp) -> Vec<u8> {
        let content = der::sequence(&[der::oid(TST_INFO), der::tagged(0, &der::octets(info))]);
        der::sequence(&[
            der::integer(&[3]),
            der::set(&[sha256()]),
            content,
            der::tagged(0, &self.leaf),
            der::set(&[self.signer_info(info, at)]),
        ])
    }

    fn signer_info(&self, info: &[u8], at: Timestamp) -> Vec<u8> {
        let attributes = self.signed_attributes(info, at);
        let signature = self.key.signature(&der::set(&attributes));
        der::sequence(&[
            der::integer(&[1]),
            self.leaf_reference.clone(),
            sha256(),
            der::tagged(0, &der::set_content(&attributes)),
            ecdsa_with_sha256(),
            der::octets(&signature),
        ])
    }

    fn signed_attributes(&self, info: &[u8], at: Timestamp) -> Vec<Vec<u8>> {
        let attribute = |oid, value: Vec<u8>| der::sequence(&[der::oid(oid), der::set(&[value])]);
        let certificate = der::octets(Digest::of_bytes(&self.leaf).as_bytes());
        let certificates = der::sequence(&[der::sequence(&[der::sequence(&[certificate])])]);
        vec![
            attribute(CONTENT_TYPE, der::oid(TST_INFO)),
            attribute(SIGNING_TIME, der::utc_time(at)),
            attribute(MESSAGE_DIGEST, der::octets(Digest::of_bytes(info).as_bytes())),
            attribute(SIGNING_CERTIFICATE_V2, certificates),
        ]
    }
}

fn token_info(bytes: &[u8], at: Timestamp) -> Vec<u8> {
    let digest = Digest::of_bytes(bytes);
    let serial: Vec<u8> = seed(&format!("{digest} {at}")).iter().copied().take(16).collect();
    der::sequence(&[
        der::integer(&[1]),
        der::oid(POLICY),
        der::sequence(&[sha256(), der::octets(digest.as_bytes())]),
        der::integer(&serial),
        der::generalized_time(at),
    ])
}

fn sha256() -> Vec<u8> {
    der::sequence(&[der::oid(SHA256)])
}
