//! The human report: what was checked, what counted, what was set aside and why, how to mend it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::audit::LogReference;
use crate::plan::draft::Verdict;
use crate::policy::account::{Action, ManifestsSummary, RecordedApproval};
use crate::policy::{DecisionReport, Finding, RuleId, Severity};
use crate::time;
use crate::verify::facts::{ArtifactFacts, TimeKind};

use super::caret::{self, Headline};
use super::paint::{Paint, Tone, printable, short, word, wrapped};

/// How many pieces of set-aside evidence are listed, and how many sources that were not reached; the JSON report
/// has all of them.
const SET_ASIDE_SHOWN: usize = 12;

/// Where a decision is on record.
#[derive(Debug, Clone, Copy)]
pub enum Recording<'a> {
    /// In this new entry.
    Entry(&'a LogReference),
    /// In this entry, which was there already.
    Again(&'a LogReference),
    /// Nowhere, since only a report was asked for.
    Nowhere,
    /// Nowhere, since the log could not take it: whatever it says, nothing follows.
    Failed,
}

impl<'a> Recording<'a> {
    /// The entry, if there is one.
    pub fn reference(self) -> Option<&'a LogReference> {
        match self {
            Self::Entry(reference) | Self::Again(reference) => Some(reference),
            Self::Nowhere | Self::Failed => None,
        }
    }
}

/// The whole report of a decision.
pub fn render(report: &DecisionReport, recording: Recording<'_>, paint: Paint) -> String {
    let mut out = String::new();
    subject(&mut out, report, paint);
    checked(&mut out, report, paint);
    set_aside(&mut out, report, paint);
    findings(&mut out, report, paint);
    out.push('\n');
    verdict(&mut out, report, recording, paint);
    recorded(&mut out, report, recording, paint);
    out
}

/// The findings that a reader is told of, in order: every one but those that another says with its place.
pub fn told(report: &DecisionReport) -> impl Iterator<Item = &Finding> {
    // A finding of a flag may be one of a policy file, too: that one says it with its place.
    let placed: BTreeSet<_> =
        report.findings.iter().filter(|finding| finding.origin.is_some()).map(about).collect();
    report
        .findings
        .iter()
        .filter(move |finding| finding.origin.is_some() || !placed.contains(&about(finding)))
}

/// What two findings share that say the same.
fn about(finding: &Finding) -> (RuleId, Severity, &str) {
    (finding.rule, finding.severity, finding.subject.as_str())
}

/// Every finding that is told; of sources that were not reached the first few, since there may be thousands.
fn findings(out: &mut String, report: &DecisionReport, paint: Paint) {
    let mut unreached = 0_usize;
    for finding in told(report) {
        unreached += usize::from(finding.rule == RuleId::EvidenceUnreachable);
        if finding.rule != RuleId::EvidenceUnreachable || unreached <= SET_ASIDE_SHOWN {
            let _ = writeln!(out, "\n{}", finding_text(finding, report, paint));
        }
    }
    let left = unreached.saturating_sub(SET_ASIDE_SHOWN);
    if left > 0 {
        let rule = RuleId::EvidenceUnreachable.as_str();
        let _ = writeln!(out, "\nand {left} more of {rule}: see the JSON report");
    }
}

/// How wide a row may be.
const COLUMNS: usize = 118;

fn row(out: &mut String, label: &str, text: &str, paint: Paint) {
    for (at, line) in wrapped(text, COLUMNS - 11).iter().enumerate() {
        let label = paint.tone(Tone::Faint, &format!("{:>10}", if at == 0 { label } else { "" }));
        let _ = writeln!(out, "{label} {line}");
    }
}

fn subject(out: &mut String, report: &DecisionReport, paint: Paint) {
    let release = &report.release;
    let name = printable(&format!("{} {} → {}", release.name, release.version, release.environment));
    row(out, "release", &paint.tone(Tone::Strong, &name), paint);
    if let Some(digest) = release.digest {
        row(out, "", &digest.to_string(), paint);
    }
    let source = &release.source;
    let commit: String = source.commit.chars().take(12).collect();
    row(out, "source", &printable(&format!("{} {} @ {commit}", source.repository, source.r#ref)), paint);
    if let Some(manifests) = &release.manifests {
        row(out, "manifests", &printable(&manifests_text(manifests)), paint);
    }
    row(out, "policy", &policy_text(report), paint);
}

/// How many objects and images, and which kinds run none that we know of: a person may know better.
fn manifests_text(manifests: &ManifestsSummary) -> String {
    let count = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let mut text =
        format!("{}, {} by digest", count(manifests.objects, "object"), count(manifests.images, "image"));
    if !manifests.without_images.is_empty() {
        let kinds = manifests.without_images.iter().map(|(kind, count)| format!("{count} {kind}"));
        text.push_str(&format!("; no image in {}", kinds.collect::<Vec<_>>().join(", ")));
    }
    text
}

fn policy_text(report: &DecisionReport) -> String {
    let sets: Vec<String> =
        report.policy.sets.iter().map(|set| format!("{} v{}", set.name, set.version)).collect();
    match sets.is_empty() {
        true => "none".to_owned(),
        false => format!("{} ({})", printable(&sets.join(", ")), short(&report.policy.digest.to_string())),
    }
}

fn checked(out: &mut String, report: &DecisionReport, paint: Paint) {
    let Some(facts) = &report.facts else { return };
    let name_of = |artifact: &ArtifactFacts| printable(&artifact_name(artifact));
    let width = facts.artifacts.iter().map(|artifact| name_of(artifact).chars().count()).max().unwrap_or(0);
    let width = width.min(NAME_COLUMNS);
    for (at, artifact) in facts.artifacts.iter().enumerate() {
        let name = name_of(artifact);
        let label = if at == 0 { "artifacts" } else { "" };
        row(out, label, &format!("{name:<width$}  {}", artifact_text(artifact)), paint);
    }
    for (at, approval) in report.approvals.iter().enumerate() {
        row(out, if at == 0 { "approvals" } else { "" }, &approval_text(approval), paint);
    }
}

/// How wide the column of names is at most: a longer name pushes only its own row out of line.
const NAME_COLUMNS: usize = 48;

/// An image is named by its digest, too, which stands in the next column.
fn artifact_name(artifact: &ArtifactFacts) -> String {
    let digest = format!("@{}", artifact.digest);
    artifact.name.strip_suffix(&digest).unwrap_or(&artifact.name).to_owned()
}

fn artifact_text(artifact: &ArtifactFacts) -> String {
    let digest = short(&artifact.digest.to_string());
    let read = if artifact.read { "read" } else { "named only" };
    let mut signers: Vec<&str> = artifact.signatures.iter().map(|fact| fact.signer.as_str()).collect();
    signers.dedup();
    let signed = match signers.is_empty() {
        true => "not signed".to_owned(),
        false => format!("signed by {}", signers.join(", ")),
    };
    let mut built: Vec<String> = artifact
        .provenances
        .iter()
        .map(|fact| format!("provenance by {} at level {}", fact.signer, fact.level))
        .collect();
    built.dedup();
    let built = if built.is_empty() { "no provenance".to_owned() } else { built.join(", ") };
    let attested = match artifact.attestations.len() {
        0 => String::new(),
        1 => " · 1 attestation".to_owned(),
        count => format!(" · {count} attestations"),
    };
    printable(&format!("{digest}  {read} · {signed} · {built}{attested}"))
}

/// Whose word an approval is, when it is not the person's own.
pub(super) fn passed_on(attested_by: Option<&str>) -> String {
    attested_by.map(|signer| format!(" (passed on by {signer})")).unwrap_or_default()
}

fn approval_text(approval: &RecordedApproval) -> String {
    let kind = match approval.time_kind {
        TimeKind::Trusted => "trusted time",
        TimeKind::Claimed => "claimed time",
    };
    let role = approval.role.as_deref().map(|role| format!(" as {role}")).unwrap_or_default();
    let counted = if approval.counted { "counted" } else { "not counted" };
    let time = time::to_seconds(approval.time);
    let passed_on = passed_on(approval.attested_by.as_deref());
    printable(&format!("{}{passed_on}{role}  {time} ({kind}) · {counted}", approval.person))
}

fn set_aside(out: &mut String, report: &DecisionReport, paint: Paint) {
    for (at, piece) in report.set_aside.iter().take(SET_ASIDE_SHOWN).enumerate() {
        let label = if at == 0 { "set aside" } else { "" };
        let source =
            if piece.source.is_empty() { short(&piece.evidence.to_string()) } else { piece.source.clone() };
        row(out, label, &printable(&format!("{source}: {}", piece.reason)), paint);
    }
    more(out, report.set_aside.len(), paint);
    for (at, source) in report.unreachable.iter().take(SET_ASIDE_SHOWN).enumerate() {
        let label = if at == 0 { "unreached" } else { "" };
        row(out, label, &printable(&format!("{}: {}", source.source, source.cause)), paint);
    }
    more(out, report.unreachable.len(), paint);
    if report.ignored > 0 {
        let files = if report.ignored == 1 { "file" } else { "files" };
        row(out, "ignored", &format!("{} {files} of no kind of evidence", report.ignored), paint);
    }
}

/// How many of a list are not shown.
fn more(out: &mut String, listed: usize, paint: Paint) {
    let left = listed.saturating_sub(SET_ASIDE_SHOWN);
    if left > 0 {
        row(out, "", &format!("and {left} more: see the JSON report"), paint);
    }
}

/// One finding with its place, what counted, and how to mend it.
pub fn finding_text(finding: &Finding, report: &DecisionReport, paint: Paint) -> String {
    let word = match (finding.severity, report.verdict) {
        (Severity::Warn, _) => "warning",
        (Severity::Deny, Verdict::Error) => "inconclusive",
        (Severity::Deny, _) => "refused",
    };
    let headline = Headline {
        word,
        id: Some(finding.rule.as_str()),
        message: &finding.message,
        bad: finding.severity == Severity::Deny,
    };
    let mut notes = Vec::new();
    if !finding.counted.is_empty() {
        notes.push(("counted", finding.counted.join(", ")));
    }
    if let Some(help) = &finding.help {
        notes.push(("help", help.clone()));
    }
    let policy = finding.origin.as_ref().map(|origin| &origin.place);
    let place = finding.place.as_ref().or(policy).map(|place| (place, ""));
    caret::render(&headline, place, &notes, paint)
}

fn verdict(out: &mut String, report: &DecisionReport, recording: Recording<'_>, paint: Paint) {
    let denies = told(report).filter(|finding| finding.severity == Severity::Deny).count();
    let reasons = if denies == 1 { "1 reason".to_owned() } else { format!("{denies} reasons") };
    let real = report.action != Action::None && recording.reference().is_some();
    let line = match report.verdict {
        Verdict::Pass if real => paint.tone(Tone::Good, "allowed"),
        Verdict::Pass => paint.tone(Tone::Good, "would be allowed"),
        Verdict::Fail if real => format!("{}: {reasons}", paint.tone(Tone::Bad, "denied")),
        Verdict::Fail => format!("{}: {reasons}", paint.tone(Tone::Bad, "would be denied")),
        Verdict::Error => {
            format!("{}: neither yes nor no, {reasons}", paint.tone(Tone::Warning, "inconclusive"))
        }
    };
    let _ = writeln!(out, "{line}");
}

fn recorded(out: &mut String, report: &DecisionReport, recording: Recording<'_>, paint: Paint) {
    if let (Some(plan), Some(_)) = (&report.plan, recording.reference()) {
        let (until, limit) = (time::to_seconds(plan.not_after), word(&plan.limited_by));
        row(out, "plan", &plan.digest.to_string(), paint);
        row(out, "", &format!("to be started before {until} (limited by {limit})"), paint);
    }
    let line = match recording {
        Recording::Entry(entry) => {
            format!("recorded as entry {} in {}", entry.index, printable(&entry.origin))
        }
        Recording::Again(entry) => {
            format!(
                "already recorded as entry {} in {}: the same plan again",
                entry.index,
                printable(&entry.origin)
            )
        }
        Recording::Nowhere => "recorded nowhere: this is a report, not a decision".to_owned(),
        Recording::Failed => "recorded nowhere, so nothing follows from it".to_owned(),
    };
    let _ = writeln!(out, "{line}");
}
