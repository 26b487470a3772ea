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
    /// A character that moves the cursor or turns the reading direction.
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
        Err(problem) => Err(source.error_at(at, format!("`{}` {problem}", at.value.escape_debug()))),
    }
}

/// Controls, line separators, and marks that are invisible or reorder what stands beside them.
fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
        assert_eq!(check("größe 1.0", 16), Ok(()));
    }

    #[test]
    fn counts_bytes_as_json_writes_them() {
        assert_eq!(check("12345678", 8), Ok(()));
        assert_eq!(check("123456789", 8), Err(NameError::TooLong { limit: 8 }));
        assert_eq!(check("1234567\"", 8), Err(NameError::TooLong { limit: 8 }));
    }
}
