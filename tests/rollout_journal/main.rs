//! The rollout journal on a real disk, beside the machine alone and a driver that is made up.
//!
//! `guard` walks random histories with restarts, crashes and repeats; `bytes` tears and flips what is
//! on the disk; `ways` has one test for each way to be refused; `samples` drops and reorders events,
//! `verbs` runs the program, and `exits` pins what it ends with.

#![expect(clippy::disallowed_methods, reason = "tests read the world")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(clippy::indexing_slicing, reason = "of lists whose length is under test")]

mod bytes;
mod desk;
mod driver;
mod exits;
mod guard;
mod samples;
mod verbs;
mod ways;
