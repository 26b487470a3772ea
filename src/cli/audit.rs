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
use crate::audit::reader::Line;
use crate::audit::{Filter, Reader};
use crate::time;

use super::load::{self, LogPlace};
use super::{Exit, Failure, Session};

/// Create, read and verify the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Create a log where nothing is
    Init(init::Init),
    /// Size, head and health
    Status(Status),
    /// One line per entry
    List(list::List),
    /// One entry whole, or the decisions on a release
    Show(show::Show),
    /// Check every entry, the chain, the tree, each signature and each blob
    Verify(verify::Verify),
    /// Verify the log, and keep its signed head outside of it
    Anchor(anchor::Keep),
    /// Check that a plan is in a log that trust pins
    VerifyProof(proof::VerifyProof),
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

    /// A reader of lines that give the signed root; what it was is said on stderr.
    fn reader(&self, session: &Session) -> Result<Reader, Failure> {
        self.sifted(session, |_| Ok(()))
    }

    /// The same, each line given once on the way: what is taken of them counts only if this succeeds.
    fn sifted(
        &self,
        session: &Session,
        take: impl FnMut(Line) -> Result<(), EntryError>,
    ) -> Result<Reader, Failure> {
        let failed = |error| load::audit_failure(&error);
        let reader = Reader::open(&self.place(session)?.folder).map_err(failed)?;
        reader.sift(take).map_err(failed)?;
        session.say(&format!(
            "{}: {} entries give the signed root (`laforge audit verify` checks the rest)\n",
            reader.origin(),
            reader.size()
        ));
        Ok(reader)
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
            Self::Init(verb) => verb.run(session),
            Self::Status(verb) => verb.run(session),
            Self::List(verb) => verb.run(session),
            Self::Show(verb) => verb.run(session),
            Self::Verify(verb) => verb.run(session),
            Self::Anchor(verb) => verb.run(session),
            Self::VerifyProof(verb) => verb.run(session),
            Self::Other(words) => Err(load::other_verb("audit ", &words, &LATER)),
        }
    }
}

impl Status {
    fn run(self, session: &Session) -> Result<Exit, Failure> {
        let anchors = Filter { types: Some("anchor.recorded".to_owned()), ..Filter::default() };
        let mut anchored = None;
        let reader = self.which.sifted(session, |line| {
            if anchors.takes_line(&line.bytes)? {
                anchored = Some(line);
            }
            Ok(())
        })?;
        let head = reader.head();
        let needs_repair = reader.needs_repair().map_err(|error| load::audit_failure(&error))?;
        let last = match head.size.checked_sub(1) {
            Some(index) => reader.line(index).map_err(|error| load::audit_failure(&error))?,
            None => None,
        };
        let time = last.and_then(|line| line.parse().ok()).map(|entry| time::to_seconds(entry.time));
        let mut text = format!(
            "origin  {}\nlogId   {}\nvkey    {}\nsize    {}\nroot    {}\n",
            reader.origin(),
            reader.log_id(),
            reader.vkey(),
            head.size,
            head.root,
        );
        text.push_str(&format!("last    {}\n", time.as_deref().unwrap_or("unknown")));
        let anchor = anchored.and_then(|line| line.parse().ok()).and_then(|entry| told(&entry, session));
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
