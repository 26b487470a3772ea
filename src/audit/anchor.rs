//! Anchors: heads of a log that somebody kept outside of it.
//!
//! In: a file with a signed checkpoint in it, such as one that `laforge audit anchor` wrote, a proof, or a
//! plan's envelope. Out: [`Anchor`], and while a log is verified the answer whether it still holds that head.
//! An anchor that the log's key did not sign is one of another log: the log was replaced, or the anchor was.
//! A log that is shorter than its anchor was cut. `audit-log.md` 1.8.
//! What is kept where is told by a [`Receipt`], which lies in the log itself and is named by an entry: no anchor, but
//! the way to one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::json;
use crate::policy::Caller;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::{self, Timestamp};

use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::event::{AnchorKind, Anchored};
use super::entry::{Body, Event};
use super::error::{AuditError, Damage, Problem};
use super::identity::Identity;
use super::log::AuditLog;
use super::note::NoteError;
use super::proof::TlogProof;
use super::reader::Reader;
use super::recorded::LogReference;
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

/// The log's folder of receipts.
const RECEIPTS: &str = "anchors";

/// More than any receipt has.
const MAX_RECEIPT: u64 = 1024 * 1024;

/// What was kept outside of the log, where, and when: `anchors/<size>-<kind>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The size of the head.
    pub size: u64,
    /// What kind of place it is.
    pub kind: AnchorKind,
    /// Which, as its owner names it: a ref and its commit, a file.
    pub place: String,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// When it was kept, by the keeper's clock.
    #[serde(serialize_with = "time::seconds")]
    pub kept_at: Timestamp,
}

impl Receipt {
    fn bytes(&self) -> Vec<u8> {
        json::canonical(&serde_json::json!(self))
    }
}

/// The names that a receipt may have: another of the same size and kind leaves it the second.
fn names(size: u64, kind: AnchorKind, digest: &ClaimedDigest) -> [String; 2] {
    let (kind, hex) = (kind.name(), digest.hex());
    [format!("{size}-{kind}.json"), format!("{size}-{kind}.{}.json", hex.get(..16).unwrap_or(&hex))]
}

impl AuditLog {
    /// Records that a head of it was kept elsewhere: its receipt is durable first, then the entry.
    ///
    /// # Errors
    /// [`AuditError`]: exit 12 or 13 by its cause; then nothing is recorded, and the anchor is kept all the same.
    pub fn record_anchor(
        &mut self,
        receipt: &Receipt,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<LogReference, AuditError> {
        let bytes = receipt.bytes();
        let digest = Digest::of_bytes(&bytes).claim();
        let folder = self.files.log.sub_or_new(RECEIPTS)?;
        let [name, other] = names(receipt.size, receipt.kind, &digest);
        // An entry may name the one that is there.
        let name =
            if folder.has(&name)? && folder.bytes(&name, MAX_RECEIPT)? != bytes { other } else { name };
        folder.put(&name, &bytes)?;
        let members = Anchored { size: receipt.size, kind: receipt.kind, receipt: digest };
        self.record_event(Body::Anchored(Event::of(caller, members)), &[], caller, now)
    }
}

impl Reader {
    /// The receipt that an entry names; none where no file has its digest.
    ///
    /// # Errors
    /// [`AuditError`] when it can't be read.
    pub fn receipt(&self, anchored: &Anchored) -> Result<Option<Receipt>, AuditError> {
        let log = &self.files.log;
        if !log.has(RECEIPTS)? {
            return Ok(None);
        }
        let folder = log.sub(RECEIPTS)?;
        for name in names(anchored.size, anchored.kind, &anchored.receipt) {
            if !folder.has(&name)? {
                continue;
            }
            let bytes = folder.bytes(&name, MAX_RECEIPT)?;
            if Digest::of_bytes(&bytes).claim() == anchored.receipt {
                let read = serde_json::from_slice(&bytes);
                return read
                    .map(Some)
                    .map_err(|error| Damage::file(folder.show(&name), Problem::Json(error.into())));
            }
        }
        Ok(None)
    }
}

impl Reader {
    /// That the receipt that an entry names is there, and of a head before the entry.
    pub(super) fn check_receipt(&self, seq: u64, anchored: &Anchored) -> Result<(), AuditError> {
        match self.receipt(anchored)? {
            Some(receipt) if receipt.size == anchored.size && anchored.size <= seq => Ok(()),
            _ => {
                let file = format!("{RECEIPTS}/{}-{}.json", anchored.size, anchored.kind.name());
                Err(Damage::file(file, Problem::BlobMissing { entry: seq }))
            }
        }
    }
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

    /// The sizes of those that are not passed yet.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.open.keys().copied()
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
