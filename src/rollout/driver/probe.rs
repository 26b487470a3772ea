//! The probe: is the candidate ready, asked at its own address, without traffic?
//!
//! In: a slot's address and a plan's path. Out: how long the whole answer took, or why it is none. A
//! redirect is an answer of another server, and is not followed; every probe connects anew, so that a
//! process that ended is not taken for alive.

use std::fmt;
use std::io::Read as _;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;

use super::{DriverError, excerpt};

/// Bytes of an answer that are read: what is ready says it in fewer.
const MAX_ANSWER: u64 = 64 * 1024;

/// A probe of one candidate.
#[derive(Debug)]
pub struct Probe {
    client: Client,
    url: Url,
    timeout: Duration,
}

/// Why a candidate is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReady {
    /// It answered with another status than 200 to 299.
    Status(u16),
    /// It took longer than so many milliseconds.
    TimedOut(u64),
    /// Nobody listens there, or the connection broke.
    Unreachable(String),
}

impl fmt::Display for NotReady {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(out, "it answered {status}"),
            Self::TimedOut(ms) => write!(out, "it did not answer within {ms} ms"),
            Self::Unreachable(reason) => write!(out, "it can't be reached: {reason}"),
        }
    }
}

impl Probe {
    /// A probe of `path` at an address, which may take so long.
    ///
    /// # Errors
    /// [`DriverError::Setting`] where they make no address.
    pub fn new(address: &str, path: &str, timeout: Duration) -> Result<Self, DriverError> {
        let refuse = |problem| DriverError::Setting {
            setting: "the address of a probe",
            value: excerpt(&format!("{address}{path}")),
            problem,
        };
        let url = Url::parse(&format!("{}{path}", address.trim_end_matches('/')));
        let url = url.map_err(|_| refuse("it has to be `http://host:port` and a path"))?;
        if !matches!(url.scheme(), "http" | "https") || !path.starts_with('/') {
            return Err(refuse("it has to be `http://host:port` and a path"));
        }
        // A proxy's answer would be one of the proxy.
        let client = Client::builder().no_proxy().redirect(Policy::none()).referer(false);
        let client = client.timeout(timeout).pool_max_idle_per_host(0).build();
        let client = client.map_err(|_| refuse("no client can be made for it"))?;
        Ok(Self { client, url, timeout })
    }

    /// Asks once: in how many milliseconds it answered, rounded up.
    ///
    /// # Errors
    /// [`NotReady`] says why.
    pub fn ask(&self) -> Result<u64, NotReady> {
        let began = Instant::now();
        let response = self.client.get(self.url.clone()).send().map_err(|error| self.because(&error))?;
        let status = response.status();
        let mut body = response.take(MAX_ANSWER);
        let mut chunk = [0; 8192];
        loop {
            match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(_) if began.elapsed() <= self.timeout => {}
                Ok(_) => return Err(self.timed_out()),
                Err(_) if began.elapsed() >= self.timeout => return Err(self.timed_out()),
                Err(error) => return Err(NotReady::Unreachable(excerpt(&error.to_string()))),
            }
        }
        match status.is_success() {
            true => Ok(u64::try_from(began.elapsed().as_micros().div_ceil(1000)).unwrap_or(u64::MAX)),
            false => Err(NotReady::Status(status.as_u16())),
        }
    }

    fn because(&self, error: &reqwest::Error) -> NotReady {
        if error.is_timeout() {
            return self.timed_out();
        }
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        NotReady::Unreachable(excerpt(&innermost.to_string()))
    }

    fn timed_out(&self) -> NotReady {
        NotReady::TimedOut(u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX))
    }
}
