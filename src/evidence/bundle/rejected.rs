//! The library's errors in our words: which part failed, and its own detail in one line.

use sigstore::{CertificateError, Error, TimestampError};

use crate::evidence::limits::quoted;
use crate::evidence::rejection::Rejection;

/// Why the library did not take a bundle.
pub(super) fn because(error: Error) -> Rejection {
    let whole = quoted(&error.to_string());
    match error {
        Error::SignatureInvalid(detail) => Rejection::BadSignature { detail: quoted(&detail) },
        Error::Certificate(CertificateError::Sct(detail)) => bad("SCT", quoted(&detail)),
        Error::Certificate(_) | Error::TrustedCertificate(_) => bad("certificate", whole),
        Error::Timestamp(TimestampError::NoVerifiedTimestamp(_)) => Rejection::NoTrustedTime {
            detail: "wanted a log entry's time or a time stamp, got neither".to_owned(),
        },
        Error::Timestamp(_) => bad("time stamp", whole),
        Error::TransparencyLog(_) | Error::Bundle(_) => bad("log entry", whole),
        Error::InvalidTrustRoot(detail) => bad("root", quoted(&detail)),
        // The library has one error for both; only its words tell them apart.
        Error::ArtifactMismatch(detail) if detail.contains("entry") => {
            bad("log entry", format!("wanted one of this signature, got another's: {}", quoted(&detail)))
        }
        Error::ArtifactMismatch(detail) => Rejection::WrongSubject { got: quoted(&detail) },
        Error::UnsupportedArtifact(_) => Rejection::WrongUse {
            detail: format!("wanted a DSSE envelope or a digest that is at hand, got {whole}"),
        },
        _ => Rejection::Unreadable { problem: whole },
    }
}

fn bad(part: &'static str, detail: String) -> Rejection {
    Rejection::BadMaterial { part, detail }
}
