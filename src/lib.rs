//! Verify, decide, record, and only then roll out.
//!
#![doc = include_str!("../README.md")]
//!
//! # For readers of the code
//!
//! Read [`gate`] first: the whole pre-flight stands there on one page, in the order of the data.

pub mod audit;
pub mod cli;
pub mod config;
pub mod evidence;
pub mod gate;
pub mod json;
pub mod key;
mod network;
pub mod plan;
pub mod policy;
mod random;
pub mod release;
pub mod report;
pub mod rollout;
pub mod serve;
pub mod signing;
pub mod source;
pub mod time;
pub mod trust;
pub mod verify;
mod wording;
mod workers;
pub mod yaml;
