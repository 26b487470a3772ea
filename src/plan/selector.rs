//! A plan's series: the selector of a series, and nothing that computes.
//!
//! In: `http_requests_total{version="$digest",code=~"5.."}` and a version. Out: the selector to ask
//! for, with `$digest` and `$version` put into its values, escaped. What is no selector (a function, a range,
//! an offset, a sum) is refused where a plan is made, and again before it is sent: its samples would be no raw
//! counters.
//! Spec: <https://prometheus.io/docs/prometheus/latest/querying/basics/>. Not taken: names in quotes.

use std::fmt;

/// A selector that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector<'s> {
    name: &'s str,
    matchers: Vec<Matcher<'s>>,
}

/// One label that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Matcher<'s> {
    label: &'s str,
    operator: &'static str,
    value: String,
}

/// The operators, the longer ones first.
const OPERATORS: [&str; 4] = ["=~", "!~", "!=", "="];
const ALONE: &str = "it has to be the selector of a series alone, without functions, ranges or offsets";

impl<'s> Selector<'s> {
    /// Reads a selector.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(written: &'s str) -> Result<Self, &'static str> {
        let (name, rest) = identifier(written.trim(), ":");
        let mut rest = rest.trim_start();
        let mut matchers = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside.trim_start();
            while !rest.starts_with('}') {
                let (matcher, after) = matcher(rest)?;
                matchers.push(matcher);
                rest = match after.strip_prefix(',') {
                    Some(next) => next.trim_start(),
                    None if after.starts_with('}') => after,
                    None => return Err("a label ends with `,` or `}`"),
                };
            }
            rest = rest.strip_prefix('}').unwrap_or(rest).trim_start();
        }
        match (name.is_empty() && matchers.is_empty(), rest.is_empty()) {
            (false, true) => Ok(Self { name, matchers }),
            (..) => Err(ALONE),
        }
    }

    /// The selector for a version: what `$digest` and `$version` stand for.
    ///
    /// # Errors
    /// The name that it has, and that nothing is known for.
    pub fn for_version(&self, digest: Option<&str>, version: Option<&str>) -> Result<Self, &'static str> {
        let value = |matcher: &Matcher<'s>| {
            let value = substituted(matcher, digest, version)?;
            Ok(Matcher { value, ..matcher.clone() })
        };
        let matchers = self.matchers.iter().map(value).collect::<Result<_, &'static str>>()?;
        Ok(Self { matchers, ..self.clone() })
    }
}

impl fmt::Display for Selector<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matcher = |matcher: &Matcher<'_>| {
            format!("{}{}{}", matcher.label, matcher.operator, quoted(&matcher.value))
        };
        let matchers: Vec<String> = self.matchers.iter().map(matcher).collect();
        write!(out, "{}{{{}}}", self.name, matchers.join(","))
    }
}

impl Matcher<'_> {
    fn is_pattern(&self) -> bool {
        self.operator.ends_with('~')
    }
}

/// A value with the version's names put in; in a pattern they stand for themselves.
fn substituted(
    matcher: &Matcher<'_>,
    digest: Option<&str>,
    version: Option<&str>,
) -> Result<String, &'static str> {
    let mut parts = matcher.value.split('$');
    let mut value = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = identifier(part, "");
        let (name, known) = match name {
            "digest" => ("$digest", digest),
            "version" => ("$version", version),
            _ => {
                value.push('$');
                value.push_str(part);
                continue;
            }
        };
        let known = known.filter(|known| !known.is_empty()).ok_or(name)?;
        value.push_str(&if matcher.is_pattern() { literal(known) } else { known.to_owned() });
        value.push_str(rest);
    }
    Ok(value)
}

/// A text as a pattern that matches it alone (RE2 takes a backslash before any punctuation).
pub fn literal(text: &str) -> String {
    let escaped = |c: char| {
        let special = r"\.+*?()|[]{}^$".contains(c);
        special.then_some('\\').into_iter().chain([c])
    };
    text.chars().flat_map(escaped).collect()
}

/// A text as PromQL writes it.
pub fn quoted(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
    format!("\"{text}\"")
}

fn matcher(text: &str) -> Result<(Matcher<'_>, &str), &'static str> {
    let (label, rest) = identifier(text, "");
    if label.is_empty() {
        return Err("a label's name is missing");
    }
    let rest = rest.trim_start();
    let found = OPERATORS.into_iter().find_map(|operator| Some((operator, rest.strip_prefix(operator)?)));
    let (operator, rest) = found.ok_or("after a label comes `=`, `!=`, `=~` or `!~`")?;
    let (value, rest) = value(rest.trim_start())?;
    Ok((Matcher { label, operator, value }, rest.trim_start()))
}

/// A value in quotes, and what is behind it.
fn value(text: &str) -> Result<(String, &str), &'static str> {
    let mut characters = text.char_indices();
    let quote = match characters.next() {
        Some((_, quote @ ('"' | '\'' | '`'))) => quote,
        _ => return Err("a label's value stands in quotes"),
    };
    let mut value = String::new();
    while let Some((at, c)) = characters.next() {
        match c {
            _ if c == quote => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            '\\' if quote != '`' => match characters.next() {
                Some((_, c @ ('\\' | '"' | '\''))) => value.push(c),
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                _ => return Err(r#"of escapes it may have `\\`, `\"`, `\'`, `\n` and `\t`"#),
            },
            c => value.push(c),
        }
    }
    Err("a quote is not closed")
}

/// The name at the beginning, and what is behind it; empty where there is none.
fn identifier<'t>(text: &'t str, more: &str) -> (&'t str, &'t str) {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
    let end = text.find(|c| !goes_on(c)).unwrap_or(text.len());
    match text.starts_with(|c: char| c.is_ascii_digit()) {
        true => ("", text),
        false => text.split_at(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(series: &str) -> Result<String, &'static str> {
        let selector = Selector::read(series)?;
        selector.for_version(Some("ab12"), Some("2.4.0")).map(|selector| selector.to_string())
    }

    #[test]
    fn puts_the_version_into_values_escaped() {
        for (series, query) in [
            (r#"a{v="$digest"}"#, r#"a{v="ab12"}"#),
            (r#" a:b_c { v = "$digest" , code=~'5..', } "#, r#"a:b_c{v="ab12",code=~"5.."}"#),
            (r#"{__name__="a",v="$version"}"#, r#"{__name__="a",v="2.4.0"}"#),
            (r#"a{v=~"app-$version.*"}"#, r#"a{v=~"app-2\\.4\\.0.*"}"#),
            (r#"a{v="x$digest-$version$"}"#, r#"a{v="xab12-2.4.0$"}"#),
            (r#"a{v!="$digests"}"#, r#"a{v!="$digests"}"#),
            (r#"a{v=`\d$`,w!~"\\d\"\n"}"#, r#"a{v="\\d$",w!~"\\d\"\n"}"#),
            ("a", "a{}"),
        ] {
            assert_eq!(asked(series).as_deref(), Ok(query), "{series}");
        }
    }

    #[test]
    fn a_version_closes_no_quote() {
        let selector = Selector::read(r#"a{v="$version"}"#).unwrap();
        let hostile = "1\"} or up{x=\"\\";
        let query = selector.for_version(None, Some(hostile)).unwrap().to_string();
        assert_eq!(query, r#"a{v="1\"} or up{x=\"\\"}"#);
        assert_eq!(Selector::read(&query).unwrap().matchers[0].value, "1\"} or up{x=\"\\");
    }

    #[test]
    fn refuses_what_is_no_selector() {
        for (series, said) in [
            ("", ALONE),
            ("{}", ALONE),
            (r#"sum(a{v="$digest"})"#, ALONE),
            (r#"a{v="$digest"}[5m]"#, ALONE),
            (r#"a{v="$digest"} offset 5m"#, ALONE),
            (r#"a{v="$digest"} or vector(0)"#, ALONE),
            (r#"a{v="$digest"}}"#, ALONE),
            ("$version", ALONE),
            ("1", ALONE),
            (r#"a{v="$digest""#, "a label ends with"),
            (r#"a{v="$digest" w="x"}"#, "a label ends with"),
            (r#"a{="x"}"#, "a label's name is missing"),
            (r#"a{"a.b",v="x"}"#, "a label's name is missing"),
            (r#"a{v>"x"}"#, "after a label comes"),
            ("a{v=$digest}", "stands in quotes"),
            (r#"a{v="\d"}"#, "of escapes it may have"),
            (r#"a{v="x}"#, "a quote is not closed"),
        ] {
            let refused = asked(series).unwrap_err();
            assert!(refused.contains(said), "{series}: {refused}");
        }
    }

    #[test]
    fn a_version_without_a_name_is_said() {
        let selector = Selector::read(r#"a{v="$version"}"#).unwrap();
        for version in [None, Some("")] {
            assert_eq!(selector.for_version(Some("ab"), version), Err("$version"));
        }
    }
}
