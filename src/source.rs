//! Adapters that read bytes: the only rooms beside the audit store, `cli` and `serve` that do I/O.

mod attached;
pub mod bundle;
pub mod directory;
mod folder;
mod intake;
pub mod manifests;
pub mod oci;
