//! The read-back location: one GET, to this machine alone.
//!
//! In: its address. Out: the [`Split`] that nginx says to be in force, by whichever worker answers.

use std::io::Read as _;
use std::time::Duration;

use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;

use super::super::{DriverError, excerpt};
use super::split::Split;
use crate::network::is_loopback;

/// Bytes of an answer; a line has fewer.
const MAX_ANSWER: u64 = 4096;

/// Where nginx says which split is in force.
#[derive(Debug)]
pub(super) struct Readback {
    client: Client,
    url: Url,
}

impl Readback {
    /// The location at an address of this machine.
    pub(super) fn new(address: &str, timeout: Duration) -> Result<Self, DriverError> {
        let refuse = |problem| DriverError::Setting {
            setting: "`readback` of nginx",
            value: excerpt(address),
            problem,
        };
        let url = Url::parse(address).map_err(|_| refuse("it has to be `http://127.0.0.1:port/path`"))?;
        if url.scheme() != "http" || !is_loopback(&url) {
            return Err(refuse("it has to be http on this machine, where nobody else can answer"));
        }
        let client = Client::builder().no_proxy().redirect(Policy::none()).referer(false);
        // Connected anew each time: an old worker keeps its connections, and the old split.
        let client = client.timeout(timeout).pool_max_idle_per_host(0).build();
        Ok(Self { client: client.map_err(|_| refuse("no client can be made for it"))?, url })
    }

    /// What is in force.
    pub(super) fn read(&self) -> Result<Split, DriverError> {
        let lost = |error: &(dyn std::error::Error + 'static)| DriverError::Unreachable {
            place: self.url.to_string(),
            source: std::io::Error::other(innermost(error)),
        };
        let response = self.client.get(self.url.clone()).send().map_err(|error| lost(&error))?;
        let status = response.status().as_u16();
        let mut text = Vec::new();
        response.take(MAX_ANSWER).read_to_end(&mut text).map_err(|error| lost(&error))?;
        let text = String::from_utf8_lossy(&text);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        match (status, Split::of_line(line)) {
            (200, Some(split)) => Ok(split),
            (200, None) => Err(self.answered(line)),
            (status, _) => Err(self.answered(&format!("{status} {line}"))),
        }
    }

    /// The error that an answer is.
    pub(super) fn answered(&self, answer: &str) -> DriverError {
        DriverError::Answer {
            place: self.url.to_string(),
            asked: "which split is in force".to_owned(),
            answer: excerpt(answer),
        }
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    excerpt(&innermost.to_string())
}
