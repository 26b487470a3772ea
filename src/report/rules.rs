//! What each rule means and how it is mended: `docs/rules.md`, by rule.
//!
//! The page is the only source: `laforge explain RULE`, the help of a SARIF rule and the documentation say
//! the same.

use crate::policy::RuleId;

const PAGE: &str = include_str!("../../docs/rules.md");

/// Where the page is read; a rule's heading is its anchor.
pub const PAGE_URI: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/rules.md");

/// The section of a rule, without its heading: Markdown.
pub fn section(rule: RuleId) -> &'static str {
    let heading = format!("## `{}`\n", rule.as_str());
    let text = PAGE.split_once(&heading).map_or("", |(_, after)| after);
    text.split("\n## ").next().unwrap_or_default().trim()
}

/// The first sentence of a section, on one line.
pub fn summary(rule: RuleId) -> String {
    let first = section(rule).split("\n\n").next().unwrap_or_default();
    let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.find(". ") {
        Some(end) => line.get(..=end).unwrap_or(&line).to_owned(),
        None => line,
    }
}

/// Where the section is read.
pub fn uri(rule: RuleId) -> String {
    format!("{PAGE_URI}#{}", rule.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_meaning_and_a_way_to_mend_it() {
        for rule in RuleId::ALL {
            let text = section(*rule);
            assert!(text.contains("**Mend it**"), "{}: {text}", rule.as_str());
            assert!(!text.contains("\n## "), "{}", rule.as_str());
            assert!(summary(*rule).ends_with(['.', ':']), "{}: {}", rule.as_str(), summary(*rule));
        }
    }
}
