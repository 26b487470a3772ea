//! `laforge audit verify`: the whole log, against itself and against what is known of it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::audit::{self, Checked, Expectations, Reader, Report};
use crate::report::paint::{Tone, printable};
use crate::time;

use super::super::flags::Form;
use super::super::{Exit, Failure, Session, load};
use super::{Which, trust_in_reach};

/// Check every entry, the chain, the tree, each signature and each blob.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    #[command(flatten)]
    which: Which,
    /// The trust file whose `gates` pin the log
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// A head that was kept elsewhere and that the log must hold: a checkpoint, a proof or a plan, or git:REF
    /// (repeatable)
    #[arg(long = "anchor", value_name = "FILE|git:REF")]
    anchors: Vec<String>,
    /// Everything (the default)
    #[arg(long, conflicts_with_all = ["fast", "range"])]
    full: bool,
    /// The tree and the head alone: whether any line was changed, cut or moved; no blobs, no earlier signatures
    #[arg(long, conflicts_with = "range")]
    fast: bool,
    /// As --fast, and everything of the entries from A up to, not with, B
    #[arg(long, value_name = "A..B", value_parser = range)]
    range: Option<Range<u64>>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "human")]
    output: Form,
}

impl Verify {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let place = self.which.place(session)?;
        let trust = trust_in_reach(self.trust.as_deref(), session)?;
        let mut expected = place.expectations(trust.as_ref(), session);
        expected.anchors = super::anchor::anchors(&self.anchors, session)?;
        let report = self.verify(&place.folder, &expected)?;
        for warning in &report.warnings {
            session.tell(&format!("warning: {}\n", printable(&warning.to_string())));
        }
        let text = match self.output {
            Form::Human => human(&report, session),
            Form::Json => json(&report),
        };
        session.print(text.as_bytes())?;
        Ok(Exit::Holds)
    }
}

impl Verify {
    fn verify(&self, folder: &Path, expected: &Expectations) -> Result<Report, Failure> {
        let failed = |error| load::audit_failure(&error);
        if self.fast {
            return audit::verify_fast(folder, expected).map_err(failed);
        }
        let Some(range) = &self.range else { return audit::verify(folder, expected).map_err(failed) };
        let size = Reader::open(folder).map_err(failed)?.size();
        if range.end > size {
            return Err(Failure::usage(format!("the log has no entry {}", range.end - 1))
                .hint(format!("its last is {}", size.saturating_sub(1))));
        }
        audit::verify_range(folder, expected, range.clone()).map_err(failed)
    }
}

/// `A..B`, from one entry up to, not with, a later one.
fn range(text: &str) -> Result<Range<u64>, String> {
    let ends = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.filter(|range: &Range<u64>| !range.is_empty())
        .ok_or_else(|| "it is no range of entries, such as 1000..2000 for 1000 to 1999".to_owned())
}

/// How much was looked at, and what was not.
fn told(checked: &Checked) -> String {
    let rest = "what entries say, blobs and earlier signatures";
    match checked {
        Checked::Fast => format!("fast: every line is as it was signed; not {rest}"),
        Checked::Range(Range { start, end }) => {
            format!(
                "fast, and everything of entries {start} to {}; of others not {rest}",
                end.saturating_sub(1)
            )
        }
        _ => "full: every entry, commit, signature and blob".to_owned(),
    }
}

fn human(report: &Report, session: &Session) -> String {
    let pinned = match report.pinned {
        audit::Pinned::Here => "pinned by trust",
        audit::Pinned::Nowhere => "pinned nowhere: trust names no gate of this origin",
    };
    let last = report.last_time.map(time::to_seconds).unwrap_or_else(|| "unknown".to_owned());
    let what = match &report.checked {
        Checked::Fast => format!("the tree and head of {} entries", report.head.size),
        Checked::Range(range) => format!(
            "the tree and head of {} entries; {} of them, {} commits and {} blobs whole",
            report.head.size,
            range.end - range.start,
            report.records,
            report.blobs
        ),
        _ => format!("{} entries in {} commits, {} blobs", report.head.size, report.records, report.blobs),
    };
    format!(
        "{} {what}\nchecked {}\norigin  {}\nlogId   {} ({pinned})\nroot    {}\nlast    {last}\nassures {}\n",
        session.paint_out.tone(Tone::Good, "verified"),
        told(&report.checked),
        printable(&report.origin),
        report.log_id,
        report.head.root,
        report.assurance,
    )
}

fn json(report: &Report) -> String {
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    let range = match &report.checked {
        Checked::Range(Range { start, end }) => Some([start, end]),
        _ => None,
    };
    let mut value = json!({
        "verified": true,
        "checked": match report.checked {
            Checked::Fast => "fast",
            Checked::Range(_) => "range",
            _ => "full",
        },
        "range": range,
        "origin": report.origin,
        "logId": report.log_id.to_string(),
        "size": report.head.size,
        "root": report.head.root.to_string(),
        "commits": report.records,
        "blobs": report.blobs,
        "recoveries": report.recoveries,
        "pinned": report.pinned == audit::Pinned::Here,
        "assurance": report.assurance.to_string(),
        "warnings": warnings,
    });
    if range.is_none()
        && let Some(members) = value.as_object_mut()
    {
        members.remove("range");
    }
    format!("{value:#}\n")
}
