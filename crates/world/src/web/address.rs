//! Addresses on the web, read strictly: whoever writes one chooses where our
//! connection goes.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use rustls::pki_types::ServerName;

/// Longest web address, in octets.
const ADDRESS_OCTETS_MAX: usize = 1_000;

/// The text is no web address that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a web address: {0}")]
pub struct WebAddressError(&'static str);

/// Something on the web: `https://hooks.example/portcullis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    text: String,
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query.
    pub(super) place: String,
}

impl WebAddress {
    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it goes over TLS; if not, it must lead to this machine.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// All of it that is no secret: what stands after the host often is one.
    pub fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// What stands in the Host field: without the port where it is the usual.
    pub(super) fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for WebAddress {
    type Err = WebAddressError;

    fn from_str(text: &str) -> Result<Self, WebAddressError> {
        let wrong = |why| Err(WebAddressError(why));
        if text.len() > ADDRESS_OCTETS_MAX {
            return wrong("it is longer than 1,000 characters");
        }
        if text.contains('#') {
            return wrong("what follows a # is never sent");
        }
        let Ok(uri) = text.parse::<Uri>() else {
            return wrong("it is https://host/path, with what is not ASCII encoded");
        };
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return wrong("it begins with https://"),
        };
        let Some(authority) = uri.authority() else { return wrong("it names no host") };
        if authority.as_str().contains('@') {
            return wrong("a name or password in it would be shown to everybody who sees it");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || ServerName::try_from(host).is_err() {
            return wrong("it names no host");
        }
        let port = match (authority.port_u16(), authority.as_str().rsplit_once(':')) {
            (Some(0), _) => return wrong("its port is none"),
            (Some(port), _) => port,
            // A port that is no number is no port.
            (None, Some((before, _))) if !before.starts_with('[') || before.ends_with(']') => {
                return wrong("its port is none");
            }
            (None, _) if secure => 443,
            (None, _) => 80,
        };
        let place = uri.path_and_query().map_or("/", |place| place.as_str()).to_owned();
        let (text, host) = (text.to_owned(), host.to_ascii_lowercase());
        Ok(WebAddress { text, secure, host, port, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_are_read_and_what_hides_something_is_refused() {
        for (text, host, port, place, authority) in [
            ("https://hooks.example/a?b=c", "hooks.example", 443, "/a?b=c", "hooks.example"),
            ("https://Hooks.Example", "hooks.example", 443, "/", "hooks.example"),
            ("https://hooks.example:8443/", "hooks.example", 8_443, "/", "hooks.example:8443"),
            ("https://[2001:db8::1]/x", "2001:db8::1", 443, "/x", "[2001:db8::1]"),
            ("http://127.0.0.1:9000/x", "127.0.0.1", 9_000, "/x", "127.0.0.1:9000"),
        ] {
            let read: WebAddress = text.parse().unwrap();
            assert_eq!((read.host(), read.port, read.place.as_str()), (host, port, place));
            assert_eq!((read.authority().as_str(), read.to_string().as_str()), (authority, text));
        }
        let long = format!("https://hooks.example/{}", "a".repeat(1_000));
        for wrong in [
            "",
            "hooks.example",
            "/only/a/path",
            "ftp://hooks.example/",
            "https://",
            "https:///x",
            "https://hooks.example:0/",
            "https://hooks.example:x/",
            "https://hooks.example:99999/",
            "https://me:secret@hooks.example/",
            "https://hooks.example/#secret",
            "https://hooks example/",
            "https://hooks.example/\r\nX: y",
            "https://h\u{f6}\u{f6}ks.example/",
            &long,
        ] {
            assert!(wrong.parse::<WebAddress>().is_err(), "{wrong}");
        }
    }
}
