//! haproxy's own counters: the errors of an error budget, exact, without any other server.
//!
//! In: the runtime socket, and which server a slot is. Out: one [`Instance`] per server, of samples
//! taken at each call and kept in memory; so whoever wants a window counted asks at its begin and
//! during it. Bad are answers of 500 and above, connections that failed (`econ`) and answers that
//! broke (`eresp`): haproxy answers for the server then, with a 502 to 504 of its own. What was tried
//! again on another server with success is no error. Total is all of these and all other answers.
//! haproxy has no times of single requests, so no latency budget can be answered.

use std::collections::{BTreeMap, VecDeque};

use chrono::Duration;

use super::{Counted, Metrics, MetricsError};
use crate::plan::members::Objective;
use crate::rollout::driver::haproxy::{TIMEOUT, socket::Socket, statistics};
use crate::rollout::driver::{DriverError, excerpt};
use crate::rollout::executor::{HaproxySection, Slot};
use crate::rollout::objective::series::YOUNG_INTERVALS;
use crate::rollout::objective::{Instance, Sample, Scraped};
use crate::time::Timestamp;

/// Samples that are kept of a server: two days of one each 5 s.
const KEPT: usize = 40_000;

/// The counters of one haproxy backend.
#[derive(Debug)]
pub struct HaproxyCounters {
    socket: Socket,
    backend: String,
    /// Servers by slot.
    servers: BTreeMap<String, String>,
    interval: Duration,
    samples: BTreeMap<String, VecDeque<Sample>>,
}

impl HaproxyCounters {
    /// The counters of both slots' servers; `interval` is how often somebody asks.
    pub fn new(section: &HaproxySection, slots: &[Slot; 2], interval: Duration) -> Self {
        let server = |slot: &Slot| (slot.name.clone(), slot.backend.clone());
        Self {
            socket: Socket::new(&section.socket, TIMEOUT),
            backend: section.backend.clone(),
            servers: slots.iter().map(server).collect(),
            interval,
            samples: BTreeMap::new(),
        }
    }

    /// The server of a slot, now.
    fn server(&self, slot: &str) -> Result<statistics::Server, MetricsError> {
        let malformed =
            |reason: String| MetricsError::Malformed { place: self.socket.path().to_owned(), reason };
        let asked = statistics::question(&self.backend);
        let answer = self.socket.ask(&asked).map_err(|error| self.lost(&error))?;
        let servers = statistics::read(&self.backend, &answer)
            .ok_or_else(|| malformed(format!("`{asked}` gave `{}`", excerpt(&answer))))?;
        let name = self.servers.get(slot).map_or(slot, String::as_str);
        let found = servers.into_iter().find(|server| server.name == name);
        found.ok_or_else(|| malformed(format!("`{}` has no server `{name}`", self.backend)))
    }

    fn lost(&self, error: &DriverError) -> MetricsError {
        let source = std::error::Error::source(error);
        let reason = source.map_or_else(|| error.to_string(), ToString::to_string);
        MetricsError::Unreachable { place: self.socket.path().to_owned(), reason }
    }
}

impl Metrics for HaproxyCounters {
    fn counters(
        &mut self,
        objective: &Objective,
        counted: &Counted,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Instance>, MetricsError> {
        if objective.threshold_ms.is_some() {
            let problem = "it has no times of single requests";
            let objective = objective.id.clone();
            return Err(MetricsError::Unanswerable { from: "haproxy", objective, problem });
        }
        let server = self.server(&counted.slot)?;
        let (bad, total) = server.counters.map(|counters| (counters.bad, counters.total)).unzip();
        let young = from.checked_sub_signed(self.interval * YOUNG_INTERVALS).unwrap_or(from);
        let samples = self.samples.entry(counted.slot.clone()).or_default();
        samples.push_back(Sample { at: until, bad, total });
        while samples.len() > KEPT || samples.front().is_some_and(|sample| sample.at < young) {
            samples.pop_front();
        }
        let scraped = if server.takes_traffic() { Scraped::Up } else { Scraped::Down };
        Ok(vec![Instance { scraped, samples: samples.iter().copied().collect() }])
    }

    fn interval(&self) -> Duration {
        self.interval
    }
}
