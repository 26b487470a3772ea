//! The services: one small HTTP server, bounded in everything that a client can make large or slow, and what it
//! serves.
//!
//! [`server`] takes connections; [`runtime`] answers engines, [`studio`] people. Whoever asks is a [`caller`];
//! errors are RFC 9457 documents ([`problem`]). Same gate, same log as the command line; logs are read through
//! `audit/reader`.

mod caller;
mod problem;
pub mod runtime;
mod server;
pub mod studio;

pub use server::ServeError;
