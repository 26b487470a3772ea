//! Who is let in, and which requests are theirs.
//!
//! In: a request's head. Out: its [`Caller`], known by the cookie of a session: of somebody who signed in at an issuer
//! ([`sessions`](super::sessions)), or of one's own desk, which a link with a random token opens once. A change needs
//! more: the same origin, by the browser's word (`Sec-Fetch-Site`, else `Origin`), and a form's token, which no other
//! site can read. Fetch metadata: <https://www.w3.org/TR/fetch-metadata/>.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};

use super::super::caller::{Caller, Kind, Right};
use super::sessions::Sessions;
use crate::random;
use crate::release::digest::Digest;
use crate::time::Timestamp;

/// The session's cookie. Not `__Host-`: that needs TLS, which a desk doesn't have.
const COOKIE: &str = "laforge_studio";
/// The colours' cookie.
const THEME: &str = "laforge_theme";
/// How long a session lasts.
const LASTS: chrono::TimeDelta = chrono::TimeDelta::hours(12);

/// The door.
pub(super) struct Door {
    /// Known to this process alone: form tokens come from it.
    secret: String,
    lets_in: LetsIn,
}

/// Who is let in.
enum LetsIn {
    /// Whoever opened the link, at one's own desk.
    Desk(Desk),
    /// Whoever signed in.
    SignedIn(Sessions),
}

/// The login of one's own desk.
struct Desk {
    caller: Caller,
    entry: Mutex<Entry>,
}

/// How far the one login has come.
enum Entry {
    /// The link was not opened yet.
    Open { token: String },
    /// It was: this cookie is the session, until then.
    Taken { session: String, until: Timestamp },
}

/// What became of a link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// A session, as a cookie.
    Session(String),
    /// It was opened before.
    Used,
    /// It is none of ours.
    Unknown,
}

impl Door {
    /// A door through which people come who sign in.
    pub(super) fn of_a_service(sessions: Sessions) -> Option<Self> {
        Some(Self { secret: random::hex::<32>().ok()?, lets_in: LetsIn::SignedIn(sessions) })
    }

    /// A door for one's own desk, and the token that opens it once.
    pub(super) fn of_a_desk(caller: Caller) -> Option<(Self, String)> {
        let token = random::hex::<32>().ok()?;
        let entry = Mutex::new(Entry::Open { token: token.clone() });
        let lets_in = LetsIn::Desk(Desk { caller, entry });
        Some((Self { secret: random::hex::<32>().ok()?, lets_in }, token))
    }

    /// The sessions of people who sign in; none at a desk.
    pub(super) fn sessions(&self) -> Option<&Sessions> {
        match &self.lets_in {
            LetsIn::SignedIn(sessions) => Some(sessions),
            LetsIn::Desk(_) => None,
        }
    }

    fn desk(&self) -> Option<&Desk> {
        match &self.lets_in {
            LetsIn::Desk(desk) => Some(desk),
            LetsIn::SignedIn(_) => None,
        }
    }

    /// Whether the host that was asked for is this one: a name that is pointed here from elsewhere is not.
    pub(super) fn is_own_host(&self, headers: &HeaderMap) -> bool {
        self.desk().is_none() || text(headers, header::HOST.as_str()).is_some_and(is_loopback)
    }

    /// Opens the link, once.
    pub(super) fn open(&self, token: &str, now: Timestamp) -> Opened {
        let Some(desk) = self.desk() else { return Opened::Unknown };
        let mut entry = desk.entry.lock().unwrap_or_else(PoisonError::into_inner);
        match &*entry {
            Entry::Taken { .. } => Opened::Used,
            Entry::Open { token: own } if same(own, token) => {
                let Ok(session) = random::hex::<32>() else { return Opened::Unknown };
                let cookie = format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict");
                *entry = Entry::Taken { session, until: now + LASTS };
                Opened::Session(cookie)
            }
            Entry::Open { .. } => Opened::Unknown,
        }
    }

    /// Who the desk's session is of, if the request is of it.
    pub(super) fn desk_caller(&self, headers: &HeaderMap, now: Timestamp) -> Option<Caller> {
        let desk = self.desk()?;
        let entry = desk.entry.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Taken { session, until } = &*entry else { return None };
        let sent = cookie(headers, COOKIE)?;
        (now < *until && same(session, sent)).then(|| desk.caller.clone())
    }

    /// The token of a caller's forms.
    pub(super) fn form_token(&self, caller: &Caller) -> String {
        Digest::of_bytes(format!("form\n{}\n{}", self.secret, caller.name()).as_bytes()).hex()
    }

    /// Whether a change comes from a page of ours.
    pub(super) fn is_ours(&self, headers: &HeaderMap, caller: &Caller, token: Option<&str>) -> bool {
        let token = token.is_some_and(|token| same(&self.form_token(caller), token));
        token && is_same_origin(headers)
    }
}

/// By the browser's word; without any, nothing is.
fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return site == "same-origin";
    }
    let (origin, host) = (text(headers, header::ORIGIN.as_str()), text(headers, header::HOST.as_str()));
    let origin = origin.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    origin.is_some() && origin == host
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut cookies = text(headers, header::COOKIE.as_str())?.split(';');
    cookies.find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Compared by digest: how long it takes tells nothing of where they differ.
pub(super) fn same(one: &str, other: &str) -> bool {
    Digest::of_bytes(one.as_bytes()) == Digest::of_bytes(other.as_bytes())
}

/// Which colours somebody chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        cookie(headers, THEME).map_or(Self::System, Self::read)
    }

    pub(super) fn read(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(super) fn cookie(self) -> String {
        format!("{THEME}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict", self.word())
    }
}

/// The caller of a desk: who reads, and controls only if that was asked for.
pub(super) fn at_desk(name: &str, control: Control) -> Caller {
    let control = (control == Control::Granted).then_some(Right::Control);
    Caller::new(Kind::Person, name, BTreeSet::from_iter([Right::Read].into_iter().chain(control)))
}

/// Whether a desk may control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Pause, resume and roll back, too.
    Granted,
    /// Reading only.
    Withheld,
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_timestamp(hour * 3600, 0).unwrap()
    }

    #[test]
    fn a_link_opens_one_session_once() {
        let (door, token) = Door::of_a_desk(at_desk("alice", Control::Withheld)).unwrap();
        assert_eq!(door.open("guess", at(0)), Opened::Unknown);
        let Opened::Session(set) = door.open(&token, at(0)) else { panic!("no session") };
        assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{set}");
        assert_eq!(door.open(&token, at(0)), Opened::Used);
        let sent = set.split(';').next().unwrap();
        let own = headers(&[("cookie", &format!("a=b; {sent}"))]);
        assert_eq!(door.desk_caller(&own, at(1)).unwrap().name(), "alice");
        assert_eq!(door.desk_caller(&own, at(12)), None, "it lasts half a day");
        for other in ["", "laforge_studio=", "laforge_studio=x", "xlaforge_studio=y"] {
            assert_eq!(door.desk_caller(&headers(&[("cookie", other)]), at(1)), None, "{other}");
        }
    }

    #[test]
    fn a_change_needs_the_token_and_the_origin() {
        let caller = at_desk("alice", Control::Granted);
        let (door, _) = Door::of_a_desk(caller.clone()).unwrap();
        let token = door.form_token(&caller);
        let ours = |pairs: &[(&'static str, &str)], token: Option<&str>| {
            door.is_ours(&headers(pairs), &caller, token)
        };
        assert!(ours(&[("sec-fetch-site", "same-origin")], Some(&token)));
        assert!(ours(&[("origin", "http://127.0.0.1:8089"), ("host", "127.0.0.1:8089")], Some(&token)));
        for (pairs, token) in [
            (vec![("sec-fetch-site", "same-origin")], None),
            (vec![("sec-fetch-site", "same-origin")], Some("guess")),
            (vec![("sec-fetch-site", "same-site")], Some(token.as_str())),
            (vec![("sec-fetch-site", "cross-site")], Some(token.as_str())),
            (vec![("sec-fetch-site", "none")], Some(token.as_str())),
            (vec![("origin", "http://evil.example"), ("host", "127.0.0.1:8089")], Some(token.as_str())),
            (vec![("origin", "null"), ("host", "127.0.0.1:8089")], Some(token.as_str())),
            (vec![("host", "127.0.0.1:8089")], Some(token.as_str())),
        ] {
            assert!(!ours(&pairs, token), "{pairs:?}");
        }
        let other = at_desk("bob", Control::Granted);
        assert_ne!(door.form_token(&other), token, "a token is one caller's");
    }

    #[test]
    fn a_name_that_is_pointed_here_is_not_this_host() {
        let (door, _) = Door::of_a_desk(at_desk("alice", Control::Withheld)).unwrap();
        for (host, own) in [
            ("127.0.0.1:8089", true),
            ("localhost:8089", true),
            ("[::1]:8089", true),
            ("127.0.0.1.evil.example:8089", false),
            ("evil.example", false),
            ("10.0.0.1:8089", false),
        ] {
            assert_eq!(door.is_own_host(&headers(&[("host", host)])), own, "{host}");
        }
        assert!(!door.is_own_host(&HeaderMap::new()));
    }
}
