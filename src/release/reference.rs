//! Image references: the repository and the digest; a tag is dropped, because it names no bytes.
//!
//! Spec: <https://github.com/distribution/reference>. Not checked: whether a registry has it.

use std::str::FromStr;

use super::digest::{ClaimedDigest, DigestError};

/// `repository[:tag][@sha256:…]`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// The repository, without tag or digest.
    pub repository: String,
    /// The digest, if the reference has one.
    pub digest: Option<ClaimedDigest>,
}

/// A text that is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Not a repository's name.
    #[error("`{0}` is not an image reference: expected `repository@sha256:…`")]
    Malformed(String),
    /// What follows `@` is no digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let refuse = || ReferenceError::Malformed(text.to_owned());
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let repository = match name.rsplit_once(':') {
            // A colon before the last slash parts a host from its port.
            Some((before, tag)) if !tag.contains('/') => {
                if is_tag(tag) {
                    before
                } else {
                    return Err(refuse());
                }
            }
            _ => name,
        };
        if !is_repository(repository) {
            return Err(refuse());
        }
        Ok(Self { repository: repository.to_owned(), digest })
    }
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    !text.is_empty() && text.len() <= 128 && text.bytes().all(word) && !text.starts_with(['.', '-'])
}

fn is_repository(text: &str) -> bool {
    let host = text.split_once('/').map_or("", |(host, _)| host);
    let is_host = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_'))
    };
    let is_path = |part: &str| {
        part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    let path = if host.is_empty() { text } else { text.get(host.len() + 1..).unwrap_or_default() };
    is_host(host) && path.split('/').all(is_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn drops_the_tag_and_keeps_the_port() {
        for (text, repository) in [
            ("payments", "payments"),
            ("payments:2.4.0", "payments"),
            ("registry.example/payments", "registry.example/payments"),
            ("registry.example:5000/acme/payments:v1", "registry.example:5000/acme/payments"),
            ("localhost:5000/a/b__c", "localhost:5000/a/b__c"),
        ] {
            let plain: ImageReference = text.parse().unwrap();
            assert_eq!(plain, ImageReference { repository: repository.into(), digest: None });
            let pinned: ImageReference = format!("{text}@{DIGEST}").parse().unwrap();
            assert_eq!(pinned.repository, repository);
            assert_eq!(pinned.digest.unwrap().to_string(), DIGEST);
        }
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for text in [
            "",
            ":x",
            "a:",
            "a b",
            "A",
            "a//b",
            "/a",
            "a/",
            "a/../b",
            "https://a/b",
            "a:b@c",
            "a@sha256:00",
            "a:-x",
        ] {
            assert!(text.parse::<ImageReference>().is_err(), "{text}");
        }
    }
}
