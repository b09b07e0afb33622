//! Our cookies.
//!
//! Over HTTPS they have the prefix `__Host-` (RFC 6265bis section 4.1.3.2):
//! only this host can have set them, for all of it and encrypted. Over plain
//! HTTP, which is served on loopback only, a name without it: not every
//! browser takes a `Secure` cookie there. The port is part of that name,
//! because cookies do not know ports and two gateways can run on one machine.

use axum::http::{HeaderMap, HeaderValue, header};

use super::origin::Origin;
use super::provider::BACK_WITHIN;

/// What a cookie is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Says who is signed in.
    Session,
    /// Proves that the password was right, while the code is asked for.
    Code,
    /// Ties the forms before sign-in to the browser they were shown in.
    Visitor,
    /// Ties an answer of the sign-in service to the browser that was sent
    /// there.
    Provider,
}

impl Cookie {
    /// The name it has towards this client.
    pub(crate) fn name(self, origin: &Origin) -> String {
        let name = match self {
            Cookie::Session => "session",
            Cookie::Code => "code",
            Cookie::Visitor => "visitor",
            Cookie::Provider => "provider",
        };
        if origin.https {
            return format!("__Host-{name}");
        }
        let port = origin.host.rsplit_once(':').map_or("", |(_, port)| port);
        let port: String = port.chars().filter(char::is_ascii_digit).collect();
        format!("{name}-{}", if port.is_empty() { "80" } else { &port })
    }

    /// Its value in a request.
    pub(crate) fn find<'a>(self, headers: &'a HeaderMap, origin: &Origin) -> Option<&'a str> {
        let name = self.name(origin);
        let fields = headers.get_all(header::COOKIE).iter();
        fields
            .filter_map(|field| field.to_str().ok())
            .flat_map(|field| field.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(found, value)| *found == name && !value.is_empty())
            .map(|(_, value)| value)
    }

    /// The field that sets it until the browser is closed or the session
    /// ends (the one for the sign-in service: as long as its answer is waited
    /// for), or with nothing takes it away. `Lax`, so that a link in a ticket
    /// opens signed in, and the answer of the service finds its cookie.
    pub(crate) fn set(self, value: Option<&str>, origin: &Origin) -> Option<HeaderValue> {
        let secure = if origin.https { "; Secure" } else { "" };
        let age = match (value, self) {
            (None, _) => "; Max-Age=0".to_owned(),
            (Some(_), Cookie::Provider) => format!("; Max-Age={}", BACK_WITHIN.as_secs()),
            (Some(_), _) => String::new(),
        };
        let (name, value) = (self.name(origin), value.unwrap_or(""));
        let field = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        HeaderValue::from_str(&field).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(https: bool, host: &str) -> Origin {
        let (address, host) = ([127, 0, 0, 1].into(), host.to_owned());
        Origin { address, https, proxied: false, forwarded: false, host }
    }

    #[test]
    fn cookies_are_bound_to_the_host_over_https() {
        let origin = origin(true, "gate.example");
        let field = Cookie::Session.set(Some("abc"), &origin).unwrap();
        assert_eq!(field, "__Host-session=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("rail=narrow; session-80=no"));
        assert_eq!(Cookie::Session.find(&headers, &origin), None);
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-session=abc"));
        assert_eq!(Cookie::Session.find(&headers, &origin), Some("abc"));
    }

    #[test]
    fn on_loopback_the_port_is_in_the_name() {
        assert_eq!(Cookie::Session.name(&origin(false, "127.0.0.1:8080")), "session-8080");
        assert_eq!(Cookie::Code.name(&origin(false, "localhost")), "code-80");
        let sent = Cookie::Provider.set(Some("abc"), &origin(true, "gate.example")).unwrap();
        assert_eq!(
            sent,
            "__Host-provider=abc; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"
        );
        let gone = Cookie::Visitor.set(None, &origin(false, "[::1]:81")).unwrap();
        assert_eq!(gone, "visitor-81=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    }
}
