//! Adapters that read bytes: the only rooms beside the audit store, `cli` and `serve` that do I/O.
//!
//! In: paths and repositories that the user named. Out: bytes, for the rooms that judge them:
//! [`directory`] reads files, folders and OCI layouts, [`oci`] registries, [`release_bundle`] what was collected
//! of one release, [`manifests`] rendered manifests; [`gathering`] is all evidence together. They share
//! `folder` (folders without links), `attached` (evidence in artifact manifests) and `intake` (everything taken in, within limits).

mod attached;
pub mod directory;
mod folder;
pub mod gathering;
mod intake;
pub mod manifests;
pub mod oci;
pub mod release_bundle;
#[cfg(test)]
mod sample;
