//! Which addresses count as one client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use types::policy::ClientIdentity;

/// The address under which a client's connections and rates are counted: an
/// IPv6 client owns its whole /64 and can send each message from another
/// address of it.
pub fn host_key(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6(prefix_v6(v6)),
    }
}

/// The client part of a triplet's key, as people read it.
pub(crate) fn identity_text(ip: IpAddr, identity: ClientIdentity) -> Arc<str> {
    match (identity, ip) {
        (ClientIdentity::Address, ip) => ip.to_string().into(),
        (ClientIdentity::Network, IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0)).into()
        }
        (ClientIdentity::Network, IpAddr::V6(v6)) => format!("{}/64", prefix_v6(v6)).into(),
    }
}

fn prefix_v6(ip: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ip: &str, address: &str, network: &str) {
        let ip = ip.parse().unwrap();
        assert_eq!(&*identity_text(ip, ClientIdentity::Address), address);
        assert_eq!(&*identity_text(ip, ClientIdentity::Network), network);
    }

    #[test]
    fn a_network_is_a_24_or_a_64() {
        check("192.0.2.77", "192.0.2.77", "192.0.2.0/24");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
    }

    #[test]
    fn one_ipv6_client_is_counted_once_for_its_whole_network() {
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let other: IpAddr = "2001:db8::ffff:1".parse().unwrap();
        assert_eq!(host_key(one), host_key(other));
        assert_ne!(host_key("192.0.2.1".parse().unwrap()), host_key("192.0.2.2".parse().unwrap()));
    }
}
