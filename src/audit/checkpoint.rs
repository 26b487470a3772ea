//! Checkpoints: a log's size and root, signed.
//!
//! In: origin, size and root, or a note that claims them. Out: the signed note, or the checkpoint
//! of a note whose signature holds. Exactly three lines; extension lines are refused.
//! Spec: <https://c2sp.org/tlog-checkpoint>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::secret::SecretKey;

use super::note::{self, NoteError, SignedNote, VerifierKey};
use super::tree::{Hash, Head};

/// What a log says of itself at some size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's origin.
    pub origin: String,
    /// Size and root.
    pub head: Head,
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a note, or none that is signed by a trusted key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The signed text is not the three lines of a checkpoint.
    #[error("is not three lines: origin, size, root in base64")]
    Malformed,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.head.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.head.size)
    }

    /// Reads the signed text.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let read = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            let bytes = STANDARD.decode(root).ok()?.try_into().ok()?;
            let head = Head { size: decimal(size)?, root: Hash::from_bytes(bytes) };
            let whole = lines.next().is_none() && !origin.is_empty();
            whole.then(|| Self { origin: origin.to_owned(), head })
        };
        read().ok_or(CheckpointError::Malformed)
    }

    /// The checkpoint as a note signed by the log's key, whose name is the origin.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn sign(&self, key: &SecretKey) -> Result<String, NoteError> {
        note::sign(&self.text(), &self.origin, key)
    }

    /// The checkpoint of a note that a trusted key signed.
    ///
    /// # Errors
    /// [`CheckpointError`]: no note, no trusted signature that holds, or no checkpoint.
    pub fn open(note: &str, trusted: &[VerifierKey]) -> Result<Self, CheckpointError> {
        Self::parse(SignedNote::parse(note)?.verify(trusted)?)
    }
}

/// A decimal number in its only form: digits without a leading zero.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::corpus;
    use crate::audit::tree::empty_root;

    #[test]
    fn reads_back_what_it_signs() {
        let key = SecretKey::from_ed25519_seed(&[1; 32]).unwrap();
        let checkpoint = Checkpoint {
            origin: "gitops.example.com/prod".into(),
            head: Head { size: 0, root: empty_root() },
        };
        let note = checkpoint.sign(&key).unwrap();
        assert!(
            note.starts_with(
                "gitops.example.com/prod\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— "
            )
        );
        let trusted = VerifierKey::new("gitops.example.com/prod", key.public()).unwrap();
        assert_eq!(Checkpoint::open(&note, &[trusted]).unwrap(), checkpoint);
    }

    #[test]
    fn refuses_other_forms_of_the_same_number_and_other_lines() {
        let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert!(Checkpoint::parse(&format!("a\n7\n{root}\n")).is_ok());
        let wrong = [
            format!("a\n07\n{root}\n"),
            format!("a\n+7\n{root}\n"),
            format!("a\n\n{root}\n"),
            format!("\n7\n{root}\n"),
            format!("a\n7\n{root}"),
            format!("a\n7\n{root}\nextension\n"),
            "a\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n".to_owned(),
            "a\n7\nqg==\n".to_owned(),
            format!("a\n18446744073709551616\n{root}\n"),
        ];
        for text in wrong {
            assert_eq!(Checkpoint::parse(&text), Err(CheckpointError::Malformed), "{text}");
        }
    }

    #[test]
    fn published_checkpoints_hold_or_fail_as_they_say() {
        for case in corpus::cases(&["tlog-checkpoint"]) {
            let text = String::from_utf8(case.text()).unwrap();
            let keys: Vec<VerifierKey> = case.vkeys().iter().filter_map(|key| key.parse().ok()).collect();
            let opened = Checkpoint::open(&text, &keys);
            assert_eq!(opened.is_ok(), case.passes, "{}: {opened:?}", case.id);
            if let (Ok(checkpoint), Some(origin)) = (opened, case.index["origin"].as_str()) {
                assert_eq!(checkpoint.origin, origin, "{}", case.id);
            }
        }
        // The valid ones among these have roots of another length, which RFC 6962 logs never have.
        for case in corpus::cases(&["checkpoint-body"]).iter().filter(|case| !case.passes) {
            let text = String::from_utf8(case.text()).unwrap();
            assert!(Checkpoint::parse(&text).is_err(), "{}", case.id);
        }
    }
}
