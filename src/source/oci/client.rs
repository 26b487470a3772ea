//! The client: one question of a registry until there is an answer or patience is at its end.
//!
//! In: a repository and what is wanted of it. Out: an [`Answer`] of status 200, none for a 404, or the
//! [`Fault`] because of which nobody can tell. What one host's failures cost is counted, and the time that
//! all questions take, and their number, so that no registry that is down or dawdles, nor any number of them,
//! keeps a run from its end. Documents asked for by their digest are kept, so that none is fetched twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};

use super::Settings;
use super::answer::Answer;
use super::auth::{self, Way};
use super::challenge::Challenge;
use super::credentials::{Credential, Credentials};
use super::fault::Fault;
use super::patience::Patience;
use super::place::Place;
use super::reach::Reach;
use super::transport::{Question, Transport, Trouble};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::image::{MAX_MANIFEST, document};

/// Bytes of documents that are kept for a second look.
const MAX_CACHED: usize = 64 * 1024 * 1024;

/// Manifests and indexes of both families.
const ANY_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// What is wanted of a repository.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// A manifest or index, by digest or tag.
    Manifest(String),
    /// A blob, by digest.
    Blob(String),
    /// The list of what refers to a digest; of one type, when that is given.
    Referrers(String, Option<&'static str>),
    /// A further page of such a list: the registry's own link, already held to its place.
    Page(Url),
}

impl Wanted {
    fn url(&self, place: &Place) -> Result<Url, Fault> {
        match self {
            Self::Manifest(reference) => place.url(&format!("manifests/{reference}")),
            Self::Blob(digest) => place.url(&format!("blobs/{digest}")),
            Self::Referrers(digest, None) => place.url(&format!("referrers/{digest}")),
            Self::Referrers(digest, Some(of_type)) => {
                let mut url = place.url(&format!("referrers/{digest}"))?;
                url.query_pairs_mut().append_pair("artifactType", of_type);
                Ok(url)
            }
            Self::Page(url) => Ok(url.clone()),
        }
    }

    fn accept(&self) -> &'static str {
        match self {
            Self::Manifest(_) => ANY_MANIFEST,
            Self::Blob(_) => "*/*",
            Self::Referrers(..) | Self::Page(_) => "application/vnd.oci.image.index.v1+json",
        }
    }
}

/// Hears the host of a request and how many there were.
type Progress<'a> = dyn Fn(&str, u64) + Sync + 'a;

/// A document that one asks for while others wait.
type Cell = Arc<Mutex<Option<Vec<u8>>>>;

/// Asks registries.
pub(super) struct Client<'a> {
    transport: Transport,
    patience: Patience,
    credentials: Credentials,
    /// When the first question was asked.
    since: OnceLock<Instant>,
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
    documents: Mutex<BTreeMap<ClaimedDigest, Cell>>,
    cached: Mutex<usize>,
    progress: Box<Progress<'a>>,
}

/// What is known of one host.
#[derive(Default)]
struct Host {
    /// What its failures have cost so far, and the last of them.
    lost: Mutex<(Duration, String)>,
    /// What it is shown, by the scope that it is good for.
    shown: Mutex<BTreeMap<String, HeaderValue>>,
}

/// One time that did not bring an answer.
struct Failure {
    fault: Fault,
    /// For how long the host asks to be left alone.
    asked_for: Option<Duration>,
    status: u16,
}

impl<'a> Client<'a> {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            transport: Transport::new(settings.patience),
            patience: settings.patience,
            credentials: Credentials::new(settings.docker_config),
            since: OnceLock::new(),
            hosts: Mutex::default(),
            documents: Mutex::default(),
            cached: Mutex::new(0),
            progress: Box::new(|_, _| {}),
        }
    }

    pub(super) fn with_progress(self, progress: impl Fn(&str, u64) + Sync + 'a) -> Self {
        Self { progress: Box::new(progress), ..self }
    }

    pub(super) fn within(self, reach: Reach) -> Self {
        Self { transport: self.transport.within(reach), ..self }
    }

    pub(super) fn requests(&self) -> u64 {
        self.transport.requests()
    }

    /// Asks until there is an answer; none is that the registry has no such thing.
    pub(super) fn get(&self, place: &Place, wanted: &Wanted, limit: u64) -> Result<Option<Answer>, Fault> {
        self.transport.reach().check(place)?;
        let host = self.host(place);
        let url = wanted.url(place)?;
        let mut attempts = 0;
        loop {
            self.refuse_given_up(place, &host)?;
            let started = Instant::now();
            attempts += 1;
            let failure = match self.once(place, &host, &url, wanted.accept(), limit) {
                Ok(answer) if answer.is_success() => return Ok(Some(answer)),
                Ok(answer) if answer.status() == 404 => return Ok(None),
                Ok(answer) => Failure::refused(place, &answer, attempts)?,
                Err(Trouble::Lost(reason)) => Failure::silent(place, reason, attempts),
                Err(Trouble::Final(fault)) => return Err(fault),
            };
            self.bear(place, &host, failure, attempts, started)?;
        }
    }

    /// A manifest or index by digest or tag, which its `Content-Type` and its members call the same: what
    /// is kept by digest was read in one way, whoever asked for it.
    pub(super) fn manifest(&self, place: &Place, reference: &str) -> Result<Option<Vec<u8>>, Fault> {
        let wanted = Wanted::Manifest(reference.to_owned());
        let Some(answer) = self.get(place, &wanted, MAX_MANIFEST)? else { return Ok(None) };
        answer.is_manifest()?;
        // Bytes of another digest say nothing, and who asked compares them.
        let asked: Option<ClaimedDigest> = reference.parse().ok();
        let is_asked = asked.is_none_or(|digest| Digest::of_bytes(answer.body()) == digest);
        if is_asked && let Some(meant) = document::media_types(answer.body()) {
            answer.is_one_of(&meant)?;
        }
        Ok(Some(answer.into_body()))
    }

    /// Waits before the next time, unless there is none: then the failure is the outcome.
    fn bear(
        &self,
        place: &Place,
        host: &Host,
        failure: Failure,
        attempts: u32,
        started: Instant,
    ) -> Result<(), Fault> {
        let pause = self.patience.pause_after(attempts - 1, failure.asked_for, jitter());
        let last = attempts >= self.patience.attempts || pause.is_none();
        {
            let mut lost = locked(&host.lost);
            lost.0 += started.elapsed() + pause.filter(|_| !last).unwrap_or_default();
            lost.1 = failure.fault.to_string();
        }
        if attempts >= self.patience.attempts {
            return Err(failure.fault);
        }
        match (pause, failure.asked_for) {
            (Some(pause), _) => thread::sleep(pause),
            (None, asked_for) => {
                let (host, wait) = (place.host().to_owned(), asked_for.unwrap_or_default());
                return Err(Fault::AsksToWait { host, status: failure.status, wait });
            }
        }
        Ok(())
    }

    /// A host whose failures have cost all that they may is asked no more, nor is anybody once a run has
    /// taken all its time, or all its requests.
    fn refuse_given_up(&self, place: &Place, host: &Host) -> Result<(), Fault> {
        let whole = self.since.get_or_init(Instant::now).elapsed();
        if whole > self.patience.whole {
            return Err(Fault::TooSlow { host: place.host().to_owned(), whole });
        }
        let requests = self.requests();
        if requests >= self.patience.requests {
            return Err(Fault::TooMany { host: place.host().to_owned(), requests });
        }
        let (lost, last) = locked(&host.lost).clone();
        match lost > self.patience.lost {
            true => Err(Fault::GivenUp { host: place.host().to_owned(), lost, last }),
            false => Ok(()),
        }
    }

    /// Asks once, and once more when the registry wants to know who asks.
    fn once(
        &self,
        place: &Place,
        host: &Host,
        url: &Url,
        accept: &str,
        limit: u64,
    ) -> Result<Answer, Trouble> {
        let shown = locked(&host.shown).get(&place.scope()).cloned();
        let ask = |authorization: Option<HeaderValue>| {
            let host = place.host();
            let url = url.clone();
            self.exchange(&Question { host, url, accept, authorization, form: None, limit })
        };
        let answer = ask(shown.clone())?;
        if answer.status() != 401 {
            return Ok(answer);
        }
        let Some(challenge) = Challenge::of(answer.texts(WWW_AUTHENTICATE)) else { return Ok(answer) };
        ask(Some(self.authorize(place, host, &challenge, shown.as_ref())?))
    }

    fn exchange(&self, question: &Question<'_>) -> Result<Answer, Trouble> {
        self.transport.exchange(question, &|count| (self.progress)(question.host, count))
    }

    /// What the registry is shown from now on. One asks at a time; whoever waited takes what is new.
    fn authorize(
        &self,
        place: &Place,
        host: &Host,
        challenge: &Challenge,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Trouble> {
        let mut shown = locked(&host.shown);
        if let Some(newer) = shown.get(&place.scope()).filter(|newer| Some(*newer) != refused) {
            return Ok(newer.clone());
        }
        let credential = self.credential(place)?;
        let header = match auth::way(place, challenge, credential.as_ref())? {
            Way::Show(header) => header,
            Way::Ask(question) => {
                let answer = self.exchange(&question)?;
                if answer.is_transient() {
                    return Err(Trouble::Lost(format!("its token service answered {}", answer.status())));
                }
                if !answer.is_success() {
                    return Err(Failure::fault(place, &answer, 1).into());
                }
                auth::token(place, answer.body())?
            }
        };
        shown.insert(place.scope(), header.clone());
        Ok(header)
    }

    fn credential(&self, place: &Place) -> Result<Option<Credential>, Fault> {
        let host = place.host().to_owned();
        self.credentials.of(place.host()).map_err(|cause| Fault::Credentials { host, cause })
    }

    /// The document of a digest, fetched by the first who asks; others wait for it.
    pub(super) fn cached(
        &self,
        digest: &ClaimedDigest,
        fetch: impl FnOnce() -> Result<Option<Vec<u8>>, Fault>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let cell = Arc::clone(locked(&self.documents).entry(digest.clone()).or_default());
        let mut kept = locked(&cell);
        if let Some(bytes) = kept.as_ref() {
            return Ok(Some(bytes.clone()));
        }
        let fetched = fetch()?;
        // Bytes of another digest are nobody else's answer.
        if let Some(bytes) = fetched.as_ref().filter(|bytes| Digest::of_bytes(bytes) == *digest) {
            let mut cached = locked(&self.cached);
            if *cached + bytes.len() <= MAX_CACHED {
                *cached += bytes.len();
                *kept = Some(bytes.clone());
            }
        }
        Ok(fetched)
    }

    fn host(&self, place: &Place) -> Arc<Host> {
        Arc::clone(locked(&self.hosts).entry(place.host().to_owned()).or_default())
    }
}

impl Failure {
    /// An answer that is none, when asking again may help.
    fn refused(place: &Place, answer: &Answer, attempts: u32) -> Result<Self, Fault> {
        let fault = Self::fault(place, answer, attempts);
        match answer.is_transient() {
            true => Ok(Self { fault, asked_for: answer.retry_after(), status: answer.status() }),
            false => Err(fault),
        }
    }

    fn silent(place: &Place, reason: String, attempts: u32) -> Self {
        let fault = Fault::Silent { host: place.host().to_owned(), attempts, reason };
        Self { fault, asked_for: None, status: 0 }
    }

    fn fault(place: &Place, answer: &Answer, attempts: u32) -> Fault {
        let (host, status, code) = (place.host().to_owned(), answer.status(), answer.error_code());
        Fault::Refused { host, status, code, attempts }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked with it left a count or a map that is still one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A byte that two gates won't share; without one they only ask again together.
fn jitter() -> u8 {
    let mut byte = [0];
    let filled = rustix::rand::getrandom(&mut byte, rustix::rand::GetRandomFlags::NONBLOCK);
    filled.map_or(128, |_| byte[0])
}
