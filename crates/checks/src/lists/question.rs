//! What is looked up in a list, and by which name in its zone.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use types::Domain;

/// An address or a domain that is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListKey {
    /// The client's address.
    Ip(IpAddr),
    /// A domain in comparable form.
    Name(Domain),
}

/// The two kinds of things a zone can hold; each has test entries of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Addresses,
    Names,
}

/// Longest name without the dot of the root (RFC 1035 section 2.3.4).
const NAME_OCTETS_MAX: usize = 253;

impl ListKey {
    /// The key of a name that a client gave; nothing for an address literal,
    /// a single label, or what is no name at all.
    pub fn name(given: &str) -> Option<ListKey> {
        let domain: Domain = given.trim_end_matches('.').parse().ok()?;
        let name = domain.as_str();
        (!name.starts_with('[') && name.contains('.') && name.is_ascii())
            .then_some(ListKey::Name(domain))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            ListKey::Ip(_) => Kind::Addresses,
            ListKey::Name(_) => Kind::Names,
        }
    }

    /// What is looked up, as people write it.
    pub(super) fn written(&self) -> String {
        match self {
            ListKey::Ip(ip) => ip.to_string(),
            ListKey::Name(name) => name.as_str().to_owned(),
        }
    }

    /// The name to ask about in `zone`; nothing if there is none, or if the
    /// question would tell strangers what they cannot know: addresses of
    /// private networks mean something else to everybody.
    pub(super) fn in_zone(&self, zone: &Domain) -> Option<String> {
        let name = match self {
            ListKey::Ip(ip) if !is_public(ip.to_canonical()) => return None,
            ListKey::Ip(ip) => address_in(ip.to_canonical(), zone),
            ListKey::Name(name) => format!("{name}.{zone}"),
        };
        (name.len() <= NAME_OCTETS_MAX).then_some(name)
    }
}

/// The address with its parts reversed, before the zone (RFC 5782 sections
/// 2.1 and 2.4: octets of IPv4, nibbles of IPv6).
fn address_in(ip: IpAddr, zone: &Domain) -> String {
    let mut name = String::new();
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            // Writing to a String cannot fail.
            let _ = write!(name, "{d}.{c}.{b}.{a}.");
        }
        IpAddr::V6(ip) => {
            for octet in ip.octets().into_iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
        }
    }
    name.push_str(zone.as_str());
    name
}

/// Whether an address means the same to everybody. Those for documentation
/// count: nobody else uses them.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_multicast()
                || a == 0
                || shared)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_multicast())
        }
    }
}

impl Kind {
    /// The names of the entry every zone has and of the one none has (RFC
    /// 5782 section 5).
    pub(super) fn test_entries(self, zone: &Domain) -> [String; 2] {
        let there = |last| address_in(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), zone);
        match self {
            Kind::Addresses => [there(2), there(1)],
            Kind::Names => [format!("test.{zone}"), format!("invalid.{zone}")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Domain {
        "bl.example".parse().unwrap()
    }

    #[test]
    fn addresses_are_reversed_by_octets_and_nibbles() {
        let of = |ip: &str| ListKey::Ip(ip.parse().unwrap()).in_zone(&zone());
        assert_eq!(of("192.0.2.99").unwrap(), "99.2.0.192.bl.example");
        assert_eq!(of("::ffff:192.0.2.99").unwrap(), "99.2.0.192.bl.example");
        // The example of RFC 5782 section 2.4.
        assert_eq!(
            of("2001:db8:1:2:3:4:567:89ab").unwrap(),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example"
        );
    }

    #[test]
    fn addresses_of_ones_own_network_are_asked_of_nobody() {
        for ip in ["127.0.0.2", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.1.1"] {
            assert_eq!(ListKey::Ip(ip.parse().unwrap()).in_zone(&zone()), None, "{ip}");
        }
        for ip in ["100.64.0.1", "0.0.0.0", "::", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.2"] {
            assert_eq!(ListKey::Ip(ip.parse().unwrap()).in_zone(&zone()), None, "{ip}");
        }
    }

    #[test]
    fn only_whole_names_are_asked_about() {
        let key = |name: &str| ListKey::name(name).map(|key| key.written());
        assert_eq!(key("Mail.Evil.Example.").unwrap(), "mail.evil.example");
        for none in ["[192.0.2.1]", "localhost", "", "a b.example", "..", "x..y"] {
            assert_eq!(key(none), None, "{none}");
        }
        let long = format!("{}example", "abcdefghi.".repeat(24));
        let long = ListKey::name(&long).unwrap();
        assert_eq!(long.in_zone(&"zone.zone.example".parse().unwrap()), None);
    }

    #[test]
    fn test_entries_are_those_of_rfc_5782() {
        assert_eq!(
            Kind::Addresses.test_entries(&zone()),
            ["2.0.0.127.bl.example", "1.0.0.127.bl.example"]
        );
        assert_eq!(Kind::Names.test_entries(&zone()), ["test.bl.example", "invalid.bl.example"]);
    }
}
