//! Intake: everything that was read as evidence, each piece once, within limits (`formats.md` section 5).
//!
//! In: documents with where they came from, and what went wrong on the way. Out: [`Gathered`], ordered
//! by digest whoever was faster. An I/O or network failure is `unreachable`, a document that does not
//! parse `unreadable`, a limit a recorded deny: none of them is silence.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::evidence::limits::{DOCUMENT_BYTES, PIECES, TOTAL_BYTES};
use crate::evidence::{
    BytesOf, Evidence, Gathered, OverLimit, Unreachable, Unreadable, UnreadableFile, pack,
};
use crate::release::digest::{Algorithms, Digest};
use crate::trust::TrustRoot;

/// What intake takes at most.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) pieces: u64,
    pub(super) document: u64,
    pub(super) total: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pieces: PIECES as u64, document: DOCUMENT_BYTES as u64, total: TOTAL_BYTES }
    }
}

/// One document, and where it came from.
#[derive(Clone)]
struct Piece {
    source: String,
    bytes: Vec<u8>,
    /// Known to be no evidence before anyone parses it.
    problem: Option<Unreadable>,
}

impl Piece {
    fn parse(&self) -> Result<Evidence, Unreadable> {
        match &self.problem {
            Some(problem) => Err(problem.clone()),
            None => Evidence::parse(&self.source, self.bytes.clone()),
        }
    }
}

/// Everything that was read so far.
#[derive(Clone)]
pub(super) struct Intake {
    limits: Limits,
    pieces: BTreeMap<Digest, Piece>,
    /// What was found out to be no evidence before it got here; its bytes are not kept.
    aside: BTreeMap<Digest, UnreadableFile>,
    taken: u64,
    total: u64,
    ignored: u64,
    unreachable: Vec<Unreachable>,
    over: Option<OverLimit>,
}

impl Intake {
    pub(super) fn new(limits: Limits) -> Self {
        let (pieces, aside, unreachable) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { limits, pieces, aside, taken: 0, total: 0, ignored: 0, unreachable, over: None }
    }

    pub(super) fn gathered(&self) -> Gathered {
        let mut gathered = Gathered {
            unreachable: self.unreachable.clone(),
            ignored: self.ignored,
            over_limit: self.over.clone(),
            unreadable: self.aside.values().cloned().collect(),
            ..Gathered::default()
        };
        for (digest, piece) in self.pieces.iter().filter(|(digest, _)| !self.aside.contains_key(digest)) {
            match piece.parse() {
                Ok(evidence) => gathered.found.push(evidence),
                Err(problem) => gathered.unreadable.push(UnreadableFile {
                    source: piece.source.clone(),
                    digest: *digest,
                    size: piece.bytes.len() as u64,
                    problem,
                }),
            }
        }
        gathered.unreadable.sort_by_key(|file| file.digest);
        gathered
    }

    /// Every document as it was received, by digest.
    pub(super) fn documents(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.values().map(|piece| piece.bytes.as_slice())
    }

    /// Takes one document, or each piece of a pack.
    pub(super) fn take(&mut self, source: &str, bytes: Vec<u8>, problem: Option<Unreadable>) {
        let pieces = if problem.is_none() { pack::unpack(&bytes) } else { None };
        let Some(pieces) = pieces else { return self.take_piece(source, bytes, problem) };
        let mut problem = None;
        for (at, piece) in pieces.into_iter().enumerate() {
            match piece {
                Ok(piece) => self.take_piece(&format!("{source}[{at}]"), piece, None),
                Err(first) => problem = problem.or(Some(first)),
            }
        }
        if problem.is_some() {
            self.take_piece(source, bytes, problem); // the pack itself, for its first piece that is none
        }
    }

    /// Puts aside what is known to be no evidence; what else is said of the same bytes adds nothing.
    pub(super) fn set_aside(&mut self, file: &UnreadableFile) {
        self.aside.entry(file.digest).or_insert_with(|| file.clone());
    }

    /// Takes one document, while there are not too many.
    fn take_piece(&mut self, source: &str, bytes: Vec<u8>, problem: Option<Unreadable>) {
        if self.is_over() {
            return;
        }
        self.taken += 1;
        if self.taken > self.limits.pieces {
            return self.exceed("pieces of evidence", self.limits.pieces, self.taken);
        }
        self.weigh(bytes.len());
        if !self.is_over() {
            let piece = Piece { source: source.to_owned(), bytes, problem };
            self.pieces.entry(Digest::of_bytes(&piece.bytes)).or_insert(piece);
        }
    }

    /// Counts bytes that were read, evidence or what leads to it.
    pub(super) fn weigh(&mut self, bytes: usize) {
        self.total = self.total.saturating_add(bytes as u64);
        if self.total > self.limits.total {
            self.exceed("bytes of evidence", self.limits.total, self.total);
        }
    }

    /// The most bytes that one document may have.
    pub(super) fn document_limit(&self) -> u64 {
        self.limits.document
    }

    /// The most bytes that all of them may have.
    pub(super) fn total_limit(&self) -> u64 {
        self.limits.total
    }

    /// Counts what is of no kind of evidence.
    pub(super) fn ignore(&mut self, count: u64) {
        self.ignored = self.ignored.saturating_add(count);
    }

    /// A source that could not be read in full.
    pub(super) fn unreachable(&mut self, source: &str, cause: &dyn Display) {
        self.unreachable.push(Unreachable { source: source.to_owned(), cause: cause.to_string() });
    }

    /// The algorithms that artifacts have to be read with, so that all of this can be held to them.
    pub(super) fn algorithms(&self) -> Algorithms {
        let names_longer = |piece: &Piece| piece.parse().is_ok_and(|it| it.names_longer_digest());
        if self.pieces.values().any(names_longer) { Algorithms::Sha2 } else { Algorithms::Sha256 }
    }

    /// The artifacts whose bytes some of this may be over.
    pub(super) fn bytes_wanted(&self, trust: &TrustRoot) -> Vec<BytesOf> {
        self.pieces.values().filter_map(|piece| piece.parse().ok()?.wants_bytes(trust)).collect()
    }

    /// The first limit that is exceeded is reported; nothing is read after it.
    pub(super) fn exceed(&mut self, what: &'static str, limit: u64, found: u64) {
        self.over.get_or_insert(OverLimit { what, limit, found });
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }
}
