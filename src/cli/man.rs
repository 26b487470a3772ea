//! `laforge man`: manual pages, made from the types that parse the command line.
//!
//! In: a verb, or a folder. Out: one page in roff on stdout, or every page as a file of the folder, named as
//! `man` looks for them: `laforge.1`, `laforge-deploy.1`, `laforge-rollout-run.1`.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man as Page;

use super::{Exit, Failure, Session};

/// Print a manual page, or write all of them.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The verb, such as `deploy` or `rollout run` (default: the program)
    #[arg(value_name = "VERB")]
    verb: Vec<String>,
    /// Write every page into this folder, which is made if it is not there
    #[arg(long = "dir", value_name = "DIR", conflicts_with = "verb")]
    pages: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        // The verb `help` is `clap`'s: it has nothing that `--help` has not.
        let mut program = super::command().disable_help_subcommand(true);
        program.build();
        match &self.pages {
            Some(folder) => {
                let pages = all(&program)?;
                session.create_folder(folder)?;
                for (name, page) in &pages {
                    session.replace(&folder.join(name), page)?;
                }
                session.say(&format!("{} pages are in `{}`\n", pages.len(), folder.display()));
            }
            None => session.print_result(&page(of(&program, &self.verb)?)?.1)?,
        }
        Ok(Exit::Holds)
    }
}

/// The command of a verb, and of a verb's verb.
fn of<'a>(program: &'a Command, words: &[String]) -> Result<&'a Command, Failure> {
    words.iter().try_fold(program, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            Failure::usage(format!("`laforge {}` is no verb", words.join(" ")))
                .hint("`laforge --help` lists them")
        })
    })
}

/// Every page with its file's name: the program's, and one for each verb below it.
fn all(command: &Command) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut pages = vec![page(command)?];
    for verb in command.get_subcommands() {
        pages.extend(all(verb)?);
    }
    Ok(pages)
}

fn page(command: &Command) -> Result<(String, Vec<u8>), Failure> {
    let version = concat!("laforge ", env!("CARGO_PKG_VERSION"));
    let page = Page::new(command.clone()).source(version).manual("laforge");
    let mut roff = Vec::new();
    page.render(&mut roff).map_err(|error| Failure::of(Exit::NoDecision, &error))?;
    Ok((page.get_filename(), ascii(&String::from_utf8_lossy(&roff)).into_bytes()))
}

/// Every other character as `\[uXXXX]`: what a formatter takes a byte for depends on where it runs.
fn ascii(roff: &str) -> String {
    let escaped = |c: char| match c.is_ascii() {
        true => c.to_string(),
        false => format!("\\[u{:04X}]", u32::from(c)),
    };
    roff.chars().map(escaped).collect()
}
