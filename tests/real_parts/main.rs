//! Real parts beside laforge: a whole private Sigstore instance signs, laforge and cosign judge; haproxy, nginx and
//! Prometheus do what a rollout tells them, before a small service of ours ([`service`]); PostgreSQL is backed up and
//! restored as a contracting migration needs it.
//!
//! Each test runs in a network and process namespace of its own ([`namespace`]), with nothing but its loopback:
//! servers may bind what they like, nothing reaches the network, and nothing outlives the test. The parts are
//! those of `tests/parts` ([`parts`]): without them a test says so in one line and ends, and fails where
//! `LAFORGE_REQUIRE_PARTS` is set.

#![expect(clippy::disallowed_methods, reason = "tests read the world")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(clippy::indexing_slicing, reason = "of JSON whose shape is under test")]
#![expect(unreachable_pub, reason = "modules of one test binary")]

mod either_way;
mod exec;
mod gate;
mod haproxy;
mod images;
mod instance;
mod issuer;
mod namespace;
mod nginx;
mod parts;
mod postgres;
mod prometheus;
mod repository;
mod rollout;
mod server;
mod service;
mod services;
mod table;
mod verdicts;
mod vsa;
