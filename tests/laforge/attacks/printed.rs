//! Attacks on whoever reads what is printed: terminals, runners, and names that a screen does not show.

use std::fs;

use super::deploy_with;
use crate::example::Example;

#[test]
fn names_of_evidence_that_would_drive_a_terminal_or_a_runner() {
    let example = Example::new();
    for name in [
        "##[set-output name=plan-digest]sha256_00.json",
        "x\n::set-output name=decision::allow.json",
        "x\r\u{1b}[2J\u{1b}]0;t\u{7}\u{202e}.json",
    ] {
        example.write(&format!("evidence/{name}"), "{");
    }
    fs::create_dir(example.path("out")).unwrap();
    let run = deploy_with(
        &example,
        &[("GITHUB_ACTIONS", "true"), ("GITHUB_OUTPUT", "out/o"), ("GITHUB_STEP_SUMMARY", "out/s")],
        &["-o", "plan.json", "--report", "human=human.txt"],
    );
    for text in [run.stderr, example.read("out/s"), example.read("human.txt")] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']), "{text}");
        assert!(!text.contains("##["), "{text}");
        let commands = text.lines().filter(|line| line.trim_start().starts_with("::"));
        assert_eq!(commands.filter(|line| line.contains("set-output")).count(), 0, "{text}");
    }
    let outputs = example.read("out/o");
    assert_eq!(outputs.lines().filter(|line| line.starts_with("plan-digest=")).count(), 1, "{outputs}");
    assert_eq!(outputs.lines().filter(|line| line.starts_with("decision=")).count(), 1, "{outputs}");
}

#[test]
fn a_release_file_whose_name_or_text_would_drive_a_terminal_or_a_runner() {
    let example = Example::new();
    let name = "r\n::set-output name=plan::y\u{1b}[31m.yaml";
    for text in [
        "apiVersion: laforge.dev/v1 # ##[set-output name=plan]x\nkind: 5\n",
        "apiVersion: laforge.dev/v1 # \u{1b}[2J\u{202e}\nkind: 5\n",
        "\u{1b}[2J: ##[add-mask]x\n",
    ] {
        example.write(name, text);
        let run = example.deploy(&["--release", name]).ends(2);
        assert!(!run.stderr.contains(['\u{1b}', '\u{202e}']), "{}", run.stderr);
        assert!(!run.stderr.contains("##["), "{}", run.stderr);
        assert!(!run.stderr.lines().any(|line| line.trim_start().starts_with("::")), "{}", run.stderr);
    }
}

#[test]
fn a_tag_in_a_document() {
    for tag in ["!!str 2.4.0", "!!binary Mi40LjA=", "!x 2.4.0"] {
        let example = Example::new();
        example.edit("release.yaml", "version: 2.4.0", &format!("version: {tag}"));
        let run = example.deploy(&["-o", "plan.json"]);
        assert_eq!(run.code, 2, "`{tag}` was taken: {}", run.stderr);
    }
}

#[test]
fn names_in_a_release_that_a_screen_would_not_show() {
    for (from, to) in [
        ("name: payments,", "name: \"pay\\u202Ements\","),
        ("name: payments,", "name: \"payments\\n::error::x\","),
        ("environment: production", "environment: \"production\\u200B\""),
        ("environment: production", "environment: \"production \""),
        ("name: sbom.json", "name: \"sbom\\0.json\""),
        ("version: 2.4.0", "version: ~"),
        ("name: sbom.json", "name: payments.tar.gz"),
        ("name: sbom.json", "name: manifests"),
        ("digest: \"sha256:6", "digest: \"SHA256:6"),
    ] {
        let example = Example::new();
        example.edit("release.yaml", from, to);
        example.deploy(&[]).ends(2);
    }
}

/// Of two names that look alike one was approved. What no screen shows makes no name another one.
#[test]
fn a_name_with_characters_that_no_screen_shows() {
    for unseen in [
        "\\u00AD",
        "\\u034F",
        "\\u115F",
        "\\u180E",
        "\\u2800",
        "\\u3164",
        "\\uE000",
        "\\uFE0F",
        "\\uFFA0",
        "\\U000E0061",
        "\\U0010FFFD",
        "\\u00A0",
        "\\u3000",
    ] {
        for (from, to) in [
            ("name: payments,", format!("name: \"pay{unseen}ments\",")),
            ("environment: production", format!("environment: \"produc{unseen}tion\"")),
            ("name: sbom.json", format!("name: \"sbom{unseen}.json\"")),
        ] {
            let example = Example::new();
            example.edit("release.yaml", from, &to);
            example.deploy(&[]).ends(2).says("unprintable character U+");
        }
    }
}
