//! The shape of a JSON format, as data: which members there are, which must be there, how many.
//!
//! In: a value from [`crate::json::parse`], which has refused repeated members already. Out: the
//! same value without its `null` members, which protobuf's JSON takes for absent
//! (<https://protobuf.dev/programming-guides/json/>), or what is wrong and where. Texts, numbers
//! and base64 are read by whoever reads the value next.

use serde_json::{Map, Value};

use super::Unreadable;

/// What a value must look like.
#[derive(Debug)]
pub(super) enum Shape {
    /// A text.
    Text,
    /// An integer, also as a text, as protobuf writes 64 bits.
    Integer,
    /// An object.
    Object(&'static Object),
    /// A list of at most so many.
    List(&'static Shape, usize),
}

/// The members of an object. Any other is refused.
#[derive(Debug)]
pub(super) struct Object {
    /// Every member there is.
    pub(super) members: &'static [(&'static str, Shape)],
    /// Those that must be there.
    pub(super) required: &'static [&'static str],
    /// Groups of which exactly one must be there: protobuf's `oneof`.
    pub(super) one_of: &'static [&'static [&'static str]],
}

/// Holds a value against a shape, and drops its `null` members.
pub(super) fn fit(shape: &Shape, at: &str, value: Value) -> Result<Value, Unreadable> {
    match (shape, value) {
        (Shape::Text, value @ Value::String(_)) => Ok(value),
        (Shape::Integer, value) if is_integer(&value) => Ok(value),
        (Shape::Object(object), Value::Object(map)) => fit_object(object, at, map),
        (Shape::List(item, most), Value::Array(list)) => fit_list(item, *most, at, list),
        (shape, value) => {
            Err(problem(format!("{}wanted {}, got {}", prefix(at), wanted(shape), kind(&value))))
        }
    }
}

fn fit_object(object: &Object, at: &str, map: Map<String, Value>) -> Result<Value, Unreadable> {
    let mut fitted = Map::new();
    for (name, value) in map {
        let Some((_, shape)) = object.members.iter().find(|(known, _)| *known == name) else {
            return Err(problem(format!("`{}`: unknown member", path(at, &super::limits::quoted(&name)))));
        };
        if !value.is_null() {
            let value = fit(shape, &path(at, &name), value)?;
            fitted.insert(name, value);
        }
    }
    for name in object.required {
        if !fitted.contains_key(*name) {
            return Err(problem(format!("`{}`: missing", path(at, name))));
        }
    }
    for group in object.one_of {
        let there: Vec<&str> = group.iter().copied().filter(|name| fitted.contains_key(*name)).collect();
        if there.len() != 1 {
            let got = if there.is_empty() { "none".to_owned() } else { there.join(" and ") };
            let wanted = group.join(", ");
            return Err(problem(format!("{}wanted exactly one of {wanted}, got {got}", prefix(at))));
        }
    }
    Ok(Value::Object(fitted))
}

fn fit_list(item: &Shape, most: usize, at: &str, list: Vec<Value>) -> Result<Value, Unreadable> {
    if list.len() > most {
        return Err(problem(format!("`{at}`: wanted at most {most}, got {}", list.len())));
    }
    let fitted: Result<Vec<Value>, Unreadable> = list
        .into_iter()
        .enumerate()
        .map(|(index, value)| fit(item, &format!("{at}[{index}]"), value))
        .collect();
    Ok(Value::Array(fitted?))
}

fn is_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) => text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok(),
        _ => false,
    }
}

fn path(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn prefix(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("`{at}`: ") }
}

fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text => "a text",
        Shape::Integer => "an integer",
        Shape::Object(_) => "an object",
        Shape::List(..) => "a list",
    }
}

/// What kind of JSON value this is, as messages name it.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A reason from its text.
pub(super) fn problem(problem: impl Into<String>) -> Unreadable {
    Unreadable { problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PAIR: Shape = Shape::Object(&Object {
        members: &[("a", Shape::Integer), ("b", Shape::List(&Shape::Text, 2)), ("c", Shape::Text)],
        required: &["a"],
        one_of: &[&["b", "c"]],
    });

    fn refusal(value: Value) -> String {
        fit(&PAIR, "", value).unwrap_err().problem
    }

    #[test]
    fn takes_null_for_absent_and_numbers_as_texts() {
        let fitted = fit(&PAIR, "", json!({"a": "-7", "b": null, "c": "x"})).unwrap();
        assert_eq!(fitted, json!({"a": "-7", "c": "x"}));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        assert_eq!(refusal(json!({"a": 1, "c": "x", "d": null})), "`d`: unknown member");
        assert_eq!(refusal(json!({"a": null, "c": "x"})), "`a`: missing");
        assert_eq!(refusal(json!({"a": 1})), "wanted exactly one of b, c, got none");
        assert_eq!(refusal(json!({"a": 1, "b": [], "c": ""})), "wanted exactly one of b, c, got b and c");
        assert_eq!(refusal(json!({"a": 1, "b": ["x", null]})), "`b[1]`: wanted a text, got null");
        assert_eq!(refusal(json!({"a": 1, "b": ["", "", ""]})), "`b`: wanted at most 2, got 3");
        assert_eq!(refusal(json!({"a": 1.5, "c": ""})), "`a`: wanted an integer, got a number");
    }
}
