//! `docs/cli.md`, made from the same types that parse the command line.

mod prose;

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::Exit;

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
    out.push_str("\n## Everywhere\n\n");
    flags(&mut out, &command);
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        verb_section(&mut out, &format!("laforge {}", verb.get_name()), verb);
    }
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
        if let Some(group) = group {
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
