//! Images and their evidence in registries: a thin client of the distribution spec.
//!
//! In: repositories and digests; credentials as other tools keep them. Out: manifests by digest
//! ([`Registries`] is an [`ImageManifests`]) and what is attached to them (`search`).
//!
//! Spec: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md> (pull and referrers).
//! Written here on `reqwest`, the one HTTP client of the tree: `oci-client` reads answers unbounded and
//! follows redirects by rules that are not ours. Ours are:
//! - Every answer is bounded, in bytes and in time, and every failure is tried again within a budget.
//! - What can't be had is *unreachable*, never absent; only 404 is an answer.
//! - Redirects are followed by hand; credentials never go to another scheme, host or port, and tokens
//!   are asked for only of the registry's own host, a parent domain of it, or Docker Hub's pair.
//! - No URL that a manifest or a piece of evidence holds is ever fetched.
//! - Which hosts are asked at all can be bounded ([`Reach`]): by name, and by the address that is connected to.
//! - Plain HTTP is spoken to loopback hosts alone. Elsewhere the system's certificate authorities count,
//!   and those of `SSL_CERT_FILE`.
//!
//! Not checked: `Docker-Content-Digest`; bytes are hashed instead.

mod answer;
mod auth;
mod challenge;
mod client;
mod credentials;
mod fault;
mod patience;
mod place;
mod reach;
mod referrers;
mod search;
mod transport;

use std::path::PathBuf;

use crate::release::digest::ClaimedDigest;
use crate::release::resolved::{ImageManifests, Unfetched};
use client::Client;
use fault::Fault;
use place::Place;

pub use patience::Patience;
pub use reach::{Others, Reach};
pub(in crate::source) use search::Subject;

/// The registries of the world, or none of them.
pub struct Registries<'a> {
    /// None: no client was ever made, and no code that could reach a network runs.
    client: Option<Client<'a>>,
}

/// What asking registries needs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The folder of `config.json`, where `docker login` and its like keep credentials.
    pub docker_config: Option<PathBuf>,
    /// How long to wait, and how often to ask again.
    pub patience: Patience,
}

/// A registry that may not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct OutOfReach {
    /// Which one, and why.
    why: String,
}

impl<'a> Registries<'a> {
    /// Registries that may be asked. Nothing is opened before the first question.
    pub fn online(settings: Settings) -> Self {
        Self { client: Some(Client::new(settings)) }
    }

    /// No registry at all: whatever only a registry has is unreachable.
    pub fn offline() -> Self {
        Self { client: None }
    }

    /// Whether no registry is ever asked.
    pub(super) fn is_offline(&self) -> bool {
        self.client.is_none()
    }

    /// Asks no host beyond these.
    #[must_use]
    pub fn within(self, reach: Reach) -> Self {
        Self { client: self.client.map(|client| client.within(reach)) }
    }

    /// Whether an image of this repository may be asked for, as far as its name tells: a name that leads to an address
    /// which may not be asked is found out when it is.
    ///
    /// # Errors
    /// [`OutOfReach`], with the reason.
    pub fn may_ask(repository: &str, reach: &Reach) -> Result<(), OutOfReach> {
        let checked = Place::of(repository).and_then(|place| reach.check(&place));
        checked.map_err(|fault| OutOfReach { why: fault.to_string() })
    }

    /// Tells of every request: the host, and how many there were so far.
    #[must_use]
    pub fn with_progress(self, progress: impl Fn(&str, u64) + Sync + 'a) -> Self {
        Self { client: self.client.map(|client| client.with_progress(progress)) }
    }

    /// How many requests were made.
    pub fn requests(&self) -> u64 {
        self.client.as_ref().map_or(0, Client::requests)
    }

    fn client(&self) -> Result<&Client<'a>, Fault> {
        self.client.as_ref().ok_or(Fault::Offline)
    }

    fn fetch(&self, repository: &str, digest: &ClaimedDigest) -> Result<Option<Vec<u8>>, Fault> {
        self.client()?.manifest(&Place::of(repository)?, &digest.to_string())
    }
}

impl ImageManifests for Registries<'_> {
    fn manifest(&self, repository: &str, digest: &ClaimedDigest) -> Result<Vec<u8>, Unfetched> {
        let fetch = || self.fetch(repository, digest);
        let fetched = match &self.client {
            Some(client) => client.cached(digest, fetch),
            None => fetch(),
        };
        match fetched {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(Unfetched::Absent),
            Err(fault) => Err(Unfetched::Unreachable { cause: fault.to_string() }),
        }
    }
}
