//! To which addresses something may be sent whose URL somebody else chose: to such as anybody can reach, and to none in
//! the house (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is one of the internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Those that the registry of special addresses (RFC 6890) calls global.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network, protocol assignments, relays of 6to4.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] => true,
        [100, second, ..] => second & 0xc0 == 64, // shared by carriers, RFC 6598
        [198, second, ..] => second & 0xfe == 18, // benchmarks
        [first, ..] => first >= 240,              // reserved, broadcast
    };
    let by_name = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation();
    !special && !by_name
}

/// Only what is given out to be reached (`2000::/3`), but for what stands for something else: a tunnel, an older address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let given_out = first & 0xe000 == 0x2000;
    let special = match (first, second) {
        (0x2001, second) => second < 0x200 || second == 0xdb8, // protocol assignments with Teredo, documentation
        (0x2002 | 0x3ffe, _) => true,                          // 6to4, the 6bone
        (0x3fff, second) => second < 0x1000,                   // documentation
        _ => false,
    };
    given_out && !special
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_of_the_house_are_none_of_the_internet() {
        for inner in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
        for outer in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(outer.parse().unwrap()), "{outer}");
        }
    }

    proptest! {
        #[test]
        fn no_way_to_write_an_inner_address_into_another_one_makes_it_public(last in any::<[u8; 3]>()) {
            let inner = Ipv4Addr::new(127, last[0], last[1], last[2]);
            let [a, b] = [u16::from_be_bytes([127, last[0]]), u16::from_be_bytes([last[1], last[2]])];
            for written in [
                IpAddr::V4(inner),
                IpAddr::V6(inner.to_ipv6_mapped()),
                IpAddr::V6(inner.to_ipv6_compatible()),
                IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b)),
                IpAddr::V6(Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1)),
            ] {
                prop_assert!(!is_public(written), "{}", written);
            }
        }
    }
}
