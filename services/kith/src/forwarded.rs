//! Who asks behind a proxy: what proxies say of it is believed of those that were named as trusted, and of nobody else.

use std::net::IpAddr;

use anyhow::{Context, bail};
use hyper::{HeaderMap, header::HeaderName};
use ipnet::IpNet;

/// Most hops that are looked at, a count.
const HOPS_MAX: usize = 16;
/// RFC 7239.
const FORWARDED: &str = "forwarded";
/// What came before it, and is still what most proxies say.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Proxies that are trusted.
#[derive(Debug, Clone)]
pub struct Proxies {
    networks: Vec<IpNet>,
    header: HeaderName,
}

impl Proxies {
    /// Proxies in these networks, which say in this header for whom they ask.
    ///
    /// # Errors
    /// If one is no network or address, or the header is not one of the two that say it.
    pub fn new(networks: &[String], header: &str) -> anyhow::Result<Self> {
        let header = match header.to_ascii_lowercase().as_str() {
            FORWARDED => HeaderName::from_static(FORWARDED),
            X_FORWARDED_FOR => HeaderName::from_static(X_FORWARDED_FOR),
            _ => bail!("forwarded_header must be {X_FORWARDED_FOR} or {FORWARDED}"),
        };
        let network = |text: &String| {
            let parsed = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            parsed.with_context(|| format!("trusted_proxies: {text} is no address and no network such as 10.0.0.0/8"))
        };
        Ok(Self { networks: networks.iter().map(network).collect::<Result<_, _>>()?, header })
    }

    /// Whether a proxy at this address is trusted.
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// For whom a trusted peer asks: the last address in its header that is not a trusted proxy's itself. Whoever is
    /// before that could have written anything. If there is none, the one that is nearest to it.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines: Vec<_> = headers.get_all(&self.header).iter().filter_map(|line| line.to_str().ok()).collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        let mut nearest = peer;
        for hop in hops.take(HOPS_MAX) {
            // A name, or nothing that can be understood: whatever is before it is not believed.
            let Some(address) = self.address(hop) else { break };
            nearest = address;
            if !self.trust(address) {
                break;
            }
        }
        nearest
    }

    fn address(&self, hop: &str) -> Option<IpAddr> {
        let hop = hop.trim();
        if self.header == X_FORWARDED_FOR {
            return address(hop);
        }
        let pairs = hop.split(';').filter_map(|pair| pair.split_once('='));
        let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value);
        named.next().filter(|_| named.next().is_none()).and_then(|value| address(value.trim().trim_matches('"')))
    }
}

/// An address, with or without a port; of IPv6 with brackets or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: &str, lines: &[&str]) -> String {
        let proxies = Proxies::new(&["10.0.0.0/8".into(), "2001:db8::/32".into()], header).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::try_from(header).unwrap(), line.parse().unwrap());
        }
        proxies.client("10.0.0.1".parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn who_asks_is_the_last_who_is_not_a_trusted_proxy() {
        for (lines, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
            (&["198.51.100.1, 192.0.2.1, 10.9.9.9"], "192.0.2.1"),
            (&["198.51.100.1", "192.0.2.1", "10.9.9.9"], "192.0.2.1"),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["[2001:db9::1]:4711"], "2001:db9::1"),
            (&["2001:db9::1, 2001:db8::1"], "2001:db9::1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            (&["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            (&["192.0.2.1, unknown, 10.2.2.2"], "10.2.2.2"),
            (&["192.0.2.1, , 10.2.2.2"], "10.2.2.2"),
            (&["evil"], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(client(X_FORWARDED_FOR, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_header_of_the_standard_is_understood_as_well() {
        for (lines, expected) in [
            (&["for=192.0.2.1"][..], "192.0.2.1"),
            (&["for=198.51.100.1, For=\"192.0.2.1:4711\";proto=https;by=10.0.0.1"], "192.0.2.1"),
            (&["proto=http;for=\"[2001:db9::1]:4711\", for=10.0.0.9"], "2001:db9::1"),
            (&["for=192.0.2.1, for=_hidden"], "10.0.0.1"),
            (&["for=192.0.2.1;for=192.0.2.2"], "10.0.0.1"),
            (&["192.0.2.1"], "10.0.0.1"),
        ] {
            assert_eq!(client(FORWARDED, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_so_many_hops_are_looked_at() {
        let many = ["192.0.2.1"].into_iter().chain(["10.1.1.1"; HOPS_MAX]).collect::<Vec<_>>().join(",");
        assert_eq!(client(X_FORWARDED_FOR, &[&many]), "10.1.1.1");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in ["", "10.0.0.0/33", "example.org", "10.0.0"] {
            assert!(Proxies::new(&[wrong.into()], FORWARDED).is_err(), "{wrong}");
        }
        assert!(Proxies::new(&[], "x-real-ip").is_err());
        let one = Proxies::new(&["192.0.2.1".into(), "::1".into()], "X-Forwarded-For").unwrap();
        let trusts = |address: &str| one.trust(address.parse().unwrap());
        assert!(trusts("192.0.2.1") && trusts("::ffff:192.0.2.1") && trusts("::1") && !trusts("192.0.2.2"));
    }
}
