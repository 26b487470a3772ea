//! `laforge inspect`: what a file says, and that none of it is verified.

use std::path::PathBuf;

use clap::Args;

use crate::report::inspection::Inspection;

use super::flags::Form;
use super::{Exit, Failure, Session};

/// Show what a bundle, envelope, approval, plan, checkpoint or proof says. Nothing is verified.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to print
    #[arg(short, long, value_enum, default_value = "human")]
    output: Form,
}

impl Inspect {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        if session.is_folder(&self.file) {
            return Err(Failure::usage(format!("`{}` is a folder", self.file.display())).hint(
                "name a file in it; of what `laforge bundle` made, `bundle.json` lists the evidence below `evidence/`",
            ));
        }
        let bytes = session.read_file(&self.file)?;
        let inspection = Inspection::of(&bytes).ok_or_else(|| {
            Failure::usage(format!("`{}` is none of the things that can be inspected", self.file.display()))
            .hint(
                "a Sigstore bundle, a DSSE envelope, a pack or JSON lines of them, a statement, a plan, a \
                 checkpoint or an inclusion proof",
            )
        })?;
        let text = match self.output {
            Form::Human => inspection.human(session.paint_out),
            Form::Json => inspection.json(),
        };
        session.print_result(text.as_bytes())?;
        Ok(Exit::Holds)
    }
}
