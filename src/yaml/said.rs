//! What the library reads and no document of ours holds: tags, and values that say nothing.
//!
//! In: the text of a document. Out: the first of them, at its place. A tag changes what a value is (`!!binary`
//! decodes it) or is dropped by one reader and not by another. A member that says nothing (`null`, `~`, or nothing at
//! all) would be read as one that is left out, and what is left out is often what loosens: an end that never comes,
//! any type, no pin. So it is refused here, for every document, whatever its types would make of it.

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{DocumentError, Source, words};

/// What surrounds a value.
enum Within {
    /// A list.
    List,
    /// A mapping whose next scalar names a member.
    Names,
    /// A member of this name.
    Member(String, Span),
}

impl Source {
    /// Refuses tags and values that say nothing. The text is one that the library has taken: small, and no deeper
    /// than its budget.
    pub(super) fn refuse_unsaid(&self) -> Result<(), DocumentError> {
        let mut around: Vec<Within> = Vec::new();
        for event in Parser::new_from_str(&self.text) {
            let (event, span) = event.map_err(|error| self.error_at_start(error.to_string()))?;
            if is_tagged(&event) {
                return Err(self.error_in(self.bytes_of(&span), words::NO_TAG));
            }
            match event {
                Event::Scalar(text, style, ..) => {
                    if style == ScalarStyle::Plain && is_nothing(&text) {
                        return Err(self.says_nothing(around.last(), &span));
                    }
                    enter(&mut around, Some((&text, span)));
                }
                Event::SequenceStart(..) => around.push(Within::List),
                Event::MappingStart(..) => around.push(Within::Names),
                Event::SequenceEnd | Event::MappingEnd => {
                    around.pop();
                    enter(&mut around, None);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn says_nothing(&self, around: Option<&Within>, at: &Span) -> DocumentError {
        let (what, at) = match around {
            // Where nothing at all is written the name is all that a caret can stand under.
            Some(Within::Member(name, named)) => {
                (format!("`{}` says nothing", name.escape_debug()), if at.is_empty() { named } else { at })
            }
            Some(Within::List) => ("an item of the list says nothing".to_owned(), at),
            Some(Within::Names) => ("a member without a name says nothing".to_owned(), at),
            None => ("the document says nothing".to_owned(), at),
        };
        self.error_in(self.bytes_of(at), what).with_help("give it a value, or leave it out")
    }

    /// The bytes of a span, which counts characters.
    fn bytes_of(&self, span: &Span) -> std::ops::Range<usize> {
        self.byte_of(span.start.index())..self.byte_of(span.end.index())
    }

    /// Where a character begins.
    fn byte_of(&self, character: usize) -> usize {
        self.text.char_indices().nth(character).map_or(self.text.len(), |(at, _)| at)
    }
}

fn is_tagged(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(_, _, _, tag) | Event::SequenceStart(_, _, tag) | Event::MappingStart(_, _, tag) => {
            tag.is_some()
        }
        _ => false,
    }
}

/// What the library takes for null in the text of a plain scalar.
fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Goes on behind a value, which may have been a member's name: a scalar, or something else where it is `None`.
fn enter(around: &mut [Within], scalar: Option<(&str, Span)>) {
    let Some(here) = around.last_mut() else { return };
    *here = match (&*here, scalar) {
        (Within::List, _) => Within::List,
        (Within::Names, Some((name, span))) => Within::Member(name.to_owned(), span),
        (Within::Names, None) => Within::Member(String::new(), Span::default()),
        (Within::Member(..), _) => Within::Names,
    };
}
