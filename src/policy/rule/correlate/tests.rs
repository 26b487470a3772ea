//! Correlation told as sentences.

use crate::policy::rule::Outcome;
use crate::policy::samples::{COMMIT, attestation, complete_facts, digest, loaded, outcome, refused, said};
use crate::policy::set::PolicySet;
use crate::verify::facts::{AttestationFact, Facts, SourceFact};

use super::*;

const SCAN: &str = "https://in-toto.io/attestation/vulns";
const RUN: &str = "https://github.com/acme/payments/actions/runs/7/attempts/1";

fn asking(keys: &str) -> PolicySet {
    loaded(&format!(
        "{{require: {{provenance: {{}}, attestations: [{{predicateType: '{SCAN}', from: [scanner]}}], \
         approvals: {{atLeast: 1, distinctFrom: [source-author]}}, correlate: [{keys}]}}}}"
    ))
}

fn given(scan: AttestationFact, run: Option<&str>) -> Facts {
    let mut facts = complete_facts();
    facts.artifacts[0].attestations = vec![scan];
    facts.sources = vec![SourceFact {
        signer: "ci".to_owned(),
        evidence: digest("source"),
        commit: COMMIT.to_owned(),
        run_id: run.map(str::to_owned),
    }];
    facts
}

fn messages(outcome: &Outcome) -> Vec<String> {
    said(outcome).into_iter().filter(|(rule, _)| *rule == "correlation-mismatch").map(|it| it.1).collect()
}

#[test]
fn passes_what_is_of_one_run_and_one_commit_whatever_its_attempts() {
    let judged = outcome(&asking("run-id, commit"), &given(attestation(SCAN, "scan"), Some(RUN)));
    assert_eq!(said(&judged), []);
}

#[test]
fn denies_a_scan_of_another_run_and_names_who_says_what() {
    let other = "https://github.com/acme/payments/actions/runs/8/attempts/1";
    let scan = AttestationFact { run_id: Some(other.to_owned()), ..attestation(SCAN, "scan") };
    let judged = outcome(&asking("run-id"), &given(scan, Some(RUN)));
    let run = |number| format!("`https://github.com/acme/payments/actions/runs/{number}`");
    let expected = format!(
        "wanted one run id, got {} by provenance of `payments` by `slsa` and 1 more; \
         {} by `{SCAN}` of `payments` by `scanner`",
        run(7),
        run(8)
    );
    assert_eq!(messages(&judged), [expected]);
    assert_eq!(judged.findings[0].cure, Cure::None);
}

#[test]
fn denies_what_names_none() {
    let nameless = AttestationFact { run_id: None, commit: None, ..attestation(SCAN, "scan") };
    let judged = outcome(&asking("run-id, commit"), &given(nameless, Some(RUN)));
    let by = format!("none by `{SCAN}` of `payments` by `scanner`");
    assert!(messages(&judged).iter().all(|message| message.ends_with(&by)) && messages(&judged).len() == 2);
    let source = outcome(&asking("run-id"), &given(attestation(SCAN, "scan"), None));
    assert!(messages(&source)[0].ends_with("none by source statement by `ci`"));
}

#[test]
fn the_release_s_own_commit_is_one_of_them() {
    let other = "0".repeat(40);
    let scan = AttestationFact { commit: Some(other.clone()), ..attestation(SCAN, "scan") };
    assert_eq!(messages(&outcome(&asking("commit"), &given(scan, None))).len(), 1);
    let mut facts = given(AttestationFact { commit: Some(other.clone()), ..attestation(SCAN, "scan") }, None);
    facts.artifacts[0].provenances[0].commit = Some(other);
    facts.sources.clear();
    let set = loaded(&format!(
        "{{require: {{provenance: {{}}, attestations: [{{predicateType: '{SCAN}', from: [scanner]}}], \
         correlate: [commit]}}}}"
    ));
    let message = &messages(&outcome(&set, &facts))[0];
    assert!(message.contains("by the release"), "{message}");
}

#[test]
fn what_did_not_count_is_not_correlated_and_nothing_is_no_agreement() {
    let mut facts = given(attestation(SCAN, "scan"), Some(RUN));
    let other = AttestationFact { run_id: None, ..attestation("https://example.com/other", "other") };
    let unlisted = AttestationFact { signer: "ci".to_owned(), run_id: None, ..attestation(SCAN, "unlisted") };
    facts.artifacts[0].attestations.extend([other, unlisted]);
    assert_eq!(said(&outcome(&asking("run-id"), &facts)), []);
    facts.artifacts[0].attestations.clear();
    facts.artifacts[0].provenances.clear();
    facts.sources.clear();
    assert_eq!(
        messages(&outcome(&asking("run-id"), &facts)),
        ["nothing counted whose run id could be compared"]
    );
}

#[test]
fn refuses_a_policy_with_nothing_to_tie_together() {
    for (section, reason) in [
        ("{approvals: {atLeast: 1}, correlate: [run-id]}", "`correlate` has nothing to tie together"),
        ("{provenance: {}, correlate: []}", "an empty list says nothing"),
    ] {
        let refusal = refused(&format!("{{require: {section}}}"));
        assert!(refusal.ends_with(reason), "{refusal}");
    }
    assert!(refused("{require: {provenance: {}, correlate: [run]}}").contains("unknown value `run`"));
    // A demand that ties things together asks for no evidence by itself.
    assert_eq!(run_of("https://x/attempts/"), "https://x/attempts/");
    assert_eq!(run_of("https://x/attempts/1a"), "https://x/attempts/1a");
    assert_eq!(run_of("7-1"), "7-1");
}
