//! Where a request comes from: by the connection, or behind a trusted proxy
//! by what that says.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{HeaderMap, header};
use ipnet::IpNet;

/// The connection a request came over, as an extension of the request;
/// without one nothing is believed.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: IpAddr,
    /// Whether it is encrypted.
    pub tls: bool,
}

impl Default for Connection {
    fn default() -> Self {
        Connection { peer: Ipv4Addr::UNSPECIFIED.into(), tls: false }
    }
}

/// The fields of which a proxy adds at least one to what it passes on; the
/// last is that of RFC 7239.
const FORWARDED: [&str; 4] =
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"];

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The browser's or program's address.
    pub(crate) address: IpAddr,
    /// Whether it reached us, or the proxy before us, encrypted.
    pub(crate) https: bool,
    /// Whether a trusted proxy stands between.
    pub(crate) proxied: bool,
    /// Whether that says that it passes somebody's request on.
    pub(crate) forwarded: bool,
    /// The host with port that was asked for, in lower case.
    pub(crate) host: String,
}

impl Origin {
    /// Reads it; the fields that proxies add count from the trusted only,
    /// anybody can write them.
    pub(crate) fn of(connection: Connection, headers: &HeaderMap, trusted: &[IpNet]) -> Origin {
        let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
        let peer = connection.peer.to_canonical();
        let host = text(headers, header::HOST.as_str()).unwrap_or_default();
        let direct = Origin {
            address: peer,
            https: connection.tls,
            proxied: false,
            forwarded: false,
            host: host.to_ascii_lowercase(),
        };
        if !is_trusted(&peer) {
            return direct;
        }
        // Each proxy appends whom it heard from: the last that we do not
        // trust is the one who cannot lie about itself.
        let hops = list(headers, "x-forwarded-for");
        let hops: Vec<IpAddr> = hops.iter().rev().map_while(|hop| address(hop)).collect();
        let farthest = hops.last().copied();
        let address = hops.into_iter().find(|hop| !is_trusted(hop)).or(farthest).unwrap_or(peer);
        let scheme = list(headers, "x-forwarded-proto").pop();
        let host = list(headers, "x-forwarded-host").pop().unwrap_or(direct.host);
        Origin {
            address,
            https: scheme.map_or(direct.https, |scheme| scheme.eq_ignore_ascii_case("https")),
            proxied: true,
            forwarded: FORWARDED.iter().any(|name| headers.contains_key(*name)),
            host: host.to_ascii_lowercase(),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The entries of a list that may be spread over several fields.
fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let fields = headers.get_all(name).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).map(|entry| entry.trim().to_owned()).collect()
}

/// An address, with or without port and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().or_else(|_| {
        text.parse::<std::net::SocketAddr>()
            .map(|socket| socket.ip())
            .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>())
    });
    plain.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, fields: &[(&'static str, &'static str)]) -> Origin {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, axum::http::HeaderValue::from_static(value));
        }
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let connection = Connection { peer: peer.parse().unwrap(), tls: false };
        Origin::of(connection, &headers, &trusted)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let forged = [
            ("host", "Gate.example:8080"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
        ];
        let origin = of("192.0.2.1", &forged);
        assert_eq!(origin.address, IpAddr::from([192, 0, 2, 1]));
        assert_eq!(
            (origin.https, origin.proxied, &*origin.host),
            (false, false, "gate.example:8080")
        );
        let origin = of("10.1.1.1", &forged);
        assert_eq!(origin.address, IpAddr::from([127, 0, 0, 1]));
        assert_eq!((origin.https, origin.proxied, &*origin.host), (true, true, "evil.example"));
    }

    #[test]
    fn the_last_stranger_of_the_chain_is_the_client() {
        for (chain, client) in [
            ("203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("198.51.100.7:4711", "198.51.100.7"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("198.51.100.7, nonsense", "10.1.1.1"),
            ("", "10.1.1.1"),
        ] {
            let leaked: &'static str = Box::leak(chain.to_owned().into_boxed_str());
            let origin = of("10.1.1.1", &[("x-forwarded-for", leaked)]);
            assert_eq!(origin.address.to_string(), client, "{chain}");
        }
        assert_eq!(of("::ffff:10.1.1.1", &[]).address, IpAddr::from([10, 1, 1, 1]));
        let two = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(of("10.1.1.1", &two).address, IpAddr::from([198, 51, 100, 7]));
    }
}
