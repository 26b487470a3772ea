//! `WWW-Authenticate`: how a registry wants to be asked.
//!
//! In: the header's text. Out: [`Challenge`], of the two schemes that registries speak.
//! Spec: <https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>,
//! <https://distribution.github.io/distribution/spec/auth/token/>. Its `scope` is not read: what is
//! asked for here is to pull, whatever a registry would have us ask for.

/// How to ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a user's name and secret.
    Basic,
    /// With a token of a service.
    Bearer {
        /// The service's URL.
        realm: String,
        /// What the registry calls itself there.
        service: Option<String>,
    },
}

impl Challenge {
    /// The first challenge that can be met, tokens before secrets.
    pub(super) fn of<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut found: Vec<Self> = headers.filter_map(Self::read).collect();
        found.sort_by_key(|challenge| *challenge == Self::Basic);
        found.into_iter().next()
    }

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let value = |name: &str| {
            let mut all = parameters.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            match (all.next(), all.next()) {
                (Some((_, value)), None) => Some(value.clone()),
                // One that is there twice says two things.
                _ => None,
            }
        };
        Some(Self::Bearer { realm: value("realm")?, service: value("service") })
    }
}

/// `name="value"` or `name=token`, comma-separated.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_owned();
        let (value, after) = value(after.trim_start());
        found.push((name, value));
        rest = after;
    }
    found
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.into(), service: service.map(str::to_owned) })
    }

    #[test]
    fn reads_what_registries_send() {
        let of = |text: &'static str| Challenge::of([text].into_iter());
        assert_eq!(
            of(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push""#
            ),
            bearer("https://auth.docker.io/token", Some("registry.docker.io"))
        );
        assert_eq!(
            of(r#"bearer realm=https://r/token, service="a\"b""#),
            bearer("https://r/token", Some("a\"b"))
        );
        assert_eq!(of(r#"Basic realm="x""#), Some(Challenge::Basic));
        assert_eq!(of(r#"Bearer service="x""#), None);
        assert_eq!(of(r#"Bearer realm="https://a", realm="https://b""#), None);
        assert_eq!(of("Negotiate"), None);
        let both = [r#"Basic realm="x""#, r#"Bearer realm="https://r/token""#];
        assert_eq!(Challenge::of(both.into_iter()), bearer("https://r/token", None));
    }

    proptest! {
        #[test]
        fn ends_on_any_text(text in "(Bearer )?.{0,200}") {
            let _ = Challenge::of([text.as_str()].into_iter());
        }
    }
}
