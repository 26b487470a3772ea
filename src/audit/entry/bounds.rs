//! Bounds: no text and no list makes a line longer than it may be.
//!
//! Lengths are those of the serialised text, since that is what the line holds. Longer names are
//! refused when release, trust or policy is loaded; here they are cut all the same, because the
//! bound must hold whatever comes.

/// A name.
pub(super) const NAME: usize = 128;
/// An artifact's name.
pub(super) const ARTIFACT: usize = 256;
/// A finding's message.
pub(super) const MESSAGE: usize = 192;
/// Any other text.
pub(super) const TEXT: usize = 512;
/// A trace, as 32 hex digits.
pub(super) const TRACE: usize = 32;
/// A list.
pub(super) const LIST: usize = 32;
/// Policy sets in force: four configured ones and the flags.
pub(super) const SETS: usize = 5;

const MARK: char = '…';

/// The text, cut at a character so that it serialises to at most `bound` bytes.
pub(super) fn cut(text: &str, bound: usize) -> String {
    if text.chars().map(serialised).sum::<usize>() <= bound {
        return text.to_owned();
    }
    let room = bound.saturating_sub(MARK.len_utf8());
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += serialised(*c);
        used <= room
    });
    kept.chain([MARK]).collect()
}

/// The first members of a list.
pub(super) fn first<T, U>(list: impl IntoIterator<Item = T>, make: impl FnMut(T) -> U) -> Vec<U> {
    list.into_iter().take(LIST).map(make).collect()
}

/// How many bytes a character takes inside a JSON string as `serde_json` writes it.
fn serialised(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_a_character_by_what_is_written() {
        assert_eq!(cut("plain", 5), "plain");
        assert_eq!(cut("plainer", 6), "pla…");
        assert_eq!(cut("\u{1}\u{1}", 12), "\u{1}\u{1}");
        assert_eq!(cut("\u{1}\u{1}\u{1}", 12), "\u{1}…");
        assert_eq!(cut("ééé", 5), "é…");
        for text in ["\"\\\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}é€😀", &"\u{1}".repeat(99)] {
            for bound in 3..120 {
                let written = serde_json::to_string(&cut(text, bound)).unwrap();
                assert!(written.len() - 2 <= bound, "{written} at {bound}");
            }
        }
    }
}
