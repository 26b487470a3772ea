//! `laforge audit anchor`: the log's head, kept outside of it; and anchors read back.
//!
//! In: a log and a place elsewhere: a file, a ref of a git repository, standard output. Out: the head's signed
//! checkpoint there, once the whole log checks out and holds the anchor that the place has already, so that an
//! anchor only ever moves forward. What keeps the place from whoever can write the log is for its owner. Where that
//! is asked for, and the gate's key is in reach, the log says afterwards that and where its head was kept.
#![expect(clippy::disallowed_methods, reason = "a ref is read and moved by git itself")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::audit::anchor::Receipt;
use crate::audit::entry::event::AnchorKind;
use crate::audit::{self, Anchor, AuditLog};
use crate::report::paint::printable;

use super::super::{Exit, Failure, Session, caller, load};
use super::{Which, trust_in_reach};

/// The name of the checkpoint in a git tree: the log's own.
const CHECKPOINT: &str = "checkpoint";

/// Verify the log, and keep its signed head outside of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Keep {
    #[command(flatten)]
    which: Which,
    /// The trust file whose `gates` pin the log
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Where to: stdout, file=FILE, or git=REF (a ref of the repository here, which moves forward by a commit)
    #[arg(long, value_name = "WHERE", default_value = "stdout")]
    to: String,
    /// Record in the log that its head was kept (`anchor.recorded`, with a receipt in anchors/)
    #[arg(long)]
    record: bool,
    /// The log's secret key, with --record: file:PATH or env:NAME
    #[arg(long, value_name = "SOURCE", requires = "record")]
    audit_key: Option<String>,
}

/// Somewhere outside of a log.
enum Elsewhere {
    Stdout,
    File(PathBuf),
    Ref(String),
}

impl Keep {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let to = Elsewhere::parse(&self.to)?;
        if self.record && to.kind().is_none() {
            return Err(Failure::usage("what is printed is kept nowhere yet, so there is nothing to record")
                .hint("name where it is kept: --to file=FILE or --to git=REF"));
        }
        let place = self.which.place(session)?.with_key(self.audit_key.as_ref())?;
        // Whoever can't record keeps nothing either, and knows it before.
        let key = self.record.then(|| place.secret_key(session)).transpose()?;
        let trust = trust_in_reach(self.trust.as_deref(), session)?;
        let mut expected = place.expectations(trust.as_ref(), session);
        let tip = to.tip()?;
        expected.anchors.extend(to.kept(tip.as_deref(), session)?);
        let report = audit::verify(&place.folder, &expected).map_err(|error| load::audit_failure(&error))?;
        let note = report.checkpoint.as_bytes();
        let kept_in = match &to {
            Elsewhere::Stdout => {
                session.print_result(note)?;
                String::new()
            }
            Elsewhere::File(path) => {
                session.refuse_log(path)?;
                session.writable(path)?;
                session.replace(path, note)?;
                path.display().to_string()
            }
            Elsewhere::Ref(name) => {
                format!("{name} {}", commit(name, tip.as_deref(), note, report.head.size)?)
            }
        };
        let origin = printable(&report.origin);
        session.say(&format!("anchored the head of size {} of {origin}\n", report.head.size));
        if let (Some(key), Some(kind)) = (key, to.kind()) {
            let now = session.now();
            let (size, checkpoint) = (report.head.size, report.checkpoint);
            let receipt = Receipt { size, kind, place: kept_in, checkpoint, kept_at: now };
            let log = place.open_as_is(key, trust.as_ref(), session, now);
            let entry = log.and_then(|log| record(log, &receipt, session)).map_err(|failure| {
                failure.because("the head is kept, and the log does not say so; the anchor is as good")
            })?;
            session.say(&format!("recorded as entry {entry}; the next anchor covers it\n"));
        }
        Ok(Exit::Holds)
    }
}

/// Has the gate say in the log what is kept where; gives the entry.
fn record(mut log: AuditLog, receipt: &Receipt, session: &Session) -> Result<u64, Failure> {
    let recorded = log.record_anchor(receipt, &caller::of(session), receipt.kept_at);
    recorded.map(|reference| reference.index).map_err(|error| load::audit_failure(&error))
}

impl Elsewhere {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text.split_once('=') {
            None if text == "stdout" => Ok(Self::Stdout),
            Some(("file", file)) if !file.is_empty() => Ok(Self::File(PathBuf::from(file))),
            Some(("git", name)) => ref_name(name).map(Self::Ref),
            _ => Err(Failure::usage(format!("no anchor can be kept at `{text}`"))
                .hint("stdout, file=FILE, or git=REF such as git=refs/heads/laforge-anchor")),
        }
    }

    /// What kind of place it is; none where it is for somebody else to keep.
    fn kind(&self) -> Option<AnchorKind> {
        match self {
            Self::Stdout => None,
            Self::File(_) => Some(AnchorKind::File),
            Self::Ref(_) => Some(AnchorKind::Git),
        }
    }

    /// The commit that a ref is at.
    fn tip(&self) -> Result<Option<String>, Failure> {
        let Self::Ref(name) = self else { return Ok(None) };
        let arguments =
            ["for-each-ref", "--format=%(refname) %(objectname)", "--end-of-options", name.as_str()];
        let listed = git(&arguments, &[])?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        Ok(listed.lines().find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned)))
    }

    /// The anchor that is there already, which the log must still hold.
    fn kept(&self, tip: Option<&str>, session: &Session) -> Result<Option<Anchor>, Failure> {
        match self {
            Self::File(path) if session.exists(path) => {
                let name = path.display().to_string();
                read(&name, &session.read(path, Exit::Usage)?).map(Some).map_err(|failure| {
                    failure.hint("a file that is something else is not overwritten: name another")
                })
            }
            Self::Ref(name) => match tip {
                Some(commit) => read(name, &blob(commit)?).map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }
}

/// The anchors that `--anchor FILE` and `--anchor git:REF` name.
///
/// # Errors
/// A [`Failure`] with exit 2: not there, or no anchor.
pub(in crate::cli) fn anchors(named: &[String], session: &Session) -> Result<Vec<Anchor>, Failure> {
    let one = |name: &String| match name.strip_prefix("git:") {
        Some(revision) if !revision.is_empty() && !revision.starts_with('-') => read(name, &blob(revision)?),
        Some(_) => Err(Failure::usage(format!("`{name}` names no revision"))),
        None => read(name, &session.read(Path::new(name), Exit::Usage)?),
    };
    named.iter().map(one).collect()
}

fn read(name: &str, bytes: &[u8]) -> Result<Anchor, Failure> {
    Anchor::read(name, bytes).map_err(|error| Failure::of(Exit::Usage, &error))
}

/// A whole ref, so that nothing is guessed, and git's own word that it can be one.
fn ref_name(name: &str) -> Result<String, Failure> {
    let refused = || {
        Failure::usage(format!("`{name}` is no ref that an anchor could be kept at"))
            .hint("write it whole, such as refs/heads/laforge-anchor")
    };
    if !name.starts_with("refs/") {
        return Err(refused());
    }
    git(&["check-ref-format", name], &[]).map_err(|_| refused())?;
    Ok(name.to_owned())
}

fn blob(revision: &str) -> Result<Vec<u8>, Failure> {
    git(&["cat-file", "blob", &format!("{revision}:{CHECKPOINT}")], &[])
}

/// Moves the ref forward by one commit, if it is still where it was read; gives the commit.
fn commit(name: &str, tip: Option<&str>, note: &[u8], size: u64) -> Result<String, Failure> {
    let line = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    let object = line(git(&["hash-object", "-w", "--stdin"], note)?);
    let tree = line(git(&["mktree"], format!("100644 blob {object}\t{CHECKPOINT}\n").as_bytes())?);
    let mut arguments = vec!["commit-tree", tree.as_str()];
    arguments.extend(tip.into_iter().flat_map(|tip| ["-p", tip]));
    let made = line(git(&arguments, format!("Anchor at size {size}\n").as_bytes())?);
    // An empty old value demands that the ref is not there yet.
    git(&["update-ref", name, &made, tip.unwrap_or_default()], &[])?;
    Ok(made)
}

/// Runs git in the current folder, with this on its standard input.
fn git(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Failure> {
    let failed = |cause: String| {
        Failure::new(Exit::NoDecision, format!("`git {}` failed", arguments.first().unwrap_or(&"")))
            .because(cause)
    };
    let mut command = Command::new("git");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "laforge")
            .env(format!("GIT_{who}_EMAIL"), "laforge@localhost");
    }
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading says why itself.
        let _ = std::io::Write::write_all(&mut stdin, input);
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
