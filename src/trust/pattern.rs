//! Texts to equal, and patterns where a document says `pattern:`.
//!
//! `*` is any run without `/` or `@`, `**` any run, but none with `@` where an `@` comes after it: else a
//! branch named `x@refs/heads/main` would be `**@refs/heads/main`. Nothing else is special; the whole text
//! counts, case-sensitive (`formats.md` section 2). Work is bounded by pattern times text: no backtracking.

use std::fmt;

/// A text to equal, or a pattern where the document says `pattern:`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// The whole text, case-sensitive.
    Exact(String),
    /// `*` is any run without `/` or `@`, `**` any run (before an `@`, one without); the whole text,
    /// case-sensitive.
    Glob(String),
}

impl Pattern {
    /// Reads `pattern:GLOB` or an exact text.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix("pattern:") {
            Some(glob) => Self::Glob(glob.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Whether it is a pattern that every text matches, or none but the empty one.
    pub fn is_vacuous(&self) -> bool {
        matches!(self, Self::Glob(glob) if glob.bytes().all(|b| b == b'*'))
    }

    /// Whether some text matches both.
    pub fn overlaps(&self, other: &Self) -> bool {
        meet(&self.tokens(), &other.tokens())
    }

    fn tokens(&self) -> Vec<Token> {
        match self {
            Self::Exact(exact) => exact.bytes().map(Token::Byte).collect(),
            Self::Glob(glob) => glob_tokens(glob.as_bytes()),
        }
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Glob(glob) => {
                let text: Vec<_> = text.bytes().map(Token::Byte).collect();
                meet(&glob_tokens(glob.as_bytes()), &text)
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => out.write_str(exact),
            Self::Glob(glob) => write!(out, "pattern:{glob}"),
        }
    }
}

/// One step of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// This byte.
    Byte(u8),
    /// Any run without `/` or `@`.
    Segment,
    /// Any run without `@`, which comes after it.
    UpToAt,
    /// Any run.
    Anything,
}

impl Token {
    fn is_run(self) -> bool {
        !matches!(self, Self::Byte(_))
    }

    /// Whether this token can stand for a byte.
    fn takes(self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => own == byte,
            Self::Segment => !matches!(byte, b'/' | b'@'),
            Self::UpToAt => byte != b'@',
            Self::Anything => true,
        }
    }
}

fn glob_tokens(glob: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = glob;
    while let Some((&first, tail)) = rest.split_first() {
        let (token, after) = match (first, tail.split_first()) {
            (b'*', Some((b'*', after))) if after.contains(&b'@') => (Token::UpToAt, after),
            (b'*', Some((b'*', after))) => (Token::Anything, after),
            (b'*', _) => (Token::Segment, tail),
            (byte, _) => (Token::Byte(byte), tail),
        };
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// Whether some text satisfies both token lists: a walk over pairs of positions, each visited once.
fn meet(left: &[Token], right: &[Token]) -> bool {
    let width = right.len() + 1;
    let mut seen = vec![false; (left.len() + 1) * width];
    let mut open = vec![(0, 0)];
    while let Some((l, r)) = open.pop() {
        match seen.get_mut(l * width + r) {
            Some(cell) if !*cell => *cell = true,
            _ => continue,
        }
        let (a, b) = (left.get(l).copied(), right.get(r).copied());
        if a.is_none() && b.is_none() {
            return true;
        }
        // A run may end here, and a byte may be taken by both sides at once.
        if a.is_some_and(Token::is_run) {
            open.push((l + 1, r));
        }
        if b.is_some_and(Token::is_run) {
            open.push((l, r + 1));
        }
        match (a, b) {
            (Some(Token::Byte(byte)), Some(other)) if other.takes(byte) => {
                open.push((l + 1, if other.is_run() { r } else { r + 1 }));
            }
            (Some(run), Some(Token::Byte(byte))) if run.takes(byte) => open.push((l, r + 1)),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches_the_whole_text_and_stops_a_star_at_slash_and_at() {
        let tags = Pattern::parse("pattern:refs/tags/v*");
        assert!(tags.matches("refs/tags/v2.4.0") && tags.matches("refs/tags/v"));
        assert!(
            !tags.matches("refs/tags/v2/x")
                && !tags.matches("xrefs/tags/v2")
                && !tags.matches("refs/tags/v2@x")
        );
        let any = Pattern::parse("pattern:https://github.com/acme/**@refs/heads/main");
        assert!(any.matches("https://github.com/acme/a/.github/workflows/b.yml@refs/heads/main"));
        assert!(!any.matches("https://github.com/acme-evil/a@refs/heads/main"));
        assert!(!any.matches("https://github.com/acme/a@refs/heads/main?x"));
        assert!(!any.matches("https://github.com/acme/a@refs/heads/x@refs/heads/main"));
        let purl = Pattern::parse("pattern:pkg:npm/**");
        assert!(purl.matches("pkg:npm/a@1") && purl.matches("pkg:npm/@acme/a@1"));
        assert!(Pattern::parse("a.b").matches("a.b") && !Pattern::parse("a.b").matches("aXb"));
        assert!(!Pattern::parse("pattern:").matches("x") && Pattern::parse("pattern:").matches(""));
    }

    #[test]
    fn finds_a_text_that_two_patterns_share() {
        let overlap = |a: &str, b: &str| {
            let (a, b) = (Pattern::parse(a), Pattern::parse(b));
            assert_eq!(a.overlaps(&b), b.overlaps(&a));
            a.overlaps(&b)
        };
        assert!(overlap("a", "a") && !overlap("a", "b"));
        assert!(overlap("pattern:a/*@b", "a/x@b") && !overlap("pattern:a/*@b", "a/x/y@b"));
        assert!(overlap("pattern:a/**@b", "pattern:**/c@*"));
        assert!(!overlap("pattern:a/*", "pattern:*/b/c"));
        assert!(overlap("pattern:*x*", "pattern:y*"));
        assert!(overlap("pattern:", "pattern:**") && !overlap("pattern:", "a"));
    }

    proptest! {
        /// The plain definition, by backtracking, over an alphabet that has every special byte.
        #[test]
        fn agrees_with_the_plain_definition(glob in "[ab/@*]{0,8}", other in "[ab/@*]{0,8}", text in "[ab/@]{0,8}") {
            let (pattern, second) = (Pattern::Glob(glob.clone()), Pattern::Glob(other));
            prop_assert_eq!(pattern.matches(&text), plain(&glob, &text));
            if pattern.matches(&text) && second.matches(&text) {
                prop_assert!(pattern.overlaps(&second));
            }
            prop_assert_eq!(pattern.overlaps(&Pattern::Exact(text.clone())), pattern.matches(&text));
        }

        /// Short patterns that overlap share a short text.
        #[test]
        fn says_overlap_only_where_a_text_proves_it(a in "[ab/*]{0,3}", b in "[ab/*]{0,3}") {
            let (a, b) = (Pattern::Glob(a), Pattern::Glob(b));
            let mut texts = vec![String::new()];
            let mut longest = texts.clone();
            for _ in 0..5 {
                longest = longest.iter().flat_map(|t| ["a", "b", "/"].map(|c| format!("{t}{c}"))).collect();
                texts.extend(longest.iter().cloned());
            }
            let shared = texts.iter().any(|text| a.matches(text) && b.matches(text));
            // Two such patterns hold at most four bytes that a shared text has to have apart.
            prop_assert_eq!(a.overlaps(&b), shared);
        }
    }

    fn plain(glob: &str, text: &str) -> bool {
        let Some(first) = glob.chars().next() else { return text.is_empty() };
        let rest = |n: usize| &glob[n..];
        if first != '*' {
            return text.starts_with(first) && plain(rest(1), &text[1..]);
        }
        let double = glob.starts_with("**");
        let after = rest(if double { 2 } else { 1 });
        (0..=text.len())
            .take_while(|at| match double {
                true => !after.contains('@') || !text[..*at].contains('@'),
                false => !text[..*at].contains(['/', '@']),
            })
            .any(|at| plain(after, &text[at..]))
    }
}
