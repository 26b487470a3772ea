//! Words for what is wrong: the known word that was probably meant, and a person's name for a value's kind.
//!
//! In: a word and those that are known, or what a reader of JSON or YAML expected, in Rust's words. Out: words for
//! whoever wrote the document or the command. Nothing here decides anything.

/// The known word that was probably meant: at most a third of its letters are other ones, or two are swapped.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |other: &str| strsim::damerau_levenshtein(&word, &other.to_lowercase());
    let near = |other: &&str| distance(other) <= (other.chars().count().max(word.chars().count()) / 3).max(1);
    known.into_iter().filter(near).min_by_key(|other| distance(other))
}

/// "did you mean", where a known word is near.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
}

/// What was expected, as a person names it.
pub(crate) fn kind(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" | "floating point" => "a number",
        "bool" | "boolean" | "a boolean" => "`true` or `false`",
        "string" | "a string" | "a borrowed string" | "string scalar" | "scalar" | "value" => "a text",
        "seq" | "a sequence" | "sequence start" => "a list",
        "map" | "a map" | "mapping start" => "a mapping of members to values",
        of_a_type if of_a_type.starts_with("struct ") => "a mapping of members to values",
        other => other,
    }
}

/// A reader's message, its expectation in a person's words; what follows it, a place, stays.
pub(crate) fn plain(message: &str) -> String {
    let Some((said, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let (expected, place) = match expected.find(" at line ") {
        Some(at) => expected.split_at(at),
        None => (expected, ""),
    };
    format!("{said}, expected {}{place}", kind(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_near_by_few_letters() {
        let known = ["approvals", "provenance", "signatures", "at", "atLeast"];
        for (word, near) in [
            ("aprovals", Some("approvals")),
            ("Approvals", Some("approvals")),
            ("atleast", Some("atLeast")),
            ("atLaest", Some("atLeast")),
            ("ta", Some("at")),
            ("freeze", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }

    #[test]
    fn no_type_of_ours_is_told() {
        for (message, told) in [
            (
                "invalid length 0, expected struct Wire with 5 elements at line 1 column 2",
                "invalid length 0, expected a mapping of members to values at line 1 column 2",
            ),
            (
                "invalid type: string \"x\", expected u64 at line 1 column 3",
                "invalid type: string \"x\", expected a whole number, 0 or more at line 1 column 3",
            ),
            ("unknown variant `a`, expected `b` or `c`", "unknown variant `a`, expected `b` or `c`"),
            ("trailing comma", "trailing comma"),
        ] {
            assert_eq!(plain(message), told);
        }
    }
}
