//! Where a visitor comes from: a network and a host in it, which is an
//! address of documentation or benchmark ranges in the simulated week and one
//! of 127.0.0.0/8 when the visit is real.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of the balancer.
pub(crate) const BALANCER_NET: u8 = 58;

/// On which side of the wire the visitors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// In a simulated network.
    Simulated,
    /// On the loopback interface of this machine.
    Loopback,
}

/// One visitor's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// The network: a /24, or a /64 of IPv6.
    pub(crate) net: u8,
    /// The host in it.
    pub(crate) host: u8,
    /// Whether it has IPv6. On loopback there is but one such address, so
    /// there it is a network of IPv4 of its own.
    pub(crate) v6: bool,
}

impl Origin {
    /// The balancer that stands before the gateway; some visitors come through
    /// it.
    pub(crate) const BALANCER: Origin = Origin { net: BALANCER_NET, host: 10, v6: false };

    /// The address a visit comes from.
    pub(crate) fn address(self, side: Side) -> IpAddr {
        let Origin { net, host, v6 } = self;
        match (side, v6) {
            (Side::Simulated, false) => IpAddr::V4(simulated(net, host)),
            (Side::Simulated, true) => {
                let net = u16::from(net);
                let host = u16::from(host);
                IpAddr::V6(Ipv6Addr::new(0x2001, 0x0db8, 0, net, 0, 0, 0, host))
            }
            (Side::Loopback, false) => IpAddr::V4(Ipv4Addr::new(127, 8, net, host)),
            (Side::Loopback, true) => IpAddr::V4(Ipv4Addr::new(127, 9, net, host)),
        }
    }

    /// The place an address stands for, if it is one of ours.
    pub(crate) fn of(address: IpAddr) -> Option<Origin> {
        let place = |net, host, v6| Some(Origin { net, host, v6 });
        match address {
            IpAddr::V4(v4) => match v4.octets() {
                [127, 8, net, host] | [198, 18, net, host] => place(net, host, false),
                [127, 9, net, host] => place(net, host, true),
                [192, 0, 2, host] => place(0, host, false),
                [198, 51, 100, host] => place(1, host, false),
                [203, 0, 113, host] => place(2, host, false),
                _ => None,
            },
            IpAddr::V6(v6) => match v6.segments() {
                [0x2001, 0x0db8, 0, net, 0, 0, 0, host] => {
                    place(u8::try_from(net).ok()?, u8::try_from(host).ok()?, true)
                }
                _ => None,
            },
        }
    }
}

/// RFC 5737 for the first three networks, RFC 2544 for the rest.
pub(crate) fn simulated(net: u8, host: u8) -> Ipv4Addr {
    match net {
        0 => Ipv4Addr::new(192, 0, 2, host),
        1 => Ipv4Addr::new(198, 51, 100, host),
        2 => Ipv4Addr::new(203, 0, 113, host),
        net => Ipv4Addr::new(198, 18, net, host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_its_address_on_either_side() {
        for net in [0, 1, 2, 3, 99, 255] {
            for v6 in [false, true] {
                let origin = Origin { net, host: 77, v6 };
                for side in [Side::Simulated, Side::Loopback] {
                    let address = origin.address(side);
                    assert_eq!(Origin::of(address), Some(origin), "{address}");
                    assert_eq!(address.is_loopback(), side == Side::Loopback);
                }
            }
        }
        assert_eq!(Origin::of("127.0.0.1".parse().unwrap()), None);
    }
}
