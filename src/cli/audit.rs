//! `laforge audit`: the log created, read and verified.

mod anchor;
mod init;
mod list;
mod proof;
mod show;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::audit::entry::{Body, Entry, EntryError};
use crate::audit::reader::Picked;
use crate::audit::{Filter, Reader};
use crate::time;

use super::deferred::Deferred;
use super::load::{self, LogPlace};
use super::{Exit, Failure, Session};

/// Create, read and verify the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Create a log where nothing is
    Init(Deferred<init::Init>),
    /// Size, head and health
    Status(Deferred<Status>),
    /// One line per entry
    List(Deferred<list::List>),
    /// One entry whole, or the decisions on a release
    Show(Deferred<show::Show>),
    /// Check every entry, the chain, the tree, each signature and each blob
    Verify(Deferred<verify::Verify>),
    /// Verify the log, and keep its signed head outside of it
    Anchor(Deferred<anchor::Keep>),
    /// Check that a plan is in a log that trust pins
    VerifyProof(Deferred<proof::VerifyProof>),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Verbs of the contract that are not built yet.
const LATER: [&str; 17] = [
    "tail",
    "stats",
    "diff",
    "prove",
    "replay",
    "report",
    "export",
    "bundle",
    "annotate",
    "reconcile",
    "sample",
    "repair",
    "copy",
    "publish",
    "seal",
    "prune",
    "key",
];

/// How many lines are held at once while many are printed.
const AT_A_TIME: usize = 256;

/// Which log.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The log's folder (default: the one that laforge.yaml names)
    #[arg(long, value_name = "DIR")]
    audit_log: Option<PathBuf>,
}

impl Which {
    fn place(&self, session: &Session) -> Result<LogPlace, Failure> {
        let config = load::config(session)?;
        if self.audit_log.is_none() && config.audit.is_none() {
            return Err(load::unconfigured("no audit log is named", session)
                .hint("name it with --audit-log, or `audit: {log: …}` in laforge.yaml"));
        }
        LogPlace::of(self.audit_log.as_ref(), None, &config)
    }

    /// The lines that are wanted, or the newest of them, once all lines give the signed root; what that was is said
    /// on stderr.
    fn pick(
        &self,
        session: &Session,
        most: Option<usize>,
        wanted: impl Fn(&Reader, u64, &[u8]) -> Result<bool, EntryError> + Sync,
    ) -> Result<(Reader, Vec<Picked>), Failure> {
        let failed = |error| load::audit_failure(&error);
        let reader = Reader::open(&self.place(session)?.folder).map_err(failed)?;
        let picks = reader.pick(most, |index, line| wanted(&reader, index, line)).map_err(failed)?;
        session.say(&format!(
            "{}: {} entries give the signed root (`laforge audit verify` checks the rest)\n",
            reader.origin(),
            reader.size()
        ));
        Ok((reader, picks))
    }
}

/// Size, head and health.
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    which: Which,
}

impl Audit {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Init(Deferred(verb)) => verb.run(session),
            Self::Status(Deferred(verb)) => verb.run(session),
            Self::List(Deferred(verb)) => verb.run(session),
            Self::Show(Deferred(verb)) => verb.run(session),
            Self::Verify(Deferred(verb)) => verb.run(session),
            Self::Anchor(Deferred(verb)) => verb.run(session),
            Self::VerifyProof(Deferred(verb)) => verb.run(session),
            Self::Other(words) => Err(load::other_verb("audit ", &words, &LATER)),
        }
    }
}

impl Status {
    fn run(self, session: &Session) -> Result<Exit, Failure> {
        let failed = |error| load::audit_failure(&error);
        let anchors = Filter { types: Some("anchor.recorded".to_owned()), ..Filter::default() };
        // The newest two are the last entry and, unless it is that one, the last of an anchor.
        let (reader, picks) = self.which.pick(session, Some(2), |reader, index, line| {
            Ok(index + 1 == reader.size() || anchors.takes_line(line)?)
        })?;
        let head = reader.head();
        let needs_repair = reader.needs_repair().map_err(failed)?;
        let lines = reader.picked(&picks).map_err(failed)?;
        let entries: Vec<Entry> = lines.iter().filter_map(|line| line.parse().ok()).collect();
        let time = entries.last().map(|entry| time::to_seconds(entry.time));
        let mut text = format!(
            "origin  {}\nlogId   {}\nvkey    {}\nsize    {}\nroot    {}\n",
            reader.origin(),
            reader.log_id(),
            reader.vkey(),
            head.size,
            head.root,
        );
        text.push_str(&format!("last    {}\n", time.as_deref().unwrap_or("unknown")));
        let anchor = entries.iter().rev().find_map(|entry| told(entry, session));
        text.push_str(&format!("anchor  {}\n", anchor.as_deref().unwrap_or("none is recorded")));
        text.push_str(if needs_repair {
            "state   NEEDS_REPAIR: writers stop\n"
        } else {
            "state   writable\n"
        });
        session.print(text.as_bytes())?;
        Ok(if needs_repair { Exit::NotRecorded } else { Exit::Holds })
    }
}

/// What was anchored last, and how long ago.
fn told(entry: &Entry, session: &Session) -> Option<String> {
    let Body::Anchored(event) = &entry.body else { return None };
    let (size, kind) = (event.members.size, event.members.kind.name());
    let (at, ago) = (time::to_seconds(entry.time), time::ago(entry.time, session.now()));
    Some(format!("size {size}, in {kind}, {at} ({ago}), entry {}", entry.seq))
}

/// The trust that is configured, if it is in reach: readers pin by it, and read without it too.
fn trust_in_reach(
    file: Option<&Path>,
    session: &Session,
) -> Result<Option<crate::trust::TrustRoot>, Failure> {
    let config = load::config(session)?;
    let flags =
        super::flags::EvidenceFlags { evidence: Vec::new(), trust: file.map(Path::to_owned), offline: true };
    if flags.trust.is_none() && config.trust.is_none() {
        return Ok(None);
    }
    load::trust(&flags, &config, session).map(Some)
}
