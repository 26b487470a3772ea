//! Random bytes, from the system.
//!
//! In: how many. Out: their hex digits. The cryptographic library's own generator takes 30 ms to gather its first
//! entropy, more than all the rest of an append.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// `N` random bytes as hex, at most 256: so many come whole (`getrandom(2)`).
///
/// # Errors
/// The system gives none.
pub(crate) fn hex<const N: usize>() -> io::Result<String> {
    let mut bytes = [0; N];
    match getrandom(&mut bytes, GetRandomFlags::empty())? {
        filled if filled == N => Ok(hex::encode(bytes)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn gives_as_many_as_are_asked_for_and_others_each_time() {
        let (one, two) = (super::hex::<16>().unwrap(), super::hex::<16>().unwrap());
        assert_eq!((one.len(), two.len()), (32, 32));
        assert_ne!(one, two);
    }
}
