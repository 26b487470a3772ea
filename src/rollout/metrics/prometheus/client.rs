//! One question to the query API, within a time and a size; no redirect is followed.
//!
//! In: a query and an instant. Out: its [`Series`]. A bearer token is sent over https, or to this
//! machine, alone.

#![expect(clippy::disallowed_methods, reason = "metrics are read from outside")]

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client as Http, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Url};

use super::MetricsError;
use super::answer::{self, Kind, Series};
use crate::network::is_loopback;
use crate::rollout::driver::excerpt;
use crate::rollout::executor::PrometheusSection;
use crate::time::Timestamp;

/// How long a query may take, unless somebody says otherwise.
const TIMEOUT_SECONDS: u64 = 10;
/// Bytes of an answer: a thousand series of a day's samples each 15 s are some five times as many, and
/// a window is shorter.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// Bytes of a token.
const MAX_TOKEN: usize = 64 * 1024;

/// Where a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Here: nobody is on the way.
    ThisMachine,
    /// Anywhere else.
    Elsewhere,
}

/// A client of one server.
#[derive(Debug)]
pub(super) struct Client {
    http: Http,
    /// Its `/api/v1/query`.
    url: Url,
    /// Its address as it is told.
    place: String,
    token_file: Option<String>,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(section: &PrometheusSection) -> Result<Self, MetricsError> {
        let place = section.url.clone();
        let refuse = |problem: &str| setting("the address of the metrics", &place, problem);
        let mut url = Url::parse(&place).map_err(|error| refuse(&error.to_string()))?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refuse("it has no host"))?;
        let near = if is_loopback(&url) { Place::ThisMachine } else { Place::Elsewhere };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let problem = "credentials belong in `tokenFile`, since addresses are shown".to_owned();
            let (setting, value) = ("the address of the metrics", host.to_owned());
            return Err(MetricsError::Setting { setting, value, problem });
        }
        if section.token_file.is_some() && url.scheme() == "http" && near == Place::Elsewhere {
            return Err(refuse("with a token it has to be https: whoever is on the way could take it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("a query or fragment can't be kept"));
        }
        let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let timeout = Duration::from_secs(section.timeout_seconds.unwrap_or(TIMEOUT_SECONDS));
        let http = http(section, timeout, near)?;
        Ok(Self { http, url, place, token_file: section.token_file.clone(), timeout })
    }

    /// Asks for samples over a range.
    pub(super) fn matrix(&self, query: &str, at: Timestamp) -> Result<Vec<Series>, MetricsError> {
        self.ask(query, at, Kind::Matrix)
    }

    /// Asks for one value each.
    pub(super) fn vector(&self, query: &str, at: Timestamp) -> Result<Vec<Series>, MetricsError> {
        self.ask(query, at, Kind::Vector)
    }

    fn ask(&self, query: &str, at: Timestamp, kind: Kind) -> Result<Vec<Series>, MetricsError> {
        let began = Instant::now();
        let mut url = self.url.clone();
        let ms = at.timestamp_millis();
        let time = format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000));
        url.query_pairs_mut().append_pair("query", query).append_pair("time", &time);
        let mut request = self.http.get(url).header(ACCEPT, "application/json");
        if let Some(token) = self.token()? {
            request = request.header(AUTHORIZATION, token);
        }
        let response = request.send().map_err(|error| self.lost(&reason(&error)))?;
        let status = response.status().as_u16();
        let body = self.body(response, began)?;
        answer::read(&self.place, status, &body, kind)
    }

    fn body(&self, mut response: Response, began: Instant) -> Result<Vec<u8>, MetricsError> {
        let (mut body, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
        // The library's time is for each piece: who sends a byte now and then would never end.
        while began.elapsed() <= self.timeout {
            let read = response.read(&mut chunk).map_err(|error| self.lost(&reason(&error)))?;
            if read == 0 {
                return Ok(body);
            }
            body.extend(chunk.iter().take(read));
            if body.len() > MAX_ANSWER {
                let reason = format!("it is longer than {MAX_ANSWER} bytes");
                return Err(MetricsError::Malformed { place: self.place.clone(), reason });
            }
        }
        Err(self.lost("it took too long"))
    }

    /// The token of the file, as a header.
    fn token(&self) -> Result<Option<HeaderValue>, MetricsError> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let refuse = |problem: String| setting("the token file of the metrics", file, &problem);
        let text = fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
        let token = text.trim();
        if token.is_empty() || token.len() > MAX_TOKEN {
            return Err(refuse("it holds no token".to_owned()));
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| refuse("its content is no token".to_owned()))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }

    fn lost(&self, reason: &str) -> MetricsError {
        MetricsError::Unreachable { place: self.place.clone(), reason: reason.to_owned() }
    }
}

fn http(section: &PrometheusSection, timeout: Duration, near: Place) -> Result<Http, MetricsError> {
    let mut builder = Http::builder().redirect(Policy::none()).referer(false).timeout(timeout);
    if near == Place::ThisMachine {
        builder = builder.no_proxy();
    }
    if let Some(file) = &section.ca_file {
        let refuse = |problem: String| setting("the authorities of the metrics", file, &problem);
        let bytes = fs::read(file).map_err(|error| refuse(error.to_string()))?;
        let authorities = Certificate::from_pem_bundle(&bytes).map_err(|error| refuse(reason(&error)))?;
        if authorities.is_empty() {
            return Err(refuse("it holds no certificate".to_owned()));
        }
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(|error| setting("the address of the metrics", &section.url, &reason(&error)))
}

fn setting(setting: &'static str, value: &str, problem: &str) -> MetricsError {
    MetricsError::Setting { setting, value: excerpt(value), problem: excerpt(problem) }
}

/// The innermost reason, which names no URL.
fn reason(error: &(dyn Error + 'static)) -> String {
    let (mut innermost, mut timed_out) = (error, false);
    loop {
        timed_out |= innermost.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout);
        match innermost.source() {
            Some(source) => innermost = source,
            None => break,
        }
    }
    match timed_out {
        true => "it took too long".to_owned(),
        false => excerpt(&innermost.to_string()),
    }
}
