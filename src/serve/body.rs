//! The body of a request: JSON, of a bounded size, within a bounded time, of no browser's page.
//!
//! In: a request, and how much is taken. Out: its bytes, or the [`Problem`]. A page in a browser on this machine
//! could post here, too: its `Origin` is refused, and so is any body that is not declared as JSON.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;
use crate::json;

/// How much is taken of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Bytes.
    pub(super) bytes: usize,
    /// From its first byte to its last.
    pub(super) time: Duration,
}

/// Reads a body whole.
pub(super) async fn read(mut request: Request, most: Most) -> Result<Bytes, Problem> {
    check(request.headers())?;
    let too_long = || Problem::new(413, format!("the body is longer than {} bytes", most.bytes));
    let said =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|length| length > most.bytes as u64) {
        return Err(too_long());
    }
    DefaultBodyLimit::max(most.bytes).apply(&mut request);
    let body = timeout(most.time, Bytes::from_request(request, &())).await;
    let body = body.map_err(|_| Problem::new(408, "the body took too long"))?;
    body.map_err(|rejection| match rejection.status().as_u16() {
        413 => too_long(),
        _ => Problem::new(400, "the body broke off"),
    })
}

/// Decodes a body that is an object. A list is none: `serde` would take one for a struct, member by member, and an
/// empty one for a struct whose members are all optional.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => json::decode(body).map_err(|error| error.to_string()),
        _ => Err("it is no JSON object".to_owned()),
    }
}

fn check(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(ORIGIN) {
        return Err(Problem::new(403, "this is asked by programs, not by pages in a browser"));
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Problem::new(415, "the body has to be sent as it is, without `Content-Encoding`"));
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Problem::new(415, "the body has to be `application/json`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_objects_alone() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Asked {
            #[serde(default)]
            dry: bool,
        }
        assert_eq!(decode(b" {\"dry\": true}"), Ok(Asked { dry: true }));
        for body in [&b"[]"[..], b"[true]", b"", b" ", b"null", b"{", b"{\"dry\": true, \"dry\": false}"] {
            assert!(decode::<Asked>(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn refuses_browsers_and_what_is_not_declared_as_json() {
        let checked = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            check(&headers).map_err(|problem| problem.response().status().as_u16())
        };
        assert_eq!(checked(&[("content-type", "application/json")]), Ok(()));
        assert_eq!(checked(&[("content-type", "Application/JSON; charset=utf-8")]), Ok(()));
        assert_eq!(checked(&[("content-type", "text/plain")]), Err(415));
        assert_eq!(checked(&[]), Err(415));
        assert_eq!(checked(&[("content-type", "application/json"), ("content-encoding", "gzip")]), Err(415));
        let page = [("content-type", "application/json"), ("origin", "http://127.0.0.1:8088")];
        assert_eq!(checked(&page), Err(403));
    }
}
