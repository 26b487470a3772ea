//! Authorization: what a registry is shown when it asks who is there.
//!
//! In: its challenge, and the credential for its host. Out: the value of `Authorization`. A token is
//! asked for only of a service that belongs to the registry: credentials that a registry could send
//! anywhere are credentials lost (CVE-2026-48501).
//! Spec: <https://distribution.github.io/distribution/spec/auth/token/>, and `oauth2` beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::challenge::Challenge;
use super::credentials::Credential;
use super::fault::Fault;
use super::place::{Place, same_origin};
use super::transport::Question;
use crate::json;
use crate::network::{is_loopback, may_follow};

/// Bytes of a token service's answer: tokens are a few kilobytes.
const MAX_TOKEN: u64 = 256 * 1024;

/// How to get past a challenge.
pub(super) enum Way<'q> {
    /// Show this.
    Show(HeaderValue),
    /// Ask a token service this, and show what it gives.
    Ask(Box<Question<'q>>),
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// How this challenge of this registry is met.
pub(super) fn way<'q>(
    place: &'q Place,
    challenge: &Challenge,
    credential: Option<&Credential>,
) -> Result<Way<'q>, Fault> {
    match (challenge, credential) {
        (Challenge::Basic, Some(Credential::Basic { user, secret })) => {
            Ok(Way::Show(header(place, &basic(user, secret))?))
        }
        (Challenge::Basic, _) => {
            Err(Fault::Refused { host: place.host().to_owned(), status: 401, code: None, attempts: 1 })
        }
        (Challenge::Bearer { realm, service }, credential) => {
            let realm = trusted(place, realm)?;
            question(place, realm, service.as_deref(), credential)
                .map(|question| Way::Ask(Box::new(question)))
        }
    }
}

/// The `Authorization` of a token service's answer.
pub(super) fn token(place: &Place, body: &[u8]) -> Result<HeaderValue, Fault> {
    let none = || Fault::NoToken { host: place.host().to_owned() };
    let answer: Token = json::decode(body).map_err(|_| none())?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty()).ok_or_else(none)?;
    header(place, &format!("Bearer {token}"))
}

/// The realm, when it is the registry's own host, a parent domain of it, or Docker Hub's.
fn trusted(place: &Place, realm: &str) -> Result<Url, Fault> {
    let foreign = |shown: &str| Fault::ForeignRealm {
        host: place.host().to_owned(),
        realm: shown.chars().filter(|c| c.is_ascii_graphic()).take(100).collect(),
    };
    let url = Url::parse(realm).map_err(|_| foreign(realm))?;
    let (registry, service) =
        (place.root().host_str().unwrap_or_default(), url.host_str().unwrap_or_default());
    // Another port of the same host may be another party's.
    let own = same_origin(place.root(), &url) || registry == service && url.port().is_none();
    let above = service.contains('.')
        && url.port().is_none()
        && registry.strip_suffix(service).is_some_and(|below| below.ends_with('.'))
        && !is_loopback(place.root());
    let secure = may_follow(place.root(), &url);
    let plain = url.username().is_empty() && url.password().is_none();
    match plain && secure && (own || above || place.is_served_tokens_by(service)) {
        true => Ok(url),
        false => Err(foreign(service)),
    }
}

fn question<'q>(
    place: &'q Place,
    mut url: Url,
    service: Option<&str>,
    credential: Option<&Credential>,
) -> Result<Question<'q>, Fault> {
    let scope = place.scope();
    let mut fields = vec![("scope", scope.as_str())];
    fields.extend(service.map(|service| ("service", service)));
    let (mut authorization, mut form) = (None, None);
    match credential {
        Some(Credential::Refresh(token)) => {
            let more = [
                ("grant_type", "refresh_token"),
                ("client_id", "laforge"),
                ("refresh_token", token.as_str()),
            ];
            fields.extend(more);
            form = Some(encoded(&fields));
        }
        Some(Credential::Basic { user, secret }) => {
            url.query_pairs_mut().extend_pairs(fields);
            authorization = Some(header(place, &basic(user, secret))?);
        }
        None => {
            url.query_pairs_mut().extend_pairs(fields);
        }
    }
    let host = place.host();
    Ok(Question { host, url, accept: "application/json", authorization, form, limit: MAX_TOKEN })
}

/// `application/x-www-form-urlencoded`, as a URL's query is written.
fn encoded(fields: &[(&str, &str)]) -> String {
    let form = Url::parse_with_params("https://form.invalid/", fields);
    form.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
}

fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))
}

fn header(place: &Place, text: &str) -> Result<HeaderValue, Fault> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| Fault::NoToken { host: place.host().to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(repository: &str, realm: &str) -> Result<Url, Fault> {
        trusted(&Place::of(repository).unwrap(), realm)
    }

    #[test]
    fn asks_for_tokens_of_the_registrys_own_service_alone() {
        for (repository, url) in [
            ("ghcr.io/a/b", "https://ghcr.io/token"),
            ("registry.gitlab.com/a/b", "https://gitlab.com/jwt/auth"),
            ("r.example:5000/a", "https://r.example:5000/token"),
            ("r.example:5000/a", "https://r.example/token"),
            ("docker.io/a/b", "https://auth.docker.io/token"),
            ("127.0.0.1:5000/a", "http://127.0.0.1:5000/token"),
        ] {
            assert!(realm(repository, url).is_ok(), "{repository} {url}");
        }
    }

    #[test]
    fn shows_credentials_to_nobody_else() {
        for (repository, url) in [
            ("ghcr.io/a/b", "https://evil.example/token"),
            ("ghcr.io/a/b", "http://ghcr.io/token"),
            ("ghcr.io/a/b", "HTTP://ghcr.io/token"),
            ("ghcr.io/a/b", "https://ghcr.io:8443/token"),
            ("ghcr.io/a/b", "https://xghcr.io/token"),
            ("ghcr.io/a/b", "https://ghcr.io.evil.example/token"),
            ("ghcr.io/a/b", "https://ghcr.io@evil.example/token"),
            ("ghcr.io/a/b", "https://io/token"),
            ("ghcr.io/a/b", "https://user@ghcr.io/token"),
            ("r.acme.example/a", "https://evil.acme.example/token"),
            ("acme.example/a", "https://r.acme.example/token"),
            ("ghcr.io/a/b", "https://auth.docker.io/token"),
            ("ghcr.io/a/b", "http://127.0.0.1/token"),
            ("127.0.0.1:5000/a", "http://127.0.0.1:5001/token"),
            ("127.0.0.1:5000/a", "http://localhost:5000/token"),
            ("127.0.0.1:5000/a", "http://0.0.1/token"),
            ("ghcr.io/a/b", "file:///etc/passwd"),
            ("ghcr.io/a/b", "token"),
        ] {
            let refused = realm(repository, url);
            assert!(matches!(refused, Err(Fault::ForeignRealm { .. })), "{repository} {url}: {refused:?}");
        }
    }

    #[test]
    fn asks_to_pull_and_nothing_more() {
        let place = Place::of("r.example/a/b").unwrap();
        let challenge =
            Challenge::Bearer { realm: "https://r.example/token?x=1".into(), service: Some("r s".into()) };
        let Ok(Way::Ask(asked)) = way(&place, &challenge, None) else { panic!("it asks") };
        assert_eq!(asked.url.query(), Some("x=1&scope=repository%3Aa%2Fb%3Apull&service=r+s"));
        assert!(asked.authorization.is_none() && asked.form.is_none());
        let refresh = Credential::Refresh("t&x".into());
        let Ok(Way::Ask(asked)) = way(&place, &challenge, Some(&refresh)) else { panic!("it asks") };
        assert_eq!(asked.url.query(), Some("x=1"));
        let form = asked.form.as_deref().unwrap();
        assert!(form.ends_with("grant_type=refresh_token&client_id=laforge&refresh_token=t%26x"), "{form}");
    }
}
