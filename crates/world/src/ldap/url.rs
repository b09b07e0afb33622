//! Where a directory server is.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::ServerName;

/// The text is no address of a directory server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LdapUrlError(&'static str);

/// The address of a server: `ldaps://dc1.corp.example` or
/// `ldap://127.0.0.1:3389`. What else a URL of RFC 4516 may have is set apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapUrl {
    secure: bool,
    host: String,
    port: u16,
}

impl LdapUrl {
    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 389 or, over TLS, 636 where none is named.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted from its first octet.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is this machine, as far as the text says.
    pub fn is_here(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        address.map_or(self.host == "localhost", |ip| ip.to_canonical().is_loopback())
    }
}

impl fmt::Display for LdapUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure { ("ldaps", 636) } else { ("ldap", 389) };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]", self.host)?,
            false => write!(f, "{scheme}://{}", self.host)?,
        }
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl FromStr for LdapUrl {
    type Err = LdapUrlError;

    fn from_str(text: &str) -> Result<LdapUrl, LdapUrlError> {
        let (secure, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ldaps") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ldap") => (false, rest),
            _ => return Err(LdapUrlError("it begins with ldap:// or ldaps://")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '@', '#']) {
            return Err(LdapUrlError(
                "behind host and port stands nothing: base and filter are set apart",
            ));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let usual = if secure { 636 } else { 389 };
        let port = match port.map(str::parse::<u16>) {
            None => usual,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return Err(LdapUrlError("its port is none")),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match bare.is_empty() || ServerName::try_from(bare).is_err() {
            true => Err(LdapUrlError("it names no host")),
            false => Ok(LdapUrl { secure, host: bare.to_ascii_lowercase(), port }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_scheme_host_and_port() {
        for (text, shown, port, here) in [
            ("ldaps://DC1.corp.example", "ldaps://dc1.corp.example", 636, false),
            ("ldap://127.0.0.1:3389/", "ldap://127.0.0.1:3389", 3_389, true),
            ("ldap://[::1]", "ldap://[::1]", 389, true),
            ("ldaps://[2001:db8::1]:7636", "ldaps://[2001:db8::1]:7636", 7_636, false),
            ("ldap://localhost:390", "ldap://localhost:390", 390, true),
        ] {
            let read: LdapUrl = text.parse().unwrap();
            assert_eq!(
                (read.to_string().as_str(), read.port(), read.is_here()),
                (shown, port, here)
            );
        }
        for wrong in [
            "",
            "dc1.corp.example",
            "http://dc1.corp.example",
            "ldap://",
            "ldap://:389",
            "ldap://host:0",
            "ldap://host:x",
            "ldap://me:secret@host",
            "ldap://host/dc=corp,dc=example",
            "ldap://ho st",
        ] {
            assert!(wrong.parse::<LdapUrl>().is_err(), "{wrong}");
        }
    }
}
