//! The audit log: append-only, tamper-evident, and the only way from a decision to an approval.
//!
//! In: a [`Decision`](crate::policy::Decision), by value. Out: [`Recorded`], after fsync.
//! Layout, hashes, protocol and recovery: `audit-log.md` 1.2 to 1.7; entry line: `formats.md` 9.

pub mod anchor;
mod append;
mod blob;
pub(crate) mod catalog;
pub mod chain;
pub mod checkpoint;
mod commit;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod crash;
pub mod entry;
pub mod error;
pub mod filter;
pub mod follow;
mod glance;
mod history;
pub mod identity;
pub mod inception;
pub mod index;
mod journal;
pub mod keep;
mod lines;
mod lock;
pub mod log;
mod memory;
pub mod note;
pub mod proof;
pub mod reader;
pub mod recorded;
mod recovery;
#[cfg(test)]
mod sample;
mod store;
mod sweep;
mod tip;
pub mod tree;
pub mod verify;

pub use anchor::Anchor;
pub use error::{AppendError, AuditError, Damage, ExitClass, Problem};
pub use filter::{Filter, FilterError, TYPES};
pub use identity::{Identity, Pin, Pinned};
pub use inception::{Created, NewLog, Unless};
pub use index::Index;
pub use keep::{Keeping, Kept};
pub use log::{AuditLog, LogConfig, Warning};
pub use memory::Fork;
pub use reader::Reader;
pub use recorded::{Approved, LogReference, Recorded, Refused, Rehearsed};
pub use verify::{Checked, Expectations, Report, verify, verify_fast, verify_range, verify_watched};
