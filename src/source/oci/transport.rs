//! One exchange with one host: a question, redirects followed by hand, an answer read within bounds.
//!
//! In: a URL, what is accepted, perhaps an `Authorization`. Out: an [`Answer`] of whatever status, or
//! [`Trouble`]. Nothing is tried again here.

use std::error::Error;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Url, tls};

use super::answer::Answer;
use super::fault::Fault;
use super::patience::Patience;
use super::place::same_origin;
use super::reach::{LookUp, PublicAlone, Reach, Way, inside, named, system};
use crate::network::{CLIENT, is_loopback, may_follow};

/// Requests at a time: enough to hide a registry's latency, and few enough to be no burden on it.
const MAX_PARALLEL: usize = 8;

/// Blobs lie behind one redirect, rarely two.
const MAX_REDIRECTS: usize = 5;

/// Bytes of an answer that is only an error.
const MAX_ERROR: u64 = 16 * 1024;

/// What is asked.
pub(super) struct Question<'q> {
    /// The registry's name in reasons.
    pub(super) host: &'q str,
    pub(super) url: Url,
    pub(super) accept: &'q str,
    pub(super) authorization: Option<HeaderValue>,
    /// A form to be posted; without one it is a GET.
    pub(super) form: Option<String>,
    /// The most bytes of the answer.
    pub(super) limit: u64,
}

/// Why there is no answer.
pub(super) enum Trouble {
    /// The network failed: asking again may help.
    Lost(String),
    /// Asking again gives the same.
    Final(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Final(fault)
    }
}

/// The clients, made at the first question.
pub(super) struct Transport {
    patience: Patience,
    reach: Reach,
    look_up: LookUp,
    /// For loopback hosts, which no proxy stands before.
    near: OnceLock<Result<Client, String>>,
    far: OnceLock<Result<Client, String>>,
    /// For hosts that are asked at public addresses alone: no proxy, which would choose the address itself.
    public: OnceLock<Result<Client, String>>,
    requests: AtomicU64,
    slots: Slots,
}

impl Transport {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            reach: Reach::Anywhere,
            look_up: system,
            near: OnceLock::new(),
            far: OnceLock::new(),
            public: OnceLock::new(),
            requests: AtomicU64::new(0),
            slots: Slots::new(MAX_PARALLEL),
        }
    }

    pub(super) fn within(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks, and follows where the answer leads. `sent` hears of each request.
    pub(super) fn exchange(
        &self,
        question: &Question<'_>,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<Answer, Trouble> {
        let mut url = question.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            sent(self.requests.fetch_add(1, Ordering::Relaxed) + 1);
            let slot = self.slots.take();
            let started = Instant::now();
            let response = self.send(question, &url)?;
            if let Some(next) = redirect(question, &url, &response)? {
                url = next;
                continue;
            }
            let answer = self.read(question, url, response, started)?;
            drop(slot);
            return Ok(answer);
        }
        let problem = "again and again";
        Err(Fault::Redirect { host: question.host.to_owned(), problem }.into())
    }

    fn send(&self, question: &Question<'_>, url: &Url) -> Result<Response, Trouble> {
        let client = self.client(url)?;
        let request: RequestBuilder = match &question.form {
            Some(form) => client
                .post(url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone()),
            None => client.get(url.clone()),
        };
        let mut request = request.header(ACCEPT, question.accept).header(USER_AGENT, CLIENT);
        // Whoever is redirected to sees no credentials, unless it is the same scheme, host and port.
        if let Some(authorization) = &question.authorization
            && same_origin(url, &question.url)
        {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request.send().map_err(|error| match inside(&error) {
            at @ Some(_) => Fault::Inside { host: named(url), at }.into(),
            None => Trouble::Lost(reason(&error)),
        })
    }

    fn client(&self, url: &Url) -> Result<&Client, Trouble> {
        let (cell, builder) = match (self.reach.way(url)?, is_loopback(url)) {
            (Way::Known, true) => (&self.near, Client::builder().no_proxy()),
            (Way::Known, false) => (&self.far, Client::builder().https_only(true)),
            (Way::Public, _) => {
                let addresses = PublicAlone::by(self.look_up);
                (&self.public, Client::builder().https_only(true).no_proxy().dns_resolver(addresses))
            }
        };
        let made = cell.get_or_init(|| {
            let builder = builder
                .redirect(Policy::none())
                .referer(false)
                .connect_timeout(self.patience.connect)
                .timeout(self.patience.answer)
                .min_tls_version(tls::Version::TLS_1_2);
            builder.build().map_err(|error| reason(&error))
        });
        made.as_ref().map_err(|reason| Trouble::Final(Fault::Client { reason: reason.clone() }))
    }

    fn read(
        &self,
        question: &Question<'_>,
        url: Url,
        mut response: Response,
        started: Instant,
    ) -> Result<Answer, Trouble> {
        let status = response.status().as_u16();
        let limit = if status == 200 { question.limit } else { MAX_ERROR };
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        // The library's time is for each piece: a host that sends a byte now and then would never end.
        while started.elapsed() <= self.patience.answer {
            let read = response.read(&mut chunk).map_err(|error| Trouble::Lost(reason(&error)))?;
            if read == 0 {
                return Ok(Answer::new(question.host, url, status, headers, body));
            }
            body.extend(chunk.iter().take(read));
            if body.len() as u64 > limit {
                // Of an error no more is needed.
                return match status == 200 {
                    true => Err(Fault::TooLarge { host: question.host.to_owned(), limit }.into()),
                    false => Ok(Answer::new(question.host, url, status, headers, Vec::new())),
                };
            }
        }
        Err(Trouble::Lost("it took too long".to_owned()))
    }
}

/// Where an answer leads, if it does.
fn redirect(question: &Question<'_>, from: &Url, response: &Response) -> Result<Option<Url>, Trouble> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refuse = |problem| Fault::Redirect { host: question.host.to_owned(), problem };
    if question.form.is_some() {
        return Err(refuse("a request that carries credentials").into());
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let next = location.and_then(|text| from.join(text).ok()).ok_or_else(|| refuse("to nowhere"))?;
    if !may_follow(from, &next) {
        return Err(refuse("to where no secure connection is").into());
    }
    if !next.username().is_empty() || next.password().is_some() {
        return Err(refuse("to a URL with credentials in it").into());
    }
    Ok(Some(next))
}

/// The innermost reason, which names no URL: one may hold a signature that lets anyone read.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    let mut timed_out = false;
    while let Some(source) = innermost.source() {
        timed_out |= innermost.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout);
        innermost = source;
    }
    let text = innermost.to_string();
    match timed_out || text.contains("timed out") {
        true => "it took too long".to_owned(),
        false => text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect(),
    }
}

/// A number of slots, each for one request.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// One taken slot.
struct Slot<'a>(&'a Slots);

impl Slots {
    fn new(free: usize) -> Self {
        Self { free: Mutex::new(free), freed: Condvar::new() }
    }

    fn take(&self) -> Slot<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{SocketAddr, TcpListener};
    use std::time::Duration;

    use super::super::reach::Others;
    use super::*;

    /// A name server that an attacker runs: public for whoever asks first, and this machine from then on.
    fn answers_twice(_: &str) -> io::Result<Vec<SocketAddr>> {
        static ASKED: AtomicU64 = AtomicU64::new(0);
        let first = ASKED.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![(if first { [192, 0, 1, 1] } else { [127, 0, 0, 1] }, 0).into()])
    }

    fn both(_: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![([192, 0, 1, 1], 0).into(), ([10, 0, 0, 1], 0).into()])
    }

    fn asked(look_up: LookUp, url: &str) -> Trouble {
        let reach = Reach::Within { listed: Vec::new(), repositories: Vec::new(), others: Others::Public };
        let quick = Patience { connect: Duration::from_millis(200), ..Patience::default() };
        let transport = Transport { look_up, ..Transport::new(quick).within(reach) };
        let question = Question {
            host: "rebound.example",
            url: url.parse().unwrap(),
            accept: "*/*",
            authorization: None,
            form: None,
            limit: 1,
        };
        let refused = transport.exchange(&question, &|_| {});
        refused.err().unwrap_or_else(|| panic!("it was asked"))
    }

    #[test]
    fn a_name_that_leads_inside_at_its_second_answer_is_not_followed() {
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let url = format!("https://rebound.example:{}/", inside.local_addr().unwrap().port());
        assert_eq!(answers_twice("rebound.example").unwrap(), [SocketAddr::from(([192, 0, 1, 1], 0))]);
        for (look_up, at) in [(answers_twice as LookUp, "127.0.0.1"), (both, "10.0.0.1")] {
            let Trouble::Final(fault) = asked(look_up, &url) else { panic!("it was tried") };
            assert!(
                fault.to_string().contains(&format!("` is at {at}, which is no public address")),
                "{fault}"
            );
        }
        let came = inside.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(came, Err(io::ErrorKind::WouldBlock), "a connection was made");
    }
}
