//! `docs/cli.md`, made from the same types that parse the command line.

mod prose;

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::{EVERYWHERE, Exit};

const ENVIRONMENT: &str = "\
| variable | meaning |
|--|--|
| `LAFORGE_KEY_PASSPHRASE` | opens an encrypted secret key, and encrypts the one that `keygen` makes |
| `SIGSTORE_ID_TOKEN` | the OIDC token that signs where no `--key` does |
| `XDG_CACHE_HOME`, else `HOME` | where the heads of logs are remembered, by which an older copy is noticed |
| `DOCKER_CONFIG`, else `HOME` | where the credentials of registries are |
| `NO_COLOR`, `TERM=dumb` | no colours, unless `--color always` asks for them |
| `GITHUB_ACTIONS`, `GITLAB_CI` | the run that asks, as an entry tells it; annotations, summary and outputs on GitHub |
";

/// The page: every verb with its flags, and the exit codes.
pub fn reference() -> String {
    let mut command = super::command();
    command.build();
    let mut out = String::from(
        "# The command line\n\nMade from the program by `UPDATE_PAGES=1 cargo test --test laforge pages`; a test compares it.\n",
    );
    out.push_str("\n## Exit codes\n\n| code | meaning |\n|--|--|\n");
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(out, "| {} | {meaning} |", exit.code());
    }
    out.push_str(prose::EXITS);
    out.push_str(prose::SHELLS);
    let _ = writeln!(out, "\n## Environment\n\n{ENVIRONMENT}\n## {EVERYWHERE}\n");
    flags(&mut out, &command);
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        verb_section(&mut out, &format!("laforge {}", verb.get_name()), verb);
    }
    out.push_str(FILES);
    out
}

fn verb_section(out: &mut String, name: &str, verb: &Command) {
    let _ = writeln!(out, "\n## `{name}`\n");
    if let Some(about) = verb.get_about() {
        let _ = writeln!(out, "{about}.\n");
    }
    let mut verbs = verb.get_subcommands().filter(|verb| verb.get_name() != "help").peekable();
    if verbs.peek().is_none() {
        flags(out, verb);
    }
    for verb in verbs {
        verb_section(out, &format!("{name} {}", verb.get_name()), verb);
    }
}

fn flags(out: &mut String, command: &Command) {
    let global = command.get_name() == "laforge";
    let shown = |arg: &&Arg| !arg.is_hide_set() && (global || !arg.is_global_set()) && arg.get_id() != "help";
    let args: Vec<&Arg> = command.get_arguments().filter(shown).collect();
    // Each group once, as `--help` has it, wherever its flags are declared.
    let mut groups: Vec<Option<&str>> = vec![None];
    for group in args.iter().map(|arg| arg.get_help_heading()) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    for group in groups {
        if let Some(group) = group.filter(|group| *group != EVERYWHERE) {
            let _ = writeln!(out, "\n{group}:\n");
        }
        for arg in args.iter().filter(|arg| arg.get_help_heading() == group) {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(out, "- `{}`: {help}", spelled(arg));
        }
    }
}

/// `-o, --output FILE`, or `ARTIFACT…`.
fn spelled(arg: &Arg) -> String {
    let mut names: Vec<String> = arg.get_short().map(|short| format!("-{short}")).into_iter().collect();
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let takes = arg.get_action().takes_values();
    let value = arg.get_value_names().filter(|_| takes).map(|names| names.join(" ")).unwrap_or_default();
    let words: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let value = if takes && !words.is_empty() { words.join("|") } else { value };
    [names.join(", "), value].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What the table of codes leaves open: whose trouble is which code, and what becomes of an earlier plan.
const FILES: &str = "
## When a file is the trouble

Which code it is when something is not there, can't be read, or can't be written:

| what | code |
|--|--|
| a flag, its value, or a file that a flag or an argument names, plans and anchors among them | 2 |
| `laforge.yaml`, the release, trust and its keys, policies, the folder of evidence, a secret key | 2 |
| an artifact or configuration that the release names by `path` | 1 |
| a file that `sign` is to sign | 1 |
| a piece of evidence, or a registry that does not answer | 11, where something is missing for it |
| the audit log: not there, locked, full, its key of another log | 12 |
| the audit log, a proof, a journal or a plan: there, and not what was signed; an anchor that the log does not hold | 13 |
| the folder that a plan, a report or a signature is to be written into; the name of a signature that is taken | 2, before anything is decided or signed |
| the plan itself, when the disk fails after the entry was made | 1: the entry stays, and the same command gives the plan again |
| a file of the runner's (`GITHUB_OUTPUT`, `GITHUB_STEP_SUMMARY`) that can't be appended to | a warning after a deny, 1 after an allow |
| a file of the runner's that this gate goes by, or an `SSL_CERT_FILE` that is a pipe or a device | 2 |
| a report of `deploy`, when the disk fails after the entry was made | a warning: the code is the verdict's, and a plan comes out |
| standard output that is closed | 1, where what is printed there is the verb's result |
| a `git` that fails, for an anchor on a ref | 1 |

## An earlier plan

`deploy -o FILE` removes the plan of an earlier run, and its proof, before it decides. So after any code but 0 there is no
plan, with two exceptions. A command line that can't be read (a flag that is none, a word that a flag does not take, a
folder of `-C` that is not there) ends with 2 before anything is looked at, and touches nothing. And out of a folder that
may not be written into nothing can be removed: that ends with 2 as well, or with 1 (`cannot remove`) where the folder
takes new files and keeps the old ones. Then the old plan is still there. In CI go by the exit code, never by whether the
file exists.
";
