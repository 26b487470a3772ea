//! A statement alone is no attestation.
use laforge::evidence::attestation::{Attestation, Signed};
use laforge::evidence::statement::Statement;

fn believe(statement: Statement, signed: Signed) -> Attestation {
    Attestation { statement, signed }
}

fn main() {}
