//! What intake takes at most, and why. A number without a reason is a bug.
//!
//! The counts of [`LOG_ENTRIES`], [`TIMESTAMPS`], [`SUBJECTS`] and [`DIGESTS`] are those of
//! sigstore-go (<https://github.com/sigstore/sigstore-go>), so that what it takes is taken here.
//! Against endless data: CVE-2024-45395, CVE-2023-46737.

use crate::release::shape;

/// Bytes of one bundle or envelope: GitHub stores attestations of up to 16 MiB, and SBOMs are the
/// largest statements there are. A file is looked at as far, for what else it could be taken for.
pub const DOCUMENT_BYTES: usize = shape::MOST;

/// Pieces of evidence for one release: a thousand artifacts with a few attestations each.
pub const PIECES: usize = 4096;

/// Bytes of all evidence for one release, held in memory while it is decided. Parsed, a document takes at most
/// sixty-four times its bytes and [`MAX_MEMORY`](crate::json::MAX_MEMORY). One is parsed after the other, but for
/// statements, of which each thread of the verification has one: 620 MiB were measured with two threads over
/// statements that are nothing but small objects, so that eight, the most there are, take about two gigabytes.
pub const TOTAL_BYTES: u64 = 64 << 20;

/// Bytes that are hashed to find out who signed artifacts. Of these at most 256 MiB are held at a time, so
/// that each of them may have 64 signatures by keys that sign no digest; all of it takes a core half a minute.
pub const HASHED_BYTES: u64 = 16 << 30;

/// Bytes that are hashed for one signature to find out which key of another use made it, for the reason
/// alone: a hundred keys over a statement of a few kilobytes, and none over a large artifact.
pub const REASON_BYTES: u64 = 256 << 10;

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

/// Keys of trust that are tried against one signature. Those whose use fits come first, and of these the
/// one that a hint names, so only a signature without a hint, or a record of approval by a hint that is not
/// trust's, is left unverified under a trust of more keys than this: a recorded deny.
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
