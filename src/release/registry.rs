//! Which registries are meant: a host, perhaps with its port, or every host below a domain.
//!
//! In: text such as `registry.example`, `registry.example:5000`, `*.example.com`, `10.0.0.5:5000`, `[fd00::5]:5000`.
//! Out: a [`RegistryPattern`], which knows a host and port when it sees them. A host without a port is meant with the
//! usual one of its scheme alone. Nothing is looked up.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Registries, by their host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryPattern {
    host: Host,
    /// None is the scheme's usual one.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case.
    Name(String),
    /// Everything below it, with its dot: `.example.com`.
    Below(String),
}

/// A text that names no registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no registry: expected a host such as `registry.example`, `registry.example:5000` or `*.example.com`"
)]
pub struct NoRegistry(String);

impl RegistryPattern {
    /// Whether a host and port, as a URL gives them (in lower case, IPv6 in brackets), are meant. `usual` is the port
    /// of the URL's scheme.
    pub fn is_of(&self, host: &str, port: u16, usual: u16) -> bool {
        let named = match &self.host {
            Host::Address(address) => address_of(host) == Some(*address),
            Host::Name(name) => host == name,
            Host::Below(domain) => {
                address_of(host).is_none()
                    && host.strip_suffix(domain.as_str()).is_some_and(|below| !below.is_empty())
            }
        };
        named && port == self.port.unwrap_or(usual)
    }
}

/// The address that a URL's host is, if it is one.
fn address_of(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

impl FromStr for RegistryPattern {
    type Err = NoRegistry;

    fn from_str(text: &str) -> Result<Self, NoRegistry> {
        let refuse = || NoRegistry(text.to_owned());
        let (host, port) = match text.rsplit_once(':') {
            // A colon inside brackets is the address's.
            Some((host, port)) if !port.ends_with(']') => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse().ok().filter(|port| digits && *port > 0).ok_or_else(refuse)?;
                (host, Some(port))
            }
            _ => (text, None),
        };
        let lower = host.to_ascii_lowercase();
        let host = match (address_of(&lower), lower.strip_prefix('*')) {
            (Some(address), _) => Host::Address(address),
            // All of a top-level domain is anybody.
            (None, Some(domain)) if domain.starts_with('.') && domain.matches('.').count() > 1 => {
                Host::Below(
                    named(domain.get(1..).unwrap_or_default())
                        .map(|_| domain.to_owned())
                        .ok_or_else(refuse)?,
                )
            }
            (None, _) => Host::Name(named(&lower).ok_or_else(refuse)?.to_owned()),
        };
        Ok(Self { host, port })
    }
}

/// A name of labels, and no address in another spelling: a URL would read `127.1` as one.
fn named(text: &str) -> Option<&str> {
    let letters =
        |label: &str| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let number = |label: &str| {
        label.starts_with(|first: char| first.is_ascii_digit())
            && label.bytes().all(|b| b.is_ascii_hexdigit() || b == b'x')
    };
    let whole = text.split('.').all(|label| !label.is_empty() && label.len() <= 63 && letters(label));
    let last = text.rsplit('.').next().unwrap_or_default();
    (whole && text.len() <= 253 && !number(last)).then_some(text)
}

impl fmt::Display for RegistryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Host::Address(address) => write!(f, "{address}")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Below(domain) => write!(f, "*{domain}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> RegistryPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_is_meant_with_its_port_and_in_any_spelling_of_its_address() {
        for (text, host, port) in [
            ("registry.example", "registry.example", 443),
            ("Registry.Example", "registry.example", 443),
            ("registry.example:443", "registry.example", 443),
            ("registry.example:5000", "registry.example", 5000),
            ("*.example.com", "a.example.com", 443),
            ("*.example.com", "a.b.example.com", 443),
            ("*.example.com:5000", "a.example.com", 5000),
            ("10.0.0.5:5000", "10.0.0.5", 5000),
            ("[FD00:0::5]:5000", "[fd00::5]", 5000),
            ("[fd00::5]", "[fd00::5]", 443),
            ("localhost:5000", "localhost", 5000),
        ] {
            assert!(pattern(text).is_of(host, port, 443), "{text}: {host}:{port}");
        }
        assert_eq!(pattern("*.Example.com:5000").to_string(), "*.example.com:5000");
        assert_eq!(pattern("[fd00:0::5]:5000").to_string(), "[fd00::5]:5000");
    }

    #[test]
    fn nothing_that_begins_or_ends_like_it_is_meant() {
        for (text, host, port) in [
            ("registry.example", "registry.example", 5000),
            ("registry.example", "registry.example", 22),
            ("registry.example:5000", "registry.example", 443),
            ("registry.example", "registry.example.evil.example", 443),
            ("registry.example", "evil-registry.example", 443),
            ("registry.example", "a.registry.example", 443),
            ("registry.example", "registry.example.", 443),
            ("*.example.com", "example.com", 443),
            ("*.example.com", ".example.com", 443),
            ("*.example.com", "evilexample.com", 443),
            ("*.example.com", "a.example.com.evil.example", 443),
            ("10.0.0.5", "10.0.0.50", 443),
        ] {
            assert!(!pattern(text).is_of(host, port, 443), "{text}: {host}:{port}");
        }
    }

    #[test]
    fn refuses_what_names_no_registry() {
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "a*.example.com",
            "*.*.example.com",
            "https://registry.example",
            "registry.example/a",
            "registry.example:",
            "registry.example:0",
            "registry.example:65536",
            "registry.example:+443",
            "a b",
            "a..b",
            ".example",
            "example.",
            "127.1",
            "0x7f000001",
            "2130706433",
            "1.2.3.4.5",
            "fd00::5",
            "[fd00::5",
            "[::g]",
            "user@registry.example",
            "registry.example:5000:1",
        ] {
            assert_eq!(text.parse::<RegistryPattern>(), Err(NoRegistry(text.to_owned())));
        }
    }
}
