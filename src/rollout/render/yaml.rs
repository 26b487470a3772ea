//! YAML that every reader takes for the same: block style, and no text without quotes that could be anything else.
//!
//! Kubernetes reads YAML 1.1, where `yes`, `on` and `0777` are no texts; the YAML library of this tree writes
//! for 1.2 and leaves `yes` bare. So a text is bare only where it begins with a letter or `/`, holds nothing
//! that YAML reads, and is none of 1.1's words. Spec: <https://yaml.org/type/bool.html>,
//! <https://yaml.org/spec/1.2.2/#57-escaped-characters>.

use std::fmt::Write as _;

use serde_json::Value;

/// Words that some reader takes for a boolean, a null or a number.
const WORDS: [&str; 12] =
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];

/// One object as a document.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                indent(out, depth);
                out.push_str(&text(name));
                out.push(':');
                below(out, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => items.iter().for_each(|item| entry(out, item, depth)),
        scalar => {
            indent(out, depth);
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
}

/// A member's value: on its line, or below it. Lists stand at their member's own depth.
fn below(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            block(out, value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            block(out, value, depth);
        }
        scalar => {
            out.push(' ');
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
}

/// An entry of a list; a mapping begins on the line of its dash.
fn entry(out: &mut String, item: &Value, depth: usize) {
    let mut inner = String::new();
    block(&mut inner, item, depth + 1);
    indent(out, depth);
    out.push_str("- ");
    out.push_str(inner.trim_start_matches(' '));
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        // Empty mappings and lists, numbers, booleans and null are YAML as they are JSON.
        other => other.to_string(),
    }
}

fn text(text: &str) -> String {
    if is_bare(text) {
        return text.to_owned();
    }
    if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            // Writing to a string can't fail.
            _ => drop(write!(quoted, "\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

fn is_bare(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-@:".contains(&byte);
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    begins
        && text.bytes().all(plain)
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_that_a_reader_could_take_for_something_else_is_quoted() {
        for word in [
            "yes",
            "NO",
            "On",
            "y",
            "~",
            "null",
            "1e3",
            "0777",
            "0x1f",
            "1_000",
            "12:30:45",
            ".inf",
            "2026-11-24",
            "",
            " a",
            "a ",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "*a",
            "&a",
            "!a",
            "%a",
            "a:",
            "=",
            "<<",
            "{a}",
            "[a]",
            "|",
            ">",
            "@a",
            "`a",
            "?",
            "-",
        ] {
            assert_eq!(text(word), format!("'{word}'"));
        }
        for word in ["http://a.b:80/x", "sha256:ab", "/readyz", "repo/x@sha256:1", "Deployment", "v1"] {
            assert_eq!(text(word), word);
        }
        assert_eq!(
            (text("it's"), text("a\nb\"\u{1f600}")),
            ("'it''s'".into(), r#""a\U0000000ab\"\U0001f600""#.into())
        );
    }

    #[test]
    fn the_shape_is_the_usual_one() {
        let value = json!({"a": {"b": [1, {"c": "x", "d": ["y", []]}], "e": {}}, "f": [[true, null]]});
        let written =
            "a:\n  b:\n  - 1\n  - c: x\n    d:\n    - 'y'\n    - []\n  e: {}\nf:\n- - true\n  - null\n";
        assert_eq!(document(&value), written);
        assert_eq!(serde_yaml::from_str::<Value>(written).unwrap(), value);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            "[a-z~0-9:#' \"\\\\\n\t-]{0,8}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z~0-9:#' -]{1,6}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(value in values()) {
            prop_assert_eq!(&serde_yaml::from_str::<Value>(&document(&value)).unwrap(), &value);
        }
    }
}
