//! Signing in with a browser: the authorization code flow of OpenID Connect, with PKCE.
//!
//! In: what is configured, an [`Attempt`], the code that a browser brings back. Out: the address where people sign in;
//! then who they are by the issuer's word ([`SignedIn`]), which trust is asked about anew at each request. The code is
//! redeemed over our own connection, with the verifier that only the beginning of the attempt knows, and the token has
//! to answer its nonce. Specs: <https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth>,
//! <https://www.rfc-editor.org/rfc/rfc7636>, <https://www.rfc-editor.org/rfc/rfc9700>.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::issuer::{FetchError, Keys, KeysError, Shows, file};
use super::token::{Identity, Presented, TokenError, verified_address};
use super::{Caller, Login, Refusal};
use crate::config::service::SignIn;
use crate::release::digest::Digest;

/// Where an issuer sends browsers back to.
pub(in crate::serve) const BACK: &str = "/login/back";

/// The studio as a client of an issuer.
pub(in crate::serve) struct CodeFlow {
    login: Login,
    keys: Arc<Keys>,
    client: String,
    secret: Option<PathBuf>,
    back: String,
}

/// What one attempt to sign in is known by: three words that come from one secret, and say nothing of each other.
pub(in crate::serve) struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
}

/// Who somebody is by an issuer's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct SignedIn {
    issuer: String,
    identity: Identity,
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum CodeError {
    #[error("the issuer can't be asked: {0}")]
    Issuer(#[from] FetchError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("the client's secret is no text")]
    Secret,
    #[error("the issuer does not redeem the code: {0}")]
    Refused(String),
    #[error("the issuer's answer holds no `id_token`")]
    Answer,
    #[error("what the issuer tells of whoever signed in is not taken: {0}")]
    Told(&'static str),
    #[error("the issuer's token is not taken: {0}")]
    Token(#[from] TokenError),
}

#[derive(Deserialize)]
struct Redeemed {
    id_token: Option<String>,
    access_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// What an issuer tells of whoever signed in, beside the token: there an address is, unless it is in the token
/// (<https://openid.net/specs/openid-connect-core-1_0.html#ScopeClaims>).
#[derive(Deserialize)]
struct Told {
    sub: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: Value,
}

impl Attempt {
    /// The attempt of a cookie, by the secret of the process that gave it.
    pub(in crate::serve) fn of(secret: &str, cookie: &str) -> Self {
        let word = |what: &str| Digest::of_bytes(format!("{what}\n{secret}\n{cookie}").as_bytes()).hex();
        Self { state: word("state"), nonce: word("nonce"), verifier: word("verifier") }
    }

    /// What the issuer hands back with the code.
    pub(in crate::serve) fn state(&self) -> &str {
        &self.state
    }

    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }
}

impl CodeError {
    /// Whether it may go well another time, with nothing changed.
    pub(in crate::serve) fn is_passing(&self) -> bool {
        matches!(self, Self::Issuer(_) | Self::Keys(_))
    }
}

impl CodeFlow {
    /// The flow of what is configured; none where its issuer is not among those of the login.
    pub(in crate::serve) fn of(login: &Login, sign_in: &SignIn) -> Option<Self> {
        let mut issuers = login.known.issuers.iter();
        let keys = issuers.find(|keys| {
            keys.issuer().issuer == sign_in.issuer && keys.issuer().audience == sign_in.client
        })?;
        Some(Self {
            login: login.clone(),
            keys: Arc::clone(keys),
            client: sign_in.client.clone(),
            secret: sign_in.secret.clone(),
            back: format!("{}{BACK}", sign_in.url),
        })
    }

    /// The issuer, as its tokens name it.
    pub(in crate::serve) fn issuer(&self) -> &str {
        &self.keys.issuer().issuer
    }

    /// Where a browser is sent, to sign in.
    pub(in crate::serve) async fn begin(&self, attempt: &Attempt) -> Result<String, CodeError> {
        let mut address = self.keys.endpoints().await?.authorization;
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client)
            .append_pair("redirect_uri", &self.back)
            .append_pair("scope", "openid email")
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(address.into())
    }

    /// Redeems the code that a browser brought back from there.
    pub(in crate::serve) async fn redeem(
        &self,
        code: &str,
        attempt: &Attempt,
    ) -> Result<SignedIn, CodeError> {
        let endpoints = self.keys.endpoints().await?;
        let secret = self.secret().await?;
        let (form, known_by) = self.form(code, attempt, secret.as_deref(), endpoints.shows);
        let (status, body) = self.keys.post(&endpoints.token, form, known_by).await?;
        let redeemed: Redeemed = serde_json::from_slice(&body).map_err(|_| CodeError::Answer)?;
        if status != 200 {
            let why = redeemed.error_description.or(redeemed.error);
            return Err(CodeError::Refused(why.unwrap_or_else(|| format!("status {status}"))));
        }
        let identity = self.believe(&redeemed.id_token.ok_or(CodeError::Answer)?, attempt).await?;
        let identity = match (endpoints.person, redeemed.access_token) {
            (Some(place), Some(token)) if identity.email.is_none() => {
                self.told(&place, &token, identity).await?
            }
            _ => identity,
        };
        Ok(SignedIn { issuer: self.issuer().to_owned(), identity })
    }

    /// The same with their address; it has to be told of the very one that the token is of.
    async fn told(&self, place: &Url, token: &str, identity: Identity) -> Result<Identity, CodeError> {
        let told: Told = serde_json::from_slice(&self.keys.open(place, token).await?)
            .map_err(|_| CodeError::Told("it can't be read"))?;
        if told.sub != identity.subject {
            return Err(CodeError::Told("it is of somebody else"));
        }
        Ok(Identity { email: verified_address(told.email, &told.email_verified), ..identity })
    }

    /// Who signed in is now, in trust.
    pub(in crate::serve) fn caller(&self, who: &SignedIn) -> Result<Caller, String> {
        self.login.signed_in(&who.issuer, &who.identity).map_err(|refusal| match refusal {
            Refusal::Unknown(why) | Refusal::Forbidden(why) | Refusal::Unavailable(why) => why,
        })
    }

    /// The client's secret as it is now, without the line feed at its end.
    async fn secret(&self) -> Result<Option<String>, CodeError> {
        let Some(path) = self.secret.clone() else { return Ok(None) };
        let bytes = file(path).await?;
        let secret = String::from_utf8(bytes).map_err(|_| CodeError::Secret)?;
        Ok(Some(secret.trim_end().to_owned()))
    }

    /// A client without a secret names itself in the body; one with a secret shows both where the issuer wants them.
    fn form(
        &self,
        code: &str,
        attempt: &Attempt,
        secret: Option<&str>,
        shows: Shows,
    ) -> (String, Option<(String, String)>) {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.back),
            ("code_verifier", &attempt.verifier),
        ];
        let known_by = match (secret, shows) {
            (Some(secret), Shows::Header) => Some((encoded(&self.client), encoded(secret))),
            (Some(secret), Shows::Body) => {
                pairs.extend([("client_id", self.client.as_str()), ("client_secret", secret)]);
                None
            }
            (None, _) => {
                pairs.push(("client_id", &self.client));
                None
            }
        };
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        (pairs.join("&"), known_by)
    }

    async fn believe(&self, token: &str, attempt: &Attempt) -> Result<Identity, CodeError> {
        let shown = Presented::read(token)?;
        if shown.issuer() != self.issuer() {
            return Err(TokenError::Issuer.into());
        }
        if !shown.is_for(&self.client) {
            return Err(TokenError::Audience.into());
        }
        if !shown.answers(&attempt.nonce) {
            return Err(TokenError::Nonce.into());
        }
        let keys = self.keys.of(shown.key()).await?;
        Ok(shown.verify(&keys, (self.login.known.clock)())?)
    }
}

/// As `application/x-www-form-urlencoded` (<https://url.spec.whatwg.org/#urlencoded-serializing>).
fn encoded(text: &str) -> String {
    let Ok(mut url) = Url::parse("data:,") else { return String::new() };
    url.query_pairs_mut().append_key_only(text);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_known_by_its_cookie_and_by_the_process_that_gave_it() {
        let words = |secret: &str, cookie: &str| {
            let attempt = Attempt::of(secret, cookie);
            [attempt.state, attempt.nonce, attempt.verifier]
        };
        let one = words("secret", "cookie");
        assert_eq!(one, words("secret", "cookie"));
        for other in [words("secret", "other"), words("other", "cookie")] {
            assert!(one.iter().all(|word| !other.contains(word)));
        }
        assert!(one[0] != one[1] && one[1] != one[2] && one[2] != one[0]);
        // A verifier has 43 to 128 characters of a small alphabet (RFC 7636, 4.1).
        assert!(one[2].len() == 64 && one[2].bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn a_challenge_is_the_verifiers_digest() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let attempt = Attempt { state: String::new(), nonce: String::new(), verifier };
        assert_eq!(attempt.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_form_holds_what_was_meant() {
        assert_eq!(encoded("a&b=c d+é"), "a%26b%3Dc+d%2B%C3%A9");
    }
}
