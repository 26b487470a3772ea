//! Generated pages are what the program says of itself.

use std::fs;
use std::path::Path;

use crate::example::Example;

#[track_caller]
pub fn page_is(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&path, made).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == made, "{name} is out of date: UPDATE_PAGES=1 cargo test --test laforge pages");
}

#[test]
fn the_command_line_page() {
    page_is("docs/cli.md", &laforge::cli::page::reference());
}

#[test]
fn every_schema_is_one_and_takes_the_example() {
    let example = Example::new();
    let plan = example.deploy(&["--report", "json=report.json"]).ends(0).json();
    let instances = [
        ("config", yaml(&example, "laforge.yaml")),
        ("release", yaml(&example, "release.yaml")),
        ("trust", yaml(&example, "trust.yaml")),
        ("policy", yaml(&example, "policies/baseline.yaml")),
        ("policy-set", yaml(&example, "policies/policy-set.yaml")),
        ("report", serde_json::from_str(&example.read("report.json")).unwrap()),
        ("plan", plan["plan"].clone()),
    ];
    for (kind, instance) in instances {
        let schema = example.run(&["schema", kind]).ends(0).json();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&instance).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{kind}: {errors:?}");
        let mut stray = instance.clone();
        stray.as_object_mut().unwrap().insert("stray".to_owned(), 1.into());
        assert!(!validator.is_valid(&stray), "{kind} takes a member that it does not know");
    }
}

fn yaml(example: &Example, name: &str) -> serde_json::Value {
    serde_yaml::from_str(&example.read(name)).unwrap()
}

#[test]
fn the_schemas_of_our_own_predicates() {
    for (name, schema) in laforge::evidence::predicate::own_schemas() {
        page_is(&format!("docs/schemas/{name}-v1.json"), &format!("{schema:#}\n"));
    }
}

#[test]
fn the_schema_of_a_predicate_takes_and_refuses_what_its_reader_does() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors/predicates.json");
    let vectors: serde_json::Value = serde_json::from_slice(&fs::read(vectors).unwrap()).unwrap();
    let schemas = laforge::evidence::predicate::own_schemas();
    for case in vectors["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        // A schema sees a value, and of a member twice the last.
        if name == "a member twice" {
            continue;
        }
        let statement: serde_json::Value = serde_json::from_str(case["statement"].as_str().unwrap()).unwrap();
        let (_, schema) =
            schemas.iter().find(|(_, schema)| schema["$id"] == statement["predicateType"]).unwrap();
        let validator = jsonschema::validator_for(schema).unwrap();
        assert_eq!(validator.is_valid(&statement["predicate"]), case["verdict"] == "accepted", "{name}");
    }
}
