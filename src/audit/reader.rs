//! Reading: without a key, without the lock, and never past what is signed.
//!
//! In: a log's folder. Out: [`Reader`], a view of the log at one signed head: lines with their
//! typed views, blobs, heads. The order is checkpoint, journal, lines, so that a writer at work is
//! never in the way. Lines are checked by [`verify`](super::verify()), not here; a blob is hashed
//! whenever it is read.

use std::collections::VecDeque;
use std::path::Path;

use crate::release::digest::ClaimedDigest;

use super::entry::rollout::{Milestone, Rollout};
use super::entry::{Body, Entry, EntryError};
use super::error::{AuditError, Damage, Problem};
use super::glance::Glance;
use super::history;
use super::identity::Identity;
use super::journal::{self, Tail};
use super::lines::{Lines, Position, RawLine, segment_name};
use super::log::{Files, NEEDS_REPAIR};
use super::note::VerifierKey;
use super::sweep::{self, Sweep};
use super::tree::{Frontier, Hash, Head, leaf_hash};

/// A log as of one signed head.
#[derive(Debug)]
pub struct Reader {
    pub(super) files: Files,
    pub(super) identity: Identity,
    pub(super) tail: Tail,
    pub(super) end: Position,
}

/// A line that was picked: its place and its hash. They sort as the lines do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Picked {
    at: Position,
    leaf: Hash,
}

/// An entry of a rollout and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutRecord {
    /// Its index.
    pub index: u64,
    /// What happened.
    pub milestone: Milestone,
    /// What it says.
    pub members: Rollout,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its index.
    pub index: u64,
    /// Its exact bytes, without the line feed.
    pub bytes: Vec<u8>,
}

impl Line {
    /// Its leaf hash: the entry's id.
    pub fn leaf(&self) -> Hash {
        leaf_hash(&self.bytes)
    }

    /// Its typed view.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn parse(&self) -> Result<Entry, EntryError> {
        Entry::parse(&self.bytes)
    }
}

impl Reader {
    /// Opens a log at its last signed head.
    ///
    /// # Errors
    /// [`AuditError`]: there is none, or its head does not check out.
    pub fn open(dir: &Path) -> Result<Self, AuditError> {
        let files = Files::open(dir)?;
        let identity = Identity::read(&files.log, &files.entries)?;
        let (tail, _) = files.tail(&identity)?;
        let end = tail.record.end().ok_or_else(|| Damage::file("journal/", Problem::NotARecord))?;
        Ok(Self { files, identity, tail, end })
    }

    /// Which log it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its origin.
    pub fn origin(&self) -> &str {
        self.identity.origin()
    }

    /// Its id.
    pub fn log_id(&self) -> ClaimedDigest {
        self.identity.log_id()
    }

    /// Its key.
    pub fn vkey(&self) -> &VerifierKey {
        self.identity.vkey()
    }

    /// Size and root of its last signed head.
    pub fn head(&self) -> Head {
        self.tail.record.head()
    }

    /// How many entries are committed.
    pub fn size(&self) -> u64 {
        self.head().size
    }

    /// The signed checkpoint of its head.
    pub fn checkpoint(&self) -> &str {
        self.tail.record.note()
    }

    /// The head and the signed checkpoint of an entry's own commit, for an entry that ends one, as a decision does.
    ///
    /// # Errors
    /// [`AuditError`] for damage.
    pub(super) fn commit_of(&self, index: u64) -> Result<Option<(Head, String)>, AuditError> {
        let segment = index - index % self.identity.segment();
        let record = journal::find(&self.files.journal, &self.identity, segment, index + 1)?;
        Ok(record.map(|record| (record.head(), record.note().to_owned())))
    }

    /// Whether a write failed and the log waits for repair; reading goes on.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn needs_repair(&self) -> Result<bool, AuditError> {
        self.files.log.has(NEEDS_REPAIR)
    }

    /// Every committed line, in order.
    pub fn lines(&self) -> impl Iterator<Item = Result<Line, AuditError>> + '_ {
        self.raw(Position::default())
            .map(|line| line.map(|line| Line { index: line.at.index, bytes: line.bytes }))
    }

    pub(super) fn raw(&self, from: Position) -> Lines<'_> {
        Lines::new(&self.files.entries, self.identity.segment(), from, self.end)
    }

    /// The committed line of this index. Reads its segment from its start.
    ///
    /// # Errors
    /// [`AuditError`] for damage on the way.
    pub fn line(&self, index: u64) -> Result<Option<Line>, AuditError> {
        if index >= self.size() {
            return Ok(None);
        }
        let segment = index - index % self.identity.segment();
        for line in self.raw(Position { segment, offset: 0, index: segment }) {
            let line = line?;
            if line.at.index == index {
                return Ok(Some(Line { index, bytes: line.bytes }));
            }
        }
        Err(Damage::file(format!("entries/{}", segment_name(segment)), Problem::Short))
    }

    /// That the committed lines give the signed root: what is read after it is what was recorded.
    ///
    /// # Errors
    /// [`AuditError`] for damage.
    pub fn check(&self) -> Result<(), AuditError> {
        self.swept(|_| (), |(), _, _| Ok(())).map(|_| ())
    }

    /// Picks the lines that are `wanted`, in order: all of them, or as many of the newest. Every line is hashed, and
    /// none counts before all give the signed root; so a line that nobody wants is not read any further. Its `prev`
    /// adds nothing to that: the root fixes every byte of every line, and with them each `prev`.
    ///
    /// # Errors
    /// [`AuditError`] for damage; a line that is refused is damage, too.
    pub fn pick(
        &self,
        most: Option<usize>,
        wanted: impl Fn(u64, &[u8]) -> Result<bool, EntryError> + Sync,
    ) -> Result<Vec<Picked>, AuditError> {
        let segments = self.swept(
            |_| VecDeque::new(),
            |picks: &mut VecDeque<Picked>, line, leaf| {
                if wanted(line.at.index, &line.bytes).map_err(|error| line.damaged(error))? {
                    picks.push_back(Picked { at: line.at, leaf });
                }
                if most.is_some_and(|most| picks.len() > most) {
                    picks.pop_front();
                }
                Ok(())
            },
        )?;
        let mut picks: Vec<Picked> = segments.into_iter().flatten().collect();
        picks.drain(..picks.len().saturating_sub(most.unwrap_or(usize::MAX)));
        Ok(picks)
    }

    /// The lines that were picked, in their order, read again: each has to be the one that was hashed. For a great
    /// many, a part at a time.
    ///
    /// # Errors
    /// [`AuditError`] for damage.
    pub fn picked(&self, picks: &[Picked]) -> Result<Vec<Line>, AuditError> {
        let mut lines: Option<Lines<'_>> = None;
        let mut line = RawLine::default();
        let mut found = Vec::with_capacity(picks.len());
        for pick in picks {
            let near = lines.take().filter(|lines| lines.is_near(&pick.at));
            let mut near = near.unwrap_or_else(|| self.raw(pick.at));
            while near.read(&mut line)? && line.at.index < pick.at.index {}
            if line.at != pick.at || leaf_hash(&line.bytes) != pick.leaf {
                return Err(line.damaged(Problem::Root));
            }
            found.push(Line { index: line.at.index, bytes: std::mem::take(&mut line.bytes) });
            lines = Some(near);
        }
        Ok(found)
    }

    /// The leaf hash of every committed line, which together give the signed root.
    ///
    /// # Errors
    /// [`AuditError`] for damage.
    pub fn leaves(&self) -> Result<Vec<Hash>, AuditError> {
        let take = |leaves: &mut Vec<Hash>, _: &RawLine, leaf| {
            leaves.push(leaf);
            Ok(())
        };
        Ok(self.swept(|_| Vec::new(), take)?.concat())
    }

    /// What is taken of each segment, once all lines give the signed root.
    fn swept<T: Send>(
        &self,
        begin: impl Fn(Position) -> T + Sync,
        take: impl Fn(&mut T, &RawLine, Hash) -> Result<(), AuditError> + Sync,
    ) -> Result<Vec<T>, AuditError> {
        let mut frontier = Frontier::default();
        let swept = self.sweep(Vec::new()).run(begin, take)?;
        let found = sweep::fold(swept, &mut frontier, |_| Ok(()))?;
        match frontier.root() == self.head().root {
            true => Ok(found),
            false => Err(Damage::file("entries/", Problem::Root)),
        }
    }

    /// A sweep over all of it.
    pub(super) fn sweep(&self, sizes: Vec<u64>) -> Sweep<'_> {
        let (entries, segment) = (&self.files.entries, self.identity.segment());
        Sweep { entries, segment, from: Position::default(), end: self.end, sizes }
    }

    /// What the log says of rollouts, in order: each entry anchors its journal.
    ///
    /// # Errors
    /// [`AuditError`] for damage, and for an entry of a rollout that can't be read.
    pub fn rollouts(&self) -> Result<Vec<RolloutRecord>, AuditError> {
        let take = |found: &mut Vec<RolloutRecord>, line: &RawLine, _| {
            let is_one = match Glance::at(&line.bytes) {
                Some(glance) => Milestone::of(glance.kind).is_some(),
                None => Milestone::of(&history::Brief::of(line)?.kind).is_some(),
            };
            if is_one
                && let entry = Entry::parse(&line.bytes).map_err(|error| line.damaged(error))?
                && let Body::Rollout(milestone, event) = entry.body
            {
                found.push(RolloutRecord { index: entry.seq, milestone, members: event.members });
            }
            Ok(())
        };
        Ok(self.swept(|_| Vec::new(), take)?.into_iter().flatten().collect())
    }

    /// A blob's bytes, hashed again.
    ///
    /// # Errors
    /// [`AuditError`] when it can't be read or its bytes are not those of its digest.
    pub fn blob(&self, digest: &ClaimedDigest) -> Result<Option<Vec<u8>>, AuditError> {
        self.files.blobs.read(digest)
    }
}

#[cfg(test)]
mod tests;
