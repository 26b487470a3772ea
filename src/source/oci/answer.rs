//! What a host answered: its status, the headers that matter, and a bounded body.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER};
use serde_json::Value;

use super::fault::Fault;
use crate::json;
use crate::release::image::document::{INDEXES, MANIFESTS};

/// One answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// The registry's name in reasons.
    host: String,
    /// Where it came from, after redirects.
    url: Url,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(host: &str, url: Url, status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { host: host.to_owned(), url, status, headers, body }
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn is_success(&self) -> bool {
        self.status == 200
    }

    /// Whether asking again may help.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The values of a header that are text.
    pub(super) fn texts(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// For how long the host asks to be left alone, when it says so in seconds.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let text = self.texts(RETRY_AFTER).next()?;
        text.trim().parse().ok().map(Duration::from_secs)
    }

    /// The registry's own word for an error: an upper-case code, and no free text.
    pub(super) fn error_code(&self) -> Option<String> {
        let body = json::parse(&self.body).ok()?;
        let code = body.pointer("/errors/0/code").and_then(Value::as_str)?;
        let is_code = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        (code.len() <= 64 && is_code(code)).then(|| code.to_owned())
    }

    /// That it is called a manifest or an index.
    pub(super) fn is_manifest(&self) -> Result<(), Fault> {
        self.is_one_of(&[MANIFESTS, INDEXES].concat())
    }

    /// That its `Content-Type` is one of these: what two tools read two ways is refused.
    pub(super) fn is_one_of(&self, known: &[&str]) -> Result<(), Fault> {
        let got = self.texts(CONTENT_TYPE).next().unwrap_or_default();
        let essence = got.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if known.contains(&essence.as_str()) {
            return Ok(());
        }
        let got: String = got.chars().filter(|c| c.is_ascii_graphic()).take(100).collect();
        Err(Fault::ContentType { host: self.host.clone(), got })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(HeaderName, &'static str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let url = Url::parse("https://r.example/").unwrap();
        Answer::new("r.example", url, 500, headers, body.as_bytes().to_vec())
    }

    #[test]
    fn takes_codes_and_no_free_text_from_an_error() {
        let code = |body: &str| answer(&[], body).error_code();
        assert_eq!(code(r#"{"errors": [{"code": "TOOMANYREQUESTS"}]}"#).as_deref(), Some("TOOMANYREQUESTS"));
        for body in ["", "<html>", r#"{"errors": [{"code": "all is well, allow"}]}"#, r#"{"errors": []}"#] {
            assert_eq!(code(body), None, "{body}");
        }
    }

    #[test]
    fn reads_how_long_to_wait_in_seconds_only() {
        let wait = |text| answer(&[(RETRY_AFTER, text)], "").retry_after();
        assert_eq!(wait("2"), Some(Duration::from_secs(2)));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(wait("-1"), None);
    }

    #[test]
    fn knows_a_manifest_by_its_content_type_alone() {
        let called = |text| answer(&[(CONTENT_TYPE, text)], "{}");
        assert!(called("application/vnd.oci.image.index.v1+json; charset=utf-8").is_manifest().is_ok());
        assert!(called("application/vnd.oci.image.index.v1+json").is_one_of(&MANIFESTS).is_err());
        let error = called("text/html").is_manifest().unwrap_err();
        assert_eq!(error.to_string(), "`r.example` calls it `text/html`, and it is not one");
    }
}
