//! Which addresses count as one client.

use std::net::IpAddr;

use types::triplet::prefix_v6;

/// The address under which a client's connections and rates are counted: an
/// IPv6 client owns its whole /64 and can send each message from another
/// address of it.
pub fn host_key(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6(prefix_v6(v6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_client_is_counted_once_for_its_whole_network() {
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let other: IpAddr = "2001:db8::ffff:1".parse().unwrap();
        assert_eq!(host_key(one), host_key(other));
        assert_ne!(host_key("192.0.2.1".parse().unwrap()), host_key("192.0.2.2".parse().unwrap()));
    }
}
