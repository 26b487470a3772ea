//! People who sign in at an issuer, and their sessions.
//!
//! In: requests for `/login`, `/login/back` and `/logout`; the cookies of others. Out: a redirect to the issuer and
//! back, a cookie, or a page that says why not; who a session is of, by what trust says now. An attempt is a cookie of
//! the browser that began it, and holds nothing that helps another; sessions are in memory, are found by the digest of
//! their cookie, and end with the process. Specs: [`code`](super::super::login::code),
//! <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis>.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::http::request::Parts;
use chrono::TimeDelta;
use maud::{Markup, html};

use super::super::caller::Caller;
use super::super::login::Login;
use super::super::login::code::{Attempt, BACK, CodeError, CodeFlow, SignedIn};
use super::super::server::excerpt;
use super::door::{Theme, cookie, same, text};
use super::page::{plain, prose};
use super::query::Pairs;
use super::response::Answer;
use super::{StudioError, back};
use crate::config::service::SignIn;
use crate::random;
use crate::release::digest::Digest;
use crate::time::Timestamp;

/// How long somebody may take to sign in.
const ATTEMPT: TimeDelta = TimeDelta::minutes(10);
/// How long a session lasts.
const LASTS: TimeDelta = TimeDelta::hours(12);
/// Sessions at a time: whoever is one more takes the place of the oldest.
const MOST: usize = 4096;
/// Bytes of a path that one comes back to.
const MOST_BACK: usize = 1024;

/// Who is signed in, and who is about to be.
pub(super) struct Sessions {
    flow: CodeFlow,
    /// Known to this process alone: attempts come from it.
    secret: String,
    /// Whether browsers reach it by TLS, so that cookies never go without.
    secure: bool,
    open: Mutex<HashMap<String, Session>>,
}

struct Session {
    who: SignedIn,
    until: Timestamp,
}

/// What a cookie is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cookie {
    Attempt,
    Session,
}

impl Sessions {
    pub(super) fn of(login: &Login, sign_in: &SignIn) -> Result<Self, StudioError> {
        Ok(Self {
            flow: CodeFlow::of(login, sign_in).ok_or(StudioError::Issuer)?,
            secret: random::hex::<32>().map_err(|_| StudioError::Random)?,
            secure: sign_in.url.starts_with("https://"),
            open: Mutex::default(),
        })
    }

    /// Whether browsers reach the studio by TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// What is asked for without a session, and waits for the issuer; none for any other path.
    pub(super) async fn answer(&self, head: &Parts, now: Timestamp) -> Option<Answer> {
        let theme = Theme::of(&head.headers);
        let pairs = Pairs::read(head.uri.query().unwrap_or_default());
        match (head.uri.path(), head.method.as_str()) {
            ("/login", "GET") => Some(self.begin(&pairs, theme, now).await),
            (BACK, "GET") => Some(self.finish(&head.headers, &pairs, theme, now).await),
            _ => None,
        }
    }

    /// Who a request is of; none without a session, and a reason where trust has no place for them any more.
    pub(super) fn caller(&self, headers: &HeaderMap, now: Timestamp) -> Option<Result<Caller, String>> {
        let sent = cookie(headers, self.name(Cookie::Session))?;
        let open = self.open();
        let session = open.get(&key(sent)).filter(|session| now < session.until)?;
        Some(self.flow.caller(&session.who))
    }

    /// Ends a session.
    pub(super) fn end(&self, headers: &HeaderMap, theme: Theme) -> Answer {
        if let Some(sent) = cookie(headers, self.name(Cookie::Session)) {
            self.open().remove(&key(sent));
        }
        let body = html! {
            p { "Your session here has ended. At the issuer you may still be signed in." }
            (again("/"))
        };
        Answer::Cookies(200, plain(theme, "Signed out", &body), vec![self.gone(Cookie::Session)])
    }

    /// A page for whoever has no session: a browser that asks for a page is sent to sign in.
    pub(super) fn unknown(head: &Parts, theme: Theme) -> Answer {
        let here = head.uri.path_and_query().map_or("/", |path| path.as_str());
        // By the browser's word; one that says nothing of it asks for pages, too.
        let navigates = text(&head.headers, "sec-fetch-mode").is_none_or(|mode| mode == "navigate");
        if head.method.as_str() == "GET" && navigates && here.len() <= MOST_BACK {
            return Answer::Redirect(begin_at(here));
        }
        let body = html! { p { "Nobody is signed in here, or the session has ended." } (again("/")) };
        Answer::Page(401, plain(theme, "Signed out", &body))
    }

    async fn begin(&self, pairs: &Pairs, theme: Theme, now: Timestamp) -> Answer {
        let Ok(seed) = random::hex::<32>() else { return Answer::refused(theme, 500, "No randomness", "") };
        let to = back(pairs.get("back").unwrap_or("/"));
        let to = if is_of_sessions(&to) || to.len() > MOST_BACK { "/" } else { &to };
        let value = format!("{seed}.{}.{}", (now + ATTEMPT).timestamp(), hex::encode(to));
        match self.flow.begin(&Attempt::of(&self.secret, &value)).await {
            Ok(address) => Answer::Elsewhere(address, self.set(Cookie::Attempt, &value, ATTEMPT)),
            Err(error) => self.failed(&error, theme, to),
        }
    }

    async fn finish(&self, headers: &HeaderMap, pairs: &Pairs, theme: Theme, now: Timestamp) -> Answer {
        let begun = cookie(headers, self.name(Cookie::Attempt)).unwrap_or_default();
        let attempt = Attempt::of(&self.secret, begun);
        let told = pairs.get("state").unwrap_or_default();
        let Some(to) = destination(begun, now).filter(|_| same(told, attempt.state())) else {
            let text = "This sign-in was not begun in this browser, was begun anew since, or took too long.";
            return refused(theme, 403, text, "/");
        };
        // RFC 9207: another issuer's answer is none of ours.
        if pairs.get("iss").is_some_and(|issuer| issuer != self.flow.issuer()) {
            return refused(theme, 403, "This answer is another issuer's.", &to);
        }
        if let Some(error) = pairs.get("error") {
            let why = excerpt(pairs.get("error_description").unwrap_or(error));
            return refused(theme, 403, &format!("The issuer says: {why}"), &to);
        }
        let who = match self.flow.redeem(pairs.get("code").unwrap_or_default(), &attempt).await {
            Ok(who) => who,
            Err(error) => return self.failed(&error, theme, &to),
        };
        if let Err(why) = self.flow.caller(&who) {
            return refused(theme, 403, &why, &to);
        }
        let Ok(id) = random::hex::<32>() else { return Answer::refused(theme, 500, "No randomness", "") };
        self.keep(&id, Session { who, until: now + LASTS }, now);
        let set = vec![self.set(Cookie::Session, &id, LASTS), self.gone(Cookie::Attempt)];
        Answer::Changed(to, set)
    }

    fn failed(&self, error: &CodeError, theme: Theme, to: &str) -> Answer {
        let status = if error.is_passing() { 503 } else { 403 };
        refused(theme, status, &format!("Nobody was signed in: {error}"), to)
    }

    fn keep(&self, id: &str, session: Session, now: Timestamp) {
        let mut open = self.open();
        open.retain(|_, session| now < session.until);
        if open.len() >= MOST
            && let Some(oldest) =
                open.iter().min_by_key(|(_, session)| session.until).map(|(id, _)| id.clone())
        {
            open.remove(&oldest);
        }
        open.insert(key(id), session);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With TLS no other host, and no connection without, can set or see them.
    fn name(&self, cookie: Cookie) -> &'static str {
        match (cookie, self.secure) {
            (Cookie::Attempt, true) => "__Host-laforge_login",
            (Cookie::Attempt, false) => "laforge_login",
            (Cookie::Session, true) => "__Host-laforge_studio",
            (Cookie::Session, false) => "laforge_studio",
        }
    }

    /// `Lax`, since one comes back from the issuer, and from links in messages; what changes anything is guarded by
    /// more than the cookie.
    fn set(&self, cookie: Cookie, value: &str, lasts: TimeDelta) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let (name, seconds) = (self.name(cookie), lasts.num_seconds());
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    fn gone(&self, cookie: Cookie) -> String {
        self.set(cookie, "", TimeDelta::zero())
    }
}

/// Sessions are kept by digest: how long it takes to find one tells nothing of the cookies of others.
fn key(id: &str) -> String {
    Digest::of_bytes(id.as_bytes()).hex()
}

/// Where an attempt that is still in time leads to.
fn destination(cookie: &str, now: Timestamp) -> Option<String> {
    let mut parts = cookie.split('.').skip(1);
    let until: i64 = parts.next()?.parse().ok()?;
    let to = String::from_utf8(hex::decode(parts.next()?).ok()?).ok()?;
    (now.timestamp() < until).then(|| back(&to))
}

/// Whether a path signs in or out: whoever has signed in is sent to none of them.
fn is_of_sessions(path: &str) -> bool {
    matches!(path.split(['/', '?']).nth(1), Some("login" | "logout"))
}

fn begin_at(path: &str) -> String {
    let path: String = path.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/login?back={path}")
}

fn again(to: &str) -> Markup {
    html! { p { a.button.primary href=(begin_at(to)) { "Sign in" } } }
}

fn refused(theme: Theme, status: u16, text: &str, to: &str) -> Answer {
    Answer::Page(status, plain(theme, "Not signed in", &html! { p { (prose(text)) } (again(to)) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn an_attempt_leads_to_its_own_page_while_it_is_in_time() {
        let cookie = |to: &str| format!("ab.600.{}", hex::encode(to));
        assert_eq!(destination(&cookie("/decisions?a=b"), at(599)).as_deref(), Some("/decisions?a=b"));
        assert_eq!(destination(&cookie("https://evil.example"), at(599)).as_deref(), Some("/"));
        for (cookie, seconds) in [(cookie("/"), 600), (String::new(), 0), ("a.b.c".to_owned(), 0)] {
            assert_eq!(destination(&cookie, at(seconds)), None, "{cookie}");
        }
    }

    #[test]
    fn whoever_signs_in_is_never_sent_to_sign_in_or_out() {
        for (path, own) in [
            ("/login", true),
            ("/login/back?code=a", true),
            ("/logout", true),
            ("/log", false),
            ("/log?x=/login", false),
            ("/", false),
        ] {
            assert_eq!(is_of_sessions(path), own, "{path}");
        }
        assert_eq!(begin_at("/a?b"), "/login?back=%2F%61%3F%62");
    }
}
