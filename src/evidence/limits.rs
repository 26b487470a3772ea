//! What intake takes at most, and why. A number without a reason is a bug.
//!
//! The counts of [`LOG_ENTRIES`], [`TIMESTAMPS`], [`SUBJECTS`] and [`DIGESTS`] are those of
//! sigstore-go (<https://github.com/sigstore/sigstore-go>), so that what it takes is taken here.
//! Against endless data: CVE-2024-45395, CVE-2023-46737.

/// Bytes of one bundle or envelope: GitHub stores attestations of up to 16 MiB, and SBOMs are the
/// largest statements there are.
pub const DOCUMENT_BYTES: usize = 16 << 20;

/// Pieces of evidence for one release: a thousand artifacts with a few attestations each.
pub const PIECES: usize = 4096;

/// Bytes of all evidence for one release, held in memory while it is decided; parsed JSON takes up to
/// thirty-two times its bytes (`crate::json`), and a few documents are read at a time, so this bounds the
/// gate to one or two gigabytes, as many as it has threads for.
pub const TOTAL_BYTES: u64 = 64 << 20;

/// Transparency log entries of one bundle; each costs two signatures to verify.
pub const LOG_ENTRIES: usize = 32;

/// Bytes of what a log took of a signature: digests, the signature, a certificate of a few kilobytes.
pub const BODY_BYTES: usize = 64 << 10;

/// RFC 3161 time stamps of one bundle; each costs a certificate chain to verify.
pub const TIMESTAMPS: usize = 32;

/// Certificates of one chain: a leaf, a few intermediates, a root.
pub const CERTIFICATES: usize = 10;

/// Members of one set in a certificate or a time stamp: names and attributes have one, tokens a few. Readers
/// sort them in a time that is quadratic in their number.
pub const SET_MEMBERS: usize = 32;

/// Hashes of one inclusion proof: a tree of 2^64 leaves needs no more.
pub const PROOF_HASHES: usize = 64;

/// Subjects of one statement.
pub const SUBJECTS: usize = 1024;

/// Digests of one subject.
pub const DIGESTS: usize = 32;

/// Keys of trust that are tried against one signature. The key that a hint names comes first, so
/// only a signature without a hint, under a trust of more keys than this, is left unverified.
pub const KEYS_TRIED: usize = 256;

/// Characters of a text that is quoted in a reason: enough to recognise it.
pub const QUOTED: usize = 200;

/// One line of at most [`QUOTED`] characters: what a reason quotes was written by whoever made the
/// evidence, or comes from a library.
pub(crate) fn quoted(text: &str) -> String {
    let mut line: String = text.chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(QUOTED).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_one_bounded_line() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(quoted(&"x".repeat(QUOTED)).chars().count(), QUOTED);
        assert_eq!(quoted(&"x".repeat(QUOTED + 1)).chars().count(), QUOTED + 1);
    }
}
