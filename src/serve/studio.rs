//! `laforge studio`: the log and the rollouts for people, in a browser.
//!
//! In: a listener, and [`Setup`]: the log's folder, trust, the folder of rollouts. Out: pages, until SIGTERM or
//! SIGINT. They are made here, from the log as it is read now; nothing comes from elsewhere, nothing is loaded from
//! elsewhere, and every page works without its script. What is read is never changed: the only thing that the
//! studio writes is a request to a guard, the same file that `laforge rollout pause` leaves.
//! Who asks has signed in at an issuer ([`sessions`]), or opened the one link of one's own desk ([`door`]).

mod approvals;
mod assets;
mod charts;
mod command;
mod decision;
mod decisions;
mod door;
mod files;
mod health;
mod outcome;
mod overview;
mod page;
mod parts;
mod policies;
mod query;
mod response;
mod rollout;
mod rollouts;
mod serving;
mod sessions;
mod shelf;
mod told;
mod verification;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use maud::html;

use super::RolloutsAt;
use super::caller::{Caller, Right};
use super::login::Login;
use super::server;
use crate::audit::Expectations;
use crate::audit::follow::Followed;
use crate::config::service::SignIn;
use crate::time::Timestamp;
use crate::trust::TrustRoot;
use door::{Door, Opened, Theme};
use page::{Section, document};
use query::Pairs;
use response::Answer;
use sessions::Sessions;
use shelf::Shelf;
use verification::Verification;

pub use door::Control;
pub use serving::{Served, serve, serve_all};

/// What the studio shows.
pub struct Setup {
    /// The log's folder, if one is configured.
    pub log: Option<PathBuf>,
    /// What the log is held to.
    pub expected: Expectations,
    /// Whose word counts, if that is in reach.
    pub trust: Option<Arc<TrustRoot>>,
    /// Where rollouts are, if this machine runs any.
    pub rollouts: Option<RolloutsAt>,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// The studio.
pub struct Studio {
    setup: Setup,
    /// Whose word counts now.
    trust: RwLock<Option<Arc<TrustRoot>>>,
    shelf: Arc<Shelf>,
    door: Door,
    verification: Arc<Verification>,
}

/// Something that the studio needs of the system, and does not get.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudioError {
    /// No randomness for sessions.
    #[error("the system gives no random bytes")]
    Random,
    /// Nobody could sign in.
    #[error("the issuer that people sign in by is not one of the login's")]
    Issuer,
    /// No thread for the log.
    #[error("the system gives no thread")]
    Thread(#[from] std::io::Error),
}

/// A request, as pages see it.
struct Asked<'a> {
    caller: &'a Caller,
    pairs: Pairs,
    theme: Theme,
    now: Timestamp,
    token: String,
    path: &'a str,
    query: &'a str,
    /// After how many seconds a page asks for itself again.
    live: Cell<Option<u64>>,
}

impl Asked<'_> {
    /// The path and query that were asked for.
    fn here(&self) -> String {
        if self.query.is_empty() { self.path.to_owned() } else { format!("{}?{}", self.path, self.query) }
    }

    fn refresh_seconds(&self) -> Option<u64> {
        self.live.get()
    }

    fn refresh(&self, seconds: u64) {
        self.live.set(Some(seconds));
    }
}

impl Studio {
    /// A studio for one's own desk, and the token of the link that opens it once.
    ///
    /// # Errors
    /// [`StudioError`].
    pub fn at_a_desk(
        setup: Setup,
        actor: &str,
        control: Control,
    ) -> Result<(Arc<Self>, String), StudioError> {
        let caller = door::at_desk(actor, control);
        let (door, token) = Door::of_a_desk(caller).ok_or(StudioError::Random)?;
        Ok((Self::behind(setup, door)?, token))
    }

    /// A studio for people who sign in.
    ///
    /// # Errors
    /// [`StudioError`].
    pub fn of_a_service(setup: Setup, login: &Login, sign_in: &SignIn) -> Result<Arc<Self>, StudioError> {
        let sessions = Sessions::of(login, sign_in)?;
        Self::behind(setup, Door::of_a_service(sessions).ok_or(StudioError::Random)?)
    }

    fn behind(setup: Setup, door: Door) -> Result<Arc<Self>, StudioError> {
        let log = setup.log.clone().map(|folder| Followed {
            folder,
            origin: setup.expected.origin.clone(),
            pins: setup.expected.pins.clone(),
        });
        let shelf = Shelf::of(log, setup.clock);
        shelf.follow()?;
        let verification = Arc::new(Verification::default());
        let trust = RwLock::new(setup.trust.clone());
        Ok(Arc::new(Self { setup, trust, shelf, door, verification }))
    }

    /// Whose word counts now, if that is in reach.
    fn trust(&self) -> Option<Arc<TrustRoot>> {
        self.trust.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn trusts(&self, trust: Arc<TrustRoot>) {
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = Some(trust);
    }

    fn answer(self: &Arc<Self>, head: &Parts, body: &[u8]) -> Answer {
        let now = (self.setup.clock)();
        let (headers, theme) = (&head.headers, Theme::of(&head.headers));
        let segments: Vec<String> = head.uri.path().split('/').skip(1).map(query::decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
        if !self.door.is_own_host(headers) {
            return Answer::refused(
                theme,
                421,
                "Not this host",
                "The studio is asked for by the name of this machine's loopback.",
            );
        }
        if let Some(answer) = self.in_the_open(head, &segments, theme, now) {
            return answer;
        }
        let caller = match self.caller(head, theme, now) {
            Ok(caller) => caller,
            Err(answer) => return answer,
        };
        if !caller.may(Right::Read) {
            return Answer::refused(
                theme,
                403,
                "Not for you",
                "You are known here, and reading is not among your rights.",
            );
        }
        let query = head.uri.query().unwrap_or_default();
        let asked = Asked {
            caller: &caller,
            pairs: Pairs::read(query),
            theme,
            now,
            token: self.door.form_token(&caller),
            path: head.uri.path(),
            query,
            live: Cell::new(None),
        };
        match head.method {
            Method::GET | Method::HEAD => self.page(&asked, &segments),
            Method::POST => self.change(&asked, headers, &segments, body),
            _ => Answer::refused(theme, 405, "Not asked that way", "The studio is asked with GET and POST."),
        }
    }

    /// Who asks, or what they are answered.
    fn caller(&self, head: &Parts, theme: Theme, now: Timestamp) -> Result<Caller, Answer> {
        let Some(sessions) = self.door.sessions() else {
            return self.door.desk_caller(&head.headers, now).ok_or_else(|| Answer::locked(theme));
        };
        match sessions.caller(&head.headers, now) {
            Some(Ok(caller)) => Ok(caller),
            Some(Err(why)) => Err(Answer::refused(theme, 403, "Not any more", &page::shown(&why))),
            None => Err(Sessions::unknown(head, theme)),
        }
    }

    /// What needs no login: the sheet and the script, the link.
    fn in_the_open(&self, head: &Parts, segments: &[&str], theme: Theme, now: Timestamp) -> Option<Answer> {
        match segments {
            ["static", "studio.css"] => Some(Answer::Kept("text/css; charset=utf-8", assets::STYLE)),
            ["static", "studio.js"] => Some(Answer::Kept("text/javascript; charset=utf-8", assets::SCRIPT)),
            ["static", "icon.svg"] => Some(Answer::Kept("image/svg+xml", assets::SIGN)),
            ["login"] if self.door.sessions().is_none() => {
                let pairs = Pairs::read(head.uri.query().unwrap_or_default());
                Some(match self.door.open(pairs.get("token").unwrap_or_default(), now) {
                    Opened::Session(cookie) => Answer::welcome(theme, cookie),
                    Opened::Used if self.door.desk_caller(&head.headers, now).is_some() => {
                        Answer::Redirect("/".to_owned())
                    }
                    Opened::Used => Answer::refused(
                        theme,
                        403,
                        "This link was used",
                        "It opens one session, once. Go on in the browser that used it, or start `laforge studio` again.",
                    ),
                    Opened::Unknown => Answer::locked(theme),
                })
            }
            _ => None,
        }
    }

    fn page(self: &Arc<Self>, asked: &Asked<'_>, segments: &[&str]) -> Answer {
        if matches!(self.shelf.held().state, shelf::State::Reading { .. } | shelf::State::Unread) {
            asked.refresh(1);
        }
        match segments {
            [] => overview::page(self, asked),
            ["decisions"] => decisions::page(self, asked),
            ["decisions", index] => decision::page(self, asked, index),
            ["decisions", index, file] => files::of_entry(self, asked, index, file),
            ["evidence", digest] => files::blob(self, asked, digest),
            ["approvals"] => approvals::page(self, asked),
            ["rollouts"] => rollouts::page(self, asked),
            ["rollouts", plan] => rollout::page(self, asked, plan),
            ["rollouts", plan, verb] => rollout::ask::form(self, asked, plan, verb, None),
            ["policies"] => policies::page(self, asked),
            ["policies", digest] => policies::set(self, asked, digest),
            ["log"] => health::page(self, asked),
            _ => self.nowhere(asked),
        }
    }

    fn change(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        headers: &HeaderMap,
        segments: &[&str],
        body: &[u8],
    ) -> Answer {
        let form = Pairs::read(&String::from_utf8_lossy(body));
        if !self.door.is_ours(headers, asked.caller, form.get("token")) {
            return Answer::refused(
                asked.theme,
                403,
                "Not from this page",
                "The request does not come from a page of this studio, or the studio was started anew since. Open the page again.",
            );
        }
        match segments {
            ["theme"] => {
                let theme = Theme::read(form.get("theme").unwrap_or_default());
                Answer::Changed(back(form.get("back").unwrap_or_default()), vec![theme.cookie()])
            }
            ["logout"] => match self.door.sessions() {
                Some(sessions) => sessions.end(headers, asked.theme),
                None => self.nowhere(asked),
            },
            ["log", "verify"] => health::verify(self, form.get("how").unwrap_or_default()),
            ["rollouts", plan, verb] => rollout::ask::take(self, asked, plan, verb, &form),
            _ => self.nowhere(asked),
        }
    }

    fn nowhere(&self, asked: &Asked<'_>) -> Answer {
        self.missing(
            asked,
            "Nothing here",
            &format!("There is nothing at `{}`.", server::excerpt(asked.path)),
        )
    }

    /// A page that says that something is not there.
    fn missing(&self, asked: &Asked<'_>, title: &str, text: &str) -> Answer {
        let body = page::empty(
            "question",
            title,
            &html! {
                p { (page::shown(text)) }
                p { a.button href="/" { "To the overview" } }
            },
        );
        let body = html! { h1.hidden { (title) } (body) };
        Answer::Page(404, document(self, asked, Section::None, title, &body))
    }

    fn ok(&self, asked: &Asked<'_>, section: Section, title: &str, body: &maud::Markup) -> Answer {
        Answer::Page(200, document(self, asked, section, title, body))
    }
}

/// Where to go back to: a path of ours, and nothing else.
fn back(path: &str) -> String {
    let own = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']);
    let plain = path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if own && plain { path.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::back;

    #[test]
    fn goes_back_to_paths_of_its_own_alone() {
        for (path, to) in [
            ("/decisions?release=a%20b", "/decisions?release=a%20b"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("", "/"),
        ] {
            assert_eq!(back(path), to, "{path}");
        }
    }
}
