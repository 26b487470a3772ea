//! Intake: everything that was read as evidence, each piece once, within limits (`formats.md` section 5).
//!
//! In: documents with where they came from, and what went wrong on the way. Out: [`Gathered`], ordered
//! by digest whoever was faster. An I/O or network failure is `unreachable`, a document that does not
//! parse `unreadable`, a limit a recorded deny: none of them is silence.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::evidence::limits::{DOCUMENT_BYTES, PIECES, TOTAL_BYTES};
use crate::evidence::{
    BytesOf, Evidence, Gathered, OverLimit, Unreachable, Unreadable, UnreadableFile,
    pack::{self, Unpacked},
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
}

impl Piece {
    fn parse(&self) -> Result<Evidence, Unreadable> {
        Evidence::parse(&self.source, self.bytes.clone())
    }
}

/// Everything that was read so far.
#[derive(Clone)]
pub(super) struct Intake {
    limits: Limits,
    pieces: BTreeMap<Digest, Piece>,
    /// What is no evidence where it lies, whatever its bytes are; they are not kept. The same bytes may lie
    /// elsewhere as well, and there they count: whoever adds a file must not be able to take one away.
    aside: BTreeMap<Digest, UnreadableFile>,
    total: u64,
    ignored: u64,
    /// Sources and causes, each pair once.
    unreachable: BTreeSet<(String, String)>,
    over: Option<OverLimit>,
    /// Whether nothing more is read.
    full: bool,
}

impl Intake {
    pub(super) fn new(limits: Limits) -> Self {
        let (pieces, aside, unreachable) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { limits, pieces, aside, total: 0, ignored: 0, unreachable, over: None, full: false }
    }

    pub(super) fn gathered(&self) -> Gathered {
        let mut gathered = Gathered {
            unreachable: self.unreached(),
            ignored: self.ignored,
            over_limit: self.over.clone(),
            ..Gathered::default()
        };
        let mut aside = self.aside.clone();
        for (digest, piece) in &self.pieces {
            match piece.parse() {
                Ok(evidence) => {
                    aside.remove(digest);
                    gathered.found.push(evidence);
                }
                Err(problem) => {
                    let file = || unreadable(&piece.source, *digest, piece.bytes.len(), problem);
                    aside.entry(*digest).or_insert_with(file);
                }
            }
        }
        gathered.unreadable = aside.into_values().collect();
        gathered
    }

    /// Every document as it was received, by digest; not what is no evidence where it lies.
    pub(super) fn documents(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.values().map(|piece| piece.bytes.as_slice())
    }

    /// Takes one document, or each piece of a pack. With a problem it is no evidence where it lies, such as
    /// a blob under another one's name.
    pub(super) fn take(&mut self, source: &str, bytes: Vec<u8>, problem: Option<Unreadable>) {
        let size = bytes.len();
        if let Some(problem) = problem {
            self.weigh(size);
            return self.set_aside(unreadable(source, Digest::of_bytes(&bytes), size, problem));
        }
        if size as u64 > self.limits.document {
            // Before anything is made of it: a parsed document is many times its bytes.
            let (what, limit) = ("bytes of one piece of evidence", self.limits.document);
            let (source, found) = (Some(source.to_owned()), size as u64);
            return self.exceed(OverLimit { source, what, limit, found });
        }
        if self.is_over() {
            return;
        }
        let Some(Unpacked { pieces, over }) = pack::unpack(&bytes) else {
            self.weigh(size);
            return self.keep(source, bytes);
        };
        if let Some((what, limit)) = over {
            self.exceed(OverLimit::in_file(source.to_owned(), what, limit));
        }
        // What it unpacks to may be more than it is.
        self.weigh(pieces.iter().flatten().map(Vec::len).sum::<usize>().max(size));
        for (at, piece) in pieces.into_iter().enumerate() {
            match piece {
                Ok(piece) => self.keep(&format!("{source}[{at}]"), piece),
                // The pack itself, for its first piece that is none.
                Err(problem) => {
                    self.set_aside(unreadable(source, Digest::of_bytes(&bytes), bytes.len(), problem));
                }
            }
        }
    }

    /// Puts aside what is no evidence where it lies; what else is said of the same bytes adds nothing.
    pub(super) fn set_aside(&mut self, file: UnreadableFile) {
        if !self.is_over() {
            self.aside.entry(file.digest).or_insert(file);
            self.count();
        }
    }

    fn keep(&mut self, source: &str, bytes: Vec<u8>) {
        if !self.is_over() {
            let source = source.to_owned();
            self.pieces.entry(Digest::of_bytes(&bytes)).or_insert(Piece { source, bytes });
            self.count();
        }
    }

    /// Each piece once, however often it lies there.
    fn count(&mut self) {
        let pieces = (self.pieces.len() + self.aside.len()) as u64;
        if pieces > self.limits.pieces {
            self.exceed(OverLimit::by_one("pieces of evidence", self.limits.pieces));
        }
    }

    /// Counts bytes that were read, evidence or what leads to it.
    pub(super) fn weigh(&mut self, bytes: usize) {
        self.total = self.total.saturating_add(bytes as u64);
        if self.total > self.limits.total {
            let (what, limit, found) = ("bytes of evidence", self.limits.total, self.total);
            self.exceed(OverLimit { source: None, what, limit, found });
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

    /// A source that could not be read in full. As many are taken as pieces of evidence are: a file of a few
    /// megabytes names as many that are not there as it likes.
    pub(super) fn unreachable(&mut self, source: &str, cause: &dyn Display) {
        let told = (source.to_owned(), cause.to_string());
        if self.unreachable.contains(&told) {
            return;
        }
        if self.unreachable.len() as u64 >= self.limits.pieces {
            let what = "sources of evidence that can't be read";
            return self.exceed(OverLimit::by_one(what, self.limits.pieces));
        }
        self.unreachable.insert(told);
    }

    fn unreached(&self) -> Vec<Unreachable> {
        let told =
            |(source, cause): &(String, String)| Unreachable { source: source.clone(), cause: cause.clone() };
        self.unreachable.iter().map(told).collect()
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

    /// The first limit that is exceeded is reported. Where all evidence is too much, nothing is read after it;
    /// where one file is too large, the others are, so that what is said of them is true.
    pub(super) fn exceed(&mut self, over: OverLimit) {
        self.full |= over.source.is_none();
        self.over.get_or_insert(over);
    }

    pub(super) fn is_over(&self) -> bool {
        self.full
    }
}

fn unreadable(source: &str, digest: Digest, size: usize, problem: Unreadable) -> UnreadableFile {
    UnreadableFile { source: source.to_owned(), digest, size: size as u64, problem }
}
