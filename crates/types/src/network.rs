//! Networks as people write them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

/// Reads a network, or an address alone as the network of that one address:
/// `192.0.2.7` is `192.0.2.7/32`, `2001:db8::7` is `2001:db8::7/128`.
pub fn network_or_address(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Why a text is not taken as a network from somebody who writes one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It is none; the text is cut.
    #[error("{0:?} is no network and no address, such as 192.0.2.0/24 or 192.0.2.7")]
    Malformed(String),
    /// It names an address and means a network around it, or the other way
    /// round: both are told, because a slip of this kind can mean millions.
    #[error("{0} has host bits; write {network} or {host}", network = .0.trunc(), host = IpNet::from(.0.addr()))]
    HostBits(IpNet),
}

/// The same network, unless it has bits beyond its prefix, as `10.0.0.5/8` has.
/// What was stored before this was looked at has them still and means the whole
/// network: only for what somebody writes.
///
/// # Errors
/// [`NetworkError::HostBits`].
pub fn without_host_bits(network: IpNet) -> Result<IpNet, NetworkError> {
    match network == network.trunc() {
        true => Ok(network),
        false => Err(NetworkError::HostBits(network)),
    }
}

/// Reads a network or an address as somebody writes it.
///
/// # Errors
/// It is none, or has host bits.
pub fn written_network(text: &str) -> Result<IpNet, NetworkError> {
    let malformed = || NetworkError::Malformed(text.chars().take(TEXT_CHARS_MAX).collect());
    without_host_bits(network_or_address(text).ok_or_else(malformed)?)
}

/// Longest text quoted in an error, in characters.
const TEXT_CHARS_MAX: usize = 60;

/// Reads a list of such texts. They are written back with their prefix, as
/// every version wrote them.
pub(crate) fn networks_or_addresses<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        network_or_address(text).ok_or_else(|| {
            let short = text.chars().take(TEXT_CHARS_MAX).collect();
            serde::de::Error::custom(NetworkError::Malformed(short))
        })
    };
    texts.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_refused_with_both_that_may_be_meant() {
        for (text, why) in [
            ("10.0.0.5/8", "10.0.0.5/8 has host bits; write 10.0.0.0/8 or 10.0.0.5/32"),
            (
                "2001:db8::7/32",
                "2001:db8::7/32 has host bits; write 2001:db8::/32 or 2001:db8::7/128",
            ),
            (
                "mx.example",
                "\"mx.example\" is no network and no address, such as 192.0.2.0/24 or 192.0.2.7",
            ),
        ] {
            assert_eq!(written_network(text).unwrap_err().to_string(), why);
        }
        assert_eq!(written_network("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert!(written_network("192.0.2.0/24").is_ok());
    }

    #[test]
    fn what_was_stored_with_host_bits_is_still_read() {
        let json = serde_json::json!(["10.0.0.5/8"]);
        let read = networks_or_addresses(json).unwrap();
        assert_eq!(read, ["10.0.0.5/8".parse::<IpNet>().unwrap()]);
    }

    #[test]
    fn an_address_alone_is_the_network_of_one_address() {
        for (text, written) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::7", "2001:db8::7/128"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(network_or_address(text).unwrap().to_string(), written);
        }
        for wrong in ["", "192.0.2", "192.0.2.7/33", "192.0.2.7/", "[::1]", "mx.example"] {
            assert_eq!(network_or_address(wrong), None, "{wrong}");
        }
    }
}
