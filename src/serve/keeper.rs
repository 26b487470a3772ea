//! What a service holds in memory, kept as it is outside: the certificate and trust.
//!
//! In: how trust is read again. Out: a login and a certificate that follow. What can't be read leaves the last one in
//! force, and is told: whoever took a right away believes it gone. A look that breaks off is told, and the next one is
//! made all the same; where none has come to its end for a minute, the [`Pulse`] says that what is held may be old.

use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::journal::{tell, told};
use super::login::Login;
use super::server::Certificate;
use crate::time::Timestamp;
use crate::trust::TrustRoot;

/// How often the certificate is looked at.
const CERTIFICATES: Duration = Duration::from_secs(1);
/// How often trust is read again.
const TRUST: Duration = Duration::from_secs(10);

/// After how long without a look what is held may be another than what is outside.
const STALE: Duration = Duration::from_secs(60);
/// Between two lines about a look that breaks off again and again.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// When it was last looked.
#[derive(Debug, Clone)]
pub(super) struct Pulse(Arc<Mutex<Beat>>);

#[derive(Debug, Clone, Copy)]
struct Beat {
    /// When a look came to its end.
    looked: (Instant, Timestamp),
    /// When trust was read, and could be.
    trusted: Timestamp,
}

impl Pulse {
    /// Of what was read just now.
    pub(super) fn of(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Beat { looked: (Instant::now(), now), trusted: now })))
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a look came to its end, and when trust could be read.
    pub(super) fn times(&self) -> (Timestamp, Timestamp) {
        let beat = self.beat();
        (beat.looked.1, beat.trusted)
    }

    /// Whether what is held is what is outside, or why that is not known.
    pub(super) fn check(&self, now: Instant) -> Result<(), String> {
        let age = now.saturating_duration_since(self.beat().looked.0);
        match age > STALE {
            true => Err(format!(
                "certificate, trust and log were not looked at for {} s: what has changed since is not in force here",
                age.as_secs()
            )),
            false => Ok(()),
        }
    }
}

/// Looks again and again, on a thread of its own, until it is told to stop or the process ends. A look that panics is
/// told, is none for the pulse, and ends nothing.
pub(super) fn look_after(
    what: &'static str,
    every: Duration,
    (pulse, clock): (Pulse, fn() -> Timestamp),
    mut look: impl FnMut() -> ControlFlow<()> + Send + 'static,
) -> io::Result<()> {
    let watch = move || {
        let mut told: Option<Instant> = None;
        loop {
            match catch_unwind(AssertUnwindSafe(&mut look)) {
                Ok(ControlFlow::Continue(())) => pulse.beat().looked = (Instant::now(), clock()),
                Ok(ControlFlow::Break(())) => return,
                Err(_) if told.is_some_and(|told| told.elapsed() < TELL_AGAIN) => {}
                Err(_) => {
                    told = Some(Instant::now());
                    tell(
                        clock(),
                        "trouble",
                        json!({"why": format!("looking after the {what} broke off; it goes on")}),
                    );
                }
            }
            thread::sleep(every);
        }
    };
    thread::Builder::new().name(what.to_owned()).spawn(watch).map(drop)
}

/// Reads trust again, or says why it can't.
pub(super) type ReadTrust = Box<dyn Fn() -> Result<Arc<TrustRoot>, String> + Send>;

/// What is kept.
pub(super) struct Keeper {
    login: Login,
    certificate: Option<Arc<Certificate>>,
    trust: ReadTrust,
    pulse: Pulse,
    clock: fn() -> Timestamp,
    /// When the certificate was looked at.
    certified: Instant,
    /// When trust was read.
    trusted: Instant,
    /// Why trust could not be read the last time.
    trouble: Option<String>,
}

impl Keeper {
    pub(super) fn new(
        login: Login,
        certificate: Option<Arc<Certificate>>,
        trust: ReadTrust,
        (pulse, clock): (Pulse, fn() -> Timestamp),
    ) -> Self {
        let now = Instant::now();
        Self { login, certificate, trust, pulse, clock, certified: now, trusted: now, trouble: None }
    }

    /// Looks at what is due.
    pub(super) fn look(&mut self) {
        if self.certified.elapsed() >= CERTIFICATES {
            self.certified = Instant::now();
            self.certificate();
        }
        if self.trusted.elapsed() >= TRUST {
            self.trusted = Instant::now();
            self.trust();
        }
    }

    fn certificate(&self) {
        let Some(certificate) = &self.certificate else { return };
        match certificate.renew() {
            Ok(false) => {}
            Ok(true) => tell((self.clock)(), "certificate", json!({"renewed": true})),
            Err(error) => {
                let why = told(&error);
                tell((self.clock)(), "certificate", json!({"renewed": false, "why": why}));
            }
        }
    }

    fn trust(&mut self) {
        match (self.trust)() {
            Ok(trust) => {
                self.login.renew(trust);
                self.pulse.beat().trusted = (self.clock)();
                if self.trouble.take().is_some() {
                    tell((self.clock)(), "trust", json!({"renewed": true}));
                }
            }
            Err(why) if self.trouble.as_ref() == Some(&why) => {}
            Err(why) => {
                tell((self.clock)(), "trust", json!({"renewed": false, "why": why}));
                self.trouble = Some(why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::time;

    fn clock() -> Timestamp {
        time::parse("2026-11-24T12:00:00Z").unwrap()
    }

    #[test]
    fn a_look_that_panics_ends_no_other() {
        let before = time::parse("2026-11-24T11:00:00Z").unwrap();
        let pulse = Pulse::of(before);
        let (tell, seen) = mpsc::channel();
        let (mut looks, seen_by_looks) = (0, pulse.clone());
        let look = move || {
            looks += 1;
            tell.send((looks, seen_by_looks.times().0)).unwrap();
            match looks {
                1 | 2 => panic!("look {looks} breaks off"),
                3 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        };
        look_after("test", Duration::from_millis(1), (pulse, clock), look).unwrap();
        let looks: Vec<(i32, Timestamp)> = seen.iter().collect();
        // One that broke off is no look for the pulse, and the one that came to its end is.
        assert_eq!(looks, [(1, before), (2, before), (3, before), (4, clock())]);
    }

    #[test]
    fn what_nobody_looks_after_is_said_to_be_old() {
        let pulse = Pulse::of(clock());
        let now = Instant::now();
        assert_eq!(pulse.check(now), Ok(()));
        assert_eq!(pulse.check(now + STALE - Duration::from_secs(1)), Ok(()));
        let why = pulse.check(now + STALE + Duration::from_secs(2)).unwrap_err();
        assert!(why.starts_with("certificate, trust and log were not looked at for 6"), "{why}");
    }
}
