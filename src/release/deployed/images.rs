//! An image of a container: pinned by a digest, or the reason why it can't be let through.
//!
//! In: the reference as it is written. Out: its repository and digest, or [`Reason`].
//! Not checked: whether a registry has it.

use super::super::name::{self, MAX_ARTIFACT_NAME};
use super::super::reference::{ImageReference, ReferenceError};
use crate::yaml::Place;

/// Characters of a text that a reason quotes.
const QUOTED: usize = 200;

/// A container whose image no digest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpinned {
    /// Where in the manifests, such as `Deployment/payments container app`.
    pub container: String,
    /// The place of the image, or of the container that has none.
    pub place: Place,
    /// What is wrong.
    pub reason: Reason,
}

/// Why an image is not pinned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A tag, or nothing, where a digest belongs.
    #[error("image `{image}` has no digest")]
    NoDigest {
        /// The reference as written.
        image: String,
    },
    /// Not a reference.
    #[error(transparent)]
    Malformed(ReferenceError),
    /// A reference that is too long to be an artifact's name.
    #[error("image `{image}` is longer than an artifact's name may be")]
    TooLong {
        /// The reference, shortened.
        image: String,
    },
    /// No image where there must be one, or one that something in the cluster fills in.
    #[error("names no image, so that something in the cluster would choose one")]
    NoImage,
    /// Pods that another object describes, which is not among these manifests.
    #[error("takes its Pods from `{workload}`, which is not among these manifests")]
    Elsewhere {
        /// The other object.
        workload: String,
    },
}

impl Reason {
    /// How to mend it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoDigest { .. } => {
                "a tag can be moved: write `repository@sha256:…`, as `kustomize edit set image` or the pipeline that built it can"
            }
            Self::Malformed(_) | Self::TooLong { .. } => "write `repository@sha256:…`",
            Self::NoImage => "name the image that it runs as `repository@sha256:…`",
            Self::Elsewhere { .. } => "render that object along with this one",
        }
    }
}

/// Reads a reference as a container's image.
pub(super) fn pinned(text: &str) -> Result<ImageReference, Reason> {
    if text.trim().is_empty() {
        return Err(Reason::NoImage);
    }
    let quoted = || shortened(text);
    let reference: ImageReference = match text.parse() {
        Ok(reference) => reference,
        Err(ReferenceError::Malformed(_)) => {
            return Err(Reason::Malformed(ReferenceError::Malformed(quoted())));
        }
        Err(error) => return Err(Reason::Malformed(error)),
    };
    let Some(digest) = &reference.digest else { return Err(Reason::NoDigest { image: quoted() }) };
    match name::check(&format!("{}@{digest}", reference.repository), MAX_ARTIFACT_NAME) {
        Ok(()) => Ok(reference),
        Err(_) => Err(Reason::TooLong { image: quoted() }),
    }
}

/// What was written by somebody, as a message may hold it.
pub(super) fn shortened(text: &str) -> String {
    let mut line: String = text.chars().take(QUOTED).collect::<String>().escape_debug().collect();
    if text.chars().nth(QUOTED).is_some() {
        line.push('…');
    }
    line
}
