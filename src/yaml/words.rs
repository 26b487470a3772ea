//! What the reader of YAML says, in the words of somebody who wrote the document.
//!
//! In: an error of the library. Out: what is wrong, and how to mend it where that can be said.

use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

use super::MAX_DEPTH;
use crate::wording::{did_you_mean, kind};

const NO_ALIAS: &str = "anchors and aliases are not taken: write the value out";
pub(super) const NO_TAG: &str = "tags such as `!!int` are not taken: write a plain or quoted value";

/// What is wrong, and how to mend it.
pub(super) fn of(error: &Error) -> (String, Option<String>) {
    let bare = |message: &str| (message.to_owned(), None);
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => (format!("member `{key}` appears twice"), None),
        Error::DuplicateMappingKey { .. } => bare("a member appears twice"),
        Error::UnknownAnchor { .. } => bare(NO_ALIAS),
        Error::MergeKeyNotAllowed { .. } => bare("merge keys are not taken: write the members out"),
        Error::TaggedScalarCannotDeserializeIntoString { .. } => bare(NO_TAG),
        Error::MultipleDocuments { .. } => bare("holds more than one document"),
        Error::Budget { breach, .. } => (over_budget(breach), None),
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown field `{field}`"), known("members", field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => (
            format!("unknown value `{variant}`, expected one of {}", expected.join(", ")),
            did_you_mean(variant, expected.iter().copied()),
        ),
        Error::Eof { .. } => (
            "the document ends where a value is expected".to_owned(),
            Some("the file may be empty, or cut off".to_owned()),
        ),
        Error::Unexpected { expected, .. } => wanted(expected),
        Error::InvalidScalar { ty, .. } => wanted(ty),
        Error::InvalidBooleanStrict { .. } => wanted("bool"),
        Error::NullIntoString { .. } => {
            (format!("nothing stands here, and {} is expected", kind("string")), example("string"))
        }
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("{} is expected, not {unexpected}", kind(expected)), example(expected))
        }
        other => (rendered(other), None),
    }
}

fn over_budget(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => NO_ALIAS.to_owned(),
        BudgetBreach::Documents { .. } => "holds more than one document".to_owned(),
        BudgetBreach::Depth { .. } => format!("is nested deeper than {MAX_DEPTH} levels"),
        _ => "is larger than a document that people write".to_owned(),
    }
}

fn wanted(expected: &str) -> (String, Option<String>) {
    (format!("{} is expected here", kind(expected)), example(expected))
}

/// How a value of this kind is written.
fn example(expected: &str) -> Option<String> {
    let written = match kind(expected) {
        "a whole number, 0 or more" | "a whole number" => "2",
        "a number" => "0.02",
        "a text" => "production",
        "a list" => "[one, another]",
        "a mapping of members to values" => "{name: payments}",
        _ => return None,
    };
    Some(format!("such as `{written}`"))
}

/// The one that was probably meant, and all that there are.
fn known(what: &str, word: &str, known: &[&str]) -> Option<String> {
    if known.is_empty() {
        return None;
    }
    let all = format!("{what} here are {}", known.join(", "));
    Some(match did_you_mean(word, known.iter().copied()) {
        Some(meant) => format!("{meant} {all}"),
        None => all,
    })
}

/// The library ends its messages with the position, which the place already says.
fn rendered(error: &Error) -> String {
    let text = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let message = match text.rsplit_once(" at line ") {
        Some((message, position)) if position.starts_with(|c: char| c.is_ascii_digit()) => message,
        _ => &text,
    };
    message.trim_end_matches('.').to_owned()
}
