//! Who is on the lists of the demo: a file of addresses, and a zone of
//! domains that [`crate::DemoNames`] answers for.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use world::DnsError;

use crate::cast;
use crate::origin::{Origin, Side};

/// The list that is a file, by the name that the policies use.
pub const ADDRESS_LIST: &str = "addresses.lists.example";
/// The list that is a zone.
const DOMAIN_ZONE: &str = "domains.lists.example";
/// Whose servers are in the file.
const LISTED_SERVERS: &[&str] = &["leased-host.test"];
/// Which domains are in the zone; the first is its test entry (RFC 5782
/// section 5).
const LISTED_DOMAINS: &[&str] = &["test", "parcel-update.test"];

/// The file, as a set of rbldnsd.
pub fn address_list() -> String {
    let mut text = String::from(
        "# Addresses that sent unwanted mail, as rbldnsd has them.\n\
         :127.0.0.2:Sent unwanted mail, see https://lists.example/?$\n",
    );
    for net in LISTED_SERVERS.iter().filter_map(|domain| cast::net_of(domain)) {
        for (side, v6) in [
            (Side::Simulated, false),
            (Side::Simulated, true),
            (Side::Loopback, false),
            (Side::Loopback, true),
        ] {
            let network = Origin { net, host: 0, v6 }.address(side);
            let length = if network.is_ipv4() { 24 } else { 64 };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{network}/{length}");
        }
    }
    text
}

/// What the zone says of a name; nothing for a name that is not in it.
pub(crate) fn in_zone(name: &str) -> Option<Result<Vec<IpAddr>, DnsError>> {
    let domain = entry(name)?;
    Some(match LISTED_DOMAINS.contains(&domain) {
        true => Ok(vec![IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4))]),
        false => Err(DnsError::NoSuchName),
    })
}

/// The explanation of a listing.
pub(crate) fn text_in_zone(name: &str) -> Option<String> {
    let domain = entry(name).filter(|domain| LISTED_DOMAINS.contains(domain))?;
    Some(format!("Seen in unwanted mail, see https://lists.example/?{domain}"))
}

fn entry(name: &str) -> Option<&str> {
    name.strip_suffix(DOMAIN_ZONE)?.strip_suffix('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_servers_are_listed_on_either_side() {
        let text = address_list();
        let net = cast::net_of("leased-host.test").unwrap();
        for line in [format!("198.18.{net}.0/24"), format!("127.8.{net}.0/24")] {
            assert!(text.lines().any(|other| other == line), "{text}");
        }
        assert!(text.contains(&format!("2001:db8:0:{net:x}::/64")), "{text}");
    }

    #[test]
    fn the_zone_has_its_test_entry_and_no_other() {
        assert!(in_zone("test.domains.lists.example").unwrap().is_ok());
        assert!(in_zone("invalid.domains.lists.example").unwrap().is_err());
        assert!(in_zone("parcel-update.test.domains.lists.example").unwrap().is_ok());
        assert_eq!(in_zone("parcel-update.test"), None);
        assert!(text_in_zone("supplier.example.domains.lists.example").is_none());
    }
}
