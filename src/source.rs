//! Adapters that read bytes: the only rooms beside the audit store, `cli` and `serve` that do I/O.

pub mod directory;
