//! The studio as people meet it: served for real, read as bytes and in a real browser.
//!
//! `pages` reads each page, `attacks` tries what it must not do, `faults` spoils the log below it; `flows` clicks
//! through it in Chromium, with `axe` looking on, and leaves pictures in `target/studio-screenshots`. Without a
//! browser those tests say so in a line, unless `LAFORGE_REQUIRE_PARTS` is set.

#![expect(clippy::disallowed_methods, reason = "tests read the world")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]
#![expect(clippy::indexing_slicing, reason = "of values whose form is under test")]

mod attacks;
mod chromium;
mod desk;
mod faults;
mod flows;
mod journal;
mod pages;
mod sign_in;
