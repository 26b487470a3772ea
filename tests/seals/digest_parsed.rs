//! The digest of an artifact can't be parsed.
use laforge::release::digest::ArtifactDigest;

fn parse(text: &str) -> ArtifactDigest {
    text.parse().unwrap()
}

fn main() {}
