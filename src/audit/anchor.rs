//! Anchors: heads of a log that somebody kept outside of it.
//!
//! In: a file with a signed checkpoint in it, such as one that `laforge audit anchor` wrote, a proof, or a
//! plan's envelope. Out: [`Anchor`], and while a log is verified the answer whether it still holds that head.
//! An anchor that the log's key did not sign is one of another log: the log was replaced, or the anchor was.
//! A log that is shorter than its anchor was cut. `audit-log.md` 1.8.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::error::{AuditError, Damage, Problem};
use super::identity::Identity;
use super::note::NoteError;
use super::proof::TlogProof;
use super::tree::{Frontier, Hash};

/// A signed checkpoint and where it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    source: String,
    note: String,
}

/// Bytes with no checkpoint in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{source_name}` is no anchor: neither a signed checkpoint, nor a proof or plan that carries one")]
pub struct AnchorError {
    source_name: String,
}

/// What an envelope carries its checkpoint in.
#[derive(Deserialize)]
struct Carrier {
    proof: String,
}

impl Anchor {
    /// The checkpoint in a file of this name. Only its form is looked at: who signed it is for the log to say.
    ///
    /// # Errors
    /// [`AnchorError`] where there is none.
    pub fn read(source: &str, bytes: &[u8]) -> Result<Self, AnchorError> {
        let refuse = || AnchorError { source_name: source.to_owned() };
        let text = std::str::from_utf8(bytes).map_err(|_| refuse())?;
        let proof = serde_json::from_str::<Carrier>(text).map(|carrier| carrier.proof).ok();
        let proof = proof.as_deref().unwrap_or(text).parse::<TlogProof>();
        let note = proof.map_or_else(|_| text.to_owned(), |proof| proof.checkpoint);
        match Checkpoint::open(&note, &[]) {
            // Nobody is trusted yet, so a note is one that nobody trusted signed.
            Err(CheckpointError::Note(NoteError::Untrusted)) => Ok(Self { source: source.to_owned(), note }),
            _ => Err(refuse()),
        }
    }

    /// The signed checkpoint.
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// The anchors that a log is held against, while its tree is built.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    open: BTreeMap<u64, Vec<(Hash, String)>>,
    held: u64,
    newest: u64,
}

impl Anchors {
    /// Of the log with this identity, which must have signed each of them.
    pub(super) fn of(anchors: &[Anchor], identity: &Identity) -> Result<Self, AuditError> {
        let mut open: BTreeMap<u64, Vec<(Hash, String)>> = BTreeMap::new();
        for Anchor { source, note } in anchors {
            let foreign = |error| Damage::file(source.clone(), Problem::ForeignAnchor(error));
            let trusted = std::slice::from_ref(identity.vkey());
            let Checkpoint { origin, head } = Checkpoint::open(note, trusted).map_err(foreign)?;
            if origin != identity.origin() {
                let expected = identity.origin().to_owned();
                return Err(Damage::file(source.clone(), Problem::Origin { expected, found: origin }));
            }
            open.entry(head.size).or_default().push((head.root, source.clone()));
        }
        Ok(Self { open, held: 0, newest: 0 })
    }

    /// Holds the anchors of this size against the log's root.
    pub(super) fn pass(&mut self, frontier: &Frontier) -> Result<(), AuditError> {
        let size = frontier.size();
        let Some(anchors) = self.open.remove(&size) else { return Ok(()) };
        for (root, source) in anchors {
            if root != frontier.root() {
                return Err(Damage::file("entries/", Problem::Anchor { size, anchor: source }));
            }
            (self.held, self.newest) = (self.held + 1, size);
        }
        Ok(())
    }

    /// That the log was long enough for all of them.
    pub(super) fn finish(&self) -> Result<(), AuditError> {
        match self.open.iter().next_back() {
            Some((size, anchors)) => {
                let anchor = anchors.first().map(|(_, source)| source.clone()).unwrap_or_default();
                Err(Damage::file("entries/", Problem::Anchor { size: *size, anchor }))
            }
            None => Ok(()),
        }
    }

    /// How many the log holds.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// The largest size among them.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_checkpoint_wherever_it_is_carried() {
        let note = "a.example\n9\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— a.example AAAAAAAA\n";
        let proof = TlogProof { index: 5, extra: None, hashes: vec![], checkpoint: note.to_owned() };
        let plan = serde_json::json!({"plan": {}, "proof": proof.to_string()});
        for bytes in [note.to_owned(), proof.to_string(), plan.to_string()] {
            assert_eq!(Anchor::read("a", bytes.as_bytes()).unwrap().note(), note);
        }
    }

    #[test]
    fn refuses_what_carries_none() {
        for bytes in [&b""[..], b"\xff", b"{}", b"{\"proof\": \"x\"}", b"a.example\n9\n"] {
            assert_eq!(Anchor::read("a", bytes), Err(AnchorError { source_name: "a".to_owned() }));
        }
    }
}
