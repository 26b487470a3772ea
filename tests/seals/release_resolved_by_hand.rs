//! A resolved release has no default and no other maker than resolving.
use laforge::release::resolved::ResolvedRelease;

fn conjure() -> ResolvedRelease {
    ResolvedRelease::default()
}

fn main() {}
