//! Following: what a log says, line by line, as it grows.
//!
//! In: a log's folder and what it is pinned to. Out: each line once, in order, and then whether all lines so far
//! give the head that the log signed; kept of them are where they are ([`Index`]) and what they are about
//! (the catalog). What was taken of a look that fails is not to be believed. No key, no lock, and of what was read
//! before nothing is read again.

use std::path::PathBuf;

use super::catalog::Catalog;
use super::catalog::brief::Brief;
use super::error::{AuditError, Damage, Problem};
use super::identity::{self, Identity, Pin};
use super::index::Index;
use super::reader::{Line, Reader};
use super::tree::{Hash, leaf_hash};
use crate::workers;

/// Lines that are read at a time.
const BATCH: usize = 1024;

/// Fewer lines than this are not worth a thread.
const FEW: usize = 128;

/// A log that is followed, and which one it has to be.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Its folder.
    pub folder: PathBuf,
    /// The origin that is configured.
    pub origin: Option<String>,
    /// What trust pins: a pin that is about this log has to be this log.
    pub pins: Vec<Pin>,
}

impl Followed {
    /// The log as it is now.
    ///
    /// # Errors
    /// [`AuditError`]: it can't be read, or is another than what is pinned.
    pub fn open(&self) -> Result<Reader, AuditError> {
        let reader = Reader::open(&self.folder)?;
        reader.identity().check(&self.pins, self.origin.as_deref())?;
        Ok(reader)
    }
}

/// A place in a log, and what is known of the lines up to it.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    identity: Option<Identity>,
    index: Index,
    catalog: Catalog,
}

/// A line that was read, hashed, and understood as far as a catalog needs.
pub(crate) struct Read<'a> {
    /// The line.
    pub(crate) line: &'a Line,
    /// What it says.
    pub(crate) brief: Brief<'a>,
    leaf: Hash,
}

impl<'a> Read<'a> {
    /// Reads these lines, parts of many side by side.
    ///
    /// # Errors
    /// [`AuditError`]: one is no entry.
    pub(crate) fn all(lines: &'a [Line]) -> Result<Vec<Self>, AuditError> {
        workers::in_parts(lines, FEW, Self::of).into_iter().collect()
    }

    fn of(line: &'a Line) -> Result<Self, AuditError> {
        let brief = Brief::read(&line.bytes)
            .map_err(|error| Damage::file(format!("entry {}", line.index), Problem::Json(error.into())))?;
        Ok(Self { line, brief, leaf: leaf_hash(&line.bytes) })
    }
}

impl Follower {
    /// Where its lines are.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// What they are about.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The lines that come next, as many as are read at a time; none where all of this reader's are known.
    ///
    /// # Errors
    /// [`AuditError`]: damage, or it is another log than before.
    pub(crate) fn ahead(&self, reader: &Reader) -> Result<Vec<Line>, AuditError> {
        if self.identity.as_ref().is_some_and(|known| known != reader.identity()) {
            return Err(Damage::file(identity::FILE, Problem::Replaced));
        }
        self.index.ahead(reader, BATCH)
    }

    /// Takes the line that comes next.
    pub(crate) fn take(&mut self, reader: &Reader, read: &Read<'_>) {
        if self.identity.is_none() {
            self.identity = Some(reader.identity().clone());
        }
        self.catalog.take(&read.brief);
        self.index.take(reader, read.line, read.leaf);
    }

    /// That what was taken gives the signed head of the reader that it was read with.
    ///
    /// # Errors
    /// [`AuditError`]: it gives another.
    pub(crate) fn check(&self, reader: &Reader) -> Result<(), AuditError> {
        self.index.check(reader)
    }

    /// Reads what is new, and gives the log as of the head that was reached.
    ///
    /// # Errors
    /// [`AuditError`]: the log can't be read, is another one than before, or its lines don't give its head. Then
    /// what follows has to begin anew.
    pub(crate) fn catch_up(
        &mut self,
        log: &Followed,
        mut take: impl FnMut(&Reader, &Read<'_>),
    ) -> Result<Reader, AuditError> {
        let reader = log.open()?;
        loop {
            let lines = self.ahead(&reader)?;
            if lines.is_empty() {
                break;
            }
            for read in Read::all(&lines)? {
                self.take(&reader, &read);
                take(&reader, &read);
            }
        }
        self.check(&reader)?;
        Ok(reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{new_log, noon, open};
    use crate::policy::Caller;

    fn followed(folder: &tempfile::TempDir, origin: Option<&str>) -> Followed {
        Followed { folder: folder.path().join("log"), origin: origin.map(str::to_owned), pins: Vec::new() }
    }

    #[test]
    fn gives_each_line_once_as_the_log_grows() {
        let (folder, _) = new_log(2);
        let mut log = open(folder.path(), noon(0)).unwrap();
        let (at, mut follower, mut seen) = (followed(&folder, None), Follower::default(), Vec::new());
        follower.catch_up(&at, |_, read| seen.push(read.line.index)).unwrap();
        assert_eq!(seen, [0]);
        for second in 1..4 {
            log.heartbeat(&Caller::unknown(), noon(second)).unwrap();
        }
        let reader = follower.catch_up(&at, |_, read| seen.push(read.line.index)).unwrap();
        assert_eq!((seen, follower.index().head()), (vec![0, 1, 2, 3], reader.head()));
        assert_eq!(follower.catalog().len(), 4);
    }

    #[test]
    fn another_log_in_its_place_is_noticed() {
        let (folder, _) = new_log(2);
        let (other, _) = new_log(2);
        assert!(Follower::default().catch_up(&followed(&folder, Some("elsewhere")), |_, _| ()).is_err());
        let mut follower = Follower::default();
        follower.catch_up(&followed(&folder, None), |_, _| ()).unwrap();
        let error = follower.catch_up(&followed(&other, None), |_, _| ()).unwrap_err();
        assert!(matches!(error, AuditError::Damaged(damage) if matches!(damage.problem, Problem::Replaced)));
    }
}
