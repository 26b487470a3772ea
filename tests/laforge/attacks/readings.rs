//! Attacks by bytes that two readers read in two ways: members twice, data after the end, what is no JSON.

use std::fs;

use laforge::evidence::Evidence;
use serde_json::{Value, json};

use super::statements::{IN_TOTO, PROVENANCE, allows, statement};
use crate::example::Example;

/// The texts of a value in which one member of one object is there twice.
fn with_a_member_twice(value: &Value) -> Vec<String> {
    (0..)
        .map_while(|nth| {
            let mut left = nth;
            let mut text = String::new();
            write_twice(value, &mut left, &mut text);
            (left < 0).then_some(text)
        })
        .collect()
}

fn write_twice(value: &Value, left: &mut i64, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push('{');
            let mut comma = "";
            for (name, value) in members {
                let is_meant = *left == 0;
                *left -= 1;
                for _ in 0..if is_meant { 2 } else { 1 } {
                    out.push_str(comma);
                    out.push_str(&json!(name).to_string());
                    out.push(':');
                    write_twice(value, left, out);
                    comma = ",";
                }
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_twice(item, left, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[test]
fn a_member_twice_at_every_depth_of_a_signed_payload() {
    let example = Example::new();
    let good = statement(&example, PROVENANCE);
    let texts = with_a_member_twice(&good);
    assert!(texts.len() > 20, "{}", texts.len());
    for text in texts {
        assert!(serde_json::from_str::<Value>(&text).is_ok_and(|lenient| lenient == good), "{text}");
        assert!(!allows(&example, IN_TOTO, text.as_bytes()), "{text}");
    }
}

#[test]
fn a_member_twice_at_every_depth_of_any_evidence() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut tried = 0;
    for case in fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()) {
        if !case.file_name().unwrap().to_str().unwrap().starts_with("allows-") {
            continue;
        }
        let Ok(listed) = fs::read_dir(case.join("evidence")) else { continue };
        for file in listed.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let Ok(value) = serde_json::from_slice::<Value>(&fs::read(&file).unwrap()) else { continue };
            for text in with_a_member_twice(&value) {
                assert!(
                    Evidence::parse("twice", text.clone().into_bytes()).is_err(),
                    "{}: {text}",
                    file.display()
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn payloads_that_strict_and_lenient_readers_read_differently() {
    let example = Example::new();
    let good = statement(&example, PROVENANCE).to_string();
    let in_predicate =
        |more: &str| good.replacen("\"buildDefinition\":", &format!("{more},\"buildDefinition\":"), 1);
    for text in [
        format!("\u{feff}{good}"),
        format!("{good}{{}}"),
        format!("{good}\0"),
        format!("{good},"),
        format!("{good}]"),
        format!("{good}\n{good}"),
        format!("// a comment\n{good}"),
        format!("{good}/* a comment */"),
        format!("[{good}]"),
        in_predicate("\"x\":NaN"),
        in_predicate("\"x\":Infinity"),
        in_predicate("\"x\":-Infinity"),
        in_predicate("\"x\":01"),
        in_predicate("\"x\":+1"),
        in_predicate("\"x\":.5"),
        in_predicate("\"x\":0x10"),
        in_predicate("\"x\":1e999"),
        in_predicate("\"x\":\"\\ud800\""),
        in_predicate("'x':1"),
        in_predicate("x:1"),
        in_predicate("\"x\":\"\t\""),
        in_predicate("\"x\":True"),
        in_predicate("\"x\":undefined"),
        good.replacen('}', ",}", 1),
    ] {
        assert_ne!(text, good);
        assert!(!allows(&example, IN_TOTO, text.as_bytes()), "{text}");
    }
    let mut broken = in_predicate("\"x\":\"?\"").into_bytes();
    let at = broken.iter().position(|byte| *byte == b'?').unwrap();
    broken[at] = 0xff;
    assert!(!allows(&example, IN_TOTO, &broken), "bytes that are not UTF-8");
    assert!(
        allows(&example, IN_TOTO, format!(" \r\n\t{good} \n").as_bytes()),
        "white space is no trailing data"
    );
}
