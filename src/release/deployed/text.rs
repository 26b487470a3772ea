//! The text below YAML: where lines, documents and the text itself end must be one answer.
//!
//! In: a file's text. Out: its documents as `kubectl` cuts them, or the first character or line that
//! its readers and ours take differently: YAML 1.1 breaks lines at U+0085, U+2028 and U+2029 and 1.2
//! does not; libyaml drops a byte order mark at the start of a line; `kubectl` cuts at every line
//! that begins with `---`, whatever it is part of, and decodes one document per piece.
//!
//! Spec: `apimachinery/pkg/util/yaml/decoder.go` of <https://github.com/kubernetes/kubernetes>.

use std::ops::Range;

use crate::yaml::{DocumentError, Source};

/// Refuses characters that one reader takes for something else than another.
pub(super) fn check(source: &Source) -> Result<(), DocumentError> {
    let text = source.text();
    for (at, c) in text.char_indices() {
        let reason = match c {
            '\u{feff}' => "is a byte order mark, which some readers drop",
            '\u{85}' | '\u{2028}' | '\u{2029}' => "ends a line for some readers and not for others",
            '\r' if !text.get(at + 1..).is_some_and(|rest| rest.starts_with('\n')) => {
                "ends a line for some readers and not for others"
            }
            '\t' | '\n' | '\r' => continue,
            c if c.is_control() => "is a control character, which YAML does not take",
            _ => continue,
        };
        let message = format!("the character U+{:04X} {reason}", u32::from(c));
        let mut error = source.error_in(at..at + c.len_utf8(), message);
        error.help = Some("write it as an escape in a double-quoted string, or leave it out".to_owned());
        return Err(error);
    }
    Ok(())
}

/// The pieces between lines that begin with `---`.
pub(super) fn pieces(source: &Source) -> Result<Vec<Range<usize>>, DocumentError> {
    let text = source.text();
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                let message = "`---` and something else in one line";
                let mut error = source.error_in(at..at + line.trim_end().len(), message);
                error.help = Some("begin the document in the next line".to_owned());
                return Err(error);
            }
            pieces.push(start..at);
            start = end;
        }
        at = end;
    }
    pieces.push(start..text.len());
    Ok(pieces)
}
