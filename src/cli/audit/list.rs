//! `laforge audit list`: one line per entry, filtered.

use clap::{Args, ValueEnum};

use crate::audit::entry::decision::DecisionEntry;
use crate::audit::entry::{Body, Entry};
use crate::audit::reader::Line;
use crate::report::log;
use crate::report::paint::word;
use crate::time::Timestamp;

use super::super::{Exit, Failure, Session, load};
use super::Which;

/// One line per entry.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    filter: Filter,
    /// At most N, the newest
    #[arg(short, value_name = "N")]
    n: Option<usize>,
    /// Newest first
    #[arg(short, long)]
    reverse: bool,
    /// Exit 3 when nothing matches
    #[arg(long)]
    fail_empty: bool,
    /// How to print; jsonl gives the original bytes
    #[arg(short, long, value_enum, default_value = "human")]
    output: Form,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// A table
    Human,
    /// The original bytes, a line each
    Jsonl,
}

/// Which entries; all that are given must hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct Filter {
    /// NAME or NAME@VERSION
    #[arg(long, value_name = "RELEASE")]
    pub(super) release: Option<String>,
    /// The environment
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    /// allow, deny or none
    #[arg(long, value_name = "ACTION", value_parser = ["allow", "deny", "none"])]
    action: Option<String>,
    /// pass, fail or error
    #[arg(long, value_name = "VERDICT", value_parser = ["pass", "fail", "error"])]
    verdict: Option<String>,
    /// A person whose approval counted
    #[arg(long, value_name = "PERSON")]
    approver: Option<String>,
    /// A rule among the findings
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Entry types, separated by commas; `key.*` for a family
    #[arg(long = "type", value_name = "TYPES")]
    types: Option<String>,
    /// Not before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    since: Option<Timestamp>,
    /// Before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    until: Option<Timestamp>,
}

impl List {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let reader = self.which.reader(session)?;
        let mut found = Vec::new();
        for line in reader.lines() {
            let line = line.map_err(|error| load::audit_failure(&error))?;
            // A line of a type of tomorrow is listed all the same, as what it is.
            let entry = line.parse().map_err(|error| Failure::of(Exit::Integrity, &error))?;
            if self.filter.takes(&entry) {
                found.push((line, entry));
            }
        }
        let cut = self.n.map_or(0, |n| found.len().saturating_sub(n));
        found.drain(..cut);
        if self.reverse {
            found.reverse();
        }
        session.print(&self.printed(&found, session))?;
        Ok(if found.is_empty() && self.fail_empty { Exit::Empty } else { Exit::Holds })
    }

    fn printed(&self, found: &[(Line, Entry)], session: &Session) -> Vec<u8> {
        match self.output {
            Form::Jsonl => {
                found.iter().flat_map(|(line, _)| [line.bytes.as_slice(), b"\n"].concat()).collect()
            }
            Form::Human => log::table(found.iter().map(|(_, entry)| entry), session.paint_out).into_bytes(),
        }
    }
}

impl Filter {
    /// Whether an entry is asked for.
    pub(super) fn takes(&self, entry: &Entry) -> bool {
        let in_time = self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until);
        in_time && self.takes_type(entry.body.kind()) && self.takes_decision(&entry.body)
    }

    fn takes_type(&self, kind: &str) -> bool {
        self.types.as_deref().is_none_or(|types| {
            types.split(',').any(|wanted| match wanted.strip_suffix('*') {
                Some(family) => kind.starts_with(family),
                None => kind == wanted,
            })
        })
    }

    fn takes_decision(&self, body: &Body) -> bool {
        let asked =
            [&self.release, &self.environment, &self.action, &self.verdict, &self.approver, &self.rule];
        match body {
            Body::Decision(decision) => self.takes_members(decision),
            _ => asked.into_iter().all(Option::is_none),
        }
    }

    fn takes_members(&self, decision: &DecisionEntry) -> bool {
        let release = &decision.release;
        let is = |wanted: &Option<String>, got: &str| wanted.as_deref().is_none_or(|wanted| wanted == got);
        let named = self.release.as_deref().is_none_or(|wanted| match wanted.split_once('@') {
            Some((name, version)) => release.name == name && release.version == version,
            None => release.name == wanted,
        });
        let approved = self.approver.as_deref().is_none_or(|person| {
            decision.approvals.iter().any(|record| record.counted && record.person == person)
        });
        let ruled = self
            .rule
            .as_deref()
            .is_none_or(|rule| decision.findings.iter().any(|finding| finding.rule == rule));
        named
            && approved
            && ruled
            && is(&self.environment, &release.environment)
            && is(&self.action, &word(&decision.action))
            && is(&self.verdict, &word(&decision.verdict))
    }
}
