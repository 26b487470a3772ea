//! Facts can't be read back in.
use laforge::verify::facts::VerifiedFacts;

fn read(text: &str) -> VerifiedFacts {
    serde_json::from_str(text).unwrap()
}

fn main() {}
