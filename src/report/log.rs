//! The audit log for people: one line per entry, and one entry whole.
//!
//! In: entries as read. Out: text; `-o jsonl` prints the original bytes and needs nothing from here.

use std::fmt::Write as _;

use crate::audit::entry::decision::DecisionEntry;
use crate::audit::entry::event::Actor;
use crate::audit::entry::rollout::Rollout;
use crate::audit::entry::{Body, Entry};
use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::time;
use crate::verify::facts::TimeKind;

use super::human::passed_on;
use super::paint::{Paint, Tone, printable, word};

/// How wide the table's reason may be, so that a line fits 100 columns.
const WHY: usize = 44;

/// The table: `#seq time env release action why`.
pub fn table<'a>(entries: impl IntoIterator<Item = &'a Entry>, paint: Paint) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["#", "time", "env", "release", "action", "why"]);
    for entry in entries {
        let mut cells = vec![entry.seq.to_string(), time::to_seconds(entry.time)];
        cells.extend(row(&entry.body, paint));
        table.add_row(cells);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

fn row(body: &Body, paint: Paint) -> [String; 4] {
    match body {
        Body::Decision(decision) => {
            let release = &decision.release;
            [
                printable(&release.environment),
                printable(&format!("{} {}", release.name, release.version)),
                action(decision, paint),
                cut(&why(decision)),
            ]
        }
        Body::Rollout(milestone, event) => {
            let release = &event.members.release;
            [
                printable(&release.environment),
                printable(&format!("{} {}", release.name, release.version)),
                milestone.kind().to_owned(),
                cut(&rollout(&event.members)),
            ]
        }
        other => [String::new(), String::new(), other.kind().to_owned(), cut(&event(other))],
    }
}

fn action(decision: &DecisionEntry, paint: Paint) -> String {
    match (decision.action, decision.verdict) {
        (Action::Allow, Verdict::Pass) => paint.tone(Tone::Good, "allow"),
        (Action::Allow, _) => paint.tone(Tone::Warning, "override"),
        (Action::Deny, Verdict::Error) => paint.tone(Tone::Warning, "unknown"),
        (Action::Deny, _) => paint.tone(Tone::Bad, "deny"),
        (Action::None, _) => paint.tone(Tone::Faint, "rehearsal"),
    }
}

/// Why, in a few words: who approved, or which rules said no.
fn why(decision: &DecisionEntry) -> String {
    if decision.verdict == Verdict::Pass {
        let mut people: Vec<&str> = decision
            .approvals
            .iter()
            .filter(|record| record.counted)
            .map(|record| record.person.as_str())
            .collect();
        people.dedup();
        return match people.is_empty() {
            true => format!("{} pieces of evidence", decision.totals.inputs),
            false => format!("approved by {}", people.join(", ")),
        };
    }
    let mut rules: Vec<&str> = decision.findings.iter().map(|finding| finding.rule.as_str()).collect();
    rules.dedup();
    rules.join(", ")
}

fn event(body: &Body) -> String {
    match body {
        Body::Created(event) => event.members.origin.clone(),
        Body::PolicyChanged(event) | Body::TrustChanged(event) => {
            format!("{}: {}", event.members.environment, event.members.to)
        }
        Body::Recovered(event) => format!("{} bytes quarantined", event.members.length),
        Body::Anchored(event) => {
            format!("head of size {} kept elsewhere ({})", event.members.size, event.members.kind.name())
        }
        _ => String::new(),
    }
}

/// What happened to a rollout: `target at state, because of cause`.
fn rollout(members: &Rollout) -> String {
    let cause = members.cause.as_ref().map(|cause| format!(", because of {}", word(cause)));
    format!("{} at {}{}", members.target, members.state, cause.unwrap_or_default())
}

fn cut(text: &str) -> String {
    let text = printable(text);
    match text.chars().count() > WHY {
        true => text.chars().take(WHY - 1).chain(['…']).collect(),
        false => text,
    }
}

/// How much an entry tells of the evidence that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pieces {
    /// How many pieces there were.
    Counted,
    /// Each with its digest.
    Listed,
}

/// One entry whole.
pub fn entry(entry: &Entry, id: &str, evidence: Pieces, paint: Paint) -> String {
    let mut page = Page { out: String::new(), paint };
    page.title(&format!("entry {}", entry.seq), entry.body.kind());
    page.row("id", id);
    page.row("prev", &entry.prev.to_string());
    page.row("time", &format!("{} (the writer's clock)", time::to_micros(entry.time)));
    match &entry.body {
        Body::Decision(decision) => page.decision(decision, evidence),
        Body::Rollout(_, event) => page.rollout(&event.members, &event.actor),
        other => page.row("says", &event(other)),
    }
    page.out
}

struct Page {
    out: String,
    paint: Paint,
}

impl Page {
    fn title(&mut self, what: &str, kind: &str) {
        let _ = writeln!(self.out, "{} {kind}", self.paint.tone(Tone::Strong, what));
    }

    fn row(&mut self, label: &str, text: &str) {
        let label = self.paint.tone(Tone::Faint, &format!("{label:>11}"));
        let _ = writeln!(self.out, "{label} {}", printable(text));
    }

    fn decision(&mut self, decision: &DecisionEntry, evidence: Pieces) {
        let action = action(decision, self.paint);
        let label = self.paint.tone(Tone::Faint, &format!("{:>11}", "action"));
        let _ = writeln!(self.out, "{label} {action}");
        self.row("actor", &actor(decision));
        self.release(decision);
        self.approvals(decision);
        for finding in &decision.findings {
            self.row("finding", &format!("{}: {} ({})", finding.rule, finding.message, finding.subject));
        }
        self.more(decision.findings.len(), decision.totals.findings);
        for set in &decision.policy.sets {
            self.row("policy", &format!("{} v{} {}", set.name, set.version, set.digest));
        }
        self.row("trust", &decision.trust.digest.to_string());
        for (label, digest) in [("facts", decision.facts.as_ref()), ("report", Some(&decision.report))] {
            if let Some(named) = digest {
                self.row(label, &named.digest.to_string());
            }
        }
        if let Some(plan) = &decision.plan {
            self.row("plan", &format!("{} ({} bytes)", plan.digest, plan.size));
        }
        if evidence == Pieces::Listed {
            for input in &decision.inputs {
                self.row("evidence", &format!("{} {} ({} bytes)", input.digest, input.role, input.size));
            }
            self.more(decision.inputs.len(), decision.totals.inputs);
        } else {
            self.row("evidence", &format!("{} pieces: --evidence lists them", decision.totals.inputs));
        }
    }

    fn rollout(&mut self, members: &Rollout, who: &Actor) {
        let release = &members.release;
        self.row("says", &rollout(members));
        self.row("actor", &id(who));
        self.row("release", &format!("{} {} → {}", release.name, release.version, release.environment));
        self.row("digest", &release.digest.to_string());
        self.row("plan", &format!("{} ({} bytes)", members.plan.digest, members.plan.size));
        self.row("epoch", &members.epoch.to_string());
        if let Some(note) = &members.note {
            self.row("note", &note.to_string());
        }
        self.row("journal", &format!("{} lines, the last {}", members.journal.length, members.journal.leaf));
        if let Some(entry) = &members.audit_entry {
            self.row("decided", &format!("entry {} of {} ({})", entry.index, entry.origin, entry.log_id));
        }
    }

    fn release(&mut self, decision: &DecisionEntry) {
        let release = &decision.release;
        self.row("release", &format!("{} {} → {}", release.name, release.version, release.environment));
        match &release.digest {
            Some(digest) => self.row("digest", &digest.to_string()),
            None => self.row("digest", "none: the bytes are not what the release claims"),
        }
        let source = &release.source;
        self.row("source", &format!("{} {} @ {}", source.repository, source.r#ref, source.commit));
        for artifact in &release.artifacts {
            self.row("artifact", &format!("{} {}", artifact.digest, artifact.name));
        }
        self.more(release.artifacts.len(), decision.totals.artifacts);
    }

    fn approvals(&mut self, decision: &DecisionEntry) {
        for record in &decision.approvals {
            let role = record.role.as_deref().map(|role| format!(" as {role}")).unwrap_or_default();
            let kind = if record.time_kind == TimeKind::Trusted { "trusted" } else { "claimed" };
            let counted = if record.counted { "counted" } else { "not counted" };
            let time = time::to_seconds(record.time);
            let passed_on = passed_on(record.attested_by.as_deref());
            self.row("approval", &format!("{}{passed_on}{role}, {time} ({kind}), {counted}", record.person));
            self.row("", &format!("on {}", record.evidence));
        }
        self.more(decision.approvals.len(), decision.totals.approvals);
    }

    fn more(&mut self, shown: usize, total: usize) {
        let more = total.saturating_sub(shown);
        if more > 0 {
            self.row("", &format!("and {more} more: the report has them all"));
        }
    }
}

fn actor(decision: &DecisionEntry) -> String {
    let run = decision.ci.as_ref().map(|ci| {
        let id = if ci.run_id.is_empty() { "unknown" } else { &ci.run_id };
        format!("; {} run {id} attempt {}", ci.provider, ci.attempt)
    });
    format!("{}{}", id(&decision.actor), run.unwrap_or_default())
}

fn id(actor: &Actor) -> String {
    let verified = if actor.verified { "verified" } else { "not verified" };
    let issuer = actor.issuer.as_deref().map(|issuer| format!(", by {issuer}")).unwrap_or_default();
    format!("{} ({verified}{issuer})", actor.id)
}
