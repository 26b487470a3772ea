//! From signed bytes to a decision: its plan, its report, its `idem`.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{all_flags, production};
use crate::evidence::envelope::pae;
use crate::evidence::predicate::approval as approval_predicate;
use crate::evidence::statement::PAYLOAD_TYPE;
use crate::evidence::{Evidence, Gathered, OverLimit, Unreachable};
use crate::plan::draft::Verdict;
use crate::plan::{LimitedBy, Mode, PlanDraft, RolloutFlags, RolloutRequest};
use crate::policy::account::{Action, report_schema};
use crate::policy::finding::{RuleId, Severity};
use crate::policy::request::{Caller, CiRun, Request};
use crate::policy::samples::{
    COMMIT, REPOSITORY, at, complete_facts, config, loaded, now, secret, sets, short, trust,
};
use crate::policy::set::{Flags, PolicySets};
use crate::policy::{Decision, Standard, decide};
use crate::release::digest::{Algorithms, Digest};
use crate::release::resolved::tests::NoImages;
use crate::release::resolved::{ArtifactFiles, Resolution, ResolvedRelease};
use crate::release::{Artifact, Location, Release, SourceRevision};
use crate::verify::verify;

struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl ArtifactFiles for Files {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }

    fn algorithms(&self) -> Algorithms {
        Algorithms::Sha256
    }
}

/// A release of one artifact that claims these bytes and has those.
fn resolve(claimed: &[u8], found: &[u8]) -> Resolution {
    let release = Release {
        name: "payments".to_owned(),
        version: "2.4.0".to_owned(),
        environment: "production".to_owned(),
        source: SourceRevision {
            repository: REPOSITORY.to_owned(),
            commit: COMMIT.to_owned(),
            r#ref: "refs/tags/v2.4.0".to_owned(),
        },
        artifacts: vec![Artifact {
            name: "payments".to_owned(),
            digest: Digest::of_bytes(claimed).claim(),
            location: Location::File("payments".into()),
        }],
        config: Vec::new(),
        replaces: None,
        deployed: None,
    };
    release.resolve(&Files([("payments".into(), found.to_vec())].into()), &NoImages).unwrap()
}

fn resolved(bytes: &[u8]) -> ResolvedRelease {
    match resolve(bytes, bytes) {
        Resolution::Matches(release) => release,
        Resolution::Differs(mismatch) => panic!("{mismatch:?}"),
    }
}

/// An approval of the release by the person whose key has this seed.
fn approved(release: &ResolvedRelease, seed: u8, expires: &str) -> Evidence {
    let predicate = json!({
        "decision": "approved", "environment": "production",
        "createdAt": "2026-11-24T11:00:00Z", "expiresAt": expires,
    });
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": approval_predicate::TYPE,
        "subject": [{"digest": {"sha256": release.digest().hex()}}], "predicate": predicate,
    });
    let payload = serde_json::to_vec(&statement).unwrap();
    let signature = secret(seed).sign(&pae(PAYLOAD_TYPE, &payload)).unwrap();
    let envelope = json!({
        "payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(&payload),
        "signatures": [{"sig": STANDARD.encode(signature)}],
    });
    Evidence::parse("approval.json", serde_json::to_vec(&envelope).unwrap()).unwrap()
}

fn request(mode: Mode) -> Request {
    let rollout = RolloutRequest::of(None, &RolloutFlags::default()).unwrap();
    Request { rollout, mode, caller: Caller::unknown() }
}

fn standard(policies: PolicySets) -> Standard {
    Standard { trust: trust(), policies }
}

fn one_approval() -> Standard {
    standard(sets(vec![loaded("{require: {approvals: {atLeast: 1}}}")], Flags::default()))
}

fn decided(
    release: &ResolvedRelease,
    gathered: Gathered,
    standard: &Standard,
    request: &Request,
) -> Decision {
    let now = at("2026-11-24T12:00:00.5Z");
    let verified = verify(release, gathered, &standard.trust, now);
    let draft = PlanDraft::of(release, &request.rollout);
    decide(release, verified, draft, standard, request, now)
}

fn with(found: Vec<Evidence>) -> Gathered {
    Gathered { found, ..Gathered::default() }
}

#[test]
fn allows_what_is_approved_and_completes_its_plan() {
    let release = resolved(b"payments");
    let evidence = approved(&release, b'e', "2026-11-24T15:00:00Z");
    let digest = evidence.digest();
    let standard = one_approval();
    let decision = decided(&release, with(vec![evidence]), &standard, &request(Mode::Enforce));
    let report = decision.report();
    assert_eq!((report.verdict, report.action), (Verdict::Pass, Action::Allow), "{:?}", report.findings);
    let counted = &report.approvals[0];
    assert_eq!((counted.person.as_str(), counted.counted, counted.evidence), ("alice", true, digest));
    let plan = report.plan.as_ref().unwrap();
    assert_eq!((plan.not_after, plan.limited_by), (at("2026-11-24T15:00:00Z"), LimitedBy::Approval));
    let core: Value = serde_json::from_slice(decision.core().unwrap().canonical()).unwrap();
    assert_eq!(Digest::of_bytes(decision.core().unwrap().canonical()), plan.digest);
    let facts = Digest::of_value(report.facts.as_ref().unwrap());
    assert_eq!(
        core["verification"],
        json!({"verdict": "pass", "policyDigest": standard.policies.digest(), "trustDigest": standard.trust.digest(),
               "factsDigest": facts, "waivers": []})
    );
    let validity = json!({"notBefore": "2026-11-24T12:00:00Z", "notAfter": "2026-11-24T15:00:00Z", "limitedBy": "approval"});
    assert_eq!(core["validity"], validity);
    assert_eq!(decision.inputs().len(), 1);
    let blobs: Vec<_> = decision.blobs().iter().map(|blob| Digest::of_bytes(blob)).collect();
    assert_eq!((blobs.len(), blobs.last()), (3, Some(&standard.trust.digest())));
}

#[test]
fn ends_a_plan_with_its_ttl_on_a_tie() {
    let release = resolved(b"payments");
    let decision = decided(
        &release,
        with(vec![approved(&release, b'e', "2026-11-24T16:00:00Z")]),
        &one_approval(),
        &request(Mode::Enforce),
    );
    let plan = decision.report().plan.as_ref().unwrap();
    assert_eq!((plan.not_after, plan.limited_by), (at("2026-11-24T16:00:00Z"), LimitedBy::Ttl));
}

#[test]
fn denies_without_evidence_and_makes_no_plan() {
    let decision =
        decided(&resolved(b"payments"), Gathered::default(), &one_approval(), &request(Mode::Enforce));
    let report = decision.report();
    assert_eq!((report.verdict, report.action), (Verdict::Fail, Action::Deny));
    assert!(decision.core().is_none() && report.plan.is_none());
}

#[test]
fn a_rehearsal_has_the_verdict_and_no_plan() {
    let release = resolved(b"payments");
    let found = vec![approved(&release, b'e', "2026-11-24T15:00:00Z")];
    let decision = decided(&release, with(found), &one_approval(), &request(Mode::DryRun));
    let report = decision.report();
    assert_eq!((report.verdict, report.action), (Verdict::Pass, Action::None));
    assert!(decision.core().is_none() && report.plan.is_none());
}

#[test]
fn break_glass_allows_nothing_until_it_is_built() {
    let release = resolved(b"payments");
    let found = vec![approved(&release, b'e', "2026-11-24T15:00:00Z")];
    let decision = decided(&release, with(found), &one_approval(), &request(Mode::BreakGlass));
    assert_eq!((decision.report().verdict, decision.report().action), (Verdict::Fail, Action::Deny));
}

#[test]
fn an_unreachable_source_makes_a_deny_inconclusive_and_an_allow_a_warning() {
    let release = resolved(b"payments");
    let source =
        || vec![Unreachable { source: "registry.example".to_owned(), cause: "timed out".to_owned() }];
    let without = Gathered { unreachable: source(), ..Gathered::default() };
    let decision = decided(&release, without, &one_approval(), &request(Mode::Enforce));
    assert_eq!((decision.report().verdict, decision.report().action), (Verdict::Error, Action::Deny));
    assert!(decision.core().is_none());
    let found = vec![approved(&release, b'e', "2026-11-24T15:00:00Z")];
    let gathered = Gathered { found, unreachable: source(), ..Gathered::default() };
    let decision = decided(&release, gathered, &one_approval(), &request(Mode::Enforce));
    let report = decision.report();
    assert_eq!((report.verdict, report.action), (Verdict::Pass, Action::Allow));
    let warning = &report.findings[0];
    assert_eq!(warning.severity, Severity::Warn);
    assert_eq!(
        short(warning),
        ("evidence-unreachable", "`registry.example` could not be read in full: timed out".to_owned())
    );
}

#[test]
fn too_much_evidence_is_a_deny_whatever_it_says() {
    let release = resolved(b"payments");
    let found = vec![approved(&release, b'e', "2026-11-24T15:00:00Z")];
    let over_limit = Some(OverLimit { source: None, what: "evidence files", limit: 10, found: 11 });
    let gathered = Gathered { found, over_limit, ..Gathered::default() };
    let decision = decided(&release, gathered, &one_approval(), &request(Mode::Enforce));
    assert_eq!(decision.report().verdict, Verdict::Fail);
    assert_eq!(decision.report().findings[0].rule, RuleId::EvidenceLimit);
}

#[test]
fn an_artifact_that_could_pass_for_evidence_is_denied() {
    let release = resolved(b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    let found = vec![approved(&release, b'e', "2026-11-24T15:00:00Z")];
    let decision = decided(&release, with(found), &one_approval(), &request(Mode::Enforce));
    assert_eq!(decision.report().findings[0].rule, RuleId::ArtifactShape);
    assert_eq!(decision.report().action, Action::Deny);
}

#[test]
fn facts_and_draft_of_another_release_decide_nothing() {
    let (release, other) = (resolved(b"payments"), resolved(b"other"));
    let (standard, request) = (one_approval(), request(Mode::Enforce));
    let approval = || with(vec![approved(&release, b'e', "2026-11-24T15:00:00Z")]);
    let facts = || verify(&release, approval(), &standard.trust, now());
    let draft = |of: &ResolvedRelease| PlanDraft::of(of, &request.rollout);
    let action = |decision: Decision| decision.report().action;
    assert_eq!(action(decide(&release, facts(), draft(&release), &standard, &request, now())), Action::Allow);
    assert_eq!(action(decide(&release, facts(), draft(&other), &standard, &request, now())), Action::Deny);
    assert_eq!(action(decide(&other, facts(), draft(&other), &standard, &request, now())), Action::Deny);
}

#[test]
fn a_mismatch_is_a_deny_with_claim_and_computed_digest() {
    let Resolution::Differs(mismatch) = resolve(b"claimed", b"found") else { panic!("it differs") };
    let standard = standard(sets(Vec::new(), all_flags()));
    let decision = Decision::refuse(mismatch, &standard, &request(Mode::Enforce), now());
    let report = decision.report();
    assert_eq!((report.verdict, report.action), (Verdict::Fail, Action::Deny));
    let (claimed, found) = (Digest::of_bytes(b"claimed"), Digest::of_bytes(b"found"));
    let message = format!("`payments` is claimed to be {claimed} and is {found}");
    assert_eq!(report.findings.iter().map(short).collect::<Vec<_>>(), [("artifact-digest", message)]);
    assert!(report.facts.is_none() && report.release.digest.is_none() && decision.core().is_none());
    let asked = json!({"_type": "https://laforge.dev/request/v1", "mode": "enforce", "ttlSeconds": 14400});
    let idem = json!({
        "_type": "https://laforge.dev/idem/v1", "policy": standard.policies.digest(),
        "trust": standard.trust.digest(), "request": Digest::of_value(&asked), "inputs": [],
    });
    assert_eq!(decision.idem(), Digest::of_value(&idem));
}

#[test]
fn idem_is_over_all_that_was_asked_and_read_and_no_clock() {
    let release = resolved(b"payments");
    let standard = one_approval();
    let found = || approved(&release, b'e', "2026-11-24T15:00:00Z");
    let ci = CiRun { provider: "github".to_owned(), run_id: "7".to_owned(), attempt: 1, url: None };
    let mut request = request(Mode::Enforce);
    request.caller.ci = Some(ci);
    let idem = |request: &Request, minute: i64| {
        let now = now() + chrono::Duration::minutes(minute);
        let verified = verify(&release, with(vec![found()]), &standard.trust, now);
        decide(&release, verified, PlanDraft::of(&release, &request.rollout), &standard, request, now).idem()
    };
    let draft = PlanDraft::of(&release, &request.rollout);
    let asked = json!({
        "_type": "https://laforge.dev/request/v1", "mode": "enforce", "ttlSeconds": 14400, "draft": draft.members(),
    });
    let expected = json!({
        "_type": "https://laforge.dev/idem/v1", "release": release.digest(), "policy": standard.policies.digest(),
        "trust": standard.trust.digest(), "request": Digest::of_value(&asked), "inputs": [found().digest()], "ciRun": "7",
    });
    assert_eq!(idem(&request, 0), Digest::of_value(&expected));
    assert_eq!(idem(&request, 5), Digest::of_value(&expected));
    request.caller.ci.as_mut().unwrap().attempt = 2;
    assert_eq!(idem(&request, 0), Digest::of_value(&expected));
    request.caller.ci.as_mut().unwrap().run_id = "8".to_owned();
    assert_ne!(idem(&request, 0), Digest::of_value(&expected));
}

#[test]
fn the_report_is_what_its_schema_says() {
    let validator = jsonschema::validator_for(&report_schema()).unwrap();
    let check = |report: &Value| {
        let errors: Vec<_> = validator.iter_errors(report).map(|error| error.to_string()).collect();
        assert_eq!(errors, [] as [String; 0], "{report:#}");
    };
    let release = resolved(b"payments");
    let found = vec![approved(&release, b'e', "2026-11-24T15:00:00Z")];
    let allowed = decided(&release, with(found), &one_approval(), &request(Mode::Enforce));
    let allowed = allowed.report().to_value();
    check(&allowed);
    let denied = decided(
        &release,
        Gathered::default(),
        &standard(sets(vec![production()], all_flags())),
        &request(Mode::Enforce),
    );
    check(&denied.report().to_value());
    let Resolution::Differs(mismatch) = resolve(b"claimed", b"found") else { panic!("it differs") };
    check(&Decision::refuse(mismatch, &one_approval(), &request(Mode::Enforce), now()).report().to_value());

    // Facts of every kind, and what is added when the report is printed.
    let mut whole = allowed.clone();
    let mut facts = complete_facts();
    facts.artifacts[0].provenances[0].time = Some(now());
    facts.artifacts[0].signatures[0].time = Some(now());
    facts.config.push(config("app.yaml"));
    whole["facts"] = serde_json::to_value(&facts).unwrap();
    let digest = Digest::of_bytes(b"");
    whole["audit"] = json!({"origin": "o", "logId": digest, "index": 1, "size": 2, "root": digest});
    whole["timing"] = json!({"verify": 3});
    check(&whole);
    for (member, value) in [
        ("extra", json!(1)),
        ("facts", json!({})),
        ("decision", json!({"verdict": "maybe"})),
        ("clock", json!("now")),
    ] {
        let mut wrong = whole.clone();
        wrong[member] = value;
        assert!(!validator.is_valid(&wrong), "{member}");
    }
}

#[test]
fn the_report_names_the_place_of_what_is_asked() {
    let decision =
        decided(&resolved(b"payments"), Gathered::default(), &one_approval(), &request(Mode::Enforce));
    let report = decision.report().to_value();
    let set = decision.report().policy.sets[0].digest;
    assert_eq!(
        report["findings"],
        json!([{
            "rule": "approval-threshold", "severity": "deny", "subject": "payments 2.4.0",
            "message": "0 of 1 required approvals for `payments 2.4.0`",
            "help": format!("ask someone else with a role to approve {}", decision.report().release.digest.unwrap()),
            "counted": [],
            "policy": {"file": "test.yaml", "line": 4, "column": 39, "digest": set},
        }])
    );
    assert_eq!(report["decision"], json!({"verdict": "fail", "action": "deny", "mode": "enforce"}));
    assert!(report.get("audit").is_none() && report.get("timing").is_none() && report.get("plan").is_none());
}

#[test]
fn the_same_bytes_give_the_same_decision_again() {
    let release = resolved(b"payments");
    let again = || {
        let found = vec![approved(&release, b'e', "2026-11-24T15:00:00Z")];
        let decision = decided(&release, with(found), &one_approval(), &request(Mode::Enforce));
        (
            crate::json::canonical(&decision.report().to_value()),
            decision.core().unwrap().digest(),
            decision.idem(),
        )
    };
    assert_eq!(again(), again());
}
