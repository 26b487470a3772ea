//! The Gateway API: an `HTTPRoute` shares the traffic of two Services, and two of its weights are ours.
//!
//! In: commands with their epoch. Out: what the API server holds, once the gateway has accepted it. Each
//! command is one JSON Patch (RFC 6902) that tests both backends' names, their old weights and the epoch,
//! replaces the two weights and the epoch, and is bound to the version of the object that was read: so
//! another writer's edit is never undone, and other rules, filters and annotations are left alone. A failing
//! `test` is a 422 like any other; a version that moved on is a 409, and then everything is read again.
//!
//! `read` waits for the gateway: a weight that it has not accepted is not in force, and is an error at the
//! end of the wait, never a reading. Connections can't be counted here; the guard waits its drain time.
//! Specs: <https://gateway-api.sigs.k8s.io/reference/spec/#httproute>, `rollout.md` sections 2 and 4.

pub mod credentials;
pub mod kubeconfig;
mod route;
mod server;

use std::thread;
use std::time::{Duration, Instant};

use crate::rollout::executor::GatewayApiSection;
use crate::rollout::machine::Weight;

use super::{Backends, DriverError, Remaining, Share, Traffic};
use credentials::CredentialsError;
use route::{Acceptance, Route, Unreadable};
use server::{Answer, Server};

/// The annotation that fences commands: a route bears the epoch of the last one.
pub const EPOCH: &str = "laforge.dev/epoch";

const DRIVER: &str = "gateway-api";
/// How often a patch is tried again after another writer's edit.
const TRIES: u32 = 8;
/// How long a read waits for the gateway to accept what the API server holds: less than until the next one.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(4);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// Two Services behind one `HTTPRoute`.
#[derive(Debug)]
pub struct GatewayApi {
    server: Server,
    backends: Backends,
    /// The highest epoch that was fenced by this process.
    fence: u64,
    /// What is added to epochs on the route: what it bore when this guard began, since a plan's own begin
    /// at 1, and another plan's are there already. None until it is read.
    base: Option<u64>,
    accepted_within: Duration,
}

impl GatewayApi {
    /// For the route of a section, by the credentials that it names. Nothing is asked yet.
    ///
    /// # Errors
    /// [`CredentialsError`]: no kubeconfig, or one that can't be used.
    pub fn new(section: &GatewayApiSection, backends: Backends) -> Result<Self, CredentialsError> {
        let access = credentials::find(section)?;
        let server = Server::new(access, &section.namespace, &section.http_route)?;
        Ok(Self { server, backends, fence: 0, base: Some(0), accepted_within: ACCEPTED_WITHIN })
    }

    /// The same, with epochs above whatever the route bears now: a guard that begins, or comes back, fences
    /// off every one before it.
    #[must_use]
    pub fn taking_over(self) -> Self {
        Self { base: None, ..self }
    }

    /// The same, waiting so long for the gateway.
    #[must_use]
    pub fn accepted_within(self, accepted_within: Duration) -> Self {
        Self { accepted_within, ..self }
    }

    fn route(&self) -> Result<Route, DriverError> {
        let object = self.server.get()?;
        Route::read(&object, &self.backends).map_err(|unreadable| match unreadable {
            // Somebody splits the traffic by rules of their own: the candidate may have all of it.
            Unreadable::Others(_) | Unreadable::Twice(_) | Unreadable::Unlike(..) => {
                DriverError::Conflict { place: format!("{}: {unreadable}", self.server.place()) }
            }
            said => self.server.answered("the route's weights", &said.to_string()),
        })
    }

    /// Raises the epoch alone (`weight` none), or sets the weights and it.
    fn command(&mut self, weight: Option<Weight>, epoch: u64) -> Result<(), DriverError> {
        let first = self.route()?;
        let base = *self.base.get_or_insert(first.epoch);
        let epoch = base.saturating_add(epoch);
        let mut route = first.clone();
        for _ in 0..TRIES {
            // An epoch that somebody wrote there must not keep the candidate's traffic: then it stays.
            let epoch = if weight == Some(Weight::ZERO) { epoch.max(route.epoch) } else { epoch };
            if route.epoch > epoch {
                return Err(DriverError::Fenced { epoch, fence: route.epoch });
            }
            // Another writer may edit what it likes, but not what this command was decided on.
            if route.epoch != first.epoch || (weight.is_some() && route.weights() != first.weights()) {
                return Err(self.conflict());
            }
            if weight.is_none() && route.epoch == epoch {
                return Ok(());
            }
            match self.server.patch(&route.patch(&self.backends, weight, epoch))? {
                Answer::Done => return Ok(()),
                Answer::Conflict => route = self.route()?,
                Answer::Unprocessable(said) => {
                    // A test that failed, or a value that is none: only another reading tells.
                    let now = self.route()?;
                    if now == route {
                        return Err(self.server.answered("a patch of the route", &said));
                    }
                    route = now;
                }
            }
        }
        Err(self.conflict())
    }

    fn conflict(&self) -> DriverError {
        DriverError::Conflict { place: self.server.place() }
    }
}

impl Traffic for GatewayApi {
    fn read(&mut self) -> Result<Share, DriverError> {
        let began = Instant::now();
        loop {
            let route = self.route()?;
            let waiting = match route.acceptance {
                Acceptance::Accepted => {
                    let (stable, candidate) = route.weights();
                    return Share::of(candidate, stable)
                        .ok_or_else(|| DriverError::NoTraffic(self.backends.clone()));
                }
                Acceptance::Refused(said) => {
                    return Err(self.server.answered("whether the route is accepted", &said));
                }
                Acceptance::Waiting(said) => said,
            };
            if began.elapsed() >= self.accepted_within {
                return Err(self.server.answered("whether the route is accepted", &waiting));
            }
            thread::sleep(LOOK);
        }
    }

    fn fence(&mut self, epoch: u64) -> Result<(), DriverError> {
        if epoch < self.fence {
            return Err(DriverError::Fenced { epoch, fence: self.fence });
        }
        self.command(None, epoch)?;
        self.fence = epoch;
        Ok(())
    }

    fn set(&mut self, weight: Weight, epoch: u64) -> Result<(), DriverError> {
        if epoch < self.fence {
            return Err(DriverError::Fenced { epoch, fence: self.fence });
        }
        self.command(Some(weight), epoch)
    }

    fn remaining(&mut self) -> Result<Remaining, DriverError> {
        let weight = self.read()?.weight();
        if weight != Weight::ZERO {
            return Ok(Remaining { weight, connections: 0, in_flight: 0 });
        }
        Err(DriverError::Unsupported { driver: DRIVER, what: "count what is left at a Service" })
    }

    fn close_connections(&mut self) -> Result<(), DriverError> {
        Err(DriverError::Unsupported { driver: DRIVER, what: "close connections" })
    }
}

#[cfg(test)]
mod tests;
