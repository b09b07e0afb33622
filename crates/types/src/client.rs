//! Who is on the other end of a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::triplet::prefix_v6;

/// The connecting mail server, as the connection itself shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Client {
    /// The address, from the PROXY header where one is expected. An
    /// IPv4-mapped IPv6 address is given as IPv4.
    pub ip: IpAddr,
    /// The TCP port of the client.
    pub port: u16,
    /// The listener that took the connection, as `address:port`.
    pub listener: Arc<str>,
    /// Which way its mail goes.
    pub direction: Direction,
}

/// Which way mail goes, by the listener it came through.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the world to us.
    #[default]
    Inbound,
    /// From servers of our own to the world.
    Outbound,
}

impl Direction {
    /// The name in events, searches and the API.
    pub const fn slug(self) -> &'static str {
        match self {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        }
    }

    /// Whether it comes from the world; serde hands over references.
    pub fn is_inbound(&self) -> bool {
        *self == Direction::Inbound
    }
}

/// What is known of the client once it has spoken; grows with the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(from = "FlatFacts", into = "FlatFacts")]
pub struct ClientFacts {
    /// The connection; written beside the other fields, not below a key.
    pub client: Client,
    /// Forward-confirmed reverse DNS name, if one was looked up and found.
    pub host_name: Option<Arc<str>>,
    /// The argument of EHLO or HELO, as sent.
    pub helo: Option<Arc<str>>,
    /// Whether the client said EHLO rather than HELO.
    pub esmtp: bool,
    /// The TLS parameters, after STARTTLS.
    pub tls: Option<TlsFacts>,
}

/// [`ClientFacts`] as they are written: all fields on one level.
///
/// `#[serde(flatten)]` would say the same, but it reads through a buffer that
/// takes every format for a human-readable one, so that an address in a
/// stored record could be written and never read back.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
struct FlatFacts {
    ip: IpAddr,
    port: u16,
    listener: Arc<str>,
    #[serde(default, skip_serializing_if = "Direction::is_inbound")]
    direction: Direction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host_name: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    helo: Option<Arc<str>>,
    #[serde(default)]
    esmtp: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<TlsFacts>,
}

impl From<FlatFacts> for ClientFacts {
    fn from(flat: FlatFacts) -> Self {
        let FlatFacts { ip, port, listener, direction, host_name, helo, esmtp, tls } = flat;
        let client = Client { ip, port, listener, direction };
        ClientFacts { client, host_name, helo, esmtp, tls }
    }
}

impl From<ClientFacts> for FlatFacts {
    fn from(facts: ClientFacts) -> Self {
        let ClientFacts { client, host_name, helo, esmtp, tls } = facts;
        let Client { ip, port, listener, direction } = client;
        FlatFacts { ip, port, listener, direction, host_name, helo, esmtp, tls }
    }
}

/// The address under which a client is counted, whatever is counted: an IPv6
/// client owns its whole /64 and can send from another address of it each
/// time.
pub fn host_key(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(prefix_v6(v6)),
        v4 => v4,
    }
}

/// The network of a client, by its first address: the /24, or the /48 for
/// IPv6, which is what one customer of a provider has.
pub fn network_key(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !0xff)),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 48))),
    }
}

/// What STARTTLS agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: Arc<str>,
    /// The cipher suite by its IANA name.
    pub cipher: Arc<str>,
}

impl TlsFacts {
    /// Whether it is version 1.2 or newer. We offer no other, but a server
    /// that asks may.
    pub fn is_current(&self) -> bool {
        let minor = self.version.strip_prefix("TLSv1.").map(str::parse::<u32>);
        matches!(minor, Some(Ok(minor)) if minor >= 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_are_broken_are_not_current() {
        let is_current =
            |version: &str| TlsFacts { version: version.into(), cipher: "".into() }.is_current();
        assert!(["TLSv1.2", "TLSv1.3"].into_iter().all(is_current));
        assert!(!["TLSv1", "TLSv1.1", "SSLv3", "", "TLSv1.x"].into_iter().any(is_current));
    }

    #[test]
    fn one_ipv6_client_is_counted_once_for_its_whole_network() {
        let key = |ip: &str| host_key(ip.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
