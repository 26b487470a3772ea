//! The JSON Schema of a document that people write, as its reader takes it.
//!
//! In: a document's type. Out: its schema, in which no member may be `null`: the generator allows it wherever a
//! member may be left out, and the reader refuses it (`said`). Spec: <https://json-schema.org/draft/2020-12>.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// The JSON Schema of a document type.
pub fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    settings.into_generator().into_root_schema_for::<T>()
}

/// A member that is left out has no value; one that is there says something.
fn without_null(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|of| of != "null"));
    // What is left of a choice between one thing and null is that thing.
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        for (name, value) in only {
            schema.ensure_object().entry(name).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "described, never read")]
    struct Rule {
        /// A text.
        name: Option<String>,
        /// Another.
        #[serde(default)]
        other: Option<Box<Rule>>,
    }

    #[test]
    fn no_member_may_be_null() {
        let schema = schema_of::<Rule>().to_value();
        assert!(!schema.to_string().contains("null"), "{schema:#}");
        assert_eq!(
            schema["properties"],
            serde_json::json!({
                "name": {"description": "A text.", "type": "string"},
                "other": {"description": "Another.", "$ref": "#"},
            })
        );
    }
}
