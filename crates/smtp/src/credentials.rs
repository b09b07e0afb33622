//! What a client proves itself with (RFC 4954): the mechanisms, their
//! responses, and the name and password they give.
//!
//! Two mechanisms, both of which say the password itself and so need an
//! encrypted connection: PLAIN (RFC 4616), and LOGIN, which no RFC describes
//! and printers speak. Mechanisms that prove a password without saying it
//! would need it, or what is as good, kept here.
//!
//! Passwords show in no `Debug` output, and are overwritten when they are
//! dropped.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest response in octets, line end included (RFC 4954 section 4).
pub const RESPONSE_OCTETS_MAX: usize = 12_288 + 2;

/// How a client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Name and password in one response.
    Plain,
    /// Name, then password.
    Login,
}

impl Mechanism {
    /// The one of this name, in any case.
    pub fn named(name: &[u8]) -> Option<Mechanism> {
        let known = [(Mechanism::Plain, &b"PLAIN"[..]), (Mechanism::Login, b"LOGIN")];
        let found = known.into_iter().find(|(_, known)| name.eq_ignore_ascii_case(known));
        found.map(|(mechanism, _)| mechanism)
    }
}

/// The response that stands in the command itself, as it was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InitialResponse<'l>(&'l [u8]);

impl<'l> InitialResponse<'l> {
    pub(crate) fn new(sent: &'l [u8]) -> Self {
        InitialResponse(sent)
    }

    /// In Base64; `=` is how an empty one is written there (RFC 4954
    /// section 4).
    pub(crate) fn encoded(self) -> &'l [u8] {
        if self.0 == b"=" { b"" } else { self.0 }
    }
}

impl fmt::Debug for InitialResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse(…)")
    }
}

/// A name and a password, not looked at yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    name: Box<str>,
    password: Octets,
}

impl Credentials {
    /// What a PLAIN response says (RFC 4616 section 2):
    /// `[authorization] NUL name NUL password`. To act for somebody else is
    /// offered to nobody, so an authorization other than the name is no more
    /// than a wrong password.
    pub(crate) fn plain(encoded: &[u8]) -> Result<Credentials, ResponseFault> {
        let message = Octets::decode(encoded)?;
        let mut parts = message.0.split(|octet| *octet == 0);
        let (Some(authorization), Some(name), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ResponseFault::Malformed);
        };
        let found = Credentials::new(text(name)?, Octets(password.into()))?;
        match authorization.is_empty() || authorization == name {
            true => Ok(found),
            false => Err(ResponseFault::ForAnother),
        }
    }

    /// What the two responses of LOGIN say.
    pub(crate) fn login(name: Box<str>, encoded: &[u8]) -> Result<Credentials, ResponseFault> {
        Credentials::new(name, Octets::decode(encoded)?)
    }

    fn new(name: Box<str>, password: Octets) -> Result<Credentials, ResponseFault> {
        let said = std::str::from_utf8(&password.0).map_err(|_| ResponseFault::Malformed)?;
        match name.is_empty() || said.is_empty() || said.contains('\0') {
            true => Err(ResponseFault::Malformed),
            false => Ok(Credentials { name, password }),
        }
    }

    /// The name as it was given: UTF-8 without NUL, not empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The password, likewise.
    pub fn password(&self) -> &str {
        // Looked at when it was made.
        std::str::from_utf8(&self.password.0).unwrap_or_default()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, …)", self.name)
    }
}

/// The name that the first response of LOGIN says.
pub(crate) fn login_name(encoded: &[u8]) -> Result<Box<str>, ResponseFault> {
    let name = text(&Octets::decode(encoded)?.0)?;
    match name.is_empty() || name.contains('\0') {
        true => Err(ResponseFault::Malformed),
        false => Ok(name),
    }
}

/// What is wrong with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseFault {
    /// It is no Base64, or not what the mechanism says.
    Malformed,
    /// It asks to act for somebody else.
    ForAnother,
}

fn text(octets: &[u8]) -> Result<Box<str>, ResponseFault> {
    std::str::from_utf8(octets).map(Box::from).map_err(|_| ResponseFault::Malformed)
}

/// Secret octets, overwritten when they are dropped.
#[derive(Clone, PartialEq, Eq)]
struct Octets(Box<[u8]>);

impl Octets {
    /// Strict Base64 (RFC 4648 section 4): padded, nothing between, no bits
    /// left over.
    fn decode(encoded: &[u8]) -> Result<Octets, ResponseFault> {
        let decoded = STANDARD.decode(encoded).map_err(|_| ResponseFault::Malformed)?;
        Ok(Octets(decoded.into()))
    }
}

impl Drop for Octets {
    fn drop(&mut self) {
        self.0.fill(0);
        // Or the compiler would see that nobody reads it, and not write.
        std::hint::black_box(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(message: &[u8]) -> Result<(String, String), ResponseFault> {
        let found = Credentials::plain(STANDARD.encode(message).as_bytes())?;
        Ok((found.name().to_owned(), found.password().to_owned()))
    }

    #[test]
    fn a_plain_response_has_three_parts() {
        let right = Ok(("ann".to_owned(), "s3cret".to_owned()));
        assert_eq!(plain(b"\0ann\0s3cret"), right);
        assert_eq!(plain(b"ann\0ann\0s3cret"), right);
        assert_eq!(plain(b"bob\0ann\0s3cret"), Err(ResponseFault::ForAnother));
        for wrong in [
            &b""[..],
            b"ann",
            b"ann\0s3cret",
            b"\0\0s3cret",
            b"\0ann\0",
            b"\0ann\0s3\0cret",
            b"\0ann\0\xff",
            b"\0\xff\0s3cret",
        ] {
            assert_eq!(plain(wrong), Err(ResponseFault::Malformed), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn base64_has_one_form() {
        assert!(Credentials::plain(b"AGEAYg==").is_ok());
        for wrong in ["AGEAYg", "AGEAYg=", "AGEAYh==", "AGEA Yg==", "AGEAYg==\r", "-GEAYg==", "="] {
            let found = Credentials::plain(wrong.as_bytes());
            assert_eq!(found, Err(ResponseFault::Malformed), "{wrong}");
        }
    }

    #[test]
    fn a_password_does_not_show() {
        let found = Credentials::plain(STANDARD.encode(b"\0ann\0s3cret").as_bytes()).unwrap();
        assert_eq!(format!("{found:?}"), "Credentials(\"ann\", …)");
    }

    proptest! {
        #[test]
        fn what_was_said_is_what_is_read(name in "[^\0]{1,40}", password in "[^\0]{1,40}") {
            let message = format!("\0{name}\0{password}");
            prop_assert_eq!(plain(message.as_bytes()), Ok((name.clone(), password.clone())));
            let first = login_name(STANDARD.encode(&name).as_bytes()).unwrap();
            let found = Credentials::login(first, STANDARD.encode(&password).as_bytes()).unwrap();
            prop_assert_eq!((found.name(), found.password()), (&*name, &*password));
        }

        #[test]
        fn nothing_panics(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Credentials::plain(&octets);
            let _ = login_name(&octets);
            let _ = plain(&octets);
        }
    }
}
