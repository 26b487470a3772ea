//! What a shell and `man` are given: completions that complete, pages that are pages. And what trust grants.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::example::{Example, PROGRAM, at_home, finished};

/// What bash offers for these words, the last of which is begun.
fn offered(example: &Example, words: &[&str]) -> Vec<String> {
    let script = "source <(\"$PROGRAM\" completions bash)\n\
                  complete -p laforge >&2\n\
                  COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMPREPLY=()\n\
                  _laforge laforge \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
                  printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let mut bash = at_home("bash", &example.path(""));
    bash.env("PROGRAM", PROGRAM).args(["-c", script, "bash"]).args(words);
    let run = finished(bash.output().unwrap()).ends_with_data().says("-F _laforge");
    run.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_flags_and_their_words() {
    let example = Example::new();
    assert_eq!(offered(&example, &["laforge", "verify-b"]), ["verify-bundle"]);
    assert_eq!(offered(&example, &["laforge", "rollout", "ver"]), ["verify-journal"]);
    assert_eq!(offered(&example, &["laforge", "deploy", "--strategy", "blue"]), ["bluegreen"]);
    let required = ["--require-signed", "--require-approved", "--require-provenance"];
    assert_eq!(offered(&example, &["laforge", "deploy", "--require-"]), required);
    assert_eq!(offered(&example, &["laforge", "deploy", "--release", "rel"]), ["release.yaml"]);
    assert_eq!(offered(&example, &["laforge", "keygen", "--use", "g"]), ["gate"]);
}

#[test]
fn each_shell_has_a_script_that_names_every_verb() {
    let example = Example::empty();
    let command = laforge::cli::command();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = example.run(&["completions", shell]).ends_with_data().stdout;
        let missing: Vec<&str> = command
            .get_subcommands()
            .map(|verb| verb.get_name())
            .filter(|verb| !script.contains(verb))
            .collect();
        assert_eq!(missing, Vec::<&str>::new(), "{shell}");
    }
}

/// Every verb and every verb's verb, as its page is called.
fn names(command: &clap::Command, name: &str) -> Vec<String> {
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    let below = verbs.flat_map(|verb| names(verb, &format!("{name}-{}", verb.get_name())));
    [format!("{name}.1")].into_iter().chain(below).collect()
}

/// What a formatter warns of in a page; none where there is no such formatter.
fn warnings(page: &str) -> Option<String> {
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tutf8", "-z", "-ww"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = groff.spawn().ok()?;
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_verb_has_a_manual_page_that_a_formatter_takes() {
    let example = Example::empty();
    example.run(&["man", "--dir", "share/man/man1"]).ends(0).says("pages are in `share/man/man1`");
    let mut command = laforge::cli::command();
    command.build();
    let mut expected = names(&command, "laforge");
    expected.sort();
    assert_eq!(example.list("share/man/man1"), expected);
    for name in expected {
        let page = example.read(&format!("share/man/man1/{name}"));
        match warnings(&page) {
            None => return crate::skipped("no groff here to format the manual pages"),
            Some(said) => assert_eq!(said, "", "{name}"),
        }
    }
    // What is there is written anew.
    example.run(&["man", "--dir", "share/man/man1"]).ends(0);
}

#[test]
fn a_verb_s_page_is_printed_as_it_is_written() {
    let example = Example::empty();
    example.run(&["man", "--dir", "pages"]).ends(0);
    for (words, file) in [
        (&["man"][..], "laforge.1"),
        (&["man", "deploy"], "laforge-deploy.1"),
        (&["man", "rollout", "run"], "laforge-rollout-run.1"),
    ] {
        let page = example.run(words).ends_with_data().stdout;
        assert_eq!(page, example.read(&format!("pages/{file}")));
    }
    let page = example.run(&["man", "deploy"]).ends_with_data().stdout;
    for flag in ["require\\-signed", "traffic\\-steps", "audit\\-log"] {
        assert!(page.contains(flag), "{flag}: {page}");
    }
    example.run(&["man", "rollout", "jump"]).ends(2).says("`laforge rollout jump` is no verb");
    example.run(&["man", "deploy", "--dir", "elsewhere"]).ends(2);
    fs::write(example.path("file"), "").unwrap();
    example.run(&["man", "--dir", "file"]).ends(1).says("cannot create `file`");
}

#[test]
fn trust_is_shown_with_everything_that_it_grants() {
    let example = Example::new();
    let shown: Value = example.run(&["trust", "show", "-o", "json"]).ends_with_data().json();
    assert_eq!(shown["trust"]["people"][0]["name"], "alice");
    let text = example.run(&["trust", "show"]).ends_with_data().stdout;
    let digest = shown["digest"].as_str().unwrap();
    assert_eq!(text.lines().next(), Some(format!("trust {digest}").as_str()));
    for line in [
        "  bob  sre: key sha256:",
        "; github: bob",
        "  ci  attestation: key sha256:",
        "  https://ci.acme.example/builders/release@v1  up to level 2, by signer ci",
        "  production  laforge.invalid/",
        "revoked: none",
    ] {
        assert!(text.contains(line), "`{line}` is not in: {text}");
    }
    // It is the digest that decisions carry.
    example.deploy(&[]).ends(0);
    assert_eq!(example.last_decision()["trust"]["digest"], digest);
    example.run(&["trust", "show", "--trust", "nowhere.yaml"]).ends(2).says("nowhere.yaml");
    example.run(&["trust", "update"]).ends(2).says("`laforge trust update` is not built yet");
}

#[test]
fn policies_and_troubles_are_listed_for_programs() {
    let example = Example::new();
    let checked = example.run(&["policy", "check", "-o", "json"]).ends_with_data().json();
    let digest = example.run(&["policy", "check"]).ends_with_data().stdout;
    let digest = digest.split_whitespace().next().unwrap();
    let set = &checked["policies"][0];
    assert_eq!(
        (&set["digest"], &set["path"], &set["pinned"]),
        (&digest.into(), &"policies/".into(), &false.into())
    );
    let run = example.run(&["doctor", "-o", "json"]);
    assert_eq!(run.code, 10);
    let troubles = run.json();
    assert_eq!(troubles["sound"], false);
    assert_eq!(troubles["troubles"][0]["what"], "policy set `policies/` is neither signed nor pinned");
}
