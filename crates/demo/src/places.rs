//! Where the demo's visitors are: a map of made-up countries over addresses
//! of documentation, benchmark and loopback ranges. The codes XA to XZ of ISO
//! 3166 are left to users and belong to nobody.

use std::fmt::Write;
use std::net::IpAddr;

use crate::cast::{self, ANY_NET};
use crate::origin::{Origin, Side};

/// Where the servers of one domain are.
const SOMEWHERE: &[(&str, &str)] = &[("faraway.test", "XF"), ("overseas.example", "XO")];
/// Where everybody else is, by turns.
const ELSEWHERE: &[&str] = &["XA", "XB", "XC", "XD"];

/// The map, as `portcullis geo import` writes one.
pub fn map() -> String {
    let mut text = String::from("# portcullis places 1\n# made up for the demo\n");
    for (side, v6) in [
        (Side::Simulated, false),
        (Side::Simulated, true),
        (Side::Loopback, false),
        (Side::Loopback, true),
    ] {
        for net in 0..=ANY_NET {
            let at = |host| Origin { net, host, v6 }.address(side);
            let last = match at(255) {
                IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) | u128::from(u64::MAX)).into()),
                v4 => v4,
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}-{last} {}", at(0), country(net));
        }
    }
    text
}

fn country(net: u8) -> &'static str {
    let known = SOMEWHERE.iter().find(|(domain, _)| cast::net_of(domain) == Some(net));
    let turn = usize::from(net) % ELSEWHERE.len();
    known.map_or_else(|| ELSEWHERE.get(turn).copied().unwrap_or("XA"), |(_, country)| country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_one_country() {
        let text = map();
        let net = cast::net_of("faraway.test").unwrap();
        for line in [
            format!("198.18.{net}.0-198.18.{net}.255 XF"),
            format!("127.8.{net}.0-127.8.{net}.255 XF"),
            format!("2001:db8:0:{net:x}::-2001:db8:0:{net:x}:ffff:ffff:ffff:ffff XF"),
            "203.0.113.0-203.0.113.255 XC".to_owned(),
        ] {
            assert!(text.lines().any(|other| other == line), "{line}");
        }
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 4 * 256);
    }
}
