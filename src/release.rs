//! The release: what is asked for, as a person wrote it.

pub mod digest;
