//! `laforge studio`: the log and the rollouts in a browser.
//!
//! In: `audit:`, `trust:` and `executor:` of laforge.yaml, as far as they are there. Out: pages until SIGTERM, for
//! whoever opens the one link that is printed to stdout; or, with `service: studio`, for people who sign in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::audit::Expectations;
use crate::config::Config;
use crate::config::service::{Service as Configured, SignIn};
use crate::serve::RolloutsAt;
use crate::serve::login::Login;
use crate::serve::studio::{self, Control, Served, Setup, Studio as Service, StudioError};
use crate::time::Timestamp;
use crate::trust::TrustRoot;

use super::listen::{ConnectionFlags, bound, check_roles};
use super::load::{self, LogPlace};
use super::{Exit, Failure, Session, flags};

/// Show the audit log, decisions, approvals, policies and rollouts in a browser: at one's own desk, or to people who
/// sign in (`service: studio`).
#[derive(Debug, Args)]
pub(super) struct Studio {
    /// Where to listen: an address and a port; other than on loopback people have to sign in
    #[arg(long, value_name = "ADDRESS", value_parser = flags::address, default_value = "127.0.0.1:8089")]
    listen: SocketAddr,
    /// Where to answer probes besides, over HTTP, to whoever asks
    #[arg(long, value_name = "ADDRESS", value_parser = flags::address)]
    probes: Option<SocketAddr>,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    desk: DeskFlags,
    /// The log's folder (default: the one that laforge.yaml names)
    #[arg(long, value_name = "DIR", help_heading = "Audit")]
    audit_log: Option<PathBuf>,
}

/// One's own desk.
#[derive(Debug, Args)]
#[command(next_help_heading = "One's own desk")]
struct DeskFlags {
    /// Who opens the link may also pause, resume and roll back
    #[arg(long)]
    control: bool,
    /// Who opens the link (default: $USER); it is journaled with what they ask, and not verified
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
}

impl Studio {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let service = config.service.clone().unwrap_or_default();
        match &service.studio {
            Some(sign_in) => self.for_people(&service, sign_in, &config, session),
            None => self.for_one(&config, session),
        }
    }

    fn for_one(&self, config: &Config, session: &Session) -> Result<Exit, Failure> {
        if !self.listen.ip().is_loopback() {
            return Err(Failure::usage(format!("`{}` can be reached from other machines", self.listen))
                .because("the link that opens the studio is a login for one's own desk, without TLS")
                .hint("listen on 127.0.0.1, and reach it by `ssh -L 8089:127.0.0.1:8089`")
                .hint("or have people sign in: `service: {oidc: […], studio: {url: …}}` in laforge.yaml"));
        }
        let actor = self.desk.actor.clone().or_else(|| session.variable("USER"));
        let actor = actor.filter(|actor| !actor.trim().is_empty()).ok_or_else(|| {
            Failure::usage("nobody is named: $USER is not set").hint("name who opens the link with --actor")
        })?;
        let control = if self.desk.control { Control::Granted } else { Control::Withheld };
        if self.probes.is_some() {
            return Err(Failure::usage("--probes is for a studio that people sign in to")
                .because("one's own desk is asked by nobody else"));
        }
        let setup = self.setup(config, session)?;
        let listener = bound(self.listen)?;
        let address = listener.local_addr().unwrap_or(self.listen);
        let (service, token) = Service::at_a_desk(setup, &actor, control).map_err(|error| cannot(&error))?;
        session.say("laforge studio: this link opens it, once; Ctrl-C ends it\n");
        session.print(format!("http://{address}/login?token={token}\n").as_bytes())?;
        studio::serve(listener, &service).map_err(|error| Failure::of(Exit::NoDecision, &error))?;
        Ok(Exit::Holds)
    }

    fn for_people(
        &self,
        service: &Configured,
        sign_in: &SignIn,
        config: &Config,
        session: &Session,
    ) -> Result<Exit, Failure> {
        if self.desk.control || self.desk.actor.is_some() {
            return Err(Failure::usage("--control and --actor are for one's own desk").because(
                "`service: studio` in laforge.yaml has people sign in, and `access` says who may what",
            ));
        }
        if config.trust.is_none() {
            return Err(Failure::usage("people sign in to the studio by trust, and there is none")
                .hint("name it with `trust: trust.yaml` in laforge.yaml"));
        }
        let service = self.connection.over(service.clone());
        let certificate = self.connection.certificate(self.listen, &service)?;
        let setup = self.setup(config, session)?;
        let trust = match &setup.trust {
            Some(trust) => Arc::clone(trust),
            // Not there: loading it says so.
            None => Arc::new(load::executor_trust(config, session)?),
        };
        check_roles(&service, &trust)?;
        let login = Login::of(service.clone(), trust, clock)
            .map_err(|error| Failure::of(Exit::NoDecision, &error))?;
        let studio = Service::of_a_service(setup, &login, sign_in).map_err(|error| cannot(&error))?;
        let listener = bound(self.listen)?;
        let address = listener.local_addr().unwrap_or(self.listen);
        session.say(&format!("laforge studio: {address} answers; people reach it at {}\n", sign_in.url));
        let served = Served {
            listener,
            probes: self.probes.map(bound).transpose()?,
            certificate,
            limits: service.limits,
            login,
            trust: renewed(session),
        };
        studio::serve_all(served, &studio).map_err(|error| Failure::of(Exit::NoDecision, &error))?;
        Ok(Exit::Holds)
    }

    /// What there is to show: a log or trust that isn't there yet is shown as that.
    fn setup(&self, config: &Config, session: &Session) -> Result<Setup, Failure> {
        let trust = match &config.trust {
            Some(path) if !session.is_absent(&path.path) => Some(load::executor_trust(config, session)?),
            _ => None,
        };
        let named = self.audit_log.is_some() || config.audit.is_some();
        let place = named.then(|| LogPlace::of(self.audit_log.as_ref(), None, config)).transpose()?;
        let expected = place.as_ref().map(|place| place.expectations(trust.as_ref(), session));
        Ok(Setup {
            log: place.map(|place| place.folder),
            expected: expected.unwrap_or_else(Expectations::default),
            trust: trust.map(Arc::new),
            rollouts: config.executor.as_ref().map(|executor| RolloutsAt {
                state: executor.state.clone(),
                target: executor.target.clone(),
            }),
            clock,
        })
    }
}

/// Reads trust again, as it is configured then.
fn renewed(session: &Session) -> Box<dyn Fn() -> Result<TrustRoot, String> + Send> {
    let session = session.clone();
    let read = move || load::executor_trust(&load::config(&session)?, &session);
    Box::new(move || read().map_err(|failure: Failure| failure.sentence()))
}

/// The clock: the service takes it as an argument.
fn clock() -> Timestamp {
    chrono::Utc::now()
}

fn cannot(error: &StudioError) -> Failure {
    Failure::of(Exit::NoDecision, error)
}
