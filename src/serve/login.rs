//! The door: who asks, before any route is reached.
//!
//! In: a request with a bearer token (an issuer's, or one whose digest is configured) or a client's certificate;
//! `service:`, trust, the clock. Out: a [`Caller`] among the request's extensions, or 401 for whoever is not known,
//! 403 for whoever is known and has no place in trust, 503 where an issuer's keys can't be had. Nothing is let in
//! that no configuration lets in. Specs: <https://www.rfc-editor.org/rfc/rfc6750>,
//! <https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2>.

pub(in crate::serve) mod code;
mod issuer;
mod keys;
mod token;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use sha2::{Digest as _, Sha256};

use super::caller::{Caller, Kind, Right};
use super::problem::Problem;
use crate::config::service::{Grant, Service, Token};
use crate::time::Timestamp;
use crate::trust::{Identity as Trusted, Person, Revoked, TrustRoot};
use issuer::Keys;
use token::{Identity, Presented, TokenError};

/// Where tokens begin.
const SCHEME: &str = "bearer ";

/// Whom to let in, and what they may do.
#[derive(Clone)]
pub struct Login {
    known: Arc<Known>,
    /// What whoever asks may do.
    open: BTreeSet<Right>,
}

struct Known {
    service: Service,
    issuers: Vec<Arc<Keys>>,
    trust: RwLock<Arc<TrustRoot>>,
    clock: fn() -> Timestamp,
}

/// That a client showed a certificate which the server verified; the server puts it among a request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The certificate's digest, by which logs name it.
    pub(super) name: String,
}

/// Why nobody can be let in at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// No client for the issuers.
    #[error("the issuers can't be asked")]
    Client(#[from] reqwest::Error),
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// Who they are was not said, or not so that it can be believed.
    Unknown(String),
    /// They are known, and may not.
    Forbidden(String),
    /// It can't be found out now.
    Unavailable(String),
}

/// Answers 401, 403 or 503, unless it lets the request in with its [`Caller`].
pub(super) fn protect(routes: Router, login: Login) -> Router {
    routes.layer(middleware::from_fn_with_state(login, let_in))
}

async fn let_in(State(login): State<Login>, mut request: Request, next: Next) -> Response {
    let shown = request.extensions().get::<Shown>().cloned();
    match login.caller(request.headers(), shown).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let mut response = next.run(request).await;
            // For whoever writes down what was asked.
            response.extensions_mut().insert(caller);
            response
        }
        Err(refusal) => refusal.response(),
    }
}

impl Refusal {
    fn response(&self) -> Response {
        match self {
            Self::Unknown(why) => {
                let mut response = Problem::new(401, why.clone()).response();
                let challenge = HeaderValue::from_static("Bearer realm=\"laforge\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                response
            }
            Self::Forbidden(why) => Problem::new(403, why.clone()).response(),
            Self::Unavailable(why) => Problem::new(503, why.clone()).response(),
        }
    }
}

impl Login {
    /// The door of a service. Trust says which identities are whose, and who has which role.
    ///
    /// # Errors
    /// [`LoginError`]: nobody could be let in.
    pub fn of(service: Service, trust: Arc<TrustRoot>, clock: fn() -> Timestamp) -> Result<Self, LoginError> {
        let issuers = service.issuers.iter().cloned();
        let issuers = issuers.map(|issuer| Keys::new(issuer).map(Arc::new)).collect::<Result<_, _>>()?;
        let known = Known { service, issuers, trust: RwLock::new(trust), clock };
        Ok(Self { known: Arc::new(known), open: BTreeSet::new() })
    }

    /// The same door, through which whoever asks comes with these rights.
    #[must_use]
    pub(super) fn open_for(&self, rights: impl IntoIterator<Item = Right>) -> Self {
        let open = self.open.iter().copied().chain(rights).collect();
        Self { known: Arc::clone(&self.known), open }
    }

    /// What trust says now.
    pub(super) fn renew(&self, trust: Arc<TrustRoot>) {
        *self.known.trust.write().unwrap_or_else(PoisonError::into_inner) = trust;
    }

    /// Who a request is of.
    async fn caller(&self, headers: &HeaderMap, shown: Option<Shown>) -> Result<Caller, Refusal> {
        let mut said = headers.get_all(AUTHORIZATION).iter();
        match (said.next(), said.next()) {
            (Some(_), Some(_)) => Err(Refusal::Unknown("two `Authorization` headers contradict".to_owned())),
            (Some(said), None) => self.by_token(said).await,
            (None, _) => match (shown, &self.known.service.tls) {
                (Some(shown), Some(tls)) => {
                    let granted = tls.clients.iter().flat_map(|(_, granted)| granted);
                    Ok(self.with(Kind::Program, shown.name, granted.map(|grant| Right::from(*grant))))
                }
                _ if !self.open.is_empty() => Ok(self.with(Kind::Anyone, "anonymous".to_owned(), [])),
                _ => Err(Refusal::Unknown(self.no_token())),
            },
        }
    }

    fn with(&self, kind: Kind, name: String, rights: impl IntoIterator<Item = Right>) -> Caller {
        Caller::new(kind, name, rights.into_iter().chain(self.open.iter().copied()).collect())
    }

    fn no_token(&self) -> String {
        let service = &self.known.service;
        let closed = service.issuers.is_empty() && service.tokens.is_empty() && service.tls.is_none();
        match closed {
            true => {
                "nobody can log in: `service:` in laforge.yaml names neither `oidc` nor `tokens`".to_owned()
            }
            false => "a token is missing: `Authorization: Bearer …`".to_owned(),
        }
    }

    async fn by_token(&self, said: &HeaderValue) -> Result<Caller, Refusal> {
        let none = || Refusal::Unknown("the `Authorization` header holds no bearer token".to_owned());
        let text = said.to_str().map_err(|_| none())?;
        let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        let token = scheme.and(text.get(SCHEME.len()..)).map(str::trim).filter(|token| !token.is_empty());
        let token = token.ok_or_else(none)?;
        match self.program(token) {
            Some(program) => {
                let rights = program.rights.iter().map(|grant| Right::from(*grant));
                Ok(self.with(Kind::Program, program.name.clone(), rights))
            }
            None => self.person(token).await,
        }
    }

    /// The program whose token this is. All are compared, each in constant time, so that how long it takes says
    /// nothing of them.
    fn program(&self, token: &str) -> Option<&Token> {
        let digest = Sha256::digest(token.as_bytes());
        let equal = |known: &&Token| verify_slices_are_equal(&known.sha256, digest.as_ref()).is_ok();
        let found: Vec<&Token> = self.known.service.tokens.iter().filter(equal).collect();
        found.into_iter().next()
    }

    async fn person(&self, token: &str) -> Result<Caller, Refusal> {
        let refused = |error: TokenError| Refusal::Unknown(format!("the token is not taken: {error}"));
        let shown = Presented::read(token).map_err(refused)?;
        let theirs = || self.known.issuers.iter().filter(|keys| keys.issuer().issuer == shown.issuer());
        if theirs().next().is_none() {
            return Err(refused(TokenError::Issuer));
        }
        let keys = theirs().find(|keys| shown.is_for(&keys.issuer().audience));
        let keys = keys.ok_or_else(|| refused(TokenError::Audience))?;
        let issuer = keys.issuer().issuer.clone();
        let set = keys.of(shown.key()).await.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let identity = shown.verify(&set, (self.known.clock)()).map_err(refused)?;
        self.signed_in(&issuer, &identity)
    }

    /// Who somebody is whom an issuer has named, by what trust says now.
    fn signed_in(&self, issuer: &str, identity: &Identity) -> Result<Caller, Refusal> {
        let trust = Arc::clone(&self.known.trust.read().unwrap_or_else(PoisonError::into_inner));
        self.named(&trust, issuer, identity, (self.known.clock)())
    }

    /// Who that is in trust.
    fn named(
        &self,
        trust: &TrustRoot,
        issuer: &str,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Caller, Refusal> {
        for name in names(identity) {
            let who = Revoked::Keyless { issuer: issuer.to_owned(), subject: name.to_owned() };
            if trust.revocation(&who, now).is_some() {
                return Err(Refusal::Forbidden(format!("trust has revoked `{}`", cut(name))));
            }
        }
        let person = trust.people.iter().find(|person| is(person, issuer, identity)).ok_or_else(|| {
            let name = identity.email.as_deref().unwrap_or(&identity.subject);
            Refusal::Forbidden(format!(
                "trust names nobody who is `{}` of `{issuer}`: an identity of a person is added to trust.yaml",
                cut(name)
            ))
        })?;
        let has = |roles: &BTreeSet<String>| person.roles.iter().any(|role| roles.contains(role));
        let access = self.known.service.access.iter().filter(|(_, roles)| has(roles));
        Ok(self.with(Kind::Person, person.name.clone(), access.map(|(grant, _)| Right::from(*grant))))
    }
}

/// Whether one of a person's identities is this one.
fn is(person: &Person, issuer: &str, identity: &Identity) -> bool {
    person.identities.iter().any(|trusted| match trusted {
        Trusted::Keyless { issuer: theirs, subject, .. } => {
            theirs == issuer && names(identity).any(|name| subject.matches(name))
        }
        Trusted::Key { .. } => false,
    })
}

/// The names that trust may know somebody by. One that looks like an e-mail address counts where the issuer has
/// verified that it is theirs: what an issuer calls somebody may be their own choice.
fn names(identity: &Identity) -> impl Iterator<Item = &str> {
    let address = identity.subject.contains('@') && !identity.subject.contains([':', '/']);
    let subject = (!address).then_some(identity.subject.as_str());
    subject.into_iter().chain(identity.email.as_deref())
}

fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}

impl From<Grant> for Right {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Read => Self::Read,
            Grant::Control => Self::Control,
            Grant::Evaluate => Self::Evaluate,
            Grant::Engine => Self::Engine,
            Grant::Admission => Self::Admission,
        }
    }
}

#[cfg(test)]
mod tests;
