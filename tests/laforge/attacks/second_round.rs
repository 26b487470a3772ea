//! The second round: images, manifests, bundles, other builders' provenance.
//!
//! The attacker owns the build job, as in the room above: artifacts, release, manifests and evidence, the
//! registry, and the key of the signer `ci`, which trust lists for attestations alone.

mod images;
mod manifests;
mod packs;
mod provenance;
