//! Following: what a log says, line by line, as it grows.
//!
//! In: a log's folder and what it is pinned to. Out: each line once, in order, and then whether all lines so far
//! give the head that the log signed. What was taken of a look that fails is not to be believed. No key, no lock,
//! and of what was read before nothing is read again.

use std::path::PathBuf;

use super::error::{AuditError, Damage, Problem};
use super::identity::{Identity, Pin};
use super::lines::Position;
use super::reader::{Line, Reader};
use super::tree::{Frontier, Hash, leaf_hash};

/// A place in a log, up to which it is known.
#[derive(Debug)]
pub struct Follower {
    folder: PathBuf,
    origin: Option<String>,
    pins: Vec<Pin>,
    identity: Option<Identity>,
    at: Position,
    frontier: Frontier,
}

impl Follower {
    /// From the log's first line on. What is pinned has to be this log, if it is about it at all.
    pub fn new(folder: PathBuf, origin: Option<String>, pins: Vec<Pin>) -> Self {
        Self { folder, origin, pins, identity: None, at: Position::default(), frontier: Frontier::default() }
    }

    /// How many lines are known.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Reads what is new, and gives the log as of the head that was reached.
    ///
    /// # Errors
    /// [`AuditError`]: the log can't be read, is another one than before, or its lines don't give its head. Then
    /// what follows has to begin anew.
    pub fn catch_up(&mut self, mut take: impl FnMut(&Reader, &Line)) -> Result<Reader, AuditError> {
        let reader = Reader::open(&self.folder)?;
        self.check(&reader)?;
        let head = reader.head();
        let known = self.frontier.size();
        if head.size < known {
            let problem = Problem::Ahead { checkpoint: known, journal: head.size };
            return Err(Damage::file("entries/", problem));
        }
        for line in reader.raw(self.at) {
            let line = line?;
            self.frontier.push(leaf_hash(&line.bytes));
            self.at = line.at.past(line.bytes.len());
            take(&reader, &Line { index: line.at.index, bytes: line.bytes });
        }
        match self.frontier.root() == head.root {
            true => Ok(reader),
            false => Err(Damage::file("entries/", Problem::Root)),
        }
    }

    /// The same log as before, and the one that is pinned.
    fn check(&mut self, reader: &Reader) -> Result<(), AuditError> {
        match &self.identity {
            Some(known) if *known == reader.identity => Ok(()),
            Some(_) => Err(Damage::file(super::identity::FILE, Problem::Identity)),
            None => {
                reader.identity.check(&self.pins, self.origin.as_deref())?;
                self.identity = Some(reader.identity.clone());
                Ok(())
            }
        }
    }

    /// The root over what is known.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{new_log, noon, open};
    use crate::policy::Caller;

    #[test]
    fn gives_each_line_once_as_the_log_grows() {
        let (folder, _) = new_log(2);
        let mut log = open(folder.path(), noon(0)).unwrap();
        let mut follower = Follower::new(folder.path().join("log"), None, Vec::new());
        let mut seen = Vec::new();
        follower.catch_up(|_, line| seen.push(line.index)).unwrap();
        assert_eq!(seen, [0]);
        for second in 1..4 {
            log.heartbeat(&Caller::unknown(), noon(second)).unwrap();
        }
        let reader = follower.catch_up(|_, line| seen.push(line.index)).unwrap();
        assert_eq!((seen, follower.size()), (vec![0, 1, 2, 3], reader.size()));
        assert_eq!(follower.root(), reader.head().root);
    }

    #[test]
    fn another_log_in_its_place_is_noticed() {
        let (folder, _) = new_log(2);
        let mut follower = Follower::new(folder.path().join("log"), Some("elsewhere".to_owned()), Vec::new());
        assert!(follower.catch_up(|_, _| ()).is_err());
    }
}
