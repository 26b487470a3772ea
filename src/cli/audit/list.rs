//! `laforge audit list`: one line per entry, filtered.

use std::collections::VecDeque;

use clap::{Args, ValueEnum};

use crate::audit::Filter;
use crate::audit::entry::Entry;
use crate::audit::reader::Line;
use crate::report::log;
use crate::time::Timestamp;

use super::super::{Exit, Failure, Session};
use super::Which;

/// One line per entry.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    filter: FilterFlags,
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
pub(super) struct FilterFlags {
    /// NAME or NAME@VERSION
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// The environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// allow, deny or none
    #[arg(long, value_name = "ACTION", value_parser = ["allow", "deny", "none"])]
    action: Option<String>,
    /// pass, fail or error
    #[arg(long, value_name = "VERDICT", value_parser = ["pass", "fail", "error"])]
    verdict: Option<String>,
    /// Who asked
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
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
        let filter = self.filter.filter()?;
        let mut lines = VecDeque::new();
        let sifted = self.which.sifted(session, |line| {
            if filter.takes_line(&line.bytes)? {
                lines.push_back(line);
            }
            if self.n.is_some_and(|n| lines.len() > n) {
                lines.pop_front();
            }
            Ok(())
        });
        sifted?;
        let mut found = Vec::new();
        for line in lines {
            // A line of a type of tomorrow is listed all the same, as what it is.
            let entry = line.parse().map_err(|error| Failure::of(Exit::Integrity, &error))?;
            found.push((line, entry));
        }
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

impl FilterFlags {
    /// The filter that they are.
    pub(super) fn filter(&self) -> Result<Filter, Failure> {
        let action = self.action.as_deref().map(|action| ("action", action));
        let verdict = self.verdict.as_deref().map(|verdict| ("verdict", verdict));
        let words = Filter::of(action.into_iter().chain(verdict));
        let words = words.map_err(|error| Failure::of(Exit::Usage, &error))?;
        Ok(Filter {
            release: self.release.clone(),
            environment: self.environment.clone(),
            actor: self.actor.clone(),
            approver: self.approver.clone(),
            rule: self.rule.clone(),
            types: self.types.clone(),
            since: self.since,
            until: self.until,
            ..words
        })
    }
}
