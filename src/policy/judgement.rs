//! Judgement: every rule of every set over the facts, and what follows for the verdict.
//!
//! In: the sets, the scope, and what intake found beside facts. Out: findings in their order
//! (`formats.md` section 10), the verdict, counted approvals and the ends of the plan. Pure: the
//! same in gives the same out. Nothing here makes a decision; `decision.rs` does.

use std::collections::BTreeMap;

use crate::plan::LimitedBy;
use crate::plan::draft::Verdict;
use crate::release::digest::Digest;
use crate::time::Timestamp;

use super::finding::{Finding, RuleId, Severity};
use super::rule::floor::{self, ByDigest};
use super::rule::{Cure, Judged, Outcome, Rule, Scope, denial};
use super::set::PolicySets;

/// Approvals that counted: the role slot that each filled, by person and evidence.
pub(super) type CountedApprovals = BTreeMap<(String, Digest), Option<String>>;

/// What the rules say together.
#[derive(Debug)]
pub(super) struct Judgement {
    /// Findings, in order, each once.
    pub(super) findings: Vec<Finding>,
    /// Pass, fail, or cannot tell.
    pub(super) verdict: Verdict,
    /// Approvals that counted, by person and evidence, with the first role slot that each filled.
    pub(super) counted: CountedApprovals,
    /// Ends of the plan.
    pub(super) limits: Vec<(Timestamp, LimitedBy)>,
}

/// Evaluates every rule of every set that applies. `outcome` holds what was found before any rule;
/// `unreachable` says how many sources could not be read in full.
pub(super) fn judge(
    policies: &PolicySets,
    scope: &Scope<'_>,
    mut outcome: Outcome,
    unreachable: usize,
) -> Judgement {
    floor::deny_contract(scope, &mut outcome);
    floor::deny_unread(&by_digest(policies, scope), scope, &mut outcome);
    deny_vacuous(policies, scope, &mut outcome);
    let environment = scope.release.environment.as_str();
    for set in policies.sets() {
        let rules = || set.selected(environment).flat_map(|policy| &policy.rules);
        let scope = scope.of_set(rules());
        rules().for_each(|rule| rule.evaluate(&scope, &mut outcome));
    }
    let mut counted = CountedApprovals::new();
    for approval in outcome.counted {
        let role = counted.entry((approval.person, approval.evidence)).or_insert(None);
        *role = role.take().or(approval.role);
    }
    Judgement {
        verdict: verdict(&outcome.findings, unreachable),
        findings: in_order(outcome.findings),
        counted,
        limits: outcome.limits,
    }
}

fn rules<'a>(policies: &'a PolicySets, scope: &Scope<'a>) -> impl Iterator<Item = &'a Rule> {
    let environment = scope.release.environment.as_str();
    policies.sets().flat_map(move |set| set.selected(environment)).flat_map(|policy| &policy.rules)
}

fn by_digest(policies: &PolicySets, scope: &Scope<'_>) -> Vec<ByDigest> {
    let environment = &scope.release.environment;
    let said = |set: &super::PolicySet| {
        let policies = || set.selected(environment);
        let tests_backup = policies().flat_map(|policy| &policy.rules).any(Rule::tests_backup);
        match policies().fold(ByDigest::default(), |said, policy| said.and(policy.by_digest.as_ref())) {
            ByDigest::Silent if tests_backup => ByDigest::OfBackup,
            said => said,
        }
    };
    policies.configured().iter().map(said).collect()
}

/// Nothing to verify is never a pass: no set and no flag, a set that has no rule for this
/// environment, and rules that ask for no evidence between them.
fn deny_vacuous(policies: &PolicySets, scope: &Scope<'_>, outcome: &mut Outcome) {
    let environment = &scope.release.environment;
    for set in policies.sets() {
        if set.selected(environment).all(|policy| policy.rules.is_empty()) {
            let message = format!("policy set `{}` has no rule for environment `{environment}`", set.name());
            deny_no_rule(set.name(), message, "add the environment to a policy's `match`", outcome);
        }
    }
    if !rules(policies, scope).any(Rule::asks_for_evidence) {
        let message = format!("no rule asks for evidence of `{}`", scope.release_name());
        let help = "give a `--policy` with a `require` section, or a `--require-*` flag";
        deny_no_rule(&scope.release_name(), message, help, outcome);
    }
}

fn deny_no_rule(subject: &str, message: String, help: &str, outcome: &mut Outcome) {
    outcome.deny(Cure::None, denial(RuleId::NoRule, subject, message, help.to_owned()));
}

/// A deny stands, unless sources that were not reached might cure every one of them.
fn verdict(findings: &[Judged], unreachable: usize) -> Verdict {
    let mut denies = findings.iter().filter(|judged| judged.finding.severity == Severity::Deny).peekable();
    if denies.peek().is_none() {
        Verdict::Pass
    } else if unreachable > 0 && denies.all(|judged| judged.cure == Cure::Evidence) {
        Verdict::Error
    } else {
        Verdict::Fail
    }
}

fn in_order(findings: Vec<Judged>) -> Vec<Finding> {
    let mut findings: Vec<_> = findings.into_iter().map(|judged| judged.finding).collect();
    findings.sort_by(|one, other| one.order().cmp(&other.order()));
    findings.dedup();
    findings
}
