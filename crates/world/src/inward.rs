//! Which addresses lead inward: to this machine or into the operator's own
//! network. Whoever writes a reverse-path chooses where a notice goes, and
//! whoever sets an alert chooses a web address; neither must be able to aim
//! our connections at what only we can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

/// Whether what goes where somebody else chose must not be taken there:
/// loopback, private, shared, link-local, unspecified, broadcast and
/// multicast addresses (RFC 6890), and the ways to write such an IPv4 address
/// in IPv6. Addresses for documentation lead nowhere and are let be.
pub fn is_inward(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_inward_v4(ip),
        IpAddr::V6(ip) => is_inward_v6(ip),
    }
}

/// Where connections may go that somebody else chose: out, and to those
/// inward networks that the operator lists in a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    inward: Arc<[IpNet]>,
    setting: &'static str,
}

impl Reach {
    /// Out, and to these; `setting` is where they are listed.
    pub fn with(inward: Vec<IpNet>, setting: &'static str) -> Self {
        Reach { inward: inward.into(), setting }
    }

    /// Whether `ip` may be connected to.
    pub fn has(&self, ip: IpAddr) -> bool {
        let plain = ip.to_canonical();
        !is_inward(ip) || self.inward.iter().any(|net| net.contains(&plain))
    }

    /// The setting that lists inward networks, for people.
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

fn is_inward_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    // 0.0.0.0/8 is this host to many systems (RFC 1122 section 3.2.1.3).
    first == 0
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        // Shared by a provider and its customers (RFC 6598).
        || (first == 100 && second & 0xc0 == 64)
}

fn is_inward_v6(ip: Ipv6Addr) -> bool {
    let [first, second, third, .., seventh, eighth] = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_inward_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (first, second) {
        // Unspecified, loopback, and IPv4 compatible or mapped (RFC 4291 section 2.5.5).
        (0, 0) => v4(seventh, eighth),
        // Translation, well-known and local (RFC 6052, RFC 8215).
        (0x64, 0xff9b) => third != 0 || v4(seventh, eighth),
        // 6to4 (RFC 3056).
        (0x2002, high) => v4(high, third),
        // Unique local, link-local, site-local, multicast.
        _ => {
            first & 0xfe00 == 0xfc00
                || matches!(first & 0xffc0, 0xfe80 | 0xfec0)
                || ip.is_multicast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_inward_is_told_from_what_leads_out() {
        for (ip, inward) in [
            ("127.0.0.1", true),
            ("127.8.9.10", true),
            ("0.0.0.0", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("192.0.2.25", false),
            ("198.51.100.25", false),
            ("203.0.113.25", false),
            ("8.8.8.8", false),
            ("::", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:192.0.2.1", false),
            ("64:ff9b::10.0.0.1", true),
            ("64:ff9b::192.0.2.1", false),
            ("64:ff9b:1::1", true),
            ("2002:7f00:1::", true),
            ("2002:c000:201::", false),
            ("fc00::1", true),
            ("fd12::1", true),
            ("fe80::1", true),
            ("fec0::1", true),
            ("ff02::1", true),
            ("2001:db8::1", false),
            ("2a00::1", false),
        ] {
            assert_eq!(is_inward(ip.parse().unwrap()), inward, "{ip}");
        }
    }
}
