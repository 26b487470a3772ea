//! A bearer token of an issuer: read, and believed only once its signature is an issuer's key's.
//!
//! In: its text; keys, audience and clock. Out: [`Identity`]. What a token says before that is only ever used to
//! choose whose keys to check it with. Refused: a header that brings a key or points to one, anything `crit`, other
//! kinds of JWT. Specs: <https://www.rfc-editor.org/rfc/rfc7515>, <https://www.rfc-editor.org/rfc/rfc7519>,
//! <https://www.rfc-editor.org/rfc/rfc8725>.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta};
use serde::Deserialize;
use serde_json::Value;

use super::keys::{Algorithm, KeySet, Mismatch};
use crate::time::Timestamp;

/// More than a token has that fits a request's head.
const MOST_BYTES: usize = 12 * 1024;
/// How far an issuer's clock may be from ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// A token as it was shown: nothing in it is believed.
pub(super) struct Presented<'a> {
    algorithm: Algorithm,
    key: Option<String>,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

/// Who an issuer says that somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The issuer's name for them.
    pub(super) subject: String,
    /// Their e-mail address, where the issuer has verified it.
    pub(super) email: Option<String>,
}

/// Why a token is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::serve) enum TokenError {
    #[error("it is no JSON Web Token")]
    Malformed,
    #[error("its algorithm is not taken")]
    Algorithm,
    #[error("its header brings a key or points to one, and only the issuer's own are looked at")]
    OwnKey,
    #[error("its header has members that have to be understood (`crit`)")]
    Critical,
    #[error("it is another kind of token (`typ`)")]
    Kind,
    #[error("it is of no issuer that is configured here")]
    Issuer,
    #[error("it is for another audience")]
    Audience,
    #[error("it answers another request (`nonce`)")]
    Nonce,
    #[error("its key is none of the issuer's")]
    Key,
    #[error("its signature is not the issuer's")]
    Signature,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    Early,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
    jku: Option<Value>,
    jwk: Option<Value>,
    x5u: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    nonce: Option<String>,
    email: Option<String>,
    #[serde(default)]
    email_verified: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Many(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }
}

impl<'a> Presented<'a> {
    /// Reads a token.
    pub(super) fn read(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > MOST_BYTES {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decoded(header)?;
        let algorithm = header.check()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        Ok(Self { algorithm, key: header.kid, claims: decoded(claims)?, signed, signature })
    }

    /// Whose it says that it is.
    pub(super) fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Whether it says that it is for this audience.
    pub(super) fn is_for(&self, audience: &str) -> bool {
        self.claims.aud.has(audience)
    }

    /// Whether it says that it answers the request of this nonce.
    pub(super) fn answers(&self, nonce: &str) -> bool {
        self.claims.nonce.as_deref() == Some(nonce)
    }

    /// The key that it says to be signed with.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Checks all of it. Issuer and audience were what these keys were chosen by.
    pub(super) fn verify(self, keys: &KeySet, now: Timestamp) -> Result<Identity, TokenError> {
        let key = self.key.as_deref();
        keys.verify(key, self.algorithm, self.signed.as_bytes(), &self.signature).map_err(|mismatch| {
            match mismatch {
                Mismatch::NoKey => TokenError::Key,
                Mismatch::Algorithm => TokenError::Algorithm,
                Mismatch::Signature => TokenError::Signature,
            }
        })?;
        self.claims.check_time(now)?;
        let email = verified_address(self.claims.email, &self.claims.email_verified);
        Ok(Identity { subject: self.claims.sub, email })
    }
}

/// An e-mail address, if the issuer has verified it.
pub(super) fn verified_address(email: Option<String>, verified: &Value) -> Option<String> {
    let verified = match verified {
        Value::Bool(verified) => *verified,
        // As some issuers write it.
        Value::String(text) => text == "true",
        _ => false,
    };
    email.filter(|email| verified && !email.is_empty())
}

impl Header {
    fn check(&self) -> Result<Algorithm, TokenError> {
        if self.jku.is_some() || self.jwk.is_some() || self.x5u.is_some() {
            return Err(TokenError::OwnKey);
        }
        if self.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let kind = self.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        if !matches!(kind, "jwt" | "at+jwt") {
            return Err(TokenError::Kind);
        }
        Algorithm::named(&self.alg).ok_or(TokenError::Algorithm)
    }
}

impl Claims {
    fn check_time(&self, now: Timestamp) -> Result<(), TokenError> {
        let until = instant(self.exp)?;
        if now - LEEWAY >= until {
            return Err(TokenError::Expired);
        }
        for from in [self.nbf, self.iat].into_iter().flatten() {
            if instant(from)? > now + LEEWAY {
                return Err(TokenError::Early);
            }
        }
        Ok(())
    }
}

/// Seconds since 1970, perhaps with a fraction.
fn instant(seconds: f64) -> Result<Timestamp, TokenError> {
    // Until the year 9999.
    if !(0.0..=253_402_300_799.0).contains(&seconds) {
        return Err(TokenError::Malformed);
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds within the range above")]
    let milliseconds = (seconds * 1000.0).floor() as i64;
    DateTime::from_timestamp_millis(milliseconds).ok_or(TokenError::Malformed)
}

fn decoded<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;
    use crate::time;

    fn noon() -> Timestamp {
        time::parse("2026-11-24T12:00:00Z").unwrap()
    }

    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn keys() -> KeySet {
        let x = URL_SAFE_NO_PAD.encode(pair().public_key());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a"});
        KeySet::read(json!({"keys": [key]}).to_string().as_bytes()).unwrap()
    }

    fn header() -> Value {
        json!({"alg": "EdDSA", "kid": "a", "typ": "JWT"})
    }

    fn claims() -> Value {
        let now = noon().timestamp();
        json!({"iss": "https://id.example", "sub": "u1", "aud": ["x", "laforge"], "exp": now + 60, "iat": now,
               "email": "alice@acme.example", "email_verified": true})
    }

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = pair().sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn verified(header: &Value, claims: &Value) -> Result<Identity, TokenError> {
        let text = token(header, claims);
        Presented::read(&text)?.verify(&keys(), noon())
    }

    fn with(value: &Value, name: &str, member: Value) -> Value {
        let mut value = value.clone();
        value[name] = member;
        value
    }

    #[test]
    fn takes_what_the_issuer_signed() {
        let text = token(&header(), &claims());
        let shown = Presented::read(&text).unwrap();
        assert_eq!((shown.issuer(), shown.key()), ("https://id.example", Some("a")));
        assert!(shown.is_for("laforge") && !shown.is_for("laforg"));
        let alice = Identity { subject: "u1".to_owned(), email: Some("alice@acme.example".to_owned()) };
        assert_eq!(shown.verify(&keys(), noon()), Ok(alice));
    }

    #[test]
    fn believes_no_address_that_the_issuer_has_not_verified() {
        for unverified in [json!(false), json!(null), json!("false"), json!(1)] {
            let read = verified(&header(), &with(&claims(), "email_verified", unverified));
            assert_eq!(read, Ok(Identity { subject: "u1".to_owned(), email: None }));
        }
    }

    #[test]
    fn refuses_each_way_around_the_issuers_keys() {
        for (member, value, error) in [
            ("alg", json!("none"), TokenError::Algorithm),
            ("alg", json!("HS256"), TokenError::Algorithm),
            ("alg", json!("RS256"), TokenError::Algorithm),
            ("kid", json!("b"), TokenError::Key),
            ("kid", json!("https://elsewhere.example/keys#a"), TokenError::Key),
            ("jku", json!("https://elsewhere.example/keys"), TokenError::OwnKey),
            ("x5u", json!("https://elsewhere.example/certificate"), TokenError::OwnKey),
            ("jwk", json!({"kty": "OKP"}), TokenError::OwnKey),
            ("crit", json!(["b64"]), TokenError::Critical),
            ("typ", json!("logout+jwt"), TokenError::Kind),
        ] {
            assert_eq!(verified(&with(&header(), member, value), &claims()), Err(error), "{member}");
        }
    }

    #[test]
    fn a_token_counts_from_its_beginning_to_its_end() {
        let now = noon().timestamp();
        for (member, seconds, found) in [
            ("exp", -29, None),
            ("exp", -30, Some(TokenError::Expired)),
            ("nbf", 30, None),
            ("nbf", 31, Some(TokenError::Early)),
            ("iat", 31, Some(TokenError::Early)),
        ] {
            let read = verified(&header(), &with(&claims(), member, json!(now + seconds)));
            assert_eq!(read.err(), found, "{member} {seconds}");
        }
        for never in [json!(null), json!("tomorrow"), json!(-1), json!(1e300)] {
            let read = verified(&header(), &with(&claims(), "exp", never.clone()));
            assert_eq!(read, Err(TokenError::Malformed), "{never}");
        }
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed() {
        let good = token(&header(), &claims());
        assert!(Presented::read(&good).unwrap().verify(&keys(), noon()).is_ok());
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let read = Presented::read(&changed).and_then(|shown| shown.verify(&keys(), noon()));
            assert!(read.is_err(), "{at}: {changed}");
        }
    }

    #[test]
    fn what_is_no_token_is_said_to_be_none() {
        let good = token(&header(), &claims());
        for text in
            ["", ".", "..", "a.b.c", &good[..good.len() - 2], &format!("{good}.x"), &good.replace('.', "")]
        {
            assert!(Presented::read(text).and_then(|it| it.verify(&keys(), noon())).is_err(), "{text}");
        }
        assert_eq!(Presented::read(&"a".repeat(20_000)).err(), Some(TokenError::Malformed));
    }
}
