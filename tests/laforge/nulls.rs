//! Members that say nothing: refused in every document that people write, wherever they stand.

use std::collections::BTreeSet;

use laforge::yaml::Source;
use serde_json::{Value, json};

use crate::example::Example;

/// The documents that people write, and no fewer members than each has.
const DOCUMENTS: [(&str, usize); 6] =
    [("config", 100), ("release", 20), ("trust", 40), ("policy", 60), ("policy-set", 4), ("scenario", 50)];

/// One step from a document down to a member.
#[derive(Clone)]
enum Step {
    Member(String),
    Item,
}

/// Where a schema lets a member stand: each place once, as deep as a schema does not go round.
struct Places<'a> {
    schema: &'a Value,
    found: Vec<Vec<Step>>,
}

impl<'a> Places<'a> {
    fn of(schema: &'a Value) -> Vec<Vec<Step>> {
        let mut places = Self { schema, found: Vec::new() };
        places.walk(schema, &[], &BTreeSet::new());
        places.found
    }

    fn walk(&mut self, here: &'a Value, path: &[Step], within: &BTreeSet<&'a str>) {
        if let Some(name) = here["$ref"].as_str().and_then(|at| at.strip_prefix("#/$defs/")) {
            let mut within = within.clone();
            if within.insert(name) {
                self.walk(&self.schema["$defs"][name], path, &within);
            }
        }
        let below = |step: Step| [path, &[step]].concat();
        for (name, member) in here["properties"].as_object().into_iter().flatten() {
            let path = below(Step::Member(name.clone()));
            self.found.push(path.clone());
            self.walk(member, &path, within);
        }
        if here["additionalProperties"].is_object() {
            let path = below(Step::Member("anything".to_owned()));
            self.found.push(path.clone());
            self.walk(&here["additionalProperties"], &path, within);
        }
        if here["items"].is_object() {
            self.walk(&here["items"], &below(Step::Item), within);
        }
        for choices in ["anyOf", "oneOf", "allOf"] {
            for choice in here[choices].as_array().into_iter().flatten() {
                self.walk(choice, path, within);
            }
        }
    }
}

/// A document that holds nothing but this member, as null.
fn document(path: &[Step]) -> Value {
    path.iter().rev().fold(Value::Null, |value, step| match step {
        Step::Member(name) => json!({ name: value }),
        Step::Item => json!([value]),
    })
}

#[test]
fn no_member_of_any_document_may_be_null() {
    for (kind, least) in DOCUMENTS {
        let schema = Example::empty().run(&["schema", kind]).ends_with_data().json();
        assert!(!schema.to_string().contains("null"), "the schema of {kind} takes null");
        let places = Places::of(&schema);
        assert!(places.len() >= least, "{kind} has {} members", places.len());
        for path in places {
            let Some(Step::Member(name)) = path.last() else { panic!("a place that is no member") };
            let text = document(&path).to_string();
            // The reader refuses it whatever a type would make of it, so that no new member can forget to.
            let refused = Source::new(kind, &text).read::<Value>().unwrap_err();
            assert_eq!(refused.message, format!("`{name}` says nothing"), "{kind}: {text}");
            assert_eq!(&refused.place.text[refused.place.span.clone()], "null", "{kind}: {text}");
            assert_eq!(refused.help.as_deref(), Some("give it a value, or leave it out"));
        }
    }
}

#[test]
fn a_member_whose_lines_are_commented_out_does_not_loosen_trust() {
    let example = Example::new();
    let signer = "- key: trust/ci.pub\n";
    for (file, from, to, name) in [
        (
            "trust.yaml",
            signer,
            "- predicateTypes:\n#    - https://slsa.dev/provenance/v0.2\n  key: trust/ci.pub\n",
            "predicateTypes",
        ),
        ("trust.yaml", signer, "- validUntil:\n  key: trust/ci.pub\n", "validUntil"),
        ("trust.yaml", signer, "- validUntil: ~\n  key: trust/ci.pub\n", "validUntil"),
        ("trust.yaml", signer, "- validFrom: null\n  key: trust/ci.pub\n", "validFrom"),
        ("trust.yaml", signer, "- root: Null\n  key: trust/ci.pub\n", "root"),
        ("trust.yaml", "gates:\n", "revoked:\ngates:\n", "revoked"),
        ("release.yaml", "  config:\n", "  replaces:\n  config:\n", "replaces"),
        ("laforge.yaml", "errorBudget: 0.02", "errorBudget: ", "errorBudget"),
        ("laforge.yaml", "{path: policies/}", "{path: policies/, digest: ~}", "digest"),
        ("laforge.yaml", "audit: {", "audit: {anchor: , ", "anchor"),
    ] {
        let written = example.read(file);
        example.edit(file, from, to);
        let run = example.run(&["verify", "--require-provenance"]).ends(2);
        assert!(run.stderr.contains(&format!("--> {file}:")), "{to}: {}", run.stderr);
        let said = [format!("`{name}` says nothing"), "is expected".to_owned()];
        assert!(said.iter().any(|said| run.stderr.contains(said)), "{to}: {}", run.stderr);
        example.write(file, &written);
    }
    example.run(&["verify", "--require-provenance"]).ends(0);
}
