//! The paths of MAIL and RCPT in their angle brackets
//! (RFC 5321 section 4.1.2).
//!
//! The mailbox itself is parsed by `types`; here are the brackets, the source
//! route, and where the path ends.

use types::{AddressError, EmailAddress, ForwardPath, ReversePath};

/// Longest path in octets, brackets included (RFC 5321 section 4.5.3.1.3),
/// as far as it is repeated to administrators.
const GIVEN_OCTETS_MAX: usize = 256;

/// Why a path is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The address does not stand in angle brackets.
    #[error("the address must stand in angle brackets")]
    NoBrackets,
    /// The opening bracket is not closed.
    #[error("the closing angle bracket is missing")]
    NotClosed,
    /// The line has control characters.
    #[error("the line has control characters")]
    ControlCharacter,
    /// The text is not UTF-8.
    #[error("the address is not UTF-8")]
    NotUtf8,
    /// `FROM:` or `TO:` does not stand before the address.
    #[error("FROM: or TO: must stand before the address")]
    NoKeyword,
    /// Something other than a blank follows the closing bracket.
    #[error("a blank must follow the closing angle bracket")]
    NotSeparated,
    /// `<>` where a recipient must be.
    #[error("the recipient is empty")]
    Empty,
    /// What stands in the brackets is no address.
    #[error("{0}")]
    Address(#[from] AddressError),
}

/// The text between the brackets and the text behind them.
pub(crate) fn split(text: &str) -> Result<(&str, &str), PathError> {
    let inner = text.strip_prefix('<').ok_or(PathError::NoBrackets)?;
    let close = closing_bracket(inner).ok_or(PathError::NotClosed)?;
    Ok((inner.get(..close).unwrap_or(""), inner.get(close + 1..).unwrap_or("")))
}

/// A quoted local part may contain brackets, and quotes behind a backslash.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// The reverse-path in `inner`, the text between the brackets.
pub(crate) fn reverse(inner: &str) -> Result<ReversePath, PathError> {
    if inner.is_empty() {
        return Ok(ReversePath::Null);
    }
    Ok(ReversePath::Address(mailbox(inner)?))
}

/// The forward-path in `inner`, the text between the brackets.
pub(crate) fn forward(inner: &str) -> Result<ForwardPath, PathError> {
    if inner.is_empty() {
        return Err(PathError::Empty);
    }
    if inner.eq_ignore_ascii_case("postmaster") {
        return Ok(ForwardPath::Postmaster);
    }
    Ok(ForwardPath::Address(mailbox(inner)?))
}

/// The mailbox behind an optional source route.
///
/// A server must accept `@one,@two:user@host` and should ignore the route
/// (RFC 5321 section 4.1.1.3 and appendix C): honouring it would relay for
/// anybody who can spell it.
fn mailbox(inner: &str) -> Result<EmailAddress, PathError> {
    let address = match inner.strip_prefix('@') {
        Some(_) => behind_route(inner).ok_or(AddressError::LocalSyntax)?,
        None => inner,
    };
    Ok(address.parse()?)
}

fn behind_route(inner: &str) -> Option<&str> {
    let (route, address) = split_route(inner)?;
    let well_formed = |hop: &str| {
        hop.strip_prefix('@').is_some_and(|domain| domain.parse::<types::Domain>().is_ok())
    };
    route.split(',').all(well_formed).then_some(address)
}

/// Splits at the colon that ends the route, which is the first one that does
/// not stand in an address literal: `@[IPv6:::1]:user@host`.
fn split_route(inner: &str) -> Option<(&str, &str)> {
    let mut literal = false;
    let at = inner.bytes().position(|byte| {
        match byte {
            b'[' => literal = true,
            b']' => literal = false,
            _ => {}
        }
        byte == b':' && !literal
    })?;
    Some((inner.get(..at)?, inner.get(at + 1..)?))
}

/// A malformed address as it can be shown to administrators: control
/// characters and broken UTF-8 replaced, cut at 256 octets.
pub(crate) fn shown(given: &[u8]) -> Box<str> {
    let given = given.get(..GIVEN_OCTETS_MAX).unwrap_or(given);
    String::from_utf8_lossy(given)
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let found = match split(path).and_then(|(inner, rest)| Ok((forward(inner)?, rest))) {
            Ok((path, rest)) => format!("{path}{rest}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn brackets_quotes_and_literals() {
        check("<a@b.example>", "<a@b.example>");
        check("<a@b.example> SIZE=1", "<a@b.example> SIZE=1");
        check(r#"<"a>b"@b.example>"#, r#"<"a>b"@b.example>"#);
        check(r#"<"a\"> @b"@b.example>x"#, r#"<"a\"> @b"@b.example>x"#);
        check("<a@[192.0.2.1]>", "<a@[192.0.2.1]>");
        check("<a@[IPv6:2001:db8::1]>", "<a@[IPv6:2001:db8::1]>");
        check("<PostMaster>", "<postmaster>");
    }

    #[test]
    fn source_routes_are_dropped() {
        check("<@one.example,@two.example:a@b.example>", "<a@b.example>");
        check("<@[IPv6:2001:db8::1]:a@b.example>", "<a@b.example>");
        check(
            "<@one.example>",
            "the part before the @ has a character that needs quotes, or a misplaced dot",
        );
        check(
            "<@one.example,two:a@b>",
            "the part before the @ has a character that needs quotes, or a misplaced dot",
        );
    }

    #[test]
    fn malformed_paths_say_why() {
        check("a@b.example", "the address must stand in angle brackets");
        check("<a@b.example", "the closing angle bracket is missing");
        check(r#"<"a@b.example>"#, "the closing angle bracket is missing");
        check("<>", "the recipient is empty");
        check("<a>", "an address needs a local part, an @ and a domain");
    }

    #[test]
    fn what_is_shown_has_no_control_characters() {
        assert_eq!(&*shown(b"<a\x1b[2J\xff>"), "<a?[2J\u{fffd}>");
        assert!(shown(&[b'a'; 5000]).len() <= GIVEN_OCTETS_MAX);
    }
}
