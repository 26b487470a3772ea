//! The fourth round: evidence that is made to cost time or memory before anybody knows whose it is, and sources
//! that are somebody else's under a name that looks like ours.
//!
//! The attacker owns the build job, as in the room above; where a test says so, they also hold the key of the
//! signer `ci`, or may tell an honest builder from where to fetch.

mod costs;
mod sources;
