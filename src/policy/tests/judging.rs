//! From facts to a verdict: what the shipped policies, several sets and the flags make of them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use proptest::prelude::*;

use super::{all_flags, production};
use crate::plan::LimitedBy;
use crate::plan::draft::Verdict;
use crate::plan::members::MigrationClass;
use crate::policy::finding::{Finding, RuleId};
use crate::policy::judgement::{Judgement, judge};
use crate::policy::rule::proposal::{Backup, Migration, Proposal, Standing};
use crate::policy::rule::{Outcome, Scope};
use crate::policy::samples::{
    self, COMMIT, approval, artifact, complete_facts, config, facts, file, hours, loaded, now, party, policy,
    proposal, provenance, rejection, sets, signature, trust,
};
use crate::policy::set::{Flags, PolicySet, PolicySets};
use crate::verify::facts::{
    ApprovalFact, ArtifactFacts, AttestationFact, Ending, Facts, Party, Says, TimeKind,
};

fn judged_with(policies: &PolicySets, facts: &Facts, proposal: &Proposal, unreachable: usize) -> Judgement {
    let release = samples::release();
    let scope = Scope { facts, proposal, release: &release, now: now(), set_apart: None };
    judge(policies, &scope, Outcome::default(), unreachable)
}

fn judged(policies: &PolicySets, facts: &Facts) -> Judgement {
    judged_with(policies, facts, &proposal(), 0)
}

/// A backup that nothing runs.
fn backup() -> Option<Backup> {
    Some(Backup { name: "nightly".to_owned(), standing: Standing::Apart })
}

fn rules(judgement: &Judgement) -> Vec<&'static str> {
    judgement.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

#[test]
fn production_passes_complete_facts_and_fails_without_any_part_of_them() {
    let policies = sets(vec![production()], all_flags());
    assert_eq!(judged(&policies, &complete_facts()).verdict, Verdict::Pass);
    type Spoil = fn(&mut Facts);
    let spoil: [(&str, Spoil); 8] = [
        ("signature-missing", |facts| facts.artifacts[0].signatures.clear()),
        ("provenance-missing", |facts| facts.artifacts[0].provenances.clear()),
        ("provenance-level", |facts| facts.artifacts[0].provenances[0].level = 2),
        ("approval-threshold", |facts| facts.approvals.truncate(1)),
        ("approval-rejected", |facts| facts.approvals.push(rejection("bob"))),
        ("separation-unknown", |facts| facts.separation.truncate(1)),
        ("separation-of-duties", |facts| facts.separation[0].people = vec!["alice".to_owned()]),
        ("artifact-not-read", |facts| facts.artifacts[0].read = false),
    ];
    for (rule, spoil) in spoil {
        let mut facts = complete_facts();
        spoil(&mut facts);
        let judgement = judged(&policies, &facts);
        assert_eq!(judgement.verdict, Verdict::Fail, "{rule}");
        assert!(rules(&judgement).contains(&rule), "{rule} is not among {:?}", rules(&judgement));
    }
}

#[test]
fn baseline_asks_for_two_people_a_signature_and_provenance_of_the_commit() {
    let text = include_str!("../../../policies/baseline.yaml");
    let baseline = PolicySet::load(vec![file("baseline.yaml", text)], &trust()).unwrap();
    let policies = sets(vec![baseline], Flags::default());
    assert_eq!(judged(&policies, &complete_facts()).verdict, Verdict::Pass);
    let nothing = judged(&policies, &facts());
    assert_eq!(rules(&nothing), ["signature-missing", "provenance-missing", "approval-threshold"]);
    let at_line: Vec<_> =
        nothing.findings.iter().map(|finding| finding.origin.as_ref().unwrap().place.line).collect();
    assert!(at_line.is_sorted(), "findings of one file stand in the order of its lines");
}

#[test]
fn denies_where_nothing_is_asked() {
    let denied = |configured: Vec<PolicySet>, flags| {
        let judgement = judged(&sets(configured, flags), &complete_facts());
        assert_eq!(judgement.verdict, Verdict::Fail);
        let no_rule = |finding: &&Finding| finding.rule == RuleId::NoRule;
        judgement.findings.iter().filter(no_rule).map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    let nothing = "no rule asks for evidence of `payments 2.4.0`";
    let elsewhere = "policy set `unnamed` has no rule for environment `production`";
    assert_eq!(denied(Vec::new(), Flags::default()), [nothing]);
    let staging = || loaded("{match: {environments: [staging]}, require: {approvals: {atLeast: 1}}}");
    assert_eq!(denied(vec![staging()], Flags::default()), [nothing, elsewhere]);
    assert_eq!(
        denied(vec![staging()], all_flags()),
        [elsewhere],
        "a set that selects no rule denies for itself"
    );
    assert_eq!(denied(vec![loaded("{artifacts: {byDigest: allow}}")], all_flags()), [elsewhere]);
    let freeze = || loaded("{freeze: [{name: x, from: 2026-12-18, to: 2026-12-19}]}");
    assert_eq!(denied(vec![freeze()], Flags::default()), [nothing]);
    assert_eq!(judged(&sets(vec![freeze()], all_flags()), &complete_facts()).verdict, Verdict::Pass);
}

#[test]
fn lets_unread_artifacts_through_only_where_every_set_says_so() {
    let require = "require: {signatures: {}}";
    let set = |said: &str| loaded(&format!("{{{said}{require}}}"));
    let verdict = |policies: Vec<PolicySet>, flags| {
        let mut facts = complete_facts();
        facts.config.push(config("app.yaml"));
        facts.config[0].read = false;
        judged(&sets(policies, flags), &facts).verdict
    };
    let (allow, deny) = ("artifacts: {byDigest: allow}, ", "artifacts: {byDigest: deny}, ");
    assert_eq!(verdict(vec![set(allow)], Flags::default()), Verdict::Pass);
    assert_eq!(verdict(vec![set(allow)], all_flags()), Verdict::Pass);
    assert_eq!(verdict(vec![set("")], Flags::default()), Verdict::Fail);
    assert_eq!(verdict(Vec::new(), all_flags()), Verdict::Fail);
    // A policy given beside the configured ones can't loosen them.
    assert_eq!(verdict(vec![set(""), set(allow)], Flags::default()), Verdict::Fail);
    assert_eq!(verdict(vec![set(allow), set(deny)], Flags::default()), Verdict::Fail);
    let folder = |texts: [&str; 2]| {
        let files = texts.iter().zip(["a.yaml", "b.yaml"]);
        let files = files.map(|(said, path)| file(path, &policy(&format!("{{{said}{require}}}"))));
        PolicySet::load(files.collect(), &trust()).unwrap()
    };
    assert_eq!(verdict(vec![folder([allow, ""])], Flags::default()), Verdict::Pass);
    assert_eq!(verdict(vec![folder([allow, deny])], Flags::default()), Verdict::Fail);
}

#[test]
fn is_inconclusive_only_where_evidence_might_cure_every_deny() {
    let policies = sets(vec![production()], Flags::default());
    let verdict =
        |facts: &Facts, unreachable| judged_with(&policies, facts, &proposal(), unreachable).verdict;
    let mut facts = complete_facts();
    assert_eq!(verdict(&facts, 1), Verdict::Pass);
    facts.approvals.truncate(1);
    assert_eq!((verdict(&facts, 0), verdict(&facts, 1)), (Verdict::Fail, Verdict::Error));
    facts.approvals.push(rejection("bob"));
    assert_eq!(verdict(&facts, 1), Verdict::Fail);
    let mut unread = complete_facts();
    unread.artifacts[0].read = false;
    assert_eq!(verdict(&unread, 1), Verdict::Fail);
}

#[test]
fn denies_a_contracting_migration_without_any_policy_on_it() {
    let policies = sets(Vec::new(), all_flags());
    let migration = |class, changes_no_version| Proposal {
        migration: Some(Migration { class, backup: backup(), changes_no_version }),
        ..proposal()
    };
    let judge = |proposal: &Proposal| rules(&judged_with(&policies, &complete_facts(), proposal, 0));
    assert_eq!(judge(&migration(MigrationClass::Expand, false)), [] as [&str; 0]);
    assert_eq!(judge(&migration(MigrationClass::Contract, false)), ["rollout-migration"]);
    assert_eq!(judge(&migration(MigrationClass::Contract, true)), [] as [&str; 0]);
}

#[test]
fn a_set_that_tests_the_backup_asks_nothing_else_of_it_and_other_sets_do() {
    let mut facts = complete_facts();
    let dump = ArtifactFacts { read: false, ..artifact("nightly") };
    let tests = AttestationFact {
        says: Some(Says::Tests { result: Ending::Passed }),
        ..samples::attestation("https://in-toto.io/attestation/test-result/v0.1", "restored")
    };
    facts.artifacts.push(ArtifactFacts { attestations: vec![tests], ..dump });
    let of = |class, standing| {
        let backup = backup().map(|backup| Backup { standing, ..backup });
        Proposal { migration: Some(Migration { class, backup, changes_no_version: true }), ..proposal() }
    };
    let contract = of(MigrationClass::Contract, Standing::Apart);
    let judge = |policies: &PolicySets, proposal: &Proposal, facts: &Facts| {
        rules(&judged_with(policies, facts, proposal, 0))
    };
    let asked = "require: {signatures: {}, provenance: {}}";
    let tested = || loaded(&format!("{{{asked}, rollout: {{backup: {{restoreTestedWithin: 7d}}}}}}"));
    let alone = sets(vec![tested()], Flags::default());
    assert_eq!(judge(&alone, &contract, &facts), [] as [&str; 0]);
    // Without its test it is denied, and for nothing else; another artifact is asked for all as ever.
    let passed = std::mem::take(&mut facts.artifacts[1].attestations);
    assert_eq!(judge(&alone, &contract, &facts), ["rollout-backup"]);
    facts.artifacts[1].attestations = passed;
    let signed = std::mem::take(&mut facts.artifacts[0].signatures);
    assert_eq!(judge(&alone, &contract, &facts), ["signature-missing"]);
    facts.artifacts[0].signatures = signed;
    // What runs is no backup, and nothing is one without a migration.
    let all = ["artifact-not-read", "provenance-missing", "signature-missing"];
    let denied = judge(&alone, &of(MigrationClass::Contract, Standing::Runs), &facts);
    assert!(all.iter().all(|rule| denied.contains(rule)), "{denied:?}");
    assert_eq!(judge(&alone, &proposal(), &facts), all);
    // Sets that say nothing of backups ask it for all; flags are such a set.
    let policy = loaded(&format!("{{{asked}}}"));
    let denied = judge(&sets(vec![tested(), policy], Flags::default()), &contract, &facts);
    assert_eq!(denied, all);
    let flags = Flags { signed: true, ..Flags::default() };
    assert_eq!(judge(&sets(vec![tested()], flags), &contract, &facts), ["signature-missing"]);
    // That its digest is enough holds unless a policy says no in as many words.
    let spec = format!(
        "{{artifacts: {{byDigest: deny}}, {asked}, rollout: {{backup: {{restoreTestedWithin: 7d}}}}}}"
    );
    assert_eq!(judge(&sets(vec![loaded(&spec)], Flags::default()), &contract, &facts), ["artifact-not-read"]);
}

#[test]
fn orders_findings_by_severity_place_rule_subject_and_message() {
    let files =
        ["b.yaml", "a.yaml"].map(|path| file(path, &policy("{require: {provenance: {}, signatures: {}}}")));
    let set = PolicySet::load(files.into(), &trust()).unwrap();
    let mut facts = facts();
    facts.artifacts.insert(0, artifact("worker"));
    let judgement = judged(&sets(vec![set], Flags { signed: true, ..Flags::default() }), &facts);
    let found: Vec<_> = judgement
        .findings
        .iter()
        .map(|finding| {
            (
                finding.origin.as_ref().map(|origin| origin.path.as_str()),
                finding.rule.as_str(),
                finding.subject.as_str(),
            )
        })
        .collect();
    let of = |path| {
        [
            (path, "provenance-missing", "payments"),
            (path, "provenance-missing", "worker"),
            (path, "signature-missing", "payments"),
            (path, "signature-missing", "worker"),
        ]
    };
    let flags = [(None, "signature-missing", "payments"), (None, "signature-missing", "worker")];
    assert_eq!(found, [&flags[..], &of(Some("a.yaml")), &of(Some("b.yaml"))].concat());
}

#[test]
fn counts_an_approval_that_any_rule_counts() {
    let strict = loaded("{require: {approvals: {atLeast: 1, roles: {sre: 1}, maxAge: 1h}}}");
    let lax = loaded("{require: {approvals: {atLeast: 1}}}");
    let mut facts = complete_facts();
    facts.approvals[1].time = now();
    let judgement = judged(&sets(vec![lax, strict], Flags::default()), &facts);
    assert_eq!(judgement.verdict, Verdict::Pass);
    let record = |person: &str| (person.to_owned(), approval(person).evidence);
    let expected = [(record("alice"), None), (record("carol"), Some("sre".to_owned()))];
    assert_eq!(judgement.counted, BTreeMap::from(expected));
    assert!(judgement.limits.contains(&(now() + hours(1), LimitedBy::MaxAge)));
}

/// One piece of evidence that may or may not be there.
#[derive(Debug, Clone)]
enum Piece {
    Signature(&'static str),
    Provenance { level: u8, right_commit: bool },
    Approval { person: &'static str, age: i64, trusted: bool },
}

fn piece() -> impl Strategy<Value = Piece> {
    let person = prop::sample::select(vec!["alice", "bob", "carol", "dave"]);
    prop_oneof![
        prop::sample::select(vec!["release", "second"]).prop_map(Piece::Signature),
        (0u8..4, any::<bool>()).prop_map(|(level, right_commit)| Piece::Provenance { level, right_commit }),
        (person, 0i64..48, any::<bool>()).prop_map(|(person, age, trusted)| Piece::Approval {
            person,
            age,
            trusted
        }),
    ]
}

fn facts_of(pieces: &[Piece]) -> Facts {
    let mut facts = facts();
    facts.separation =
        vec![party(Party::SourceAuthor, &["bob"], 0), party(Party::WorkflowActor, &["dave"], 0)];
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Signature(signer) => {
                facts.artifacts[0].signatures.push(signature(signer, &at.to_string()))
            }
            Piece::Provenance { level, right_commit } => {
                let mut fact = provenance();
                fact.level = *level;
                fact.commit = right_commit.then(|| COMMIT.to_owned());
                facts.artifacts[0].provenances.push(fact);
            }
            Piece::Approval { person, age, trusted } => {
                let mut fact = approval(person);
                fact.time = now() - hours(*age);
                if !trusted {
                    fact.time_kind = TimeKind::Claimed;
                }
                // Facts hold one record per person.
                if facts.approvals.iter().all(|other: &ApprovalFact| other.person != fact.person) {
                    facts.approvals.push(fact);
                }
            }
        }
    }
    facts
}

fn demanding() -> &'static PolicySets {
    static SETS: OnceLock<PolicySets> = OnceLock::new();
    let second = "{require: {signatures: {atLeast: 2}, \
        approvals: {atLeast: 2, roles: {release-manager: 1, sre: 1}, maxAge: 24h}}}";
    SETS.get_or_init(|| sets(vec![production(), loaded(second)], all_flags()))
}

proptest! {
    #[test]
    fn adding_evidence_never_turns_an_allow_into_a_deny(
        pieces in prop::collection::vec(piece(), 0..14), more in prop::collection::vec(piece(), 1..4),
    ) {
        let policies = demanding();
        let deny_count = |pieces: &[Piece]| judged(policies, &facts_of(pieces)).findings.len();
        let verdict = |pieces: &[Piece]| judged(policies, &facts_of(pieces)).verdict;
        let both = [pieces.clone(), more].concat();
        if verdict(&pieces) == Verdict::Pass {
            prop_assert_eq!(verdict(&both), Verdict::Pass);
        }
        // Some of the cases must reach a pass: a complete base, with whatever else.
        let complete = vec![
            Piece::Signature("release"), Piece::Signature("second"),
            Piece::Provenance { level: 3, right_commit: true },
            Piece::Approval { person: "alice", age: 1, trusted: true },
            Piece::Approval { person: "carol", age: 1, trusted: true },
        ];
        let whole = [complete, both].concat();
        prop_assert_eq!(deny_count(&whole), 0);
    }

    #[test]
    fn the_same_facts_give_the_same_judgement(pieces in prop::collection::vec(piece(), 0..10)) {
        let shown = || format!("{:?}", judged(demanding(), &facts_of(&pieces)));
        let threads: Vec<String> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..4).map(|_| scope.spawn(shown)).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        prop_assert!(threads.iter().all(|one| *one == shown()));
    }
}
