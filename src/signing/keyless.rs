//! Keyless signing: a certificate for whoever an OIDC token names, a log entry and a time stamp in place of a key.
//!
//! In: a [`Token`], the [`Services`] to go to, an artifact or a statement. Out: the bytes of a bundle v0.3.
//! The one module, with its children, that names the crate `sigstore-sign`, and the only one of `signing` that
//! reaches the network: the three services and, for [`ambient`], the CI's token endpoint. Nothing else is asked
//! and no redirect is followed; a proxy that the environment names is.
//! Specs: <https://github.com/sigstore/fulcio/blob/main/docs/oidc.md>,
//! <https://github.com/sigstore/rekor-tiles/blob/main/CLIENTS.md>, <https://www.rfc-editor.org/rfc/rfc3161>.
//! Not checked here: the token's signature, which only the authority can judge, and whether the bundle holds,
//! which `evidence` says. Not ours: the library bounds a service's answer by time alone, not by size.

pub mod ambient;
pub mod services;
pub mod token;

use std::future::Future;
use std::io;
use std::time::Duration;

use reqwest::redirect::Policy;
use serde_json::Value;
use sigstore_sign::types::Bundle;
use sigstore_sign::{Signer, SigningContext, fulcio, rekor, tsa};

use super::{SigningError, refuse_ambiguous, statement};
use crate::evidence::limits::quoted;
use crate::json;
use crate::network::CLIENT;
use crate::time::Timestamp;
use services::{Service, Services, ServicesError};
use token::{Token, TokenError};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one signature may take, all services together.
const SIGNATURE: Duration = Duration::from_secs(90);

/// Whoever a token names, and the services that will say so.
#[derive(Debug)]
pub struct Keyless {
    token: Token,
    services: Services,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeylessError {
    /// What may not be signed, or what no verifier would take.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A token that can't be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Services that can't be used.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// A service that did not do its part.
    #[error("the {service} at {url} {trouble}")]
    Service {
        /// Which.
        service: Service,
        /// Where.
        url: String,
        /// What came of asking it.
        trouble: Trouble,
    },
    /// All of it together took too long.
    #[error("no signature after {} seconds", SIGNATURE.as_secs())]
    Slow,
    /// The library's own doing: a key, an encoding.
    #[error("the signature could not be made: {detail}")]
    Library {
        /// What it says.
        detail: String,
    },
    /// This machine gives no way to wait for an answer.
    #[error("nothing can be asked of a service here")]
    Machine(#[source] io::Error),
}

/// What came of asking a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No answer.
    #[error("can't be reached: {detail}")]
    Unreachable {
        /// What the client says.
        detail: String,
    },
    /// It said no.
    #[error("refused with HTTP {status}: {said}")]
    Refused {
        /// The status.
        status: u16,
        /// Its words, cut short.
        said: String,
    },
    /// It said something else.
    #[error("gave no answer that can be used: {detail}")]
    BadAnswer {
        /// What is wrong with it.
        detail: String,
    },
}

impl Keyless {
    /// Pairs a token with the services that it goes to.
    ///
    /// # Errors
    /// [`TokenError`]: in the past at `now`, or for an audience that the public instance does not take.
    pub fn new(token: Token, services: Services, now: Timestamp) -> Result<Self, TokenError> {
        token.is_in_date(now)?;
        if services.is_public() {
            token.is_for(token::AUDIENCE)?;
        }
        Ok(Self { token, services })
    }

    /// Whose token it is.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Where it goes.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// A message signature over an artifact's bytes.
    ///
    /// # Errors
    /// [`KeylessError`]; what the log has taken by then, it keeps.
    pub fn artifact_bundle(&self, artifact: &[u8]) -> Result<Vec<u8>, KeylessError> {
        refuse_ambiguous(artifact)?;
        self.sign(async |signer| signer.sign(artifact).await)
    }

    /// An in-toto statement in a DSSE envelope. The payload is the statement's RFC 8785 form.
    ///
    /// # Errors
    /// As [`Keyless::artifact_bundle`].
    pub fn statement_bundle(&self, statement: &Value) -> Result<Vec<u8>, KeylessError> {
        statement::check(statement)?;
        let payload = json::canonical(statement);
        self.sign(async |signer| signer.sign_raw_statement(&payload).await)
    }

    fn sign(
        &self,
        work: impl AsyncFnOnce(&Signer) -> sigstore_sign::Result<Bundle>,
    ) -> Result<Vec<u8>, KeylessError> {
        let client = client()?;
        let context = SigningContext::new(self.services.wire().clone()).with_http_client(client);
        let signer = context.signer(self.token.wire().clone());
        let bundle = wait(async { tokio::time::timeout(SIGNATURE, work(&signer)).await })?
            .map_err(|_| KeylessError::Slow)?
            .map_err(|error| self.because(error))?;
        serde_json::to_vec(&bundle).map_err(|error| KeylessError::Library { detail: error.to_string() })
    }

    /// The library's error in our terms: which service, where, and what it said.
    fn because(&self, error: sigstore_sign::Error) -> KeylessError {
        let (service, trouble) = match error {
            sigstore_sign::Error::Fulcio(error) => (Service::Authority, of_authority(error)),
            sigstore_sign::Error::Rekor(error) => (Service::Log, of_log(error)),
            sigstore_sign::Error::Tsa(error) => (Service::TimeStamps, of_time_stamps(error)),
            other => return KeylessError::Library { detail: quoted(&other.to_string()) },
        };
        KeylessError::Service { service, url: self.services.url(service).to_owned(), trouble }
    }
}

fn of_authority(error: fulcio::Error) -> Trouble {
    match error {
        fulcio::Error::Http(detail) => unreachable(&detail),
        fulcio::Error::Status { status, message } => refused(status, &message),
        other => bad_answer(&other.to_string()),
    }
}

fn of_log(error: rekor::Error) -> Trouble {
    match error {
        rekor::Error::Http(detail) => unreachable(&detail),
        rekor::Error::Status { status, message } => refused(status, &message),
        other => bad_answer(&other.to_string()),
    }
}

fn of_time_stamps(error: tsa::Error) -> Trouble {
    match error {
        tsa::Error::Http(detail) => unreachable(&detail),
        other => bad_answer(&other.to_string()),
    }
}

fn unreachable(detail: &str) -> Trouble {
    Trouble::Unreachable { detail: quoted(detail) }
}

fn refused(status: u16, said: &str) -> Trouble {
    Trouble::Refused { status, said: quoted(said.trim()) }
}

fn bad_answer(detail: &str) -> Trouble {
    Trouble::BadAnswer { detail: quoted(detail) }
}

/// The one HTTP client: it goes where it is sent and nowhere else.
fn client() -> Result<reqwest::Client, KeylessError> {
    reqwest::Client::builder()
        .user_agent(CLIENT)
        .redirect(Policy::none())
        .min_tls_version(reqwest::tls::Version::TLS_1_2)
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .build()
        .map_err(|error| KeylessError::Machine(io::Error::other(error)))
}

/// Waits for one piece of work; nothing of it goes on afterwards.
fn wait<T>(work: impl Future<Output = T>) -> Result<T, KeylessError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(KeylessError::Machine)?.block_on(work))
}

#[cfg(test)]
mod tests;
