//! What a service holds in memory, kept as it is outside: the certificate and trust.
//!
//! In: how trust is read again. Out: a login and a certificate that follow. What can't be read leaves the last one in
//! force, and is told: whoever took a right away believes it gone.

use std::sync::Arc;
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

/// Reads trust again, or says why it can't.
pub(super) type ReadTrust = Box<dyn Fn() -> Result<Arc<TrustRoot>, String> + Send>;

/// What is kept.
pub(super) struct Keeper {
    login: Login,
    certificate: Option<Arc<Certificate>>,
    trust: ReadTrust,
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
        clock: fn() -> Timestamp,
    ) -> Self {
        let now = Instant::now();
        Self { login, certificate, trust, clock, certified: now, trusted: now, trouble: None }
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
