//! The command line: types for `clap`, one file per verb.
//!
//! In: arguments, environment, files. Out: data on stdout, talk on stderr, an exit code.
//! This is where adapters and [`gate`](crate::gate) meet.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line reads the world: arguments and the current folder"
)]

mod approve;
mod attest;
mod audit;
mod bundle;
mod caller;
mod completions;
mod deferred;
mod deploy;
mod doctor;
mod error;
mod exit;
mod explain;
mod flags;
mod github;
mod init;
mod inspect;
mod keygen;
mod keys;
mod listen;
mod load;
mod man;
mod outputs;
pub mod page;
mod policy;
mod progress;
mod prompt;
mod render;
mod reports;
mod rollout;
mod runtime;
mod schema;
mod session;
mod sign;
mod signer;
mod studio;
mod trust;
mod verify;
mod verify_bundle;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory as _, Parser, Subcommand};

use crate::report::paint::Paint;

use deferred::Deferred;

pub use error::Failure;
pub use exit::Exit;
pub use session::Session;

/// What the program is called: its older name is the same program's.
const NAME: &str = "laforge";

/// A GitOps pre-flight gate: verify a release's signatures, approvals and provenance, decide by
/// policy, record the decision in a tamper-evident log, and only then emit the rollout plan.
#[derive(Debug, Parser)]
#[command(name = NAME, version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true, help_heading = EVERYWHERE)]
    dir: Option<PathBuf>,
    /// The configuration, instead of DIR/laforge.yaml
    #[arg(long, value_name = "FILE", global = true, help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true, help_heading = EVERYWHERE)]
    color: ColorChoice,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    quiet: bool,
    /// Say more on stderr
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    verbose: bool,
    #[command(subcommand)]
    verb: Verb,
}

/// Where the options stand that every verb has: behind its own.
const EVERYWHERE: &str = "Everywhere";

const AFTER_HELP: &str = "\
Environment: LAFORGE_KEY_PASSPHRASE opens an encrypted secret key, SIGSTORE_ID_TOKEN signs without
one, NO_COLOR keeps colours away, XDG_CACHE_HOME or HOME is where heads of logs are remembered.

Exit codes: 0 allowed or holds, 1 no decision (internal), 2 usage or configuration,
3 nothing matched (--fail-empty), 10 denied, 11 inconclusive, 12 not recorded, 13 integrity.

Start with: laforge init demo --example && \\
            laforge -C demo deploy --require-signed --require-approved --require-provenance";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a configuration, trust, policies, an audit log and its key
    Init(Deferred<init::Init>),
    /// The gate: verify, decide, record, and emit the plan
    Deploy(Deferred<deploy::Deploy>),
    /// The same verification and decision as a report: nothing recorded, no plan
    Verify(Deferred<verify::Verify>),
    /// Verify one Sigstore bundle (sigstore-conformance client protocol)
    VerifyBundle(Deferred<verify_bundle::VerifyBundle>),
    /// Approve a release: sign an approval record for its digest
    Approve(Deferred<approve::Approve>),
    /// Reject a release: sign a rejection record for its digest
    Reject(Deferred<approve::Reject>),
    /// Sign artifacts, with a local key or keyless
    Sign(Deferred<sign::Sign>),
    /// Sign an attestation (provenance or any predicate) about artifacts
    Attest(Deferred<attest::Attest>),
    /// Make a key pair
    Keygen(Deferred<keygen::Keygen>),
    /// A release's evidence as one folder or archive, for `--evidence` and `--offline` elsewhere
    Bundle(Deferred<bundle::Bundle>),
    /// Show what a bundle, envelope, plan or checkpoint says, and which parts are unverified
    Inspect(Deferred<inspect::Inspect>),
    /// Check policies
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Show whose word counts
    #[command(subcommand)]
    Trust(trust::Trust),
    /// Create, read and verify the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Run, watch and simulate rollouts
    #[command(subcommand)]
    Rollout(rollout::Rollout),
    /// Print an accepted plan as manifests of Argo Rollouts, Flagger, the Gateway API or Kubernetes
    Render(Deferred<render::Render>),
    /// The service that engines ask which shift traffic themselves: Argo Rollouts, Flagger
    Runtime(Deferred<runtime::Runtime>),
    /// The audit log, decisions, approvals, policies and rollouts in a browser
    Studio(Deferred<studio::Studio>),
    /// Say what a rule means and how to mend its finding
    Explain(Deferred<explain::Explain>),
    /// Say what would make the gate vacuous: no rules, nobody who can approve, open patterns, no log
    Doctor(Deferred<doctor::Doctor>),
    /// Print the JSON Schema of a document kind
    Schema(Deferred<schema::Schema>),
    /// Print a script for your shell that completes verbs, flags and their words
    Completions(Deferred<completions::Completions>),
    /// Print a manual page, or write all of them
    Man(Deferred<man::Man>),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Verbs of the contract that are not built yet: refused by name.
const LATER: [&str; 1] = ["waive"];

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse_usage(&error, &arguments),
    };
    let session = session_of(&cli);
    let gates = matches!(cli.verb, Verb::Deploy(_) | Verb::Verify(_));
    let entered =
        enter(&cli).map_err(|failure| if gates { failure.fatal(error::NO_DECISION) } else { failure });
    let result = entered.and_then(|()| run(cli.verb, &session));
    let exit = match result {
        Ok(exit) => exit,
        Err(failure) => {
            session.tell(&failure.render(session.paint));
            failure.exit()
        }
    };
    session.tell_courtesies();
    exit.into()
}

/// `clap`'s own help and errors; a gate that was called wrongly says first that it didn't decide.
fn refuse_usage(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let usage = error.use_stderr();
    // The verb is the first word that is no flag and no flag's value.
    let mut words = arguments.iter().skip(1);
    let verb = loop {
        match words.next().and_then(|word| word.to_str()) {
            Some("-C" | "--config" | "--color") => drop(words.next()),
            Some(word) if word.starts_with('-') => {}
            other => break other,
        }
    };
    if usage && matches!(verb, Some("deploy" | "verify")) {
        anstream::eprint!("fatal: {}\n", error::NO_DECISION);
    }
    let _ = error.print();
    if usage { Exit::Usage.into() } else { Exit::Holds.into() }
}

fn session_of(cli: &Cli) -> Session {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let paint = |terminal: bool| match cli.color {
        ColorChoice::Always => Paint::Colour,
        ColorChoice::Auto if terminal && !plain => Paint::Colour,
        ColorChoice::Auto | ColorChoice::Never => Paint::Plain,
    };
    Session {
        paint: paint(std::io::stderr().is_terminal()),
        paint_out: paint(std::io::stdout().is_terminal()),
        quiet: cli.quiet,
        verbose: cli.verbose,
        config: cli.config.clone(),
        courtesies: Default::default(),
    }
}

fn enter(cli: &Cli) -> Result<(), Failure> {
    let Some(dir) = &cli.dir else { return Ok(()) };
    std::env::set_current_dir(dir).map_err(|error| Failure::io(Exit::Usage, "enter", dir, &error))
}

fn run(verb: Verb, session: &Session) -> Result<Exit, Failure> {
    match verb {
        Verb::Init(Deferred(verb)) => verb.run(session),
        Verb::Deploy(Deferred(verb)) => verb.run(session),
        Verb::Verify(Deferred(verb)) => verb.run(session),
        Verb::VerifyBundle(Deferred(verb)) => verb.run(session),
        Verb::Approve(Deferred(verb)) => verb.run(session),
        Verb::Reject(Deferred(verb)) => verb.run(session),
        Verb::Sign(Deferred(verb)) => verb.run(session),
        Verb::Attest(Deferred(verb)) => verb.run(session),
        Verb::Keygen(Deferred(verb)) => verb.run(session),
        Verb::Bundle(Deferred(verb)) => verb.run(session),
        Verb::Inspect(Deferred(verb)) => verb.run(session),
        Verb::Policy(verb) => verb.run(session),
        Verb::Trust(verb) => verb.run(session),
        Verb::Audit(verb) => verb.run(session),
        Verb::Rollout(verb) => verb.run(session),
        Verb::Render(Deferred(verb)) => verb.run(session),
        Verb::Runtime(Deferred(verb)) => verb.run(session),
        Verb::Studio(Deferred(verb)) => verb.run(session),
        Verb::Explain(Deferred(verb)) => verb.run(session),
        Verb::Doctor(Deferred(verb)) => verb.run(session),
        Verb::Schema(Deferred(verb)) => verb.run(session),
        Verb::Completions(Deferred(verb)) => verb.run(session),
        Verb::Man(Deferred(verb)) => verb.run(session),
        Verb::Other(words) => Err(load::other_verb("", &words, &LATER)),
    }
}

/// The whole command, for generated pages.
pub fn command() -> clap::Command {
    Cli::command()
}
