//! What every request that leaves this program has in common: its name, and which hosts are this machine.
//!
//! In: a URL. Out: whether its host is a loopback one, the only ones that plain HTTP is spoken to.

use std::net::IpAddr;

use reqwest::Url;

/// How this program names itself to whoever it asks.
pub(crate) const CLIENT: &str = concat!("laforge/", env!("CARGO_PKG_VERSION"));

/// Whether a URL's host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Whether one may go on from a URL to another: to a secure one, or from this machine to itself.
pub(crate) fn may_follow(from: &Url, to: &Url) -> bool {
    to.scheme() == "https" || to.scheme() == "http" && is_loopback(from) && is_loopback(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_security_for_no_host_but_this_machine() {
        let may = |from: &str, to: &str| may_follow(&from.parse().unwrap(), &to.parse().unwrap());
        assert!(may("https://a.example", "https://b.example"));
        assert!(
            may("http://127.0.0.1:5000", "http://[::1]:6000") && may("http://localhost", "https://a.example")
        );
        for (from, to) in [
            ("https://a.example", "http://a.example"),
            ("https://a.example", "http://localhost"),
            ("http://localhost", "http://localhost.example"),
            ("http://localhost", "ftp://localhost"),
        ] {
            assert!(!may(from, to), "{from} {to}");
        }
    }
}
