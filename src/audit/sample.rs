//! Accounts of decisions and logs to record them in, for this room's tests.

use std::path::Path;

use tempfile::TempDir;

use super::append::Prepared;
use super::entry::Body;
use super::entry::decision::{Account, DecisionEntry, InputView, PlanView};
use super::{AuditError, AuditLog, Created, LogConfig, NewLog};
use crate::json;
use crate::key::secret::SecretKey;
use crate::plan::Mode;
use crate::plan::draft::Verdict;
use crate::policy::account::{
    Action, NamedDigest, PolicyInForce, RecordedApproval, ReleaseSummary, SetSummary,
};
use crate::policy::{Actor, ActorType, Caller, CiRun, DecisionReport, Finding, RuleId, Severity};
use crate::release::SourceRevision;
use crate::release::digest::Digest;
use crate::time::{self, Timestamp};
use crate::verify::facts::TimeKind;

/// The origin of the logs here.
pub(in crate::audit) const ORIGIN: &str = "gitops.example.com/payments/prod";

/// The manifest of the policy set and the file that it names.
pub(in crate::audit) const POLICY_FILE: &[u8] = b"kind: Policy\n";

pub(in crate::audit) fn at(text: &str) -> Timestamp {
    time::parse(text).unwrap()
}

/// Noon and some seconds.
pub(in crate::audit) fn noon(seconds: i64) -> Timestamp {
    at("2026-11-24T12:00:00Z") + chrono::TimeDelta::seconds(seconds)
}

pub(in crate::audit) fn key() -> SecretKey {
    SecretKey::from_ed25519_seed(&[42; 32]).unwrap()
}

pub(in crate::audit) fn digest(of: &str) -> Digest {
    Digest::of_bytes(of.as_bytes())
}

fn manifest() -> Vec<u8> {
    let file = Digest::of_bytes(POLICY_FILE);
    json::canonical(&serde_json::json!({"files": [{"path": "a.yaml", "digest": file}], "name": "production"}))
}

/// A small allow.
pub(in crate::audit) fn report() -> DecisionReport {
    DecisionReport {
        verdict: Verdict::Pass,
        action: Action::Allow,
        mode: Mode::Enforce,
        release: ReleaseSummary {
            name: "payments".into(),
            version: "2.4.0".into(),
            environment: "production".into(),
            digest: Some(digest("release")),
            source: SourceRevision {
                repository: "https://git.example.com/payments".into(),
                commit: "9f2c".into(),
                r#ref: "refs/tags/v2.4.0".into(),
            },
            artifacts: vec![NamedDigest { name: "api".into(), digest: digest("api").claim() }],
            manifests: None,
        },
        findings: vec![],
        facts: None,
        approvals: vec![],
        set_aside: vec![],
        unreachable: vec![],
        ignored: 0,
        policy: PolicyInForce {
            digest: digest("policy"),
            sets: vec![SetSummary {
                name: "production".into(),
                version: 7,
                digest: Digest::of_bytes(&manifest()),
            }],
        },
        trust: digest("trust"),
        plan: None,
        now: noon(0),
    }
}

/// An account whose every list is long and whose every text is as long as a text can be written.
pub(in crate::audit) fn largest() -> DecisionReport {
    let text = "\u{1}".repeat(4000);
    let many = 1000;
    let named = |n: usize| NamedDigest { name: text.clone(), digest: digest(&n.to_string()).claim() };
    let approval = |n: usize| RecordedApproval {
        person: text.clone(),
        attested_by: Some(text.clone()),
        role: Some(text.clone()),
        time: at("2026-11-24T12:00:00Z"),
        time_kind: TimeKind::Trusted,
        evidence: digest(&n.to_string()),
        counted: n.is_multiple_of(2),
    };
    let finding = |_| Finding {
        rule: RuleId::EvidenceUnreachable,
        severity: Severity::Deny,
        subject: text.clone(),
        message: text.clone(),
        help: None,
        origin: None,
        place: None,
        counted: vec![],
    };
    let set = |_| SetSummary { name: text.clone(), version: 1 << 53, digest: digest("set") };
    let small = report();
    DecisionReport {
        release: ReleaseSummary {
            name: text.clone(),
            version: text.clone(),
            environment: text.clone(),
            source: SourceRevision { repository: text.clone(), commit: text.clone(), r#ref: text.clone() },
            artifacts: (0..many).map(named).collect(),
            manifests: None,
            ..small.release
        },
        findings: (0..many).map(finding).collect(),
        approvals: (0..many).map(approval).collect(),
        policy: PolicyInForce { digest: digest("policy"), sets: (0..many).map(set).collect() },
        ..small
    }
}

/// Somebody whose every text is as long as in [`largest`].
pub(in crate::audit) fn caller() -> Caller {
    let text = "\u{1}".repeat(4000);
    Caller {
        actor: Actor {
            id: text.clone(),
            issuer: Some(text.clone()),
            r#type: ActorType::Workload,
            verified: true,
        },
        ci: Some(CiRun {
            provider: text.clone(),
            run_id: text.clone(),
            attempt: 1 << 53,
            url: Some(text.clone()),
        }),
        trace: Some(text),
    }
}

/// Somebody in CI.
fn near() -> Caller {
    let ci = CiRun { provider: "github".into(), run_id: "7".into(), attempt: 1, url: None };
    Caller { ci: Some(ci), ..Caller::unknown() }
}

fn account(report: &DecisionReport, core: Option<&[u8]>, idem: &str) -> DecisionEntry {
    let count = if report.release.artifacts.len() > 1 { 1000 } else { 1 };
    let (long, many) = ("\u{1}".repeat(4000), count > 1);
    let input = |n: usize, role: &str| InputView {
        role: role.to_owned(),
        digest: Digest::of_bytes(format!("input {n}").as_bytes()).claim(),
        size: 7,
    };
    let mut inputs: Vec<_> = (0..count).map(|n| input(n, if many { &long } else { "provenance" })).collect();
    inputs.push(input(count, "set-aside"));
    let account = Account {
        report,
        inputs,
        facts: Some(digest("facts")),
        report_digest: digest("report"),
        plan: core.map(|core| PlanView { digest: Digest::of_bytes(core).claim(), size: core.len() as u64 }),
        idem: digest(idem),
    };
    DecisionEntry::of(account, &if many { caller() } else { near() })
}

/// The entry of an account.
pub(in crate::audit) fn decision(report: &DecisionReport) -> Body {
    Body::Decision(Box::new(account(report, Some(b"core"), "idem")))
}

/// A plan's core that may be started until then.
pub(in crate::audit) fn core(until: Timestamp) -> Vec<u8> {
    let until = time::to_seconds(until);
    json::canonical(&serde_json::json!({"validity": {"notAfter": until}, "target": "prod"}))
}

/// A decision ready to be recorded, with its blobs.
pub(in crate::audit) fn prepared(report: &DecisionReport, core: Option<Vec<u8>>, idem: &str) -> Prepared {
    let entry = account(report, core.as_deref(), idem);
    let texts = ["facts", "report", "trust", "input 0"].map(|text| text.as_bytes().to_vec());
    let blobs = texts.into_iter().chain([manifest(), POLICY_FILE.to_vec()]).chain(core.clone()).collect();
    let versions = report.policy.sets.iter().map(|set| (set.name.clone(), set.version)).collect();
    Prepared { entry, blobs, versions, core }
}

/// A folder in memory where there is one: hundreds of crashes are tried, and syncing is not free.
pub(in crate::audit) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A log with segments of `segment` lines in a folder of its own.
pub(in crate::audit) fn new_log(segment: u64) -> (TempDir, Created) {
    let folder = folder();
    let caller = Caller::unknown();
    let new = NewLog { segment, ..NewLog::new(folder.path().join("log"), ORIGIN, &caller) };
    let created = AuditLog::create(&new, &key(), noon(0)).unwrap();
    (folder, created)
}

pub(in crate::audit) fn config(folder: &Path) -> LogConfig {
    LogConfig { seen: None, ..LogConfig::new(folder.join("log"), Some(key())) }
}

/// The log in this folder, open for writing.
pub(in crate::audit) fn open(folder: &Path, now: Timestamp) -> Result<AuditLog, AuditError> {
    AuditLog::open(config(folder), now)
}
