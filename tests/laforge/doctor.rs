//! `laforge doctor` and `laforge explain`: what makes a gate vacuous, and what a finding means.

use std::fs;

use crate::example::{Example, Run};

/// Asserts that the gate is vacuous for these reasons, each with how to mend it.
#[track_caller]
fn vacuous(run: &Run, reasons: &[&str]) {
    assert_eq!(run.code, 10, "stdout: {}\nstderr: {}", run.stdout, run.stderr);
    for reason in reasons {
        assert!(run.stdout.contains(reason), "`{reason}`: {}", run.stdout);
    }
    assert_eq!(run.stdout.matches("vacuous: ").count(), reasons.len(), "{}", run.stdout);
    assert_eq!(run.stdout.matches("  help: ").count(), reasons.len(), "{}", run.stdout);
}

/// The example with its policy pinned: a gate with nothing to say against it.
fn sound() -> Example {
    let example = Example::new();
    let checked = example.run(&["policy", "check"]).ends_with_data().stdout;
    let digest = checked.split_whitespace().next().unwrap();
    let pinned = format!("policies: [{{path: policies/, digest: \"{digest}\"}}]");
    example.edit("laforge.yaml", "policies: [{path: policies/}]", &pinned);
    example
}

#[test]
fn a_gate_with_rules_people_and_a_pinned_log_is_sound() {
    let run = sound().run(&["doctor"]).ends_with_data();
    assert_eq!(run.stdout, "sound: rules, people, patterns and log are those of a gate\n");
}

#[test]
fn policies_that_nobody_pins_are_named() {
    let example = Example::new();
    vacuous(&example.run(&["doctor"]), &["policy set `policies/` is neither signed nor pinned"]);
    example.edit("laforge.yaml", "policies: [{path: policies/}]\n", "");
    vacuous(&example.run(&["doctor"]), &["no policy is configured"]);
}

#[test]
fn a_new_gate_trusts_nobody_yet() {
    let example = Example::empty();
    example.run(&["init", "gate"]).ends(0);
    let run = example.run(&["-C", "gate", "doctor"]);
    let reasons = [
        "policy set `policies/` can't be loaded under this trust",
        "policy set `policies/` is neither signed nor pinned",
        "nobody can approve",
        "nobody can sign artifacts",
        "nobody can sign attestations",
    ];
    vacuous(&run, &reasons);
}

#[test]
fn a_pattern_that_strangers_match_is_named_and_one_of_an_owner_is_not() {
    let example = sound();
    let signer = |subject: &str| {
        let issuer = "https://token.actions.githubusercontent.com";
        let identity = format!("{{root: public-good, issuer: \"{issuer}\", subject: \"{subject}\"}}");
        let written = example.read("trust.yaml");
        let changed = written.replacen(
            "signers:\n",
            &format!("signers:\n- {{name: wide, use: attestation, identity: {identity}}}\n"),
            1,
        );
        example.write("trust.yaml", &changed);
        let run = example.run(&["doctor"]);
        example.write("trust.yaml", &written);
        run
    };
    for open in ["pattern:https://github.com/**", "pattern:https://**/release.yml@refs/heads/main"] {
        vacuous(&signer(open), &["signer `wide` has the open pattern"]);
    }
    for owned in [
        "pattern:https://github.com/acme/**",
        "https://github.com/acme/payments/.github/workflows/r.yml@refs/heads/main",
    ] {
        signer(owned).ends_with_data();
    }
}

#[test]
fn an_identity_that_is_written_like_a_pattern_and_is_none_is_warned_of() {
    let example = sound();
    let warned = |subject: &str, issuer: &str| {
        let identity = format!("{{root: public-good, issuer: \"{issuer}\", subject: \"{subject}\"}}");
        let written = example.read("trust.yaml");
        let signer = format!("signers:\n- {{name: slip, use: attestation, identity: {identity}}}\n");
        example.write("trust.yaml", &written.replacen("signers:\n", &signer, 1));
        let run = example.run(&["doctor"]).ends_with_data();
        example.write("trust.yaml", &written);
        run.stdout
    };
    let issuer = "https://token.actions.githubusercontent.com";
    let exact = "https://github.com/acme/payments/.github/workflows/r.yml@refs/heads/main";
    for subject in ["https://github.com/acme/*", "^https://github.com/acme/.*", "https://github.com/acme$"] {
        let said = warned(subject, issuer);
        assert!(said.starts_with("warning: signer `slip` has the subject"), "{said}");
        assert!(said.contains("  help: begin it with `pattern:`"), "{said}");
        assert!(said.ends_with("are those of a gate, but for the warnings\n"), "{said}");
    }
    assert!(warned(exact, &format!("{issuer}/")).contains("which ends in `/`"));
    assert!(warned(exact, "https://*.example").contains("no pattern is taken there"));
    assert!(warned(exact, issuer).starts_with("sound: "), "what is exact is no slip");
    assert!(warned("pattern:https://github.com/acme/*", issuer).starts_with("sound: "));
}

#[test]
fn a_log_or_a_key_that_is_not_there_is_named() {
    let example = sound();
    fs::rename(example.path(".laforge/audit.key"), example.path("elsewhere.key")).unwrap();
    vacuous(&example.run(&["doctor"]), &["the audit log's key is not in reach here"]);
    fs::remove_dir_all(example.path(".laforge/audit")).unwrap();
    vacuous(
        &example.run(&["doctor"]),
        &["the audit log's key is not in reach here", "no audit log at `.laforge/audit`"],
    );
}

#[test]
fn a_rule_is_explained_as_its_page_does() {
    let example = Example::empty();
    let said = example.run(&["explain", "approval-rejected"]).ends_with_data().stdout;
    assert!(said.starts_with("approval-rejected\n\n") && said.contains("**Mend it**"), "{said}");
    assert!(said.ends_with("/docs/rules.md#approval-rejected\n"), "{said}");
    example
        .run(&["explain", "no-such-rule"])
        .ends(2)
        .says("`no-such-rule` is no rule")
        .says("approval-threshold");
    example.run(&["explain"]).ends(2).says("not built yet");
}
