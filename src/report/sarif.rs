//! SARIF 2.1.0: a decision's findings for code scanning.
//!
//! In: a decision's account and the places of its files. Out: one log with one run. Findings become results
//! at the line of the manifest or the policy; one without a place stands at the release's file, since code
//! scanning drops a result that has none. An allow is a run without results, which closes earlier alerts.
//! Spec: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::policy::{DecisionReport, Finding, RuleId, Severity};
use crate::release::digest::Digest;

use super::human::{Recording, told};
use super::paint::{printable, word};
use super::place::{Places, Spot};
use super::rules;

/// What relative names of files are read against: a repository's root, wherever it is checked out.
const ROOT: &str = "%SRCROOT%";

/// The log, pretty-printed, with a line feed.
pub fn render(report: &DecisionReport, recording: Recording<'_>, places: &Places) -> String {
    let used: BTreeSet<RuleId> = told(report).map(|finding| finding.rule).collect();
    let used: Vec<RuleId> = used.into_iter().collect();
    let results: Vec<Value> = told(report).map(|finding| result(finding, &used, places)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver(&used)},
            "automationDetails": {"id": format!("laforge/{}/", report.release.environment)},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
            "invocations": [{"executionSuccessful": true}],
            "results": results,
            "properties": properties(report, recording),
        }],
    });
    format!("{log:#}\n")
}

fn driver(used: &[RuleId]) -> Value {
    let rules: Vec<Value> = used.iter().map(|id| rule(*id)).collect();
    json!({
        "name": "laforge",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": rules,
    })
}

fn rule(id: RuleId) -> Value {
    let section = rules::section(id);
    json!({
        "id": id.as_str(),
        "shortDescription": {"text": plain(&rules::summary(id))},
        "help": {"text": plain(section), "markdown": section},
        "helpUri": rules::uri(id),
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["release-gate"]},
    })
}

fn result(finding: &Finding, used: &[RuleId], places: &Places) -> Value {
    let spot = places.of(finding).or_else(|| places.about());
    let mut location =
        json!({"logicalLocations": [{"name": printable(&finding.subject), "kind": "resource"}]});
    if let Some(spot) = spot {
        add(&mut location, "physicalLocation", physical(&spot));
    }
    let help = finding.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    let mut result = json!({
        "ruleId": finding.rule.as_str(),
        "ruleIndex": used.iter().position(|id| *id == finding.rule),
        "level": level(finding.severity),
        "message": {"text": plain(&format!("{}{help}", finding.message))},
        "locations": [location],
        "partialFingerprints": {"finding/v1": fingerprint(finding)},
    });
    if let Some(policy) = places.beside(finding) {
        let text = "The requirement.";
        let related = json!([{"id": 0, "physicalLocation": physical(&policy), "message": {"text": text}}]);
        add(&mut result, "relatedLocations", related);
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "error",
        Severity::Warn => "warning",
    }
}

fn physical(spot: &Spot) -> Value {
    json!({
        "artifactLocation": {"uri": encoded(&spot.file), "uriBaseId": ROOT},
        "region": {"startLine": spot.line, "startColumn": spot.column},
    })
}

/// What makes two runs' results one alert: the rule, its subject and the file of the requirement, no digest.
fn fingerprint(finding: &Finding) -> String {
    let path = finding.origin.as_ref().map_or("", |origin| origin.path.as_str());
    Digest::of_value(&(finding.rule.as_str(), &finding.subject, path)).hex()
}

fn properties(report: &DecisionReport, recording: Recording<'_>) -> Value {
    let mut properties = json!({
        "verdict": word(&report.verdict),
        "action": word(&report.action),
        "policyDigest": report.policy.digest.to_string(),
        "release": format!(
            "{} {} for {}",
            report.release.name, report.release.version, report.release.environment
        ),
    });
    if let Some(digest) = report.release.digest {
        add(&mut properties, "releaseDigest", json!(digest.to_string()));
    }
    if let Some(entry) = recording.reference() {
        add(&mut properties, "audit", json!(entry));
    }
    properties
}

/// One more member of an object.
fn add(object: &mut Value, name: &str, member: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), member);
    }
}

/// A relative reference (RFC 3986): what is neither unreserved nor `/` is percent-encoded.
fn encoded(file: &str) -> String {
    file.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Text of a message, in which brackets would make a link and braces a placeholder (section 3.11).
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split('\n') {
        for c in printable(line).chars() {
            match c {
                '\\' | '[' | ']' => out.extend(['\\', c]),
                '{' | '}' => out.extend([c, c]),
                _ => out.push(c),
            }
        }
        out.push('\n');
    }
    out.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_neither_a_scheme_nor_a_link() {
        assert_eq!(encoded("javascript:alert(1)/ä b"), "javascript%3Aalert%281%29/%C3%A4%20b");
        assert_eq!(plain("[click](https://evil) {0}\u{1b}"), "\\[click\\](https://evil) {{0}}\\\\u{{1b}}");
    }
}
