//! Evidence shows no payload before somebody's signature over it held.
use laforge::evidence::Evidence;
use laforge::evidence::statement::Statement;

fn peek(evidence: &Evidence) -> &Statement {
    evidence.statement()
}

fn main() {}
