//! Files and folders on disk.
//!
//! In: paths that the user named. Out: readers of artifacts ([`Files`]), the evidence in files, folders
//! and OCI layouts ([`EvidenceFolders`]), the files of a policy set ([`read_policy_set`]). Links are
//! followed where a path was named, never below it.

#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "an adapter's tests make the folders that it reads")
)]

mod apart;
mod artifacts;
mod evidence;
mod layout;
mod policies;

pub use apart::lies_within;
pub use artifacts::Files;
pub use evidence::EvidenceFolders;
pub use policies::{PolicyFilesError, read_policy_set};
