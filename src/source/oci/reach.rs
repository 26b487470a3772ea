//! Which hosts may be asked: all of them for whoever works at their own desk, fewer for whoever asks a service to.
//!
//! In: what is configured, a URL before each request, and every address that a name leads to. Out: the [`Fault`]
//! because of which nothing is asked. A name is judged by the addresses that the connection would go to, in the moment
//! it is made: a second answer of its name server is judged as the first. Each redirect and each token service is judged
//! as the registry is.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::task::spawn_blocking;

use super::fault::Fault;
use super::place::{Place, hub_names, same_origin};
use crate::network::{is_loopback, is_public};
use crate::release::registry::RegistryPattern;

/// Which hosts may be asked.
#[derive(Debug, Clone, Default)]
pub enum Reach {
    /// Whichever an image names.
    #[default]
    Anywhere,
    /// These, at whatever address; and others as [`Others`] says.
    Within {
        /// Hosts by pattern.
        listed: Vec<RegistryPattern>,
        /// Repositories whose registries are meant, too.
        repositories: Vec<String>,
        /// What becomes of all other hosts.
        others: Others,
    },
}

/// What becomes of hosts that are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They are asked at public addresses, where no proxy hides which address that is.
    Public,
    /// An image names none of them. A listed registry may lead to them (its token service, where its blobs are), at
    /// public addresses.
    LedTo,
    /// They are never asked: a proxy stands before the network, and where a name leads is its secret.
    Never,
}

/// How names are looked up.
pub(super) type LookUp = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// The system's own way.
pub(super) fn system(name: &str) -> io::Result<Vec<SocketAddr>> {
    (name, 0).to_socket_addrs().map(Iterator::collect)
}

/// Over which client a host is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As it is.
    Known,
    /// At public addresses alone.
    Public,
}

impl Reach {
    /// Whether an image may name this registry.
    pub(super) fn check(&self, place: &Place) -> Result<(), Fault> {
        match self {
            Self::Within { others: Others::LedTo, .. } if !self.lists(place.root()) => {
                Err(Fault::Unlisted { host: place.host().to_owned() })
            }
            _ => self.way(place.root()).map(drop),
        }
    }

    /// How a URL is asked: a registry's, or where one led to.
    pub(super) fn way(&self, url: &Url) -> Result<Way, Fault> {
        let Self::Within { others, .. } = self else { return Ok(Way::Known) };
        if self.lists(url) {
            return Ok(Way::Known);
        }
        if *others == Others::Never {
            return Err(Fault::Unlisted { host: named(url) });
        }
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) if !is_public(address) => Err(Fault::Inside { host: named(url), at: None }),
            Err(_) if is_loopback(url) => Err(Fault::Inside { host: named(url), at: None }),
            _ => Ok(Way::Public),
        }
    }

    fn lists(&self, url: &Url) -> bool {
        let Self::Within { listed, repositories, .. } = self else { return true };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
        let usual = if url.scheme() == "http" { 80 } else { 443 };
        let pattern = |pattern: &RegistryPattern| {
            pattern.is_of(host, port, usual)
                || hub_names(host).iter().any(|name| pattern.is_of(name, port, usual))
        };
        let registry =
            |repository: &String| Place::of(repository).is_ok_and(|place| same_origin(place.root(), url));
        listed.iter().any(pattern) || repositories.iter().any(registry)
    }
}

/// A URL's host and port.
pub(super) fn named(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Looks names up, and gives no address that is not public.
pub(super) struct PublicAlone {
    pub(super) look_up: LookUp,
}

/// A name that leads to an address which is not public.
#[derive(Debug, thiserror::Error)]
#[error("it is at {0}, which is no public address")]
pub(super) struct Inside(pub(super) IpAddr);

impl Resolve for PublicAlone {
    fn resolve(&self, name: Name) -> Resolving {
        let (look_up, name) = (self.look_up, name.as_str().to_owned());
        Box::pin(async move {
            let found = spawn_blocking(move || look_up(&name)).await??;
            // One that is inside spoils the others: which of them is connected to is decided later.
            match found.iter().map(SocketAddr::ip).find(|address| !is_public(*address)) {
                Some(address) => Err(Inside(address).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

impl PublicAlone {
    pub(super) fn by(look_up: LookUp) -> Arc<Self> {
        Arc::new(Self { look_up })
    }
}

/// The address inside, where that is what an error comes from.
pub(super) fn inside(error: &(dyn Error + 'static)) -> Option<IpAddr> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Inside(address)) = error.downcast_ref() {
            return Some(*address);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(listed: &[&str], others: Others) -> Reach {
        let listed = listed.iter().map(|text| text.parse().unwrap()).collect();
        Reach::Within { listed, repositories: vec!["10.0.0.9:5000/ours/app".to_owned()], others }
    }

    fn check(reach: &Reach, repository: &str) -> Result<(), String> {
        reach.check(&Place::of(repository).unwrap()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn no_address_inside_a_network_is_asked_unless_it_is_listed() {
        let reach = within(&["10.0.0.5:5000", "localhost:7000"], Others::Public);
        for repository in
            ["ghcr.io/a/b", "a", "10.0.0.5:5000/a", "10.0.0.9:5000/other", "localhost:7000/a", "1.1.1.1/a"]
        {
            assert_eq!(check(&reach, repository), Ok(()), "{repository}");
        }
        for (repository, named) in [
            ("169.254.169.254/a", "169.254.169.254"),
            ("10.0.0.5/a", "10.0.0.5"),
            ("10.0.0.5:22/a", "10.0.0.5:22"),
            ("localhost:7001/a", "localhost:7001"),
            ("127.1:81/a", "127.0.0.1:81"),
            ("0x7f.1:81/a", "127.0.0.1:81"),
            ("[::1]:81/a", "[::1]:81"),
            ("[::ffff:10.0.0.1]:81/a", "[::ffff:a00:1]:81"),
            ("0.0.0.0:81/a", "0.0.0.0:81"),
        ] {
            let said = check(&reach, repository).unwrap_err();
            assert!(
                said.starts_with(&format!("`{named}` is no public address, and not")),
                "{repository}: {said}"
            );
        }
    }

    #[test]
    fn where_registries_are_listed_no_other_is_named_and_a_public_one_may_be_led_to() {
        let reach = within(&["docker.io", "*.example.com"], Others::LedTo);
        for repository in ["a", "docker.io/a", "index.docker.io/a/b", "r.example.com/a"] {
            assert_eq!(check(&reach, repository), Ok(()), "{repository}");
        }
        for repository in ["ghcr.io/a", "example.com/a", "r.example.com:5000/a", "10.0.0.5/a"] {
            let said = check(&reach, repository).unwrap_err();
            assert!(
                said.contains("is not among the registries that may be asked here"),
                "{repository}: {said}"
            );
        }
        let way = |url: &str| reach.way(&url.parse().unwrap());
        assert_eq!(way("https://auth.docker.io/token").unwrap(), Way::Known);
        assert_eq!(way("https://blobs.example.net/x").unwrap(), Way::Public);
        assert!(matches!(way("https://10.0.0.5/x"), Err(Fault::Inside { .. })));
        let proxied = within(&["docker.io"], Others::Never);
        assert_eq!(check(&proxied, "a"), Ok(()));
        for repository in ["ghcr.io/a", "1.1.1.1/a"] {
            assert!(check(&proxied, repository).is_err(), "{repository}");
        }
    }
}
