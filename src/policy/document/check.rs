//! The JSON Schemas of policy documents, generated from their types, and the check against them.
//!
//! The types refuse what is of the wrong shape; the schema adds ranges, lengths and patterns, and
//! is the one that editors show. Spec: <https://json-schema.org/draft/2020-12>.

use std::sync::OnceLock;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use schemars::JsonSchema;
use serde_json::Value;

use crate::yaml::{self, DocumentError, Source, Spanned};

use super::tree::{self, Tree};

/// The JSON Schema of a document type, with the address that names it.
pub(super) fn schema_of<T: JsonSchema>(name: &str) -> Value {
    let mut schema = yaml::schema_of::<T>();
    schema.insert("$id".to_owned(), format!("https://laforge.dev/schema/{name}/v1").into());
    schema.to_value()
}

/// A schema, compiled once.
pub(super) struct Check {
    schema: fn() -> Value,
    compiled: OnceLock<Result<Validator, String>>,
}

impl Check {
    /// A check that is compiled when it is first used.
    pub(super) const fn new(schema: fn() -> Value) -> Self {
        Self { schema, compiled: OnceLock::new() }
    }

    /// Holds a document to the schema; the first complaint in the order of the text is given.
    ///
    /// # Errors
    /// [`DocumentError`] at the value that the schema refuses.
    pub(super) fn hold(&self, source: &Source, root: &Spanned<Tree>) -> Result<(), DocumentError> {
        let compiled = self
            .compiled
            .get_or_init(|| jsonschema::validator_for(&(self.schema)()).map_err(|error| error.to_string()));
        let validator = match compiled {
            Ok(validator) => validator,
            // A schema that does not compile checks nothing: then nothing is accepted.
            Err(error) => return Err(source.error_at_start(format!("the schema does not compile: {error}"))),
        };
        let value = root.value.to_value();
        let complaints = validator
            .iter_errors(&value)
            .map(|error| source.error_at(tree::at(root, error.instance_path().as_str()), complaint(&error)));
        complaints.min_by_key(|error| (error.place.line, error.place.column)).map_or(Ok(()), Err)
    }
}

fn complaint(error: &jsonschema::ValidationError<'_>) -> String {
    let got = error.instance();
    match error.kind() {
        ValidationErrorKind::Minimum { limit } => format!("`{got}` is less than {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("`{got}` is more than {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("`{got}` is not more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("`{got}` is not less than {limit}"),
        ValidationErrorKind::MinItems { .. } => "an empty list says nothing".to_owned(),
        ValidationErrorKind::MinProperties { .. } => "an empty section says nothing".to_owned(),
        ValidationErrorKind::MinLength { .. } => "an empty text says nothing".to_owned(),
        ValidationErrorKind::MaxItems { limit } => format!("a list of more than {limit} items"),
        ValidationErrorKind::MaxProperties { limit } => format!("a section of more than {limit} members"),
        ValidationErrorKind::UniqueItems => "an item is listed twice".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("`{}` does not match `{pattern}`", bare(got)),
        _ => error.to_string(),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use crate::policy::{policy_schema, policy_set_schema};

    #[test]
    fn a_schema_gives_no_member_the_value_null() {
        for schema in [policy_schema(), policy_set_schema()] {
            assert!(!schema.to_string().contains("null"), "{schema:#}");
        }
    }
}
