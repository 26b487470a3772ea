//! `laforge audit show`: one entry whole, or every decision on a release.

use clap::Args;

use crate::audit::Filter;
use crate::audit::reader::Line;
use crate::report::log::{self, Pieces};

use super::super::flags::{self, Form};
use super::super::{Exit, Failure, Session, load};
use super::list::{FilterFlags, tell_strangers};
use super::{AT_A_TIME, Which};

/// One entry whole, or the decisions on a release.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    which: Which,
    /// The entry's index
    #[arg(value_name = "N", value_parser = flags::count)]
    index: Option<u64>,
    #[command(flatten)]
    filter: FilterFlags,
    /// List every piece of evidence that was read
    #[arg(long)]
    evidence: bool,
    /// Exit 3 when nothing matches
    #[arg(long)]
    fail_empty: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value = "human")]
    output: Form,
}

impl Show {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let filter = self.filter.filter()?;
        if self.index.is_none() && filter == Filter::default() {
            return Err(Failure::usage("no entry is named")
                .hint("give its number, or `--release NAME` for the decisions on a release"));
        }
        let failed = |error| load::audit_failure(&error);
        let (reader, picks) = self.which.pick(session, None, |_, index, line| match self.index {
            Some(wanted) => Ok(index == wanted),
            None => filter.takes_line(line),
        })?;
        if let Some(index) = self.index.filter(|_| picks.is_empty()) {
            return Err(Failure::usage(format!("the log has no entry {index}"))
                .hint(format!("its last is {}", reader.size().saturating_sub(1))));
        }
        for some in picks.chunks(AT_A_TIME) {
            for line in reader.picked(some).map_err(failed)? {
                self.print(&line, session)?;
            }
        }
        if picks.is_empty() {
            session.say("no entry matches\n");
            tell_strangers(&filter, &reader, session)?;
        }
        Ok(if picks.is_empty() && self.fail_empty { Exit::Empty } else { Exit::Holds })
    }

    fn print(&self, line: &Line, session: &Session) -> Result<(), Failure> {
        let text = match self.output {
            Form::Json => [line.bytes.as_slice(), b"\n"].concat(),
            Form::Human => {
                let entry = line.parse().map_err(|error| Failure::of(Exit::Integrity, &error))?;
                let pieces = if self.evidence { Pieces::Listed } else { Pieces::Counted };
                log::entry(&entry, &line.leaf().to_string(), pieces, session.paint_out).into_bytes()
            }
        };
        session.print_result(&text)
    }
}
