//! `--report sarif|junit|markdown`: what other programs read, and that nobody's name becomes markup in it.

use std::fs;

use serde_json::{Value, json};

use crate::example::{Example, PROGRAM, at_home, finished};

/// A name that would be markup wherever it is not escaped.
const HOSTILE: &str =
    "a|b]]></failure><img src=x onerror=alert(1)>`[x](https://evil.example) @org/team {0} &amp; '\"";

/// The example with a deny whose subject has that name.
fn hostile() -> Example {
    let example = Example::new();
    let written = serde_json::to_string(HOSTILE).unwrap();
    example.edit("release.yaml", "name: payments.tar.gz", &format!("name: {written}"));
    example.remove("evidence/signature-payments.tar.gz.sigstore.json");
    example.edit("release.yaml", "version: 2.4.0", "version: \"2.4.0 <b>`|\"");
    example
}

fn sarif_text() -> Value {
    json!({
        "type": "object", "required": ["text"], "additionalProperties": false,
        "properties": {"text": {"type": "string", "minLength": 1}, "markdown": {"type": "string", "minLength": 1}},
    })
}

fn sarif_result() -> Value {
    let text = sarif_text();
    let physical = json!({
        "type": "object", "required": ["artifactLocation", "region"], "additionalProperties": false,
        "properties": {
            "artifactLocation": {
                "type": "object", "required": ["uri", "uriBaseId"], "additionalProperties": false,
                "properties": {
                    "uri": {"type": "string", "pattern": "^[A-Za-z0-9._~/%-]+$", "not": {"pattern": "^/|(^|/)\\.\\.(/|$)"}},
                    "uriBaseId": {"const": "%SRCROOT%"},
                },
            },
            "region": {
                "type": "object", "required": ["startLine", "startColumn"], "additionalProperties": false,
                "properties": {
                    "startLine": {"type": "integer", "minimum": 1},
                    "startColumn": {"type": "integer", "minimum": 1},
                },
            },
        },
    });
    json!({
        "type": "object",
        "required": ["ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"],
        "additionalProperties": false,
        "properties": {
            "ruleId": {"type": "string"},
            "ruleIndex": {"type": "integer", "minimum": 0},
            "level": {"enum": ["error", "warning"]},
            "message": text,
            "locations": {"type": "array", "minItems": 1, "maxItems": 1, "items": {
                "type": "object", "required": ["physicalLocation", "logicalLocations"], "additionalProperties": false,
                "properties": {"physicalLocation": physical, "logicalLocations": {"type": "array", "minItems": 1}},
            }},
            "relatedLocations": {"type": "array", "items": {
                "type": "object", "required": ["id", "physicalLocation", "message"], "additionalProperties": false,
                "properties": {"id": {"type": "integer"}, "physicalLocation": physical, "message": text},
            }},
            "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
        },
    })
}

fn sarif_rule() -> Value {
    let text = sarif_text();
    json!({
        "type": "object",
        "required": ["id", "shortDescription", "help", "helpUri", "defaultConfiguration", "properties"],
        "additionalProperties": false,
        "properties": {
            "id": {"type": "string"},
            "shortDescription": text,
            "help": text,
            "helpUri": {"type": "string", "format": "uri", "pattern": "^https://.*/docs/rules\\.md#[a-z-]+$"},
            "defaultConfiguration": {"const": {"level": "error"}},
            "properties": {"type": "object"},
        },
    })
}

/// The members that the specification demands of what we write, and no others that we don't.
fn sarif_schema() -> Value {
    let (rule, result) = (sarif_rule(), sarif_result());
    json!({
        "type": "object", "required": ["$schema", "version", "runs"], "additionalProperties": false,
        "properties": {
            "$schema": {"type": "string", "format": "uri"},
            "version": {"const": "2.1.0"},
            "runs": {"type": "array", "minItems": 1, "maxItems": 1, "items": {
                "type": "object",
                "required": ["tool", "columnKind", "originalUriBaseIds", "invocations", "results"],
                "properties": {
                    "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                        "type": "object", "required": ["name", "semanticVersion", "informationUri", "rules"],
                        "properties": {
                            "name": {"const": "laforge"},
                            "semanticVersion": {"type": "string", "pattern": "^\\d+\\.\\d+\\.\\d+$"},
                            "informationUri": {"type": "string", "format": "uri"},
                            "rules": {"type": "array", "uniqueItems": true, "items": rule},
                        },
                    }}},
                    "columnKind": {"const": "unicodeCodePoints"},
                    "results": {"type": "array", "items": result},
                },
            }},
        },
    })
}

/// A run's SARIF report, which has the required members and whose indices hold.
#[track_caller]
fn sarif(example: &Example, code: i32, more: &[&str]) -> Value {
    example.deploy(&[&["--report", "sarif=laforge.sarif"], more].concat()).ends(code);
    let log: Value = serde_json::from_str(&example.read("laforge.sarif")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&sarif_schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let rules = &log["runs"][0]["tool"]["driver"]["rules"];
    for result in log["runs"][0]["results"].as_array().unwrap() {
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
    }
    log
}

#[test]
fn sarif_of_an_allow_closes_earlier_alerts() {
    let example = Example::new();
    let log = sarif(&example, 0, &["-o", "plan.json"]);
    assert_eq!(log["runs"][0]["results"], json!([]));
    assert_eq!(log["runs"][0]["properties"]["action"], "allow");
}

#[test]
fn sarif_leads_to_the_line_of_the_policy_and_else_to_the_release() {
    let places = |example: &Example| -> Vec<(Value, Value)> {
        let log = sarif(example, 10, &[]);
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let physical = results.iter().map(|result| &result["locations"][0]["physicalLocation"]);
        physical
            .map(|at| (at["artifactLocation"]["uri"].clone(), at["region"]["startLine"].clone()))
            .collect()
    };
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    let policy = example.read("policies/baseline.yaml");
    let line = 1 + policy.lines().position(|line| line.contains("atLeast: 2")).unwrap();
    assert_eq!(places(&example), [("policies/baseline.yaml".into(), line.into())]);
    // No policy asks for it: nobody can switch it off.
    example.write("artifacts/sbom.json", "{}");
    assert_eq!(places(&example), [("release.yaml".into(), 1.into())]);
}

#[test]
fn sarif_of_the_same_finding_is_the_same_alert_and_of_another_is_not() {
    let prints = |example: &Example| -> Vec<Value> {
        let log = sarif(example, 10, &[]);
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        results.into_iter().map(|result| result["partialFingerprints"]["finding/v1"].clone()).collect()
    };
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    let first = prints(&example);
    // A line further down, and another version of the release: still the same alert.
    example.edit("policies/baseline.yaml", "apiVersion:", "# more\napiVersion:");
    example.edit("policies/policy-set.yaml", "version: 1", "version: 2");
    assert_eq!(prints(&example), first);
    example.remove("evidence/signature-sbom.json.sigstore.json");
    assert_ne!(prints(&example), first);
}

#[test]
fn sarif_can_not_be_made_to_link_anywhere() {
    let log = sarif(&hostile(), 10, &[]);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let texts: Vec<&str> = results.iter().map(|result| result["message"]["text"].as_str().unwrap()).collect();
    assert!(texts.iter().any(|text| text.contains("\\[x\\](https://evil.example)")), "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains("[x](")), "{texts:?}");
}

/// That each element is closed by its own name, and what the attributes and texts hold.
fn elements(xml: &str) -> Vec<String> {
    let mut open = Vec::new();
    let mut seen = Vec::new();
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        assert!(!text.contains('>'), "{text}");
        for entity in text.split('&').skip(1).chain(tag.split('&').skip(1)) {
            assert!(
                ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|known| entity.starts_with(known)),
                "{entity}"
            );
        }
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else {
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            seen.push(name.to_owned());
            if !tag.ends_with('/') {
                open.push(name.to_owned());
            }
        }
    }
    assert_eq!(open, Vec::<String>::new());
    seen
}

#[test]
fn junit_has_a_case_for_the_verdict_and_one_for_each_finding() {
    let example = Example::new();
    example.deploy(&["--report", "junit=junit.xml", "-o", "plan.json"]).ends(0);
    let allowed = example.read("junit.xml");
    assert!(allowed.contains("tests=\"1\" failures=\"0\" errors=\"0\""), "{allowed}");
    assert_eq!(elements(&allowed).iter().filter(|name| *name == "testcase").count(), 1);
    let denied = hostile();
    denied.deploy(&["--report", "junit=junit.xml"]).ends(10);
    let xml = denied.read("junit.xml");
    let names = elements(&xml);
    // The verdict, the signature that is missing, the approvals that are void.
    assert_eq!(names.iter().filter(|name| *name == "failure").count(), 3, "{xml}");
    assert!(names.iter().all(|name| name != "img" && name != "b"), "{xml}");
}

#[test]
fn junit_of_an_inconclusive_is_an_error_and_no_failure() {
    let example = Example::new();
    std::os::unix::fs::symlink("approvals", example.path("approvals")).unwrap();
    example.remove("evidence/approval-bob.sigstore.json");
    let flags = ["--evidence", "evidence", "--evidence", "approvals", "--report", "junit=junit.xml"];
    example.deploy(&flags).ends(11);
    let xml = example.read("junit.xml");
    assert!(xml.contains("failures=\"0\"") && xml.contains("<error type=\"verdict\""), "{xml}");
}

#[test]
fn markdown_keeps_names_in_code_spans_and_rows_whole() {
    let example = hostile();
    example.deploy(&["--report", "markdown=report.md"]).ends(10);
    let page = example.read("report.md");
    assert!(
        page.starts_with("### laforge: ❌ denied: `payments 2.4.0 <b>\\u{60}\\u{7c} → production`\n"),
        "{page}"
    );
    for row in page.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(row.matches('|').count(), 5, "{row}");
    }
    // What stands outside of code spans is ours.
    let outside: String = page.split('`').step_by(2).collect();
    for markup in ["<img", "<b>", "evil.example", "@org", "[x]"] {
        assert!(!outside.contains(markup), "`{markup}` stands outside of a code span: {page}");
    }
}

#[test]
fn html_is_one_page_whose_policy_allows_nothing_but_its_style() {
    let example = hostile();
    example.deploy(&["--report", "html=report.html"]).ends(10);
    let page = example.read("report.html");
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    assert!(page.contains(&format!("default-src 'none'; style-src 'sha256-{hash}';")), "{page}");
    for markup in ["<script", "<img", "<b>", " style="] {
        assert!(!page.contains(markup), "`{markup}`: {page}");
    }
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"), "{page}");
}

#[test]
fn a_report_without_a_file_goes_where_the_verb_talks() {
    let example = Example::new();
    let deployed = example.deploy(&["--report", "markdown", "-o", "plan.json"]).ends(0);
    assert!(deployed.stderr.contains("### laforge: ✅ allowed"), "{}", deployed.stderr);
    assert_eq!(deployed.stdout, "");
    let verified = example.run(&["verify", "--report", "sarif"]).ends_with_data();
    assert_eq!(verified.json()["version"], "2.1.0");
}

#[test]
fn a_report_of_an_earlier_run_is_replaced_and_anything_else_is_not() {
    let example = Example::new();
    for format in ["sarif", "junit", "markdown", "html"] {
        let flag = format!("{format}=report");
        example.deploy(&["--report", &flag, "--dry-run"]).ends(0);
        example.deploy(&["--report", &flag, "--dry-run"]).ends(0);
        fs::write(example.path("report"), "mine").unwrap();
        example.deploy(&["--report", &flag, "--dry-run"]).ends(2).says("is no report");
        example.remove("report");
    }
}

#[test]
fn names_of_files_are_those_of_the_ci_systems_checkout() {
    let checkout = tempfile::tempdir().unwrap();
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    let folder = checkout.path().join("apps/payments");
    crate::example::copy(&example.path(""), &folder);
    for variable in ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"] {
        let mut command = at_home(PROGRAM, &folder);
        command.env(variable, checkout.path()).args(["verify", "--report", "sarif"]);
        let run = finished(command.output().unwrap());
        assert_eq!(run.code, 10, "{}", run.stderr);
        assert!(run.stdout.contains("\"uri\": \"apps/payments/policies/baseline.yaml\""), "{}", run.stdout);
    }
}
