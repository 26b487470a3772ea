//! The services: one small HTTP server, bounded in everything that a client can make large or slow, and what it
//! serves.
//!
//! [`server`] takes connections; [`runtime`] answers programs, [`studio`] people. Whoever asks is a [`caller`], whom
//! a [`login`] let in; errors are RFC 9457 documents ([`problem`]). Same gate, same log as the command line; logs are
//! read through `audit/reader`.

mod access;
mod body;
mod caller;
mod journal;
mod keeper;
pub mod login;
pub mod metrics;
mod problem;
pub mod runtime;
mod server;
pub mod studio;
pub mod traces;

pub use caller::Kind;
pub use server::{Certificate, ServeError, TlsError};

/// Where the journals of this machine's guard are.
#[derive(Debug, Clone)]
pub struct RolloutsAt {
    /// The executor's state folder.
    pub state: std::path::PathBuf,
    /// The target.
    pub target: String,
}
