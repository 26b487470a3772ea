//! One issuer, and its keys as they are now.
//!
//! In: where its keys are. Out: the set that counts, or [`KeysError`]. Keys are read anew after a while, and at once
//! where a token names one that is not known, though not more often than every ten seconds, whoever asks. Where the
//! issuer can't be asked, the last ones count for as long as is configured; then nobody is let in by them. No
//! redirect is followed. Spec: <https://openid.net/specs/openid-connect-discovery-1_0.html>.
#![expect(clippy::disallowed_methods, reason = "an issuer's keys are a file, or come over the network")]

use std::error::Error as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::keys::{KeySet, KeySetError};
use crate::config::service::{Issuer, KeysFrom};
use crate::network::{CLIENT, is_loopback, may_follow};

/// Between two times that an issuer is asked.
const PAUSE: Duration = Duration::from_secs(10);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer or a file.
const MOST_BYTES: usize = 512 * 1024;

/// One issuer, and what is known of its keys.
pub(super) struct Keys {
    issuer: Issuer,
    http: Client,
    held: RwLock<Held>,
    /// Whoever holds it asks; the others wait for what comes of it.
    asking: Mutex<()>,
}

#[derive(Default)]
struct Held {
    keys: Option<(Arc<KeySet>, Instant)>,
    tried: Option<Instant>,
    trouble: String,
}

/// Why no key of an issuer counts.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum KeysError {
    #[error("the keys of `{issuer}` can't be read: {trouble}")]
    Gone { issuer: String, trouble: String },
}

/// Why something of an issuer could not be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum FetchError {
    #[error("`{0}` is no address of keys that may be asked")]
    Address(String),
    #[error("`{url}` answers {status}")]
    Status { url: String, status: u16 },
    #[error("`{url}`: {reason}")]
    Lost { url: String, reason: String },
    #[error("`{0}` is longer than {MOST_BYTES} bytes")]
    TooLong(String),
    #[error("the discovery document is of `{0}`")]
    OtherIssuer(String),
    #[error("the discovery document can't be read: {0}")]
    Discovery(#[source] serde_json::Error),
    #[error("the discovery document names no `{0}`")]
    Lacks(&'static str),
    #[error("`{path}`: {reason}")]
    File { path: String, reason: String },
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

/// What an issuer says of itself, as far as it is asked
/// (<https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata>).
#[derive(Deserialize)]
pub(super) struct Discovery {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// Where people sign in at an issuer, and where a code is redeemed.
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    pub(super) token: Url,
    /// Where it tells more of whoever signed in.
    pub(super) person: Option<Url>,
    /// How a client that has a secret shows it.
    pub(super) shows: Shows,
}

/// How a client shows its secret (<https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// In a header, which every issuer takes unless it says otherwise.
    Header,
    /// In the body.
    Body,
}

/// What is to be done before an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// What is held is good.
    Nothing,
    /// What is held is good, and may be older than it should be.
    Soon,
    /// What is held is not enough.
    Now,
}

impl Keys {
    pub(super) fn new(issuer: Issuer) -> Result<Self, reqwest::Error> {
        let client = Client::builder().user_agent(CLIENT).redirect(Policy::none()).timeout(PATIENCE);
        let place = match &issuer.keys {
            KeysFrom::Url(url) => url,
            _ => &issuer.issuer,
        };
        let near = Url::parse(place).is_ok_and(|url| is_loopback(&url));
        let http = if near { client.no_proxy() } else { client }.build()?;
        Ok(Self { issuer, http, held: RwLock::default(), asking: Mutex::default() })
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The keys that count now. One that a token names and that is not among them is looked for.
    pub(super) async fn of(self: &Arc<Self>, id: Option<&str>) -> Result<Arc<KeySet>, KeysError> {
        match self.held(|held| held.due(id, &self.issuer, Instant::now())) {
            Due::Nothing => {}
            Due::Soon => {
                let keys = Arc::clone(self);
                tokio::spawn(async move { keys.ask(None).await });
            }
            Due::Now => self.ask(id).await,
        }
        self.held(|held| held.good(&self.issuer, Instant::now()))
    }

    fn held<T>(&self, look: impl FnOnce(&Held) -> T) -> T {
        look(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks, unless somebody just has.
    async fn ask(&self, id: Option<&str>) {
        let _asking = self.asking.lock().await;
        if self.held(|held| held.due(id, &self.issuer, Instant::now())) == Due::Nothing {
            return;
        }
        // Were this dropped half way, the next one would ask at once.
        self.held.write().unwrap_or_else(PoisonError::into_inner).tried = Some(Instant::now());
        let found = timeout(PATIENCE * 2, self.fetch()).await;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(Ok(keys)) => held.keys = Some((Arc::new(keys), Instant::now())),
            Ok(Err(error)) => held.trouble = error.to_string(),
            Err(_) => held.trouble = "no answer in time".to_owned(),
        }
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let bytes = match &self.issuer.keys {
            KeysFrom::File(path) => file(path.clone()).await?,
            KeysFrom::Url(url) => self.get(&address(url)?).await?,
            KeysFrom::Discovery => self.discover().await?,
        };
        Ok(KeySet::read(&bytes)?)
    }

    /// The document has to be this issuer's, and may lead only to where its own connection is as safe.
    async fn discover(&self) -> Result<Vec<u8>, FetchError> {
        let (from, document) = self.document().await?;
        self.get(&led(&from, &document.jwks_uri)?).await
    }

    async fn document(&self) -> Result<(Url, Discovery), FetchError> {
        let base = self.issuer.issuer.trim_end_matches('/');
        let from = address(&format!("{base}/.well-known/openid-configuration"))?;
        let document: Discovery =
            serde_json::from_slice(&self.get(&from).await?).map_err(FetchError::Discovery)?;
        match document.issuer == self.issuer.issuer {
            true => Ok((from, document)),
            false => Err(FetchError::OtherIssuer(document.issuer.chars().take(200).collect())),
        }
    }

    /// Where people sign in, as the issuer says now.
    pub(super) async fn endpoints(&self) -> Result<Endpoints, FetchError> {
        let (from, document) = self.document().await?;
        let named = |member: Option<String>, name| member.ok_or(FetchError::Lacks(name));
        let ways = &document.token_endpoint_auth_methods_supported;
        let has = |way: &str| ways.iter().any(|known| known == way);
        let body_alone = has("client_secret_post") && !has("client_secret_basic");
        Ok(Endpoints {
            authorization: led(&from, &named(document.authorization_endpoint, "authorization_endpoint")?)?,
            token: led(&from, &named(document.token_endpoint, "token_endpoint")?)?,
            person: document.userinfo_endpoint.map(|place| led(&from, &place)).transpose()?,
            shows: if body_alone { Shows::Body } else { Shows::Header },
        })
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        match self.answer(self.http.get(url.clone()), url).await? {
            (200, body) => Ok(body),
            (status, _) => Err(FetchError::Status { url: url.to_string(), status }),
        }
    }

    /// What an access token opens.
    pub(super) async fn open(&self, url: &Url, token: &str) -> Result<Vec<u8>, FetchError> {
        match self.answer(self.http.get(url.clone()).bearer_auth(token), url).await? {
            (200, body) => Ok(body),
            (status, _) => Err(FetchError::Status { url: url.to_string(), status }),
        }
    }

    /// Sends a form, with a name and a password where there are any. Out: the status and the body.
    pub(super) async fn post(
        &self,
        url: &Url,
        form: String,
        known_by: Option<(String, String)>,
    ) -> Result<(u16, Vec<u8>), FetchError> {
        let request = self.http.post(url.clone()).header(ACCEPT, "application/json");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let request = match known_by {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        };
        self.answer(request, url).await
    }

    async fn answer(&self, request: RequestBuilder, url: &Url) -> Result<(u16, Vec<u8>), FetchError> {
        let lost = |error: reqwest::Error| {
            let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            FetchError::Lost { url: url.to_string(), reason }
        };
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BYTES {
                return Err(FetchError::TooLong(url.to_string()));
            }
        }
        Ok((status, body))
    }
}

impl Held {
    fn due(&self, id: Option<&str>, issuer: &Issuer, now: Instant) -> Due {
        let since = |then: Instant| now.saturating_duration_since(then);
        let pause = PAUSE.min(issuer.refresh);
        let may_ask = self.tried.is_none_or(|tried| since(tried) >= pause);
        match &self.keys {
            _ if !may_ask => Due::Nothing,
            Some((keys, at)) if keys.has(id) || id.is_none() => match since(*at) {
                age if age >= issuer.keep => Due::Now,
                age if age >= issuer.refresh => Due::Soon,
                _ => Due::Nothing,
            },
            _ => Due::Now,
        }
    }

    fn good(&self, issuer: &Issuer, now: Instant) -> Result<Arc<KeySet>, KeysError> {
        let gone = |trouble: String| KeysError::Gone { issuer: issuer.issuer.clone(), trouble };
        match &self.keys {
            Some((keys, at)) if now.saturating_duration_since(*at) < issuer.keep => Ok(Arc::clone(keys)),
            _ if self.trouble.is_empty() => Err(gone("they were not read yet".to_owned())),
            _ => Err(gone(self.trouble.clone())),
        }
    }
}

/// Where a document leads to, if that connection is as safe as its own.
fn led(from: &Url, to: &str) -> Result<Url, FetchError> {
    let to = address(to)?;
    if may_follow(from, &to) { Ok(to) } else { Err(FetchError::Address(to.to_string())) }
}

fn address(text: &str) -> Result<Url, FetchError> {
    let refuse = || FetchError::Address(text.chars().take(200).collect());
    let url = Url::parse(text).map_err(|_| refuse())?;
    let safe = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
    let named = url.username().is_empty() && url.password().is_none();
    if safe && named { Ok(url) } else { Err(refuse()) }
}

/// A small file, read where waiting is allowed: it may be on a disk that hangs, or be no file at all.
pub(super) async fn file(path: PathBuf) -> Result<Vec<u8>, FetchError> {
    let named = path.display().to_string();
    let read = timeout(PATIENCE, spawn_blocking(move || small_file(&path))).await;
    let lost = |reason: &str| FetchError::File { path: named.clone(), reason: reason.to_owned() };
    read.map_err(|_| lost("it takes too long to read"))?.map_err(|_| lost("reading it broke off"))?
}

fn small_file(path: &Path) -> Result<Vec<u8>, FetchError> {
    let failed = |reason: String| FetchError::File { path: path.display().to_string(), reason };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err(failed("it is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    match bytes.len() > MOST_BYTES {
        true => Err(FetchError::TooLong(path.display().to_string())),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer() -> Issuer {
        Issuer {
            issuer: "https://id.example".to_owned(),
            audience: "laforge".to_owned(),
            keys: KeysFrom::Discovery,
            refresh: Duration::from_secs(300),
            keep: Duration::from_secs(3600),
        }
    }

    fn keys() -> Arc<KeySet> {
        let text = r#"{"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "b", "x": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}"#;
        Arc::new(KeySet::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn asks_anew_after_a_while_and_for_a_key_that_is_not_known() {
        let (issuer, began) = (issuer(), Instant::now());
        let after = |seconds| began + Duration::from_secs(seconds);
        let held = Held { keys: Some((keys(), began)), tried: Some(began), trouble: String::new() };
        for (id, seconds, due) in [
            (Some("a"), 0, Due::Nothing),
            (Some("a"), 299, Due::Nothing),
            (Some("a"), 300, Due::Soon),
            (Some("a"), 3600, Due::Now),
            // Whoever invents names can't have the issuer asked more often than every ten seconds.
            (Some("c"), 9, Due::Nothing),
            (Some("c"), 10, Due::Now),
            (None, 10, Due::Nothing),
        ] {
            assert_eq!(held.due(id, &issuer, after(seconds)), due, "{id:?} {seconds}");
        }
        assert_eq!(Held::default().due(None, &issuer, began), Due::Now);
    }

    #[test]
    fn keys_of_an_issuer_that_is_gone_count_for_so_long_and_no_longer() {
        let (issuer, began) = (issuer(), Instant::now());
        let held = Held { keys: Some((keys(), began)), tried: None, trouble: "no answer in time".to_owned() };
        assert!(held.good(&issuer, began + Duration::from_secs(3599)).is_ok());
        let gone = held.good(&issuer, began + Duration::from_secs(3600)).unwrap_err().to_string();
        assert_eq!(gone, "the keys of `https://id.example` can't be read: no answer in time");
        let never = Held::default().good(&issuer, began).unwrap_err().to_string();
        assert_eq!(never, "the keys of `https://id.example` can't be read: they were not read yet");
    }

    #[test]
    fn asks_nobody_over_a_connection_that_others_could_change() {
        for (text, taken) in [
            ("https://id.example/keys", true),
            ("http://127.0.0.1:9/keys", true),
            ("http://id.example/keys", false),
            ("https://a:b@id.example/keys", false),
            ("file:///etc/passwd", false),
            ("keys", false),
        ] {
            assert_eq!(address(text).is_ok(), taken, "{text}");
        }
    }
}
