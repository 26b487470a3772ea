//! The guard itself, in one process with a world that is scripted: traffic that can be stopped in the middle of
//! a command, metrics that come when they are let, a log that refuses an entry by name.
//!
//! Journal, requests, view, programs and probe are the real ones; time is real, and windows last a second.
//! `orders` has what lands in between, `log` a log that can't be written at each of its entries, `killed` a
//! journal cut at each line and a guard that goes on with it.

#![expect(clippy::disallowed_methods, reason = "tests read the world")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(clippy::indexing_slicing, reason = "of lists whose length is under test")]

mod guarded;
mod killed;
mod log;
mod orders;
mod world;
