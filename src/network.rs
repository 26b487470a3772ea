//! What every request that leaves this program has in common: its name, which hosts are this machine, and which
//! addresses are everybody's.
//!
//! In: a URL or an address. Out: whether its host is a loopback one, the only ones that plain HTTP is spoken to; whether
//! the address is public. Registries: <https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Whether an address is one of the internet's, and of nothing that is only seen from inside a network.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // Azure's agents, at an address that looks like anybody's:
    // <https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16>.
    const WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    match address.octets() {
        // This network, private, loopback, link-local (where clouds give out credentials).
        [0 | 10 | 127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..] => false,
        // Between a provider and its customers, the protocols' own, the old relays of 6to4.
        [100, 64..=127, ..] | [192, 0, 0, _] | [192, 88, 99, _] => false,
        // Documentation, benchmarks, multicast, reserved.
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18..=19, ..] | [224..=255, ..] => false,
        _ => address != WIRE_SERVER,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4 address in another spelling, and one behind a network's own translator (NAT64).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Tunnels (Teredo, ORCHID and the like, 6to4) and documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast; all else is this machine's, this link's, this site's, or nobody's.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inside a network, or nowhere.
    const INSIDE: &str = "\
        0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.9.9.9 169.254.169.254 \
        172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 \
        198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::ffff:127.0.0.1 \
        ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 100::1 2001::1 \
        2001:10::1 2001:db8::1 2002:7f00:1:: 3fff::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 5f00::1";

    /// Public, and next to what is not.
    const PUBLIC: &str = "\
        1.1.1.1 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.0.0.1 128.0.0.1 169.253.0.1 172.15.0.1 \
        172.32.0.1 192.0.1.1 192.167.0.1 198.17.0.1 198.20.0.1 223.255.255.255 168.63.129.17 ::ffff:1.1.1.1 \
        64:ff9b::1.1.1.1 2001:200::1 2606:4700::1111 2a00::1 2003::1 3ffe::1";

    #[test]
    fn an_address_inside_a_network_is_not_public_however_it_is_spelled() {
        for (addresses, public) in [(INSIDE, false), (PUBLIC, true)] {
            for address in addresses.split_whitespace() {
                assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
            }
        }
    }

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
