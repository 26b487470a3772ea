//! `require.approvals`, and `--require-approved`: people who said yes to this very release.
//!
//! Facts hold each person's latest record in date (`formats.md` section 7). Distinct people count,
//! each in one role slot; nobody counts who is also a party that must be another person; a
//! rejection by anybody with a role blocks, whatever `maxAge` and `trustedTime` say of approvals.
//!
//! What a signer passes on for a person counts only where `attestedBy` names that signer, and weighs
//! less than the person's own word: it never lifts a rejection that they signed themselves.

mod party;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::evidence::predicate::approval::TYPE as APPROVAL;
use crate::plan::LimitedBy;
use crate::time::duration;
use crate::time::{Timestamp, to_seconds, whole_seconds};
use crate::trust::{Person, shapes_artifacts};
use crate::verify::facts::{ApprovalDecision, ApprovalFact, Facts, Party, TimeKind};
use crate::yaml::{DocumentError, Spanned};

use super::attestations::signer;
use super::{Counted, Cure, Outcome, Reading, Scope, denial, matching};
use crate::policy::finding::{Finding, Origin, RuleId};
use party::{establish, name, unestablished};
use standing::{Standing, Tally, rejects, standing_records};

/// People who approved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ApprovalsSection {
    /// How many people in all; anybody with a role in trust counts.
    #[schemars(with = "u64", range(min = 1, max = 16))]
    pub at_least: Spanned<u64>,
    /// How many of them in each role; one person fills one role only.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, SlotCount>", extend("minProperties" = 1, "maxProperties" = 16))]
    pub roles: Option<Spanned<BTreeMap<String, Spanned<u64>>>>,
    /// How old an approval may be, from the older of its trusted time and its own word.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = duration::PATTERN))]
    pub max_age: Option<Spanned<String>>,
    /// Parties that no approver may be. One that can't be established denies.
    #[serde(default)]
    #[schemars(with = "BTreeSet<Party>", length(min = 1))]
    pub distinct_from: Option<Spanned<Vec<Party>>>,
    /// Whether an approval needs a time that a log or a time stamp authority vouches for.
    #[serde(default)]
    #[schemars(with = "Required")]
    pub trusted_time: Option<Required>,
    /// Names of signers in trust that may pass on what people said elsewhere; nobody unless said.
    #[serde(default)]
    #[schemars(with = "BTreeSet<String>", length(min = 1, max = 64))]
    pub attested_by: Option<Spanned<Vec<Spanned<String>>>>,
}

/// A count of people in one role.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct SlotCount(
    #[schemars(range(min = 1, max = 16))]
    #[expect(dead_code, reason = "describes a schema")]
    u64,
);

/// A condition that is either asked for or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Required {
    /// It has to hold.
    Required,
}

/// A checked requirement of approvals.
#[derive(Debug)]
pub struct Approvals {
    at_least: usize,
    roles: BTreeMap<String, (usize, Option<Origin>)>,
    max_age: Option<Duration>,
    distinct_from: Option<(BTreeSet<Party>, Origin)>,
    trusted_time: bool,
    attested_by: BTreeSet<String>,
    origin: Option<Origin>,
}

impl Approvals {
    /// `--require-approved`: one person with a role, and nobody's rejection.
    pub fn flag() -> Self {
        Self {
            at_least: 1,
            roles: BTreeMap::new(),
            max_age: None,
            distinct_from: None,
            trusted_time: false,
            attested_by: BTreeSet::new(),
            origin: None,
        }
    }

    /// Checks a section against trust.
    ///
    /// # Errors
    /// [`DocumentError`] for a role that nobody in trust has, for more people than trust has, for a wrong `maxAge`, and for a name of no
    /// signer or of one that may not sign approvals.
    pub fn read(section: &ApprovalsSection, reading: &Reading<'_>) -> Result<Self, DocumentError> {
        refuse_too_many(&section.at_least, reading)?;
        let listed = section.roles.iter().flat_map(|roles| &roles.value);
        let roles = listed.map(|(role, count)| slot(role, count, reading)).collect::<Result<_, _>>()?;
        let max_age = section.max_age.as_ref().map(|text| reading.duration(text)).transpose()?;
        let distinct_from = section.distinct_from.as_ref();
        let attesting = section.attested_by.iter().flat_map(|names| &names.value);
        Ok(Self {
            at_least: usize::try_from(section.at_least.value).unwrap_or(usize::MAX),
            roles,
            max_age,
            distinct_from: distinct_from
                .map(|parties| (parties.value.iter().copied().collect(), reading.origin(parties))),
            trusted_time: section.trusted_time.is_some(),
            attested_by: attesting.map(|name| attestor(name, reading)).collect::<Result<_, _>>()?,
            origin: Some(reading.origin(&section.at_least)),
        })
    }

    /// Denies rejections, parties that are not established, and too few people, in all or in a
    /// role. Every approval that meets all conditions counts, needed or not, and ends the plan
    /// when it ends itself.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let heard = self.heard(scope.facts);
        self.deny_rejections(&heard, scope, outcome);
        self.deny_unknown_parties(scope, outcome);
        let mut tally = Tally { lacking: self.unheard(scope.facts), ..Tally::default() };
        for fact in heard {
            match self.standing(fact, scope) {
                Standing::Counts if tally.has(&fact.person) => {}
                Standing::Counts => tally.counting.push(fact),
                Standing::IsParty(party) => tally.parties.push((fact, party)),
                Standing::Lacks(why) => tally.lacking.push(format!("{}: {why}", fact.person)),
                Standing::Rejects => {}
            }
        }
        let assigned = self.assign(&tally.counting);
        self.deny_shortfall(&tally, &assigned, scope, outcome);
        self.count(&tally.counting, &assigned, outcome);
    }

    /// The records that stand: each person's own word, and beside it what is passed on for them.
    fn heard<'a>(&self, facts: &'a Facts) -> Vec<&'a ApprovalFact> {
        let mut people: BTreeMap<&str, Vec<&'a ApprovalFact>> = BTreeMap::new();
        for fact in facts.approvals.iter().filter(|fact| self.hears(fact)) {
            people.entry(&fact.person).or_default().push(fact);
        }
        people.into_values().flat_map(standing_records).collect()
    }

    fn hears(&self, fact: &ApprovalFact) -> bool {
        fact.attested_by.as_ref().is_none_or(|signer| self.attested_by.contains(signer))
    }

    /// Approvals that are passed on by signers who were not asked, for people.
    fn unheard(&self, facts: &Facts) -> Vec<String> {
        let unheard = facts.approvals.iter().filter(|fact| !self.hears(fact));
        let told = unheard.filter_map(|fact| {
            let signer = fact.attested_by.as_ref()?;
            Some(format!("{}: passed on by `{signer}`, whom `attestedBy` doesn't name", fact.person))
        });
        told.collect()
    }

    fn deny_rejections(&self, heard: &[&ApprovalFact], scope: &Scope<'_>, outcome: &mut Outcome) {
        let rejections = heard.iter().filter(|fact| rejects(fact, scope.now));
        for fact in rejections {
            let message = format!("`{}` rejected `{}`", fact.person, scope.release_name());
            let since = match fact.time > scope.now {
                true => format!(
                    ", with a record of later than {}, the rejection's own date",
                    to_seconds(fact.time)
                ),
                false => String::new(),
            };
            let help = format!(
                "`{}` may approve {} after all{since}, or the rejection ends",
                fact.person, scope.facts.release
            );
            let finding = denial(RuleId::ApprovalRejected, &scope.release_name(), message, help);
            outcome.deny(Cure::None, self.placed(finding));
        }
    }

    fn deny_unknown_parties(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let Some((parties, origin)) = &self.distinct_from else { return };
        for party in parties {
            let Some((unknown, cure)) = unestablished(*party, scope.facts) else { continue };
            let message = format!("who `{}` is could not be established: {unknown}", name(*party));
            let finding =
                denial(RuleId::SeparationUnknown, name(*party), message, establish(*party).to_owned());
            outcome.deny(cure, Finding { origin: Some(origin.clone()), ..finding });
        }
    }

    fn standing(&self, fact: &ApprovalFact, scope: &Scope<'_>) -> Standing {
        let now = whole_seconds(scope.now);
        if fact.decision == ApprovalDecision::Rejected {
            return Standing::Rejects;
        }
        if fact.roles.is_empty() {
            return Standing::Lacks("holds no role".to_owned());
        }
        if whole_seconds(fact.expires_at) <= now {
            return Standing::Lacks("expired".to_owned());
        }
        if self.trusted_time && fact.time_kind != TimeKind::Trusted {
            return Standing::Lacks("no trusted time".to_owned());
        }
        if let Some(age) = self.max_age
            && end(fact.time, age).is_none_or(|end| end <= now)
        {
            return Standing::Lacks(format!("older than {}", duration::show(age)));
        }
        match self.parties_of(&fact.person, scope.facts).next() {
            Some(party) => Standing::IsParty(party),
            None => Standing::Counts,
        }
    }

    fn parties_of<'a>(&'a self, person: &'a str, facts: &'a Facts) -> impl Iterator<Item = Party> + 'a {
        let asked =
            |party: Party| self.distinct_from.as_ref().is_some_and(|(parties, _)| parties.contains(&party));
        let known = facts.separation.iter().filter(move |fact| asked(fact.party));
        known.filter(move |fact| fact.people.iter().any(|name| name == person)).map(|fact| fact.party)
    }

    /// The role of each slot, by role; a role of several people has as many slots.
    fn slots(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().flat_map(|(role, (count, _))| std::iter::repeat_n(role.as_str(), *count))
    }

    /// Who fills each slot, by position in `counting`.
    fn assign(&self, counting: &[&ApprovalFact]) -> Vec<Option<usize>> {
        let fits = |role: &str| {
            let holders = counting.iter().enumerate();
            holders.filter(|(_, fact)| fact.roles.iter().any(|held| held == role)).map(|(at, _)| at).collect()
        };
        matching::assign(&self.slots().map(fits).collect::<Vec<_>>(), counting.len())
    }

    fn deny_shortfall(
        &self,
        tally: &Tally<'_>,
        assigned: &[Option<usize>],
        scope: &Scope<'_>,
        outcome: &mut Outcome,
    ) {
        let before = outcome.findings.len();
        let counting = tally.counting.len();
        if counting < self.at_least {
            let message =
                format!("{counting} of {} required approvals for `{}`", self.at_least, scope.release_name());
            self.deny_threshold(
                message,
                "someone else with a role",
                self.origin.clone(),
                tally,
                scope,
                outcome,
            );
        }
        for (role, (count, origin)) in &self.roles {
            let filled =
                self.slots().zip(assigned).filter(|(slot, one)| slot == role && one.is_some()).count();
            if filled < *count {
                let message = format!(
                    "{filled} of {count} required approvals by `{role}` for `{}`",
                    scope.release_name()
                );
                let who = format!("another `{role}`");
                self.deny_threshold(message, &who, origin.clone(), tally, scope, outcome);
            }
        }
        // An approver who is a party matters only where there are too few without them.
        if outcome.findings.len() > before {
            self.deny_parties(tally, outcome);
        }
    }

    fn deny_threshold(
        &self,
        message: String,
        who: &str,
        origin: Option<Origin>,
        tally: &Tally<'_>,
        scope: &Scope<'_>,
        outcome: &mut Outcome,
    ) {
        let mut help = format!("ask {who} to approve {}", scope.facts.release);
        if !tally.lacking.is_empty() {
            help = format!("{help} (not counted: {})", tally.lacking.join(", "));
        }
        let finding = denial(RuleId::ApprovalThreshold, &scope.release_name(), message, help);
        outcome.deny(Cure::Evidence, Finding { origin, counted: tally.names(), ..finding });
    }

    fn deny_parties(&self, tally: &Tally<'_>, outcome: &mut Outcome) {
        for (fact, party) in &tally.parties {
            let message = format!("`{}` approved and is `{}`", fact.person, name(*party));
            let help = format!("ask someone to approve who is not `{}`", name(*party));
            let finding = denial(RuleId::SeparationOfDuties, &fact.person, message, help);
            let origin = self.distinct_from.as_ref().map(|(_, origin)| origin.clone());
            outcome.deny(Cure::Evidence, Finding { origin, ..finding });
        }
    }

    fn count(&self, counting: &[&ApprovalFact], assigned: &[Option<usize>], outcome: &mut Outcome) {
        for (at, fact) in counting.iter().enumerate() {
            let role = self.slots().zip(assigned).find(|(_, one)| **one == Some(at)).map(|(role, _)| role);
            outcome.counted.push(Counted {
                person: fact.person.clone(),
                evidence: fact.evidence,
                role: role.map(str::to_owned),
            });
            outcome.limits.push((fact.expires_at, LimitedBy::Approval));
            if let Some(age) = self.max_age {
                outcome.limit_after(fact.time, age, LimitedBy::MaxAge);
            }
        }
    }

    fn placed(&self, finding: Finding) -> Finding {
        Finding { origin: self.origin.clone(), ..finding }
    }
}

/// Who may pass on what people said: nobody who signs what a build hands over, since a file may hold the bytes of
/// an approval.
fn attestor(name: &Spanned<String>, reading: &Reading<'_>) -> Result<String, DocumentError> {
    let known = signer(name, APPROVAL, reading)?;
    let signers = &reading.trust.signers;
    let shaping = signers.iter().find(|it| it.name == known).and_then(|it| shapes_artifacts(signers, it));
    let Some(artifact_signer) = shaping else { return Ok(known) };
    let message = format!(
        "signer `{known}` also signs artifacts, as `{artifact_signer}`, and so may pass on nobody's word"
    );
    Err(reading.refuse(
        name,
        message,
        "name a signer of `use: attestation` alone, whose identity is no artifact signer's",
    ))
}

fn end(start: Timestamp, duration: Duration) -> Option<Timestamp> {
    start.checked_add_signed(duration).map(whole_seconds)
}

fn slot(
    role: &str,
    count: &Spanned<u64>,
    reading: &Reading<'_>,
) -> Result<(String, (usize, Option<Origin>)), DocumentError> {
    let has_role = |person: &&Person| person.roles.iter().any(|held| held == role);
    let holders = reading.trust.people.iter().filter(has_role).count();
    if holders == 0 {
        let message = format!("nobody in trust has the role `{role}`");
        return Err(reading.refuse(
            count,
            message,
            "give it to a person in the trust file, or correct the name",
        ));
    }
    let slots = usize::try_from(count.value).unwrap_or(usize::MAX);
    if slots > holders {
        let message = format!("{slots} people with the role `{role}` are asked for, and trust has {holders}");
        return Err(reading.refuse(count, message, NEVER_MET));
    }
    Ok((role.to_owned(), (slots, Some(reading.origin(count)))))
}

/// How to mend a count that no approval of anybody could reach.
const NEVER_MET: &str =
    "it could never be met: lower the count, or give more people a role in the trust file";

/// That there are as many people with a role as are asked for in all.
fn refuse_too_many(at_least: &Spanned<u64>, reading: &Reading<'_>) -> Result<(), DocumentError> {
    let people = reading.trust.people.iter().filter(|person| !person.roles.is_empty()).count();
    if usize::try_from(at_least.value).is_ok_and(|wanted| wanted <= people) {
        return Ok(());
    }
    let wanted = at_least.value;
    let message = format!("`atLeast: {wanted}` asks for more people than the {people} with a role in trust");
    Err(reading.refuse(at_least, message, NEVER_MET))
}

#[cfg(test)]
mod tests {
    use crate::policy::rule::Rule;
    use crate::policy::samples::{
        approval, at, facts, file, hours, loaded, now, outcome, outcome_of, party, passed_on, policy,
        proposal, refused, rejection, said, trust_of,
    };
    use crate::policy::set::PolicySet;
    use proptest::prelude::*;

    use super::*;

    fn asking(section: &str) -> PolicySet {
        loaded(&format!("{{require: {{approvals: {section}}}}}"))
    }

    fn given(approvals: Vec<ApprovalFact>) -> Facts {
        Facts { approvals, ..facts() }
    }

    fn rules(outcome: &Outcome) -> Vec<&'static str> {
        said(outcome).into_iter().map(|(rule, _)| rule).collect()
    }

    #[test]
    fn counts_anybody_with_a_role_and_nobody_without() {
        let set = asking("{atLeast: 2}");
        assert_eq!(said(&outcome(&set, &given(vec![approval("alice"), approval("carol")]))), []);
        let short = outcome(&set, &given(vec![approval("alice"), approval("dave")]));
        assert_eq!(
            said(&short),
            [("approval-threshold", "1 of 2 required approvals for `payments 2.4.0`".to_owned())]
        );
        let finding = &short.findings[0].finding;
        assert_eq!(finding.counted, ["alice"]);
        assert!(finding.help.as_ref().unwrap().ends_with("(not counted: dave: holds no role)"));
    }

    #[test]
    fn never_counts_a_person_twice() {
        let set = asking("{atLeast: 2}");
        let again = ApprovalFact { time: now(), ..approval("alice") };
        assert_eq!(rules(&outcome(&set, &given(vec![approval("alice"), again]))), ["approval-threshold"]);
    }

    #[test]
    fn fills_each_role_with_another_person() {
        let set = asking("{atLeast: 2, roles: {release-manager: 1, sre: 1}}");
        // Bob has both roles and fills one.
        let alone = outcome(&set, &given(vec![approval("bob")]));
        assert_eq!(rules(&alone), ["approval-threshold", "approval-threshold"]);
        let both = outcome(&set, &given(vec![approval("alice"), approval("bob")]));
        assert_eq!(said(&both), []);
        let role = |person: &str| both.counted.iter().find(|one| one.person == person).unwrap().role.clone();
        assert_eq!(
            (role("alice").as_deref(), role("bob").as_deref()),
            (Some("release-manager"), Some("sre"))
        );
        let managers = asking("{atLeast: 2, roles: {release-manager: 2}}");
        let message = "1 of 2 required approvals by `release-manager` for `payments 2.4.0`".to_owned();
        let short = outcome(&managers, &given(vec![approval("alice"), approval("carol")]));
        assert_eq!(said(&short), [("approval-threshold", message)]);
    }

    #[test]
    fn takes_a_role_that_a_record_narrows_to_and_no_other() {
        let set = asking("{atLeast: 1, roles: {sre: 1}}");
        let narrowed = ApprovalFact { roles: vec!["release-manager".to_owned()], ..approval("bob") };
        assert_eq!(rules(&outcome(&set, &given(vec![narrowed]))), ["approval-threshold"]);
    }

    #[test]
    fn blocks_on_a_rejection_however_many_approve() {
        let set = asking("{atLeast: 1, maxAge: 1h, trustedTime: required}");
        let old =
            ApprovalFact { time: now() - hours(100), time_kind: TimeKind::Claimed, ..rejection("carol") };
        let fresh = ApprovalFact { time: now(), ..approval("alice") };
        let blocked = outcome(&set, &given(vec![fresh.clone(), old.clone()]));
        assert_eq!(said(&blocked), [("approval-rejected", "`carol` rejected `payments 2.4.0`".to_owned())]);
        assert_eq!(blocked.findings[0].cure, Cure::None);
        let ended = ApprovalFact { expires_at: now(), ..old };
        let powerless = rejection("dave");
        assert_eq!(rules(&outcome(&set, &given(vec![fresh, ended, powerless]))), [] as [&str; 0]);
    }

    #[test]
    fn does_not_count_what_is_old_or_expired_or_of_no_trusted_time() {
        let set = asking("{atLeast: 1, maxAge: 1h, trustedTime: required}");
        let good = ApprovalFact { time: now() - chrono::Duration::seconds(3599), ..approval("alice") };
        assert_eq!(rules(&outcome(&set, &given(vec![good.clone()]))), [] as [&str; 0]);
        let bad = [
            (ApprovalFact { time: now() - hours(1), ..good.clone() }, "older than 1h"),
            (ApprovalFact { time_kind: TimeKind::Claimed, ..good.clone() }, "no trusted time"),
            (ApprovalFact { expires_at: now() + chrono::Duration::milliseconds(500), ..good }, "expired"),
        ];
        for (approval, why) in bad {
            let denied = outcome(&set, &given(vec![approval]));
            assert_eq!(rules(&denied), ["approval-threshold"], "{why}");
            assert!(denied.findings[0].finding.help.as_ref().unwrap().contains(why), "{why}");
            assert!(denied.counted.is_empty() && denied.limits.is_empty());
        }
    }

    #[test]
    fn ends_the_plan_with_every_approval_that_counts_needed_or_not() {
        let set = asking("{atLeast: 1, maxAge: 24h}");
        let facts = given(vec![
            approval("alice"),
            ApprovalFact { expires_at: now() + hours(2), ..approval("carol") },
        ]);
        let outcome = outcome(&set, &facts);
        let mut limits = outcome.limits.clone();
        limits.sort();
        let expected = [
            (at("2026-11-24T14:00:00Z"), LimitedBy::Approval),
            (at("2026-11-25T11:00:00Z"), LimitedBy::MaxAge),
            (at("2026-11-25T11:00:00Z"), LimitedBy::MaxAge),
            (at("2026-11-25T12:00:00Z"), LimitedBy::Approval),
        ];
        assert_eq!(limits, expected);
    }

    #[test]
    fn does_not_count_an_author_but_denies_for_it_only_where_one_is_missing() {
        let set = asking("{atLeast: 1, distinctFrom: [source-author]}");
        let mut facts = given(vec![approval("alice")]);
        facts.separation = vec![party(Party::SourceAuthor, &["alice"], 0)];
        let denied = outcome(&set, &facts);
        assert_eq!(rules(&denied), ["approval-threshold", "separation-of-duties"]);
        assert_eq!(denied.findings[1].finding.message, "`alice` approved and is `source-author`");
        facts.approvals.push(approval("bob"));
        let allowed = outcome(&set, &facts);
        assert_eq!(said(&allowed), []);
        assert_eq!(allowed.counted.len(), 1);
    }

    #[test]
    fn denies_a_party_that_is_not_established() {
        let set = asking("{atLeast: 1, distinctFrom: [source-author, workflow-actor]}");
        let mut facts = given(vec![approval("alice")]);
        let absent = outcome(&set, &facts);
        assert_eq!(rules(&absent), ["separation-unknown", "separation-unknown"]);
        assert!(absent.findings.iter().all(|judged| judged.cure == Cure::Evidence));
        facts.separation = vec![party(Party::SourceAuthor, &["bob"], 1), party(Party::WorkflowActor, &[], 0)];
        let partly = outcome(&set, &facts);
        assert_eq!(rules(&partly), ["separation-unknown", "separation-unknown"]);
        assert_eq!(partly.findings[0].cure, Cure::None);
        facts.separation =
            vec![party(Party::SourceAuthor, &["bob"], 0), party(Party::WorkflowActor, &["carol"], 0)];
        assert_eq!(said(&outcome(&set, &facts)), []);
        // A policy that doesn't list the party doesn't ask who it is.
        assert_eq!(said(&outcome(&asking("{atLeast: 1}"), &given(vec![approval("alice")]))), []);
    }

    #[test]
    fn counts_what_is_passed_on_only_where_the_policy_names_the_signer() {
        let facts = given(vec![passed_on("alice")]);
        let asked = outcome(&asking("{atLeast: 1, attestedBy: [ci]}"), &facts);
        assert_eq!(said(&asked), []);
        assert_eq!(asked.counted[0].evidence, passed_on("alice").evidence);
        for section in ["{atLeast: 1}", "{atLeast: 1, attestedBy: [slsa]}"] {
            let denied = outcome(&asking(section), &facts);
            assert_eq!(rules(&denied), ["approval-threshold"], "{section}");
            let help = denied.findings[0].finding.help.as_ref().unwrap();
            assert!(
                help.ends_with("(not counted: alice: passed on by `ci`, whom `attestedBy` doesn't name)")
            );
        }
        // One who approves twice is one.
        let both = given(vec![approval("alice"), passed_on("alice")]);
        let twice = outcome(&asking("{atLeast: 2, attestedBy: [ci]}"), &both);
        assert_eq!(rules(&twice), ["approval-threshold"]);
    }

    #[test]
    fn who_signs_artifacts_passes_on_nobody_s_word() {
        let of = |uses: &str, other: &str| {
            let trust = trust_of(&format!(
                "apiVersion: laforge.dev/v1\nkind: Trust\nsigners:\n  \
                 - {{name: desk, use: {uses}, identity: {{issuer: 'https://i.example', subject: 'https://ci/desk'}}}}\n  \
                 - {{name: files, use: artifact, identity: {{issuer: 'https://i.example', subject: '{other}'}}}}\n\
                 people: [{{name: alice, roles: [sre], identities: [{{key: e.pub}}]}}]\n"
            ));
            let text = policy("{require: {approvals: {atLeast: 1, attestedBy: [desk]}}}");
            PolicySet::load(vec![file("test.yaml", &text)], &trust)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        assert_eq!(of("attestation", "https://ci/files"), Ok(()));
        for (uses, other, shaping) in [
            ("[artifact, attestation]", "https://ci/files", "desk"),
            ("attestation", "pattern:https://ci/**", "files"),
        ] {
            let refused = of(uses, other).unwrap_err();
            let said = format!(
                "signer `desk` also signs artifacts, as `{shaping}`, and so may pass on nobody's word"
            );
            assert!(refused.contains(&said), "{refused}");
        }
    }

    #[test]
    fn nothing_that_is_passed_on_lifts_a_rejection_of_the_person_s_own() {
        let set = asking("{atLeast: 1, attestedBy: [ci]}");
        let later = |fact: ApprovalFact| ApprovalFact { time: now(), ..fact };
        let no = |fact: ApprovalFact| ApprovalFact { decision: ApprovalDecision::Rejected, ..fact };
        let judged = |records: Vec<ApprovalFact>| rules(&outcome(&set, &given(records))).first().copied();
        assert_eq!(judged(vec![rejection("alice"), later(passed_on("alice"))]), Some("approval-rejected"));
        assert_eq!(judged(vec![approval("alice"), later(no(passed_on("alice")))]), Some("approval-rejected"));
        assert_eq!(judged(vec![approval("alice"), no(passed_on("alice"))]), Some("approval-rejected"));
        assert_eq!(judged(vec![later(approval("alice")), no(passed_on("alice"))]), None);
        // A policy that doesn't ask for it doesn't hear the rejection either.
        let unasked =
            outcome(&asking("{atLeast: 1}"), &given(vec![approval("alice"), no(passed_on("alice"))]));
        assert_eq!(said(&unasked), []);
    }

    #[test]
    fn refuses_what_can_not_be_meant() {
        for (section, reason) in [
            ("{atLeast: 0}", "policies/test.yaml:4:39: `0` is less than 1"),
            ("{}", "policies/test.yaml:4:29: missing field `atLeast`"),
            ("{atLeast: 1, roles: {}}", "policies/test.yaml:4:49: an empty section says nothing"),
            (
                "{atLeast: 1, roles: {boss: 1}}",
                "policies/test.yaml:4:56: nobody in trust has the role `boss`",
            ),
            ("{atLeast: 1, roles: {sre: 0}}", "policies/test.yaml:4:55: `0` is less than 1"),
            ("{atLeast: 1, maxAge: 1w}", "policies/test.yaml:4:50: `1w` is not a duration"),
            ("{atLeast: 1, distinctFrom: []}", "policies/test.yaml:4:56: an empty list says nothing"),
            ("{atLeast: 1, attestedBy: []}", "policies/test.yaml:4:54: an empty list says nothing"),
            ("{atLeast: 1, attestedBy: [nobody]}", "policies/test.yaml:4:55: trust names no signer `nobody`"),
            (
                "{atLeast: 1, attestedBy: [release]}",
                "policies/test.yaml:4:55: signer `release` has no `use: attestation`, which this type needs",
            ),
            (
                "{atLeast: 1, attestedBy: [sbom]}",
                "policies/test.yaml:4:55: trust does not let signer `sbom` sign \
                 `https://laforge.dev/attestation/approval/v1`",
            ),
        ] {
            assert_eq!(refused(&format!("{{require: {{approvals: {section}}}}}")), reason, "{section}");
        }
        assert!(
            refused("{require: {approvals: {atLeast: 1, distinctFrom: [boss]}}}")
                .contains("unknown value `boss`")
        );
        assert!(
            refused("{require: {approvals: {atLeast: 1, trustedTime: maybe}}}")
                .contains("unknown value `maybe`")
        );
    }

    #[test]
    fn the_flag_asks_for_one_person_with_a_role() {
        let release = crate::policy::samples::release();
        let judged = |facts: &Facts| {
            let mut outcome = Outcome::default();
            let scope =
                Scope { facts, proposal: &proposal(), release: &release, now: now(), set_apart: None };
            Rule::Approvals(Approvals::flag()).evaluate(&scope, &mut outcome);
            rules(&outcome)
        };
        assert_eq!(judged(&given(vec![approval("carol")])), [] as [&str; 0]);
        assert_eq!(judged(&given(vec![approval("dave")])), ["approval-threshold"]);
        assert_eq!(judged(&given(vec![approval("carol"), rejection("alice")])), ["approval-rejected"]);
    }

    /// Whether people fill the roles, by trying every order of the people.
    fn fillable(slots: &[&str], people: &[ApprovalFact]) -> bool {
        let Some((slot, rest)) = slots.split_first() else { return true };
        (0..people.len()).any(|at| {
            let mut others = people.to_vec();
            let one = others.remove(at);
            one.roles.iter().any(|role| role == slot) && fillable(rest, &others)
        })
    }

    proptest! {
        #[test]
        fn asks_for_no_more_and_no_less_than_an_assignment_of_people_to_roles(
            held in proptest::collection::vec(proptest::collection::btree_set(0usize..3, 1..4), 0..5),
            wanted in proptest::collection::vec(0usize..3, 3),
            at_least in 1u64..5,
        ) {
            let names = ["release-manager", "sre", "security"];
            let people: Vec<_> = held.iter().enumerate().map(|(at, roles)| ApprovalFact {
                roles: roles.iter().map(|role| names[*role].to_owned()).collect(),
                ..approval(&format!("p{at}"))
            }).collect();
            let roles = names.iter().zip(&wanted).filter(|(_, count)| **count > 0);
            let rule = Approvals {
                at_least: usize::try_from(at_least).unwrap(),
                roles: roles.map(|(name, count)| ((*name).to_owned(), (*count, None))).collect(),
                ..Approvals::flag()
            };
            let slots: Vec<&str> = rule.slots().collect();
            let expected = people.len() >= rule.at_least && fillable(&slots, &people);
            let (facts, release) = (given(people.clone()), crate::policy::samples::release());
            let mut outcome = Outcome::default();
            rule.evaluate(&Scope { facts: &facts, proposal: &proposal(), release: &release, now: now(), set_apart: None }, &mut outcome);
            prop_assert_eq!(outcome.findings.is_empty(), expected);
        }
    }

    #[test]
    fn judges_age_at_now_to_the_second() {
        let set = asking("{atLeast: 1, maxAge: 1h}");
        let facts = given(vec![approval("alice")]);
        let at_noon = |millis| {
            outcome_of(&set, &facts, &proposal(), now() - hours(0) - chrono::Duration::milliseconds(millis))
        };
        assert_eq!(rules(&at_noon(1)), [] as [&str; 0]);
        assert_eq!(rules(&at_noon(0)), ["approval-threshold"]);
    }
}
