//! Evidence in artifact manifests: one reading of it, wherever the manifest was found.
//!
//! In: the bytes of a manifest or index, of a registry or an OCI layout. Out: [`Listing`]: which
//! further documents it lists and which of its layers are evidence; and, once a layer's bytes are
//! there, the document that they make ([`Layer::document`]). Nothing says more than its media type:
//! `artifactType`, `subject` and annotations of manifests are not believed, since evidence speaks for
//! itself, and `urls` of a descriptor are never followed.
//!
//! Specs: <https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md> (also what GitHub pushes),
//! `SIGNATURE_SPEC.md` there (`.sig` and `.att` tags).

mod cosign;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::evidence::{Evidence, SIMPLE_SIGNING, Unreadable, bundle, envelope};
use crate::json;
use crate::release::digest::ClaimedDigest;
use crate::release::image::document::UNSIGNED_STATEMENT;

/// Where cosign keeps the signature over a simple-signing payload.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// What a manifest or an index leads to.
pub(super) struct Listing {
    /// Documents that it lists.
    pub(super) manifests: Vec<Descriptor>,
    /// Its layers that are evidence.
    pub(super) layers: Vec<Layer>,
    /// Its layers that are statements which nobody signed: no evidence, and counted.
    pub(super) unsigned: u64,
}

/// An index or a manifest, as far as it leads to evidence.
///
/// A list that is `null` is an empty one, as registries written in Go say it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an image manifest or index")]
struct Document {
    schema_version: Option<IgnoredAny>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<IgnoredAny>,
    layers: Option<Vec<Descriptor>>,
}

/// What names a blob.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a descriptor")]
pub(super) struct Descriptor {
    media_type: String,
    digest: String,
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// A layer that is evidence.
pub(super) struct Layer {
    descriptor: Descriptor,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A bundle: a document as it is.
    Bundle,
    /// An envelope, which a certificate in annotations makes a bundle.
    Envelope,
    /// A payload whose signature is an annotation.
    SimpleSigning,
}

/// Reads a manifest or an index.
pub(super) fn read(bytes: &[u8]) -> Result<Listing, Unreadable> {
    let document: Document = json::decode(bytes)
        .map_err(|error| Unreadable { problem: format!("is not an image manifest or index: {error}") })?;
    if document.manifests.is_some() && (document.config.is_some() || document.layers.is_some()) {
        // What two tools read two ways is refused, as it is of images (CVE-2021-41190).
        return Err(Unreadable { problem: "is both an image manifest and an index".to_owned() });
    }
    let says_nothing = document.manifests.is_none() && document.config.is_none() && document.layers.is_none();
    if says_nothing && document.schema_version.is_none() {
        return Err(Unreadable { problem: "is neither an image manifest nor an index".to_owned() });
    }
    let layers = document.layers.unwrap_or_default();
    let unsigned = layers.iter().filter(|layer| layer.media_type == UNSIGNED_STATEMENT).count();
    let layer = |descriptor: Descriptor| Some(Layer { kind: kind_of(&descriptor.media_type)?, descriptor });
    Ok(Listing {
        manifests: document.manifests.unwrap_or_default(),
        layers: layers.into_iter().filter_map(layer).collect(),
        unsigned: unsigned as u64,
    })
}

/// What kind of evidence a layer is, if it is one.
fn kind_of(media_type: &str) -> Option<Kind> {
    match media_type {
        SIMPLE_SIGNING => Some(Kind::SimpleSigning),
        envelope::MEDIA_TYPE => Some(Kind::Envelope),
        other if other.starts_with(bundle::MEDIA_TYPES) => Some(Kind::Bundle),
        _ => None,
    }
}

/// What a list may call a manifest that has evidence in its layers: by a type of theirs, or by one that tools have
/// for such manifests.
pub(super) fn is_evidence_type(artifact_type: &str) -> bool {
    ARTIFACT_TYPES.contains(&artifact_type) || kind_of(artifact_type).is_some()
}

/// cosign's older signatures and attestations, where it attaches them instead of tagging them; and what it and
/// others call an attestation, whose layer is then the envelope around the statement.
pub(super) const ARTIFACT_TYPES: [&str; 3] = [
    "application/vnd.dev.cosign.artifact.sig.v1+json",
    "application/vnd.dev.cosign.artifact.att.v1+json",
    UNSIGNED_STATEMENT,
];

/// What the types of evidence are made of, in versions and spellings that are not known here; and OCI's word for
/// nothing, which registries say of a manifest without a type.
const EVIDENCE_WORDS: [&str; 6] = ["in-toto", "intoto", "dsse", "sigstore", "cosign", "vnd.oci.empty"];

/// Whether what a list calls so may have evidence in its layers: it is not left out unsaid.
pub(super) fn may_be_evidence_type(artifact_type: Option<&str>) -> bool {
    artifact_type.is_none_or(|said| {
        let said = said.trim().to_ascii_lowercase();
        said.is_empty() || is_evidence_type(&said) || EVIDENCE_WORDS.iter().any(|word| said.contains(word))
    })
}

impl Descriptor {
    /// The digest that it names.
    pub(super) fn digest(&self) -> Result<ClaimedDigest, Unreadable> {
        let parsed = self.digest.parse();
        parsed.map_err(|problem| Unreadable { problem: format!("names a blob by {problem}") })
    }

    /// What a list says that it is: good for choosing what to read first, and proof of nothing.
    pub(super) fn artifact_type(&self) -> Option<&str> {
        self.artifact_type.as_deref()
    }

    /// What stands where the digest should, to be shown as what could not be read.
    pub(super) fn written(&self) -> &str {
        &self.digest
    }
}

impl Layer {
    /// What names it.
    pub(super) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The document of evidence that the layer's bytes are, with what its manifest says beside them.
    pub(super) fn document(&self, bytes: Vec<u8>) -> (Vec<u8>, Option<Unreadable>) {
        let made = match self.kind {
            Kind::Bundle => return (bytes, None),
            Kind::Envelope => self.enveloped(&bytes),
            Kind::SimpleSigning => self.signed(&bytes),
        };
        match made {
            Ok(Some(document)) => (document, None),
            Ok(None) => (bytes, None),
            Err(problem) => (bytes, Some(problem)),
        }
    }

    fn enveloped(&self, envelope: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        let material = self.material()?;
        material.map(|material| cosign::enveloped(&material, envelope)).transpose()
    }

    fn signed(&self, payload: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        let written = self.descriptor.annotations.as_ref().and_then(|all| all.get(SIGNATURE));
        let signature = written.and_then(|text| STANDARD.decode(text).ok());
        let missing = || Unreadable { problem: format!("has no `{SIGNATURE}` in base64 beside it") };
        let signature = signature.ok_or_else(missing)?;
        Ok(Some(match self.material()? {
            None => Evidence::simple_signing(payload, &signature),
            Some(material) => {
                let bundle = cosign::signed(&material, payload, &signature);
                Evidence::certified_simple_signing(payload, &bundle)
            }
        }))
    }

    fn material(&self) -> Result<Option<Value>, Unreadable> {
        self.descriptor.annotations.as_ref().map_or(Ok(None), cosign::material)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_evidence_is_told_from_what_is_clearly_something_else() {
        for known in [
            "application/vnd.in-toto+json",
            "application/vnd.dev.cosign.artifact.att.v1+json",
            "application/vnd.dev.cosign.artifact.sig.v1+json",
            "application/vnd.dsse.envelope.v1+json",
            "application/vnd.dev.sigstore.bundle.v0.3+json",
        ] {
            assert!(is_evidence_type(known) && may_be_evidence_type(Some(known)), "{known}");
        }
        assert!(may_be_evidence_type(None));
        for unknown in [
            "",
            " ",
            "application/vnd.in-toto.bundle",
            "Application/Vnd.DSSE",
            "application/vnd.oci.empty.v1+json",
        ] {
            assert!(!is_evidence_type(unknown) && may_be_evidence_type(Some(unknown)), "{unknown}");
        }
        for other in [
            "application/spdx+json",
            "application/vnd.cyclonedx+json",
            "application/vnd.cncf.notary.signature",
            "application/vnd.oci.image.config.v1+json",
        ] {
            assert!(!may_be_evidence_type(Some(other)), "{other}");
        }
    }

    #[test]
    fn what_is_both_a_manifest_and_an_index_is_neither() {
        assert_eq!(read(b"{}").err().unwrap().problem, "is neither an image manifest nor an index");
        for one in [r#"{"manifests": null, "layers": []}"#, r#"{"manifests": [], "config": null}"#] {
            assert!(read(one.as_bytes()).is_ok(), "{one}");
        }
        for both in [r#"{"manifests": [], "layers": []}"#, r#"{"manifests": [], "config": {}}"#] {
            let problem = read(both.as_bytes()).err().unwrap().problem;
            assert_eq!(problem, "is both an image manifest and an index");
        }
    }
}
