//! `laforge audit verify`: the whole log, against itself and against what is known of it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::audit::{self, Report};
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
    #[arg(long)]
    full: bool,
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
        let report = audit::verify(&place.folder, &expected).map_err(|error| load::audit_failure(&error))?;
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

fn human(report: &Report, session: &Session) -> String {
    let pinned = match report.pinned {
        audit::Pinned::Here => "pinned by trust",
        audit::Pinned::Nowhere => "pinned nowhere: trust names no gate of this origin",
    };
    let last = report.last_time.map(time::to_seconds).unwrap_or_else(|| "unknown".to_owned());
    format!(
        "{} {} entries in {} commits, {} blobs\norigin  {}\nlogId   {} ({pinned})\nroot    {}\nlast    {last}\nassures {}\n",
        session.paint_out.tone(Tone::Good, "verified"),
        report.head.size,
        report.records,
        report.blobs,
        printable(&report.origin),
        report.log_id,
        report.head.root,
        report.assurance,
    )
}

fn json(report: &Report) -> String {
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    let value = json!({
        "verified": true,
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
    format!("{value:#}\n")
}
