//! What `render` prints, beside those who have to take it: the engines' own schemas, and a real API server.
//!
//! The manifests are those of `tests/kubernetes/manifests/`, which the renderers' own tests make, and those of
//! `deploy/`. Schemas need the shared corpus ([`schemas`]); the control plane ([`control_plane`]) and Argo Rollouts are
//! built by `tests/parts/{kubernetes,rollouts}/build` and run in a namespace of each test's own. Without them a test
//! says so in one line and ends, and fails where `LAFORGE_REQUIRE_CORPUS` or `LAFORGE_REQUIRE_PARTS` is set.

#![expect(clippy::disallowed_methods, reason = "tests read the world")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(clippy::indexing_slicing, reason = "of JSON whose shape is under test")]
#![expect(unreachable_pub, reason = "modules of one test binary")]

mod admitted;
mod chart;
mod control_plane;
mod deployed;
mod documented;
mod images;
mod manifests;
#[expect(dead_code, reason = "the half of it that is for programs of the machine is of use elsewhere")]
#[path = "../real_parts/namespace.rs"]
mod namespace;
mod nodes;
mod parts;
mod pods;
mod released;
mod rollouts;
mod schemas;
#[expect(dead_code, reason = "signals are of use elsewhere")]
#[path = "../real_parts/server.rs"]
mod server;
#[expect(dead_code, reason = "a service in a process of its own is of use elsewhere")]
#[path = "../real_parts/service.rs"]
mod service;
mod walked;
mod webhook;
