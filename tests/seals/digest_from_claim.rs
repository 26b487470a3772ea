//! A digest that somebody wrote down can't stand where a reading should.
use laforge::release::digest::{ArtifactDigest, ClaimedDigest};

fn believe(claim: ClaimedDigest) -> ArtifactDigest {
    claim.into()
}

fn main() {}
