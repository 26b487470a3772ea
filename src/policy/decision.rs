//! The decision: always a verdict, with its reasons.
//!
//! A seal: [`Decision`] has no other makers than [`decide`] and [`Decision::refuse`], which can
//! only deny. It can't be dropped silently, and the log takes it by value. What the rules say is
//! `judgement`'s; validity, `idem` and the account are made here (`formats.md` sections 8 and 9).

use serde::Serialize;
use serde_json::Value;

use crate::evidence::Unreachable;
use crate::plan::draft::Verdict;
use crate::plan::{LimitedBy, Mode, PlanCore, PlanDraft, REQUEST_TYPE, Validity, Verification};
use crate::release::digest::Digest;
use crate::release::resolved::{Differing, Mismatch, ResolvedRelease, Unfetched, Unread};
use crate::time::{Timestamp, whole_seconds};
use crate::verify::facts::Facts;
use crate::verify::{Input, Verified};

use super::account::{Action, PlanSummary, PolicyInForce, RecordedApproval, ReleaseSummary, SetSummary};
use super::finding::{Finding, RuleId, Severity};
use super::judgement::{self, CountedApprovals, Judgement};
use super::rule::proposal::Proposal;
use super::rule::{Cure, Outcome, Scope, denial, floor};
use super::{DecisionReport, PolicySets, Request, Standard};

/// A verdict with its reasons, to be recorded.
#[derive(Debug)]
#[must_use = "a decision that is not recorded never happened"]
pub struct Decision {
    report: DecisionReport,
    core: Option<PlanCore>,
    inputs: Vec<Input>,
    blobs: Vec<Vec<u8>>,
    idem: Digest,
    environment_versions: Vec<(String, u64)>,
}

/// Decides: every rule of every set is evaluated, and any deny wins.
pub fn decide(
    release: &ResolvedRelease,
    verified: Verified,
    draft: PlanDraft,
    standard: &Standard,
    request: &Request,
    now: Timestamp,
) -> Decision {
    let summary = ReleaseSummary::of(release);
    let judgement = {
        let proposal = Proposal::of(&draft);
        let scope = Scope {
            facts: verified.facts.get(),
            proposal: &proposal,
            release: &summary,
            now,
            set_apart: None,
        };
        let outcome = before_rules(release, &verified, &draft, request, &scope);
        judgement::judge(&standard.policies, &scope, outcome, verified.unreachable.len())
    };
    let action = action(judgement.verdict, request.mode);
    let idem =
        idem(Some(release.digest()), draft.request_digest(request.mode), standard, request, &verified.inputs);
    let core =
        (action == Action::Allow).then(|| complete(draft, &judgement, &verified, standard, request, now));
    let plan = core.as_ref().map(|(core, limited_by)| PlanSummary {
        digest: core.digest(),
        not_after: core.not_after(),
        limited_by: *limited_by,
    });
    let facts = verified.facts.into_facts();
    let report = DecisionReport {
        verdict: judgement.verdict,
        action,
        mode: request.mode,
        release: summary,
        findings: judgement.findings,
        approvals: approvals(&facts, &judgement.counted),
        facts: Some(facts),
        set_aside: verified.set_aside,
        unreachable: verified.unreachable,
        ignored: verified.ignored,
        policy: in_force(&standard.policies),
        trust: standard.trust.digest(),
        plan,
        now,
    };
    Decision {
        report,
        core: core.map(|(core, _)| core),
        inputs: verified.inputs,
        blobs: blobs(standard),
        idem,
        environment_versions: standard.policies.set_versions(),
    }
}

impl Decision {
    /// The deny of a release whose bytes are not what it claims, or can't be had. Can't allow: where
    /// nothing is wrong but that a registry didn't answer, it can't tell.
    pub fn refuse(mismatch: Mismatch, standard: &Standard, request: &Request, now: Timestamp) -> Self {
        let verdict = unresolved(&mismatch);
        let unread = mismatch.unread.iter().map(unread);
        let unpinned = mismatch.release.unpinned().iter().map(floor::unpinned);
        let mut findings: Vec<_> =
            mismatch.differing.iter().map(differs).chain(unread).chain(unpinned).collect();
        findings.sort_by(|one, other| one.order().cmp(&other.order()));
        let unreachable = mismatch.unread.iter().filter_map(unreachable).collect();
        let report = DecisionReport {
            verdict,
            action: action(verdict, request.mode),
            mode: request.mode,
            release: ReleaseSummary::claimed(mismatch.release),
            findings,
            approvals: Vec::new(),
            facts: None,
            set_aside: Vec::new(),
            unreachable,
            ignored: 0,
            policy: in_force(&standard.policies),
            trust: standard.trust.digest(),
            plan: None,
            now,
        };
        Self {
            report,
            core: None,
            inputs: Vec::new(),
            blobs: blobs(standard),
            idem: idem(None, undrafted(request), standard, request, &[]),
            environment_versions: standard.policies.set_versions(),
        }
    }

    /// The account: verdict, findings, facts, everything that the entry and the reports say.
    pub fn report(&self) -> &DecisionReport {
        &self.report
    }

    /// The plan core, on allow only.
    pub fn core(&self) -> Option<&PlanCore> {
        self.core.as_ref()
    }

    /// Every piece of evidence that was read, sorted by digest.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// What the log keeps beside evidence, facts, report and core: policy manifests and files,
    /// the resolved trust. Each is stored under the digest of its bytes.
    pub fn blobs(&self) -> &[Vec<u8>] {
        &self.blobs
    }

    /// The digest of everything that was asked and read: the same again gives the same plan again.
    pub fn idem(&self) -> Digest {
        self.idem
    }

    /// Name and version of each configured set: the log refuses lower ones than it has recorded.
    pub fn set_versions(&self) -> &[(String, u64)] {
        &self.environment_versions
    }

    /// Gives the account back, when the log could not take the decision.
    pub fn into_report(self) -> DecisionReport {
        self.report
    }
}

/// What follows from a verdict. Anything but a pass in force denies.
fn action(verdict: Verdict, mode: Mode) -> Action {
    match (mode, verdict) {
        (Mode::DryRun, _) => Action::None,
        (Mode::Enforce, Verdict::Pass) => Action::Allow,
        (Mode::Enforce | Mode::BreakGlass, _) => Action::Deny,
    }
}

/// What is found before any rule is asked.
fn before_rules(
    release: &ResolvedRelease,
    verified: &Verified,
    draft: &PlanDraft,
    request: &Request,
    scope: &Scope<'_>,
) -> Outcome {
    let mut outcome = Outcome::default();
    floor::deny_shapes(release, &mut outcome);
    floor::deny_unpinned(release.unpinned(), &mut outcome);
    if !of_one_release(release, scope.facts, draft) {
        let message = "release, facts and plan draft are not of one release digest".to_owned();
        let help = "run the gate again".to_owned();
        outcome.deny(Cure::None, denial(RuleId::ArtifactDigest, &scope.release_name(), message, help));
    }
    if request.mode == Mode::BreakGlass {
        let message = "break-glass is not built yet".to_owned();
        let help = "meet the rules, or wait for signed break-glass records".to_owned();
        outcome.deny(Cure::None, denial(RuleId::NoRule, &scope.release_name(), message, help));
    }
    if let Some(over) = &verified.over_limit {
        let (subject, help) = match &over.source {
            Some(source) => (source.as_str(), "take the file away, or have its tool write evidence alone"),
            None => (over.what, "keep the evidence of one release in a folder of its own"),
        };
        outcome.deny(Cure::None, denial(RuleId::EvidenceLimit, subject, over.to_string(), help.to_owned()));
    }
    for one in verified.set_aside.iter().filter(|one| one.may_say_no()) {
        let help = "have its signer say it anew in a form that can be read, or take it out of the evidence";
        let message = format!("`{}` is {}", one.source, one.reason);
        let finding = denial(RuleId::EvidenceUnheard, &one.source, message, help.to_owned());
        outcome.deny(Cure::None, finding);
    }
    for one in &verified.unreachable {
        let message = format!("`{}` could not be read in full: {}", one.source, one.cause);
        let help = UNREACHABLE.to_owned();
        let finding = denial(RuleId::EvidenceUnreachable, &one.source, message, help);
        outcome.deny(Cure::Evidence, Finding { severity: Severity::Warn, ..finding });
    }
    outcome
}

const UNREACHABLE: &str = "what is missing may lie there: give the gate's user permission to read it, or correct the \
     registry's address and credentials, and run the same command again";

/// Values of two releases can't be mixed: the digests bind them, beyond what the types do.
fn of_one_release(release: &ResolvedRelease, facts: &Facts, draft: &PlanDraft) -> bool {
    let drafted =
        draft.members().get("release").and_then(|release| release.get("digest")).and_then(Value::as_str);
    facts.release == release.digest() && drafted == Some(release.digest().to_string().as_str())
}

fn complete(
    draft: PlanDraft,
    judgement: &Judgement,
    verified: &Verified,
    standard: &Standard,
    request: &Request,
    now: Timestamp,
) -> (PlanCore, LimitedBy) {
    let verification = Verification {
        verdict: judgement.verdict,
        policy_digest: standard.policies.digest(),
        trust_digest: standard.trust.digest(),
        facts_digest: verified.facts.digest(),
        waivers: Vec::new(),
    };
    let validity = validity(now, draft.ttl(), &judgement.limits);
    let limited_by = validity.limited_by;
    (draft.complete(request.mode, verification, validity), limited_by)
}

/// The earliest end, cut to seconds; of several at the same second the first kind.
fn validity(now: Timestamp, ttl: chrono::Duration, limits: &[(Timestamp, LimitedBy)]) -> Validity {
    let not_before = whole_seconds(now);
    let by_ttl = not_before.checked_add_signed(ttl).map_or(not_before, whole_seconds);
    let ends = limits.iter().map(|(end, by)| (whole_seconds(*end), *by));
    let (not_after, limited_by) = ends.fold((by_ttl, LimitedBy::Ttl), std::cmp::min);
    Validity { not_before, not_after, limited_by }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Idem<'a> {
    #[serde(rename = "_type")]
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<Digest>,
    policy: Digest,
    trust: Digest,
    request: Digest,
    inputs: Vec<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ci_run: Option<&'a str>,
}

/// What is asked after a mismatch, when there is nothing to draft.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UndraftedRequest {
    #[serde(rename = "_type")]
    r#type: &'static str,
    mode: Mode,
    ttl_seconds: i64,
}

fn undrafted(request: &Request) -> Digest {
    let ttl_seconds = request.rollout.ttl().num_seconds();
    Digest::of_value(&UndraftedRequest { r#type: REQUEST_TYPE, mode: request.mode, ttl_seconds })
}

fn idem(
    release: Option<Digest>,
    asked: Digest,
    standard: &Standard,
    request: &Request,
    inputs: &[Input],
) -> Digest {
    let mut inputs: Vec<_> = inputs.iter().map(|input| input.digest).collect();
    inputs.sort();
    Digest::of_value(&Idem {
        r#type: "https://laforge.dev/idem/v1",
        release,
        policy: standard.policies.digest(),
        trust: standard.trust.digest(),
        request: asked,
        inputs,
        ci_run: request.caller.ci.as_ref().map(|ci| ci.run_id.as_str()),
    })
}

/// Counted ones first, then by person, then by evidence.
fn approvals(facts: &Facts, counted: &CountedApprovals) -> Vec<RecordedApproval> {
    let recorded = facts.approvals.iter().map(|fact| {
        let role = counted.get(&(fact.person.clone(), fact.evidence));
        RecordedApproval {
            person: fact.person.clone(),
            attested_by: fact.attested_by.clone(),
            role: role.cloned().flatten(),
            time: fact.time,
            time_kind: fact.time_kind,
            evidence: fact.evidence,
            counted: role.is_some(),
        }
    });
    let mut approvals: Vec<_> = recorded.collect();
    approvals.sort_by(|one, other| {
        let key = |one: &RecordedApproval| (!one.counted, one.person.clone(), one.evidence);
        key(one).cmp(&key(other))
    });
    approvals
}

fn differs(one: &Differing) -> Finding {
    let message = format!("`{}` is claimed to be {} and is {}", one.name, one.claimed, one.computed);
    let help =
        "deliver the bytes that were released, or release these: approvals and evidence are for the claim";
    denial(RuleId::ArtifactDigest, &one.name, message, help.to_owned())
}

/// Whether it is certain that the release can't be had as claimed.
fn unresolved(mismatch: &Mismatch) -> Verdict {
    let absent = mismatch.unread.iter().any(|one| one.why == Unfetched::Absent);
    let definite = absent || !mismatch.differing.is_empty() || !mismatch.release.unpinned().is_empty();
    if definite || mismatch.unread.is_empty() { Verdict::Fail } else { Verdict::Error }
}

fn unread(one: &Unread) -> Finding {
    let (rule, message, help) = match one.why {
        Unfetched::Absent => (
            RuleId::ArtifactMissing,
            format!("`{}` is not in its registry: there is no `{}`", one.name, one.place),
            "push the image that was released, or correct the reference: nothing can be verified of one that is nowhere",
        ),
        _ => (
            RuleId::ArtifactUnreachable,
            format!("`{}` could not be read: `{}` was not to be had", one.name, one.place),
            "make the registry reachable and run the same command again; its reason stands under `unreachable`",
        ),
    };
    denial(rule, &one.name, message, help.to_owned())
}

fn unreachable(one: &Unread) -> Option<Unreachable> {
    match &one.why {
        Unfetched::Unreachable { cause } => {
            Some(Unreachable { source: one.place.clone(), cause: cause.clone() })
        }
        _ => None,
    }
}

fn in_force(policies: &PolicySets) -> PolicyInForce {
    let sets = policies.sets().map(|set| SetSummary {
        name: set.name().to_owned(),
        version: set.version(),
        digest: set.digest(),
    });
    PolicyInForce { digest: policies.digest(), sets: sets.collect() }
}

fn blobs(standard: &Standard) -> Vec<Vec<u8>> {
    let mut blobs = standard.policies.blobs();
    blobs.push(standard.trust.canonical().to_vec());
    blobs
}
