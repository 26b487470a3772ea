//! Recovery: what nobody signed is set aside and reported, never adopted.
//!
//! In: how the journal ends and where its last record's lines end. Out: files that end exactly
//! there, and what `log.recovered` has to say. Bytes go to `quarantine/` and are synced there
//! before they are cut from the log, under a name that says where they were; they keep `.new` at
//! its end until the entry that reports them is committed, so that a crash in between forgets
//! nothing. `audit-log.md` 1.7.

use crate::release::digest::{ClaimedDigest, Digest};

use super::entry::event::{Recovered, RecoveryCause};
use super::error::{AuditError, Damage, Problem};
use super::history::History;
use super::identity::Identity;
use super::journal::Tail;
use super::lines::{Position, segment_first, segment_name};
use super::store::{Folder, LogFile};

/// The most that a crash can leave is one batch; what is larger was not left by one.
const MAX_TAIL: u64 = 1024 * 1024 * 1024;

/// The folders of a log that recovery works on.
#[derive(Debug)]
pub(super) struct Recovery<'a> {
    pub(super) log: &'a Folder,
    pub(super) entries: &'a Folder,
    pub(super) journal: &'a Folder,
    pub(super) identity: &'a Identity,
}

impl Recovery<'_> {
    /// Makes entries and journal end where the last record says. Gives what is due to be reported.
    pub(super) fn run(
        &self,
        tail: &Tail,
        end: &Position,
        history: &History,
    ) -> Result<Vec<Recovered>, AuditError> {
        if tail.unended {
            let mut file = self.journal.append(&tail.file)?;
            file.write(b"\n")?;
            file.sync()?;
        }
        if let Some(torn) = &tail.torn {
            set_aside(self.log, &self.journal.append(&torn.file)?, torn.offset, Report::Due)?;
        }
        for (name, offset) in unsigned(lengths(self.entries)?, self.identity, end)? {
            set_aside(self.log, &self.entries.append(&name)?, offset, Report::Due)?;
        }
        self.due(history)
    }

    /// What is in quarantine and not reported yet.
    fn due(&self, history: &History) -> Result<Vec<Recovered>, AuditError> {
        let mut due = Vec::new();
        if !self.log.has("quarantine")? {
            return Ok(due);
        }
        let quarantine = self.log.sub("quarantine")?;
        for name in quarantine.names()?.iter().filter(|name| name.ends_with(".new")) {
            let found = parse(&quarantine, name)?;
            if history.is_reported(&found.file, found.offset) {
                settle(&quarantine, name, &found.digest)?;
            } else {
                due.push(found);
            }
        }
        due.sort();
        Ok(due)
    }
}

/// Whether an entry has to report what is set aside.
#[derive(Debug, Clone, Copy)]
pub(super) enum Report {
    /// One has to: `.new` says so until it does.
    Due,
    /// Nobody has to: whoever sets it aside says so.
    Told,
}

/// Copies a file's end to `quarantine/` below `root`, then cuts it off; one that is longer than a crash
/// leaves stays as it is, and is damage.
pub(super) fn set_aside(
    root: &Folder,
    file: &LogFile,
    offset: u64,
    report: Report,
) -> Result<ClaimedDigest, AuditError> {
    let length = file.length()?.saturating_sub(offset);
    if length > MAX_TAIL {
        // More than is copied would be lost with the cut.
        return Err(Damage::file(file.shown(), Problem::LongTail { length, most: MAX_TAIL }));
    }
    let bytes = file.range(offset, offset + length)?;
    let digest = Digest::of_bytes(&bytes);
    let name = match report {
        Report::Due => {
            let place = file.shown().trim_end_matches(".jsonl").replace('/', "-");
            format!("{}.{place}-{offset}.new", digest.hex())
        }
        Report::Told => format!("{}.bin", digest.hex()),
    };
    root.sub_or_new("quarantine")?.put(&name, &bytes)?;
    file.truncate(offset)?;
    Ok(digest.claim())
}

/// The segments and how long they are.
pub(super) fn lengths(entries: &Folder) -> Result<Vec<(String, u64)>, AuditError> {
    let names = entries.names()?.into_iter().filter(|name| segment_first(name).is_some());
    names.map(|name| Ok((name.clone(), entries.read(&name)?.length()?))).collect()
}

/// The segments that go on behind the committed end, and from which byte. The lengths are those
/// of a moment before that end was read: a writer at work only ever adds.
pub(super) fn unsigned(
    lengths: Vec<(String, u64)>,
    identity: &Identity,
    end: &Position,
) -> Result<Vec<(String, u64)>, AuditError> {
    let full = end.index == end.segment + identity.segment();
    let mut found = Vec::new();
    for (name, length) in lengths {
        let Some(first) = segment_first(&name).filter(|first| *first >= end.segment) else { continue };
        let committed = if first == end.segment { end.offset } else { 0 };
        if length <= committed {
            continue;
        }
        if first != end.segment && !(full && first == end.index) {
            return Err(Damage::file(format!("entries/{name}"), Problem::Stray));
        }
        found.push((name, committed));
    }
    Ok(found)
}

/// Takes the `.new` off what is reported now.
pub(super) fn settle_all(log: &Folder, reported: &[Recovered]) -> Result<(), AuditError> {
    if reported.is_empty() {
        return Ok(());
    }
    let quarantine = log.sub("quarantine")?;
    for name in quarantine.names()?.iter().filter(|name| name.ends_with(".new")) {
        let found = parse(&quarantine, name)?;
        if reported.contains(&found) {
            settle(&quarantine, name, &found.digest)?;
        }
    }
    Ok(())
}

fn settle(quarantine: &Folder, name: &str, digest: &ClaimedDigest) -> Result<(), AuditError> {
    quarantine.rename(name, &format!("{}.bin", digest.hex()))?;
    quarantine.sync()
}

/// Reads what a name in quarantine says: `<sha256>.<folder>-<segment>-<offset>.new`.
fn parse(quarantine: &Folder, name: &str) -> Result<Recovered, AuditError> {
    let stray = || Damage::file(quarantine.show(name), Problem::Stray);
    let read = || {
        let (hex, rest) = name.strip_suffix(".new")?.split_once('.')?;
        let mut parts = rest.split('-');
        let (folder, segment, offset) = (parts.next()?, parts.next()?, parts.next()?);
        let first = segment_first(&format!("{segment}.jsonl"))?;
        let cause = match folder {
            "entries" => RecoveryCause::UnsignedLines,
            "journal" => RecoveryCause::TornRecord,
            _ => return None,
        };
        let file = format!("{folder}/{}", segment_name(first));
        let digest = ClaimedDigest::from_hex(hex).ok()?;
        parts.next().is_none().then_some((file, offset.parse().ok()?, digest, cause))
    };
    let (file, offset, digest, cause) = read().ok_or_else(stray)?;
    let bytes = quarantine.bytes(name, MAX_TAIL)?;
    if Digest::of_bytes(&bytes) != digest {
        return Err(Damage::file(quarantine.show(name), Problem::BlobDiffers));
    }
    Ok(Recovered { file, offset, length: bytes.len() as u64, digest, cause })
}
