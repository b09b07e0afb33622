//! The name of this machine as others see it.

use std::net::IpAddr;

use toml::Value as Raw;
use types::Domain;

use super::value::{Kind, Value, ValueError, malformed, text};

/// A host name as RFC 1123 section 2.1 and RFC 5321 section 2.3.5 have it:
/// labels of letters, digits and inner hyphens. Names of the name system may
/// hold more ([`Domain`] takes the underscore, which real senders have), but
/// servers that look at the name in a greeting refuse such a one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(Domain);

impl HostName {
    /// The name, if it is one of a host and no address.
    pub fn new(name: Domain) -> Option<HostName> {
        let text = name.as_str();
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'.';
        let is_host = text.bytes().all(plain) && text.parse::<IpAddr>().is_err();
        is_host.then_some(HostName(name))
    }

    /// Lower case, A-labels, no trailing dot.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Value for HostName {
    const KIND: Kind =
        Kind::text("a host name of letters, digits and hyphens", "\"mx1.corp.example\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let name = text(&Self::KIND, raw)?;
        name.parse().ok().and_then(HostName::new).ok_or_else(|| malformed(&Self::KIND, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_have_letters_digits_and_inner_hyphens() {
        let name = |text: &str| HostName::read(&Raw::String(text.to_owned())).ok();
        for (fine, written) in [
            ("MX1.Corp.Example", "mx1.corp.example"),
            ("localhost", "localhost"),
            ("3com.example", "3com.example"),
            ("m\u{fc}nchen.example", "xn--mnchen-3ya.example"),
        ] {
            assert_eq!(name(fine).unwrap().as_str(), written);
        }
        for wrong in ["mx_1", "mx_1.corp.example", "-mx.example", "mx-.example", "192.0.2.1"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
        for wrong in ["", ".", "mx..example", "[192.0.2.1]", "mx 1.example"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
