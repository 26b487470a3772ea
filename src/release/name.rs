//! Names that people give: what they may hold, so that a screen shows them and an entry keeps them whole.
//!
//! Bounds are those of the entry line (`audit-log.md` 1.5): as serialised in JSON, a name has at most
//! 128 bytes and an artifact's 256. Not checked: look-alike letters; names are compared by their bytes.

use crate::json;
use crate::yaml::{DocumentError, Source, Spanned};

/// The most bytes of a name, as JSON writes it.
pub const MAX_NAME: usize = 128;

/// The most bytes of an artifact's name, as JSON writes it.
pub const MAX_ARTIFACT_NAME: usize = 256;

/// The most bytes of any other text that an entry carries whole.
pub const MAX_TEXT: usize = 512;

/// Why a text can't be used as a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or white space alone.
    #[error("is empty")]
    Empty,
    /// Too long for an entry to carry it whole.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// The most that it may have.
        limit: usize,
    },
    /// White space that nobody sees.
    #[error("begins or ends with white space")]
    Padded,
    /// A character that moves the cursor, turns the reading direction, or can't be seen.
    #[error("holds the unprintable character U+{code:04X}")]
    Unprintable {
        /// Its code point.
        code: u32,
    },
}

/// Checks a text that is shown to people and compared by its bytes.
///
/// # Errors
/// [`NameError`].
pub fn check(text: &str, limit: usize) -> Result<(), NameError> {
    if text.trim().is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(c) = text.chars().find(|c| unprintable(*c)) {
        return Err(NameError::Unprintable { code: u32::from(c) });
    }
    if text.trim() != text {
        return Err(NameError::Padded);
    }
    // JSON's quotes are not part of the name.
    if json::canonical(&text).len() > limit + 2 {
        return Err(NameError::TooLong { limit });
    }
    Ok(())
}

/// Takes a name from a document.
///
/// # Errors
/// [`DocumentError`] with the name's place.
pub fn read(source: &Source, at: &Spanned<String>, limit: usize) -> Result<String, DocumentError> {
    match check(&at.value, limit) {
        Ok(()) => Ok(at.value.clone()),
        Err(NameError::Empty) => Err(source
            .error_at(
                at,
                match source.member_of(at) {
                    Some(member) => format!("`{member}` is empty"),
                    None => "a name here is empty".to_owned(),
                },
            )
            .with_help("write a text that people know it by")),
        Err(problem) => Err(source.error_at(at, format!("`{}` {problem}", at.value.escape_debug()))),
    }
}

/// Whether a character shows nothing, reorders what stands beside it, or shows something else on each screen:
/// controls, spaces other than the common one, what Unicode says may be left out of a display
/// (`Default_Ignorable_Code_Point`, <https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point>),
/// the empty pattern of Braille, and characters that are for private use.
pub fn unprintable(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_a_screen_would_not_show_as_it_is() {
        assert_eq!(check(" ", 8), Err(NameError::Empty));
        assert_eq!(check("a\u{1b}[2K", 8), Err(NameError::Unprintable { code: 0x1b }));
        assert_eq!(check("a\u{202e}b", 8), Err(NameError::Unprintable { code: 0x202e }));
        assert_eq!(check("a ", 8), Err(NameError::Padded));
        assert_eq!(check("größe 1.0 支払い", 32), Ok(()));
        for unseen in
            "\u{ad}\u{34f}\u{180e}\u{2800}\u{3164}\u{e000}\u{fe0f}\u{ffa0}\u{e0061}\u{10fffd}".chars()
        {
            let code = u32::from(unseen);
            assert_eq!(
                check(&format!("a{unseen}b"), 32),
                Err(NameError::Unprintable { code }),
                "U+{code:04X}"
            );
        }
        for space in ['\t', '\u{a0}', '\u{2003}', '\u{3000}'] {
            assert!(check(&format!("a{space}b"), 32).is_err(), "{}", space.escape_unicode());
        }
    }

    #[test]
    fn counts_bytes_as_json_writes_them() {
        assert_eq!(check("12345678", 8), Ok(()));
        assert_eq!(check("123456789", 8), Err(NameError::TooLong { limit: 8 }));
        assert_eq!(check("1234567\"", 8), Err(NameError::TooLong { limit: 8 }));
    }
}
