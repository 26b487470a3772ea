//! `laforge audit list`: one line per entry, filtered.

use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};

use crate::audit::entry::Entry;
use crate::audit::reader::{Line, Picked};
use crate::audit::{Filter, FilterError, Reader, TYPES};
use crate::report::log;
use crate::report::paint::printable;
use crate::time::Timestamp;

use super::super::{Exit, Failure, Session, flags, load};
use super::{AT_A_TIME, Which};

/// One line per entry.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    filter: FilterFlags,
    /// At most N, the newest
    #[arg(short, value_name = "N", value_parser = flags::count)]
    n: Option<u64>,
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
        let anything = filter == Filter::default();
        let most = self.n.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let (reader, mut picks) = self.which.pick(session, most, |reader, index, line| match self.n {
            // The newest of all are known by their numbers.
            Some(n) if anything => Ok(reader.size() - index <= n),
            _ => filter.takes_line(line),
        })?;
        if self.reverse {
            picks.reverse();
        }
        match self.output {
            Form::Jsonl => self.each(&reader, &picks, |found| {
                let lines = found.iter().flat_map(|(line, _)| [line.bytes.as_slice(), b"\n"]);
                session.print_result(&lines.collect::<Vec<_>>().concat())
            })?,
            Form::Human => {
                let mut entries = Vec::new();
                self.each(&reader, &picks, |found| {
                    entries.extend(found.into_iter().map(|(_, entry)| entry));
                    Ok(())
                })?;
                session.print_result(log::table(&entries, session.paint_out).as_bytes())?;
            }
        }
        if picks.is_empty() {
            tell_strangers(&filter, &reader, session)?;
        }
        Ok(if picks.is_empty() && self.fail_empty { Exit::Empty } else { Exit::Holds })
    }

    /// Gives the lines in the order of the picks, some at a time, once they are read strictly. A line of a type of
    /// tomorrow is one all the same, as what it is.
    fn each(
        &self,
        reader: &Reader,
        picks: &[Picked],
        mut take: impl FnMut(Vec<(Line, Entry)>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for some in picks.chunks(AT_A_TIME) {
            // They are read in the order of the disk.
            let mut sorted = some.to_vec();
            sorted.sort_unstable();
            let mut found = Vec::with_capacity(sorted.len());
            for line in reader.picked(&sorted).map_err(|error| load::audit_failure(&error))? {
                let entry = line.parse().map_err(|error| Failure::of(Exit::Integrity, &error))?;
                found.push((line, entry));
            }
            if self.reverse {
                found.reverse();
            }
            take(found)?;
        }
        Ok(())
    }
}

/// Where nothing was found: names that no entry at all has, which may be misspelt.
pub(super) fn tell_strangers(filter: &Filter, reader: &Reader, session: &Session) -> Result<(), Failure> {
    let open = ["release", "environment", "actor", "approver"];
    let mut strangers: Vec<(&str, String, Filter)> = Vec::new();
    for (name, value) in filter.pairs().into_iter().filter(|(name, _)| open.contains(name)) {
        let alone = Filter::of([(name, value.as_str())]);
        let alone = alone.map_err(|error| Failure::of(Exit::Usage, &error))?;
        strangers.push((name, value, alone));
    }
    if strangers.is_empty() {
        return Ok(());
    }
    let met: Vec<AtomicBool> = strangers.iter().map(|_| AtomicBool::new(false)).collect();
    let look = |_, line: &[u8]| {
        for ((.., alone), met) in strangers.iter().zip(&met) {
            if !met.load(Ordering::Relaxed) && alone.takes_line(line)? {
                met.store(true, Ordering::Relaxed);
            }
        }
        Ok(false)
    };
    reader.pick(Some(0), look).map_err(|error| load::audit_failure(&error))?;
    for ((name, value, _), _) in strangers.iter().zip(met).filter(|(_, met)| !met.load(Ordering::Relaxed)) {
        session.say(&format!("no entry at all is of the {name} `{}`\n", printable(value)));
    }
    Ok(())
}

impl FilterFlags {
    /// The filter that they are.
    pub(super) fn filter(&self) -> Result<Filter, Failure> {
        let words = [
            ("release", &self.release),
            ("environment", &self.environment),
            ("action", &self.action),
            ("verdict", &self.verdict),
            ("actor", &self.actor),
            ("approver", &self.approver),
            ("rule", &self.rule),
            ("type", &self.types),
        ];
        let given = words.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let words = Filter::of(given).map_err(|error| {
            let failure = Failure::of(Exit::Usage, &error);
            match error {
                FilterError::Unlisted { member: "type", .. } => {
                    failure.hint(format!("types are {}; `key.*` is a family", TYPES.join(", ")))
                }
                FilterError::Unlisted { .. } => failure.hint("docs/rules.md lists them"),
                _ => failure,
            }
        })?;
        // Times are exact: a text would have whole seconds.
        Ok(Filter { since: self.since, until: self.until, ..words })
    }
}
