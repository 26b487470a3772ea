//! Fuzzes `parsers::image`.
#![no_main]
#![allow(dead_code, unreachable_pub, missing_docs, reason = "one parser of a list that the tests use whole")]

#[path = "../../tests/laforge/parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = parsers::image(bytes);
});
