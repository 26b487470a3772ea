//! An approval can't be copied.
use laforge::audit::Approved;

fn copy(approved: &Approved) -> Approved {
    approved.clone()
}

fn main() {}
