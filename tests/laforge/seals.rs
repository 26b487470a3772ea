//! What must not compile: each file of `tests/seals` is a sentence that the types forbid.

#[test]
fn seals_hold() {
    trybuild::TestCases::new().compile_fail("tests/seals/*.rs");
}
