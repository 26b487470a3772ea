//! The API server: one `HTTPRoute` read and patched, within bounds.
//!
//! In: the route's place and how to get in. Out: the object, or what became of a patch. Redirects are not
//! followed, proxies not asked, and nothing but TLS is spoken beyond loopback.

use std::io::{self, Read as _};
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url, tls};
use serde_json::Value;

use crate::rollout::driver::DriverError;

use super::credentials::{Access, CredentialsError};

/// The largest object that is read.
const MAX_OBJECT: u64 = 4 * 1024 * 1024;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Characters of an answer that an error repeats.
const EXCERPT: usize = 300;

/// The API server, and a route on it.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    access: Access,
    route: Url,
}

/// What became of a patch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is in the object.
    Done,
    /// The object is another by now.
    Conflict,
    /// A test failed, or the API server takes no such object.
    Unprocessable(String),
}

impl Server {
    pub(super) fn new(access: Access, namespace: &str, route: &str) -> Result<Self, CredentialsError> {
        let url = |reason: String| CredentialsError::Server { server: access.server.clone(), reason };
        let mut place: Url = access.server.parse().map_err(|error| url(format!("{error}")))?;
        if place.scheme() != "https" && !is_loopback(&place) {
            return Err(url("it is not https".to_owned()));
        }
        place
            .path_segments_mut()
            .map_err(|()| url("it is no base of addresses".to_owned()))?
            .pop_if_empty()
            .extend([
                "apis",
                "gateway.networking.k8s.io",
                "v1",
                "namespaces",
                namespace,
                "httproutes",
                route,
            ]);
        let mut builder = Client::builder()
            .user_agent(concat!("laforge/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(Policy::none())
            .min_tls_version(tls::Version::TLS_1_2)
            .timeout(ANSWER);
        if let Some(authorities) = access.authorities()? {
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(identity) = access.identity()? {
            builder = builder.identity(identity);
        }
        let client = builder.build().map_err(|error| url(innermost(&error)))?;
        Ok(Self { client, access, route: place })
    }

    /// Where the route is.
    pub(super) fn place(&self) -> String {
        self.route.to_string()
    }

    /// What was asked, and an answer that is no good.
    pub(super) fn answered(&self, asked: &str, said: &str) -> DriverError {
        let answer = said.chars().take(EXCERPT).collect();
        DriverError::Answer { place: self.place(), asked: asked.to_owned(), answer }
    }

    pub(super) fn get(&self) -> Result<Value, DriverError> {
        let (status, body) = self.send(self.client.get(self.route.clone()))?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body)
                .map_err(|error| self.answered("the route", &format!("no JSON: {error}"))),
            status => Err(self.answered("the route", &told(status, &body))),
        }
    }

    pub(super) fn patch(&self, patch: &Value) -> Result<Answer, DriverError> {
        let mut place = self.route.clone();
        place.query_pairs_mut().extend_pairs([("fieldManager", "laforge"), ("fieldValidation", "Strict")]);
        let request = self.client.patch(place).header("content-type", "application/json-patch+json");
        let (status, body) = self.send(request.body(patch.to_string()))?;
        match status {
            StatusCode::OK => Ok(Answer::Done),
            StatusCode::CONFLICT => Ok(Answer::Conflict),
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Unprocessable(told(status, &body))),
            status => Err(self.answered("a patch of the route", &told(status, &body))),
        }
    }

    fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), DriverError> {
        let unreachable = |source| DriverError::Unreachable { place: self.place(), source };
        // A mounted token is replaced while we run.
        let token = self.access.token().map_err(unreachable)?;
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().map_err(|error| unreachable(io::Error::other(innermost(&error))))?;
        let status = answer.status();
        Ok((status, bounded(answer).map_err(unreachable)?))
    }
}

fn bounded(answer: Response) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    answer.take(MAX_OBJECT + 1).read_to_end(&mut body)?;
    match body.len() as u64 > MAX_OBJECT {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(body),
    }
}

/// A `Status` of the API server in a line.
fn told(status: StatusCode, body: &[u8]) -> String {
    let message = serde_json::from_slice::<Value>(body).ok();
    let message = message.as_ref().and_then(|status| status["message"].as_str());
    match message {
        Some(message) => format!("{}: {message}", status.as_u16()),
        None => format!("{}", status.as_u16()),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn is_loopback(place: &Url) -> bool {
    let host = place.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
