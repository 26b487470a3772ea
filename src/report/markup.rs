//! Text that stays text in HTML and XML.
//!
//! In: what somebody wrote. Out: markup that shows it, in an element and in an attribute.

use std::fmt::Write as _;

use super::paint::printable;

/// Markup escaped, and what neither a screen shows nor XML 1.0 can hold (<https://www.w3.org/TR/xml/#charsets>)
/// written out.
pub(super) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in printable(value).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_leave_neither_element_nor_attribute_and_breaks_no_document() {
        assert_eq!(text("</td><script>\"'&\u{0}"), "&lt;/td&gt;&lt;script&gt;&quot;&#39;&amp;\\u{0}");
        assert_eq!(text("]]></failure>\u{ffff}"), "]]&gt;&lt;/failure&gt;\\u{ffff}");
    }
}
