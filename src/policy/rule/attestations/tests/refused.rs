//! Requirements of attestations that can't be meant.

use super::*;

#[track_caller]
fn refuses<const N: usize>(cases: [(String, &str); N]) {
    for (section, reason) in cases {
        let refusal = refused(&format!("{{require: {{attestations: [{section}]}}}}"));
        let at = refusal.strip_prefix("policies/test.yaml:4:").expect("a place");
        assert_eq!(at.split_once(": ").unwrap().1, reason, "{section}");
    }
}

#[test]
fn refuses_signers_that_can_not_be_meant() {
    refuses([
        (format!("{{predicateType: '{SCAN}'}}"), "missing field `from`"),
        (format!("{{predicateType: '{SCAN}', from: []}}"), "an empty list says nothing"),
        (format!("{{predicateType: '{SCAN}', from: [nobody]}}"), "trust names no signer `nobody`"),
        (
            format!("{{predicateType: '{SCAN}', from: [release]}}"),
            "signer `release` has no `use: attestation`, which this type needs",
        ),
        (
            format!("{{predicateType: '{VSA}', from: [scanner]}}"),
            "signer `scanner` has no `use: vsa`, which this type needs",
        ),
        (
            format!("{{predicateType: '{SCAN}', from: [sbom]}}"),
            "trust does not let signer `sbom` sign `https://in-toto.io/attestation/vulns`",
        ),
        (
            format!("{{predicateType: '{SCAN}', from: [scanner], atLeast: 2}}"),
            "`atLeast: 2` asks for more signers than the 1 in `from`",
        ),
        (format!("{{predicateType: '{SCAN}', from: [scanner], maxAge: 1w}}"), "`1w` is not a duration"),
    ]);
    assert!(refused("{require: {attestations: []}}").ends_with("an empty list says nothing"));
    loaded("{require: {attestations: [{predicateType: 'https://spdx.dev/Document', from: [sbom]}]}}");
}

#[test]
fn refuses_conditions_and_types_that_can_not_be_meant() {
    refuses([
        (
            format!("{{predicateType: '{SCAN}', from: [scanner], result: PASSED}}"),
            "`result` is no condition of `https://in-toto.io/attestation/vulns`",
        ),
        (
            format!("{{predicateType: '{SVR}', from: [staging], verifier: v, resourceUri: x}}"),
            "`resourceUri` is no condition of `https://in-toto.io/attestation/svr/v0.2`",
        ),
        (
            format!("{{predicateType: '{VSA}', from: [staging], properties: [x]}}"),
            "`properties` is no condition of `https://slsa.dev/verification_summary/v1`",
        ),
        (
            format!("{{predicateType: '{VSA}', from: [staging], resourceUri: x}}"),
            "a summary is asked for without `verifier`",
        ),
        (
            format!("{{predicateType: '{VSA}', from: [staging], verifier: v, slsaVersion: '1.0'}}"),
            "a summary is asked for without `resourceUri`",
        ),
        (
            format!("{{predicateType: '{SVR}', from: [staging], properties: [x]}}"),
            "a verification result is asked for without `verifier`",
        ),
        (
            format!("{{predicateType: '{SVR}', from: [staging], verifier: v}}"),
            "a verification result is asked for without `properties`",
        ),
        (
            "{predicateType: 'https://laforge.dev/attestation/waiver/v1', from: [ci]}".to_owned(),
            "`https://laforge.dev/attestation/waiver/v1` is not asked for by `attestations`",
        ),
        (
            "{predicateType: 'https://laforge.dev/attestation/break-glass/v1', from: [ci]}".to_owned(),
            "`https://laforge.dev/attestation/break-glass/v1` is not asked for by `attestations`",
        ),
        (
            "{predicateType: 'https://slsa.dev/provenance/v1', from: [slsa]}".to_owned(),
            "`https://slsa.dev/provenance/v1` is not asked for by `attestations`",
        ),
        (
            "{predicateType: 'https://laforge.dev/attestation/approval/v1', from: [ci]}".to_owned(),
            "`https://laforge.dev/attestation/approval/v1` is not asked for by `attestations`",
        ),
        ("{predicateType: vulns, from: [scanner]}".to_owned(), "`vulns` is not a predicate type"),
    ]);
}
