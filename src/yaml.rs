//! What people write: YAML documents, read strictly, with the place of every mistake.
//!
//! In: the text of a file. Out: a typed document, or a [`DocumentError`] with file, line, column
//! and span. Refused: a member twice, unknown members (by the types), anchors, aliases, tags,
//! merge keys, null, several documents, YAML 1.1 booleans and octals, nesting and size beyond budget.
//!
//! Spec: <https://yaml.org/spec/1.2.2/>, minus what it would take a second reader to agree on.

mod said;
mod schema;
mod words;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::Parser;
pub use schema::schema_of;
use serde::de::DeserializeOwned;
pub use serde_saphyr::Spanned;

/// The largest document that people write by hand, with room to spare.
pub const MAX_DOCUMENT: usize = 1024 * 1024;

/// Nesting that no document needs; deeper input is refused before it costs stack.
const MAX_DEPTH: usize = 32;

/// A place in a document, for a caret under it.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Line, counted from 1.
    pub line: u64,
    /// Column, counted from 1, in characters.
    pub column: u64,
    /// The bytes in `text` that the caret marks.
    pub span: Range<usize>,
    /// The whole text of the document.
    pub text: Arc<str>,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// What is wrong in a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct DocumentError {
    /// Where.
    pub place: Place,
    /// What, in the user's words.
    pub message: String,
    /// How to mend it, when that can be said.
    pub help: Option<String>,
}

impl DocumentError {
    /// The same, with how to mend it.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// The text of a document and the name that the user gave it.
#[derive(Clone)]
pub struct Source {
    file: Arc<str>,
    text: Arc<str>,
}

impl Source {
    /// Names a text.
    pub fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    /// The name that the user gave it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads the text as `T`.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that is not acceptable.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, DocumentError> {
        if self.text.len() > MAX_DOCUMENT {
            return Err(self.error_at_start(format!(
                "larger than {MAX_DOCUMENT} bytes; a document that people write is not"
            )));
        }
        if self.text.starts_with('\u{feff}') {
            let error = self.error_at_start("starts with a byte order mark");
            return Err(error.with_help(
                "save it as UTF-8 without a byte order mark: `sed -i '1s/^\\xEF\\xBB\\xBF//' FILE`",
            ));
        }
        if self.is_blank() {
            let error = self.error_at_start("is empty: there is nothing in it but perhaps comments");
            return Err(error.with_help("`laforge schema KIND` says what a document of each kind holds"));
        }
        let document = serde_saphyr::from_str_with_options(&self.text, options())
            .map_err(|error| self.explain(&error))?;
        self.refuse_unsaid()?;
        Ok(document)
    }

    /// Whether there is nothing but blank lines, comments and marks of a document's beginning and end.
    fn is_blank(&self) -> bool {
        let nothing = |line: &str| matches!(line.trim(), "" | "---" | "...") || line.trim().starts_with('#');
        self.text.lines().all(nothing)
    }

    /// An error at the place of a spanned value.
    pub fn error_at<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> DocumentError {
        DocumentError { place: self.place(at), message: message.into(), help: None }
    }

    /// An error about the document as a whole.
    pub fn error_at_start(&self, message: impl Into<String>) -> DocumentError {
        let place =
            Place { file: self.file.clone(), line: 1, column: 1, span: 0..0, text: self.text.clone() };
        DocumentError { place, message: message.into(), help: None }
    }

    /// An error about these bytes of the text.
    pub fn error_in(&self, bytes: Range<usize>, message: impl Into<String>) -> DocumentError {
        let before = self.text.get(..bytes.start).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() as u64 + 1;
        DocumentError { place: self.place_of(line, column, bytes), message: message.into(), help: None }
    }

    /// A place in the text that is known already.
    pub fn place_of(&self, line: u64, column: u64, span: Range<usize>) -> Place {
        Place { file: self.file.clone(), line, column, span, text: self.text.clone() }
    }

    /// The place of a spanned value.
    pub fn place<T>(&self, at: &Spanned<T>) -> Place {
        self.locate(&at.referenced)
    }

    /// Whether a scalar is written in quotes: then it is a text, whatever its letters are.
    pub fn is_quoted<T>(&self, at: &Spanned<T>) -> bool {
        let start = self.place(at).span.start;
        let quote = |text: Option<&str>| text.is_some_and(|text| text.starts_with(['"', '\'']));
        quote(self.text.get(start..)) || quote(start.checked_sub(1).and_then(|at| self.text.get(at..)))
    }

    /// The member that a value is of, where its name stands before it on the same line.
    pub fn member_of<T>(&self, at: &Spanned<T>) -> Option<&str> {
        let line = self.text.get(..self.place(at).span.start)?.rsplit('\n').next()?;
        let name = line.trim_end_matches([' ', '"', '\'']).strip_suffix(':')?;
        let name = name.rsplit([' ', '{', ',', '-']).next()?.trim_matches(['"', '\'']);
        Some(name).filter(|name| !name.is_empty())
    }

    /// The tab that stands where indentation should, if that is what broke the text: readers notice one
    /// only where what follows makes no sense any more.
    fn tab_in_indentation(&self) -> Option<DocumentError> {
        let broken = Parser::new_from_str(&self.text).find_map(Result::err)?;
        let mut start = 0;
        for (at, line) in self.text.split_inclusive('\n').enumerate().take(broken.marker().line() + 1) {
            let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
            let tab = line.get(..indentation).and_then(|blank| blank.find('\t'));
            if let Some(tab) = tab.filter(|_| !line.trim().is_empty()) {
                let span = start + tab..start + tab + 1;
                return Some(DocumentError {
                    place: self.place_of(at as u64 + 1, tab as u64 + 1, span),
                    message: "a tab indents this line, and YAML takes spaces alone for that".to_owned(),
                    help: Some("put spaces in its place".to_owned()),
                });
            }
            start += line.len();
        }
        None
    }

    fn explain(&self, error: &serde_saphyr::Error) -> DocumentError {
        if let Some(tab) = self.tab_in_indentation() {
            return tab;
        }
        let error = error.without_snippet();
        let place = match error.location() {
            Some(location) => self.locate(&location),
            None => self.error_at_start("").place,
        };
        let (message, help) = words::of(error);
        DocumentError { place, message, help }
    }

    fn locate(&self, location: &serde_saphyr::Location) -> Place {
        let span = location.span();
        let start =
            span.byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or(0).min(self.text.len());
        let length = span.byte_len().and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        let end = start.saturating_add(length).min(self.text.len());
        let line_end =
            self.text.get(start..end).and_then(|text| text.find('\n')).map_or(end, |at| start + at);
        Place {
            file: self.file.clone(),
            line: location.line(),
            column: location.column(),
            span: start..line_end,
            text: self.text.clone(),
        }
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_nodes: 20_000,
            max_depth: MAX_DEPTH,
            max_documents: 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        min: Spanned<u32>,
        #[serde(default)]
        names: Vec<String>,
    }

    fn refused(text: &str) -> String {
        Source::new("rule.yaml", text).read::<Rule>().unwrap_err().to_string()
    }

    #[test]
    fn says_file_line_and_column() {
        let text = refused("min: 1\nmax: 2\n");
        assert!(text.starts_with("rule.yaml:2:1: "), "{text}");
        assert!(!text.contains("at line"), "{text}");
    }

    #[test]
    fn refuses_what_two_readers_could_read_two_ways() {
        for text in [
            "min: 1\nmin: 2\n",
            "min: &a 1\n",
            "min: 1\n---\nmin: 2\n",
            "\u{feff}min: 1\n",
            "min: 1\nnames: [on, no, 1_000, 012]\nx: 1",
        ] {
            refused(text);
        }
        let rule: Rule = Source::new("r", "min: 1\nnames: [on, no, 1_000, '012']\n").read().unwrap();
        assert_eq!(rule.names, ["on", "no", "1_000", "012"]);
        assert_eq!(rule.min.value, 1);
    }

    #[test]
    fn says_what_it_refuses_in_the_words_of_its_writer() {
        assert!(refused("min: 1\nmin: 2\n").ends_with("member `min` appears twice"));
        assert!(refused("min: &a 1\n").contains("anchors and aliases are not taken"));
        assert!(refused("min: *a\n").contains("anchors and aliases are not taken"));
        // A reader without merge keys finds no member `min` in the one, and an unknown one in the other.
        for merged in ["<<: {min: 1}\n", "min: 1\n<<: {min: 2}\n"] {
            assert!(refused(merged).contains("merge keys are not taken"), "{merged}");
        }
        assert!(refused("min: 1\n---\nmin: 2\n").contains("more than one document"));
        for tagged in
            ["min: 1\nnames: [!!int 3]\n", "min: !x 1\n", "names: !!seq []\nmin: 1\n", "!!map\nmin: 1\n"]
        {
            assert!(refused(tagged).contains("tags such as"), "{tagged}");
        }
        assert!(refused("min: 1\nnames: [é, !!str b]\n").starts_with("rule.yaml:2:"));
    }

    #[test]
    fn a_value_that_says_nothing_is_shown_where_it_stands() {
        #[derive(Debug, serde::Deserialize)]
        struct Loose {
            #[expect(dead_code, reason = "read, and refused before it is looked at")]
            until: Option<serde_json::Value>,
        }
        let refused = |text: &str| Source::new("t", text).read::<Loose>().unwrap_err().to_string();
        for (text, said) in [
            ("until:\n", "t:1:1: `until` says nothing"),
            ("until: # 2026-01-01\n", "t:1:1: `until` says nothing"),
            ("until: ~\n", "t:1:8: `until` says nothing"),
            ("{until: null}\n", "t:1:9: `until` says nothing"),
            ("{\"until\": NULL}\n", "t:1:11: `until` says nothing"),
            ("until: {é: {a: [1, 2], b: Null}}\n", "t:1:27: `b` says nothing"),
            ("until:\n- {a: 1}\n- \n", "an item of the list says nothing"),
            ("until: [1, ~]\n", "t:1:12: an item of the list says nothing"),
        ] {
            let refused = refused(text);
            assert!(refused.contains(said), "{text}: {refused}");
        }
        for text in
            ["until: 'null'\n", "until: \"~\"\n", "until: ''\n", "until: |\n  null\n", "until: nullify\n"]
        {
            Source::new("t", text).read::<Loose>().unwrap();
        }
    }

    #[test]
    fn a_tab_that_indents_is_shown_where_it_stands() {
        for (text, place) in [
            ("min: 1\nnames:\n\t- a\n", "rule.yaml:3:1: "),
            ("names:\n  - a\n \t- b\nmin: 1\n", "rule.yaml:3:2: "),
        ] {
            let refused = refused(text);
            assert!(refused.starts_with(place) && refused.contains("a tab indents"), "{refused}");
        }
        assert!(!refused("min: 1\nnames: [a,\n\tb]\nx: 1\n").contains("tab"), "a tab between values is none");
    }

    #[test]
    fn places_a_value_under_its_own_bytes() {
        let source = Source::new("r", "names: []\nmin: 42\n");
        let rule: Rule = source.read().unwrap();
        let place = source.place(&rule.min);
        assert_eq!((place.line, place.column), (2, 6));
        assert_eq!(&place.text[place.span], "42");
    }
}
