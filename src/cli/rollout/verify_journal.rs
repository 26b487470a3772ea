//! `laforge rollout verify-journal`: chain, replay, and what the audit log has seen.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use crate::audit::Reader;
use crate::audit::reader::RolloutRecord;
use crate::cli::load::{self, LogPlace};
use crate::cli::{Exit, Failure, Session};
use crate::release::digest::ClaimedDigest;
use crate::rollout::journal::{Anchor, Reading, check_anchors, missing_entries, standing};

use super::history::{At, Place, SaidBy, failure};

/// Check a journal: chain, replay, and what the audit log has seen of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyJournal {
    /// The plan (default: every one that was begun at the target)
    #[arg(value_name = "PLAN-DIGEST")]
    plan: Option<ClaimedDigest>,
    #[command(flatten)]
    at: At,
    /// The log that the executor writes to (default: the one that laforge.yaml names)
    #[arg(long, value_name = "DIR")]
    audit_log: Option<PathBuf>,
}

impl VerifyJournal {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let seen = self.seen(session)?;
        let place = self.at.place(session)?;
        let plans = match self.plan {
            Some(plan) => BTreeSet::from([plan]),
            None => plans(&place, seen.as_deref().unwrap_or_default())?,
        };
        if plans.is_empty() && place.said_by == SaidBy::Flag {
            let logged = seen.iter().flatten().map(|record| record.members.target.clone());
            return Err(place.nothing_begun(&logged.collect::<Vec<_>>()));
        }
        if plans.is_empty() {
            session.say(&format!("no rollout was begun at target `{}`\n", place.target));
        }
        if seen.is_none() {
            session.say("no audit log is named: a journal that was cut at its end looks whole\n");
        }
        for plan in &plans {
            session.print(verify(&place, plan, seen.as_deref())?.as_bytes())?;
        }
        Ok(Exit::Holds)
    }

    /// What the log says of rollouts, once its lines give the signed root; none without a log.
    fn seen(&self, session: &Session) -> Result<Option<Vec<RolloutRecord>>, Failure> {
        let config = load::config(session)?;
        if self.audit_log.is_none() && config.audit.is_none() {
            return Ok(None);
        }
        let folder = LogPlace::of(self.audit_log.as_ref(), None, &config)?.folder;
        let read = || {
            let reader = Reader::open(&folder)?;
            reader.check()?;
            reader.rollouts()
        };
        read().map(Some).map_err(|error| load::audit_failure(&error))
    }
}

/// Every plan that has a journal here, or that the log says was started here.
fn plans(place: &Place, seen: &[RolloutRecord]) -> Result<BTreeSet<ClaimedDigest>, Failure> {
    let found = standing(&place.state, &place.target).map_err(|error| failure(&error))?;
    let here = seen.iter().filter(|record| record.members.target == place.target);
    let started = here.map(|record| record.members.plan.digest.clone());
    Ok(found.open.into_iter().chain(found.ended).chain(started).collect())
}

/// Verifies one journal, and says what holds.
fn verify(place: &Place, plan: &ClaimedDigest, seen: Option<&[RolloutRecord]>) -> Result<String, Failure> {
    let anchors = Anchor::of(plan, seen.unwrap_or_default());
    let reading = match Reading::open(&place.state, &place.target, plan) {
        Ok(reading) => reading,
        Err(error) => {
            // A journal that is not there has no lines: the log may have seen some.
            let absent = matches!(error, crate::rollout::journal::JournalError::Absent { .. });
            let cut = if absent { check_anchors(&[], &anchors) } else { Ok(()) };
            return Err(failure(&cut.err().unwrap_or(error)));
        }
    };
    check_anchors(reading.leaves(), &anchors).map_err(|error| failure(&error))?;
    let mut text = format!(
        "{plan}\n  {} lines, chained and replayed: {}\n",
        reading.head().length,
        reading.state().stage.name()
    );
    if let Some(records) = seen {
        text.push_str(&anchored(&anchors));
        for missing in missing_entries(reading.implied(), records) {
            let line = missing.head.length.saturating_sub(1);
            let kind = missing.milestone.kind();
            text.push_str(&format!("  not in the log yet: {kind} of line {line}; a restart appends it\n"));
        }
    }
    if reading.torn().is_some() {
        text.push_str("  an unfinished line follows: a guard is writing, or was killed\n");
    }
    Ok(text)
}

fn anchored(anchors: &[Anchor]) -> String {
    match anchors.iter().map(|anchor| anchor.length).max() {
        Some(length) => {
            format!("  {} entries of the log agree, the newest at {length} lines\n", anchors.len())
        }
        None => "  no entry of the log anchors it\n".to_owned(),
    }
}
