//! `laforge studio`: the log and the rollouts in a browser.
//!
//! In: `audit:`, `trust:` and `executor:` of laforge.yaml, as far as they are there. Out: pages until SIGTERM; a link
//! that opens them once is printed to stdout.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use clap::Args;

use crate::audit::Expectations;
use crate::serve::RolloutsAt;
use crate::serve::studio::{self, Control, Setup, Studio as Service, StudioError};
use crate::time::Timestamp;

use super::load::{self, LogPlace};
use super::{Exit, Failure, Session};

/// Show the audit log, decisions, approvals, policies and rollouts in a browser, at one's own desk.
#[derive(Debug, Args)]
pub(super) struct Studio {
    /// Where to listen: an address of this machine's loopback, and a port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8089")]
    listen: SocketAddr,
    /// Who opens the link may also pause, resume and roll back
    #[arg(long)]
    control: bool,
    /// Who opens the link (default: $USER); it is journaled with what they ask, and not verified
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// The log's folder (default: the one that laforge.yaml names)
    #[arg(long, value_name = "DIR", help_heading = "Audit")]
    audit_log: Option<PathBuf>,
}

impl Studio {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        if !self.listen.ip().is_loopback() {
            return Err(Failure::usage(format!("`{}` can be reached from other machines", self.listen))
                .because("the link that opens the studio is a login for one's own desk, without TLS")
                .hint("listen on 127.0.0.1, and reach it by `ssh -L 8089:127.0.0.1:8089`"));
        }
        let actor = self.actor.clone().or_else(|| session.variable("USER"));
        let actor = actor.filter(|actor| !actor.trim().is_empty()).ok_or_else(|| {
            Failure::usage("nobody is named: $USER is not set").hint("name who opens the link with --actor")
        })?;
        let control = if self.control { Control::Granted } else { Control::Withheld };
        let setup = self.setup(session)?;
        let listener = TcpListener::bind(self.listen).map_err(|error| {
            Failure::new(Exit::NoDecision, format!("cannot listen on `{}`", self.listen))
                .because(error.to_string())
                .hint("another program may have the port: name a free one with --listen")
        })?;
        let address = listener.local_addr().unwrap_or(self.listen);
        let (service, token) = Service::at_a_desk(setup, &actor, control).map_err(|error| cannot(&error))?;
        session.say("laforge studio: this link opens it, once; Ctrl-C ends it\n");
        session.print(format!("http://{address}/login?token={token}\n").as_bytes())?;
        studio::serve(listener, &service).map_err(|error| Failure::of(Exit::NoDecision, &error))?;
        Ok(Exit::Holds)
    }

    /// What there is to show: a log or trust that isn't there yet is shown as that.
    fn setup(&self, session: &Session) -> Result<Setup, Failure> {
        let config = load::config(session)?;
        let trust = match &config.trust {
            Some(path) if !session.is_absent(&path.path) => Some(load::executor_trust(&config, session)?),
            _ => None,
        };
        let named = self.audit_log.is_some() || config.audit.is_some();
        let place = named.then(|| LogPlace::of(self.audit_log.as_ref(), None, &config)).transpose()?;
        let expected = place.as_ref().map(|place| place.expectations(trust.as_ref(), session));
        Ok(Setup {
            log: place.map(|place| place.folder),
            expected: expected.unwrap_or_else(Expectations::default),
            trust,
            rollouts: config.executor.as_ref().map(|executor| RolloutsAt {
                state: executor.state.clone(),
                target: executor.target.clone(),
            }),
            clock,
        })
    }
}

/// The clock: the service takes it as an argument.
fn clock() -> Timestamp {
    chrono::Utc::now()
}

fn cannot(error: &StudioError) -> Failure {
    Failure::of(Exit::NoDecision, error)
}
