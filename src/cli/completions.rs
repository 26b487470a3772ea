//! `laforge completions`: a script that lets a shell complete verbs, flags and their words.
//!
//! In: a shell's name. Out: the script, on stdout, made from the types that parse the command line.

use clap::Args;
use clap_complete::{Shell, generate};

use super::{Exit, Failure, Session};

/// Print a script for your shell that completes verbs, flags and their words.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut super::command(), super::NAME, &mut script);
        session.print_result(&script)?;
        Ok(Exit::Holds)
    }
}
