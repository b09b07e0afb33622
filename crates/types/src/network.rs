//! Networks as people write them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

/// Reads a network, or an address alone as the network of that one address:
/// `192.0.2.7` is `192.0.2.7/32`, `2001:db8::7` is `2001:db8::7/128`.
pub fn network_or_address(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Reads a list of such texts. They are written back with their prefix, as
/// every version wrote them.
pub(crate) fn networks_or_addresses<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        network_or_address(text).ok_or_else(|| {
            let short: String = text.chars().take(60).collect();
            serde::de::Error::custom(format!(
                "{short:?} is no network and no address, such as 192.0.2.0/24 or 192.0.2.7"
            ))
        })
    };
    texts.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
