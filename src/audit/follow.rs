//! Following: what a log says, line by line, as it grows.
//!
//! In: a log's folder and what it is pinned to. Out: each line once, in order, and then whether all lines so far
//! give the head that the log signed. What was taken of a look that fails is not to be believed. No key, no lock,
//! and of what was read before nothing is read again.

use std::path::PathBuf;

use super::error::{AuditError, Damage, Problem};
use super::identity::{self, Identity, Pin};
use super::index::Index;
use super::reader::{Line, Reader};

/// Lines that are read at a time.
const BATCH: usize = 512;

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

/// A place in a log, up to which it is known.
#[derive(Debug)]
pub struct Follower {
    log: Followed,
    identity: Option<Identity>,
    index: Index,
}

impl Follower {
    /// From the log's first line on.
    pub fn new(log: Followed) -> Self {
        Self { log, identity: None, index: Index::default() }
    }

    /// What is known of where its lines are.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Reads what is new, and gives the log as of the head that was reached.
    ///
    /// # Errors
    /// [`AuditError`]: the log can't be read, is another one than before, or its lines don't give its head. Then
    /// what follows has to begin anew.
    pub fn catch_up(&mut self, mut take: impl FnMut(&Reader, &Line)) -> Result<Reader, AuditError> {
        let reader = self.log.open()?;
        if self.identity.get_or_insert_with(|| reader.identity().clone()) != reader.identity() {
            return Err(Damage::file(identity::FILE, Problem::Identity));
        }
        loop {
            let lines = self.index.ahead(&reader, BATCH)?;
            for line in &lines {
                self.index.take(&reader, line);
                take(&reader, line);
            }
            if lines.len() < BATCH {
                break;
            }
        }
        self.index.check(&reader)?;
        Ok(reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(folder: &tempfile::TempDir, origin: Option<&str>) -> Followed {
        Followed { folder: folder.path().join("log"), origin: origin.map(str::to_owned), pins: Vec::new() }
    }
    use crate::audit::sample::{new_log, noon, open};
    use crate::policy::Caller;

    #[test]
    fn gives_each_line_once_as_the_log_grows() {
        let (folder, _) = new_log(2);
        let mut log = open(folder.path(), noon(0)).unwrap();
        let mut follower = Follower::new(followed(&folder, None));
        let mut seen = Vec::new();
        follower.catch_up(|_, line| seen.push(line.index)).unwrap();
        assert_eq!(seen, [0]);
        for second in 1..4 {
            log.heartbeat(&Caller::unknown(), noon(second)).unwrap();
        }
        let reader = follower.catch_up(|_, line| seen.push(line.index)).unwrap();
        assert_eq!((seen, follower.index().head()), (vec![0, 1, 2, 3], reader.head()));
    }

    #[test]
    fn another_log_in_its_place_is_noticed() {
        let (folder, _) = new_log(2);
        let mut follower = Follower::new(followed(&folder, Some("elsewhere")));
        assert!(follower.catch_up(|_, _| ()).is_err());
    }
}
