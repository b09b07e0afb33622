//! Envelope addresses as RFC 5321 section 4.1.2 and RFC 6531 write them.
//!
//! An address keeps its text octet for octet, because that is what the next
//! hop must get, and beside it a key under which two spellings of the same
//! mailbox are equal, because that is what lists and triplets compare.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest domain in octets (RFC 5321 section 4.5.3.1.2).
pub const DOMAIN_OCTETS_MAX: usize = 255;
/// Longest address: a path of 256 octets less its angle brackets
/// (RFC 5321 section 4.5.3.1.3).
pub const ADDRESS_OCTETS_MAX: usize = 254;
/// Longest label of a domain in octets (RFC 1035 section 2.3.4).
const LABEL_OCTETS_MAX: usize = 63;

/// Why a text is no address. Whose fault it is depends on where the text
/// came from: a client, a settings file, or a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@`, or nothing before or after it.
    #[error("an address needs a local part, an @ and a domain")]
    Incomplete,
    /// The local part has a character or a dot where none is allowed.
    #[error("the part before the @ has a character that needs quotes, or a misplaced dot")]
    LocalSyntax,
    /// The domain is longer than 255 octets or one label longer than 63.
    #[error("the domain, or one of its labels, is too long")]
    DomainTooLong,
    /// The domain is no host name.
    #[error("the domain is not a valid host name")]
    DomainSyntax,
    /// The bracketed domain is no address literal.
    #[error("the address literal is not valid")]
    LiteralSyntax,
    /// The whole is longer than 254 octets.
    #[error("the address is longer than 254 octets")]
    TooLong,
}

/// A host or mail domain, compared in lower-case ASCII (A-label) form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Box<str>);

impl Domain {
    /// Lower case, A-labels, no trailing dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `self` is `parent` or lies below it.
    pub fn is_within(&self, parent: &Domain) -> bool {
        self.0
            .strip_suffix(parent.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The domain without its first label, if more than one label is left.
    pub fn parent(&self) -> Option<&str> {
        parent_of(&self.0)
    }
}

/// `b.c` for `a.b.c`; nothing for a single label or a literal.
pub fn parent_of(domain: &str) -> Option<&str> {
    if domain.starts_with('[') {
        return None;
    }
    domain.split_once('.').map(|(_, rest)| rest)
}

impl FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        domain_key(text).map(|key| Domain(key.into()))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Domain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A mailbox address: `local@domain`, as received.
///
/// Two addresses are equal if their [keys](EmailAddress::key) are.
#[derive(Clone)]
pub struct EmailAddress {
    raw: Box<str>,
    /// Only where it differs from `raw`: most addresses are their own key.
    key: Option<Box<str>>,
}

impl EmailAddress {
    /// The text as received, quotes and case kept.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The text under which spellings of the same mailbox are equal: lower
    /// case, needless quotes removed, domain as A-labels.
    ///
    /// RFC 5321 section 2.4 lets a local part be case-sensitive; no mail
    /// system in use is, and a list entry that misses by case is a hole.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.raw)
    }

    /// The local part as received.
    pub fn local(&self) -> &str {
        split(&self.raw).map_or("", |(local, _)| local)
    }

    /// The domain as received.
    pub fn domain(&self) -> &str {
        split(&self.raw).map_or("", |(_, domain)| domain)
    }

    /// The domain in its comparable form.
    pub fn domain_key(&self) -> &str {
        split(self.key()).map_or("", |(_, domain)| domain)
    }

    /// Whether it is the postmaster of its domain, whom every server has
    /// (RFC 5321 section 4.5.1).
    pub fn is_postmaster(&self) -> bool {
        split(self.key()).is_some_and(|(local, _)| local == "postmaster")
    }

    /// Whether the address can be sent to a server without SMTPUTF8
    /// (RFC 6531 section 3.2).
    pub fn is_ascii(&self) -> bool {
        self.raw.is_ascii()
    }
}

/// Splits at the last `@`: a quoted local part may contain others.
fn split(address: &str) -> Option<(&str, &str)> {
    address.rsplit_once('@')
}

impl FromStr for EmailAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_OCTETS_MAX {
            return Err(AddressError::TooLong);
        }
        let (local, domain) = split(text).ok_or(AddressError::Incomplete)?;
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Incomplete);
        }
        let local_key = local_key(local)?;
        let key = format!("{local_key}@{}", domain_key(domain)?);
        let key = (key != text).then(|| key.into());
        Ok(EmailAddress { raw: text.into(), key })
    }
}

/// Checks a local part and returns its comparable form. Its length is not
/// looked at: 64 octets are what everybody must take at least (RFC 5321 section
/// 4.5.3.1), and bounce addresses with a recipient inside are often longer.
fn local_key(local: &str) -> Result<String, AddressError> {
    let Some(quoted) = local.strip_prefix('"') else {
        return if is_dot_string(local) {
            Ok(lower(local))
        } else {
            Err(AddressError::LocalSyntax)
        };
    };
    let content = unquote(quoted).ok_or(AddressError::LocalSyntax)?;
    if is_dot_string(&content) { Ok(lower(&content)) } else { Ok(lower(local)) }
}

fn lower(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() }
}

/// The content of a quoted string whose opening quote is gone; nothing if it
/// is not closed, or has a control character or a bare quote.
fn unquote(quoted: &str) -> Option<String> {
    let mut content = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return rest.as_str().is_empty().then_some(content),
            '\\' => content.push(rest.next().filter(|c| matches!(c, ' '..='~'))?),
            c if c.is_control() => return None,
            c => content.push(c),
        }
    }
    None
}

/// `Dot-string` of RFC 5321 section 4.1.2, with the non-ASCII characters of
/// RFC 6531 section 3.3.
fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// `atext` of RFC 5322 section 3.2.3, extended by RFC 6532 section 3.2.
fn is_atext(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '/' | '=' | '?' | '^' | '_'
        | '`' | '{' | '|' | '}' | '~' => true,
        c => !c.is_ascii() && !c.is_control() && !c.is_whitespace(),
    }
}

/// Checks a domain or address literal and returns its comparable form.
fn domain_key(domain: &str) -> Result<String, AddressError> {
    if let Some(literal) = domain.strip_prefix('[') {
        let literal = literal.strip_suffix(']').ok_or(AddressError::LiteralSyntax)?;
        return literal_ip(literal).map(|ip| match ip {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[ipv6:{ip}]"),
        });
    }
    let key = if domain.is_ascii() {
        domain.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii(domain).map_err(|_| AddressError::DomainSyntax)?
    };
    check_host_name(&key).map(|()| key)
}

/// Letters, digits and inner hyphens per label (RFC 5321 section 4.1.2), and
/// the underscore, which real sending domains have.
fn check_host_name(name: &str) -> Result<(), AddressError> {
    if name.len() > DOMAIN_OCTETS_MAX {
        return Err(AddressError::DomainTooLong);
    }
    for label in name.split('.') {
        if label.len() > LABEL_OCTETS_MAX {
            return Err(AddressError::DomainTooLong);
        }
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let hyphen_at_edge = label.starts_with('-') || label.ends_with('-');
        if label.is_empty() || hyphen_at_edge || !label.bytes().all(inner) {
            return Err(AddressError::DomainSyntax);
        }
    }
    Ok(())
}

/// The address in an address literal, brackets removed
/// (RFC 5321 section 4.1.3).
pub fn literal_ip(literal: &str) -> Result<IpAddr, AddressError> {
    let v6 = literal.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    let ip = match v6 {
        Some(_) => literal.get(5..).and_then(|ip| ip.parse::<Ipv6Addr>().ok()).map(IpAddr::V6),
        None => literal.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    };
    ip.ok_or(AddressError::LiteralSyntax)
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for EmailAddress {}

impl Hash for EmailAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for EmailAddress {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EmailAddress {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(other.key())
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.raw)
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.raw)
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What MAIL FROM names (RFC 5321 section 4.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: a bounce, to which nobody may answer with another.
    Null,
    /// Where failures are reported to.
    Address(EmailAddress),
}

impl ReversePath {
    /// The address without brackets; empty for the null reverse-path.
    pub fn as_str(&self) -> &str {
        self.address().map_or("", EmailAddress::as_str)
    }

    /// The address, if there is one.
    pub fn address(&self) -> Option<&EmailAddress> {
        match self {
            ReversePath::Null => None,
            ReversePath::Address(address) => Some(address),
        }
    }

    /// The comparable form; empty for the null reverse-path.
    pub fn key(&self) -> &str {
        self.address().map_or("", EmailAddress::key)
    }
}

/// What RCPT TO names (RFC 5321 section 4.1.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, which every server must accept
    /// (RFC 5321 section 4.5.1).
    Postmaster,
    /// A mailbox.
    Address(EmailAddress),
}

impl ForwardPath {
    /// Whether it is a postmaster, bare or of a domain.
    pub fn is_postmaster(&self) -> bool {
        self.address().is_none_or(EmailAddress::is_postmaster)
    }

    /// The address without brackets, or `postmaster`.
    pub fn as_str(&self) -> &str {
        self.address().map_or("postmaster", EmailAddress::as_str)
    }

    /// The address, unless it is the bare postmaster.
    pub fn address(&self) -> Option<&EmailAddress> {
        match self {
            ForwardPath::Postmaster => None,
            ForwardPath::Address(address) => Some(address),
        }
    }

    /// The comparable form.
    pub fn key(&self) -> &str {
        self.address().map_or("postmaster", EmailAddress::key)
    }

    /// The comparable domain; empty for the bare postmaster.
    pub fn domain_key(&self) -> &str {
        self.address().map_or("", EmailAddress::domain_key)
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

impl Serialize for ReversePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ReversePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(ReversePath::Null);
        }
        text.parse().map(ReversePath::Address).map_err(serde::de::Error::custom)
    }
}

impl Serialize for ForwardPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ForwardPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.eq_ignore_ascii_case("postmaster") {
            return Ok(ForwardPath::Postmaster);
        }
        text.parse().map(ForwardPath::Address).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, key: &str) {
        let address: EmailAddress = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(address.as_str(), text);
        assert_eq!(address.key(), key, "{text}");
    }

    #[test]
    fn spellings_of_one_mailbox_share_a_key() {
        check("ann@sender.example", "ann@sender.example");
        check("Ann@SENDER.Example", "ann@sender.example");
        check("\"ann\"@sender.example", "ann@sender.example");
        check("\"a b\"@sender.example", "\"a b\"@sender.example");
        check("\"a@b\"@sender.example", "\"a@b\"@sender.example");
        check("b\u{fc}ro@b\u{fc}cher.example", "b\u{fc}ro@xn--bcher-kva.example");
        check("ann@[192.0.2.1]", "ann@[192.0.2.1]");
        check("ann@[IPv6:2001:DB8::1]", "ann@[ipv6:2001:db8::1]");
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        use AddressError::*;
        for (text, error) in [
            ("ann", Incomplete),
            ("@sender.example", Incomplete),
            ("ann@", Incomplete),
            (".ann@sender.example", LocalSyntax),
            ("a..b@sender.example", LocalSyntax),
            ("a b@sender.example", LocalSyntax),
            ("\"ann@sender.example", LocalSyntax),
            ("\"a\"b\"@sender.example", LocalSyntax),
            ("ann@-sender.example", DomainSyntax),
            ("ann@sender..example", DomainSyntax),
            ("ann@sender example", DomainSyntax),
            ("ann@[300.0.2.1]", LiteralSyntax),
            ("ann@[IPv6:zz]", LiteralSyntax),
        ] {
            assert_eq!(text.parse::<EmailAddress>(), Err(error), "{text}");
        }
        let long = |octets| "a".repeat(octets) + "@sender.example";
        assert!(long(ADDRESS_OCTETS_MAX - 15).parse::<EmailAddress>().is_ok());
        assert_eq!(long(ADDRESS_OCTETS_MAX - 14).parse::<EmailAddress>(), Err(TooLong));
        let long = format!("ann@{}.example", "a".repeat(64));
        assert_eq!(long.parse::<EmailAddress>(), Err(DomainTooLong));
    }

    #[test]
    fn a_domain_lies_within_its_parents_only() {
        let domain: Domain = "mx.corp.example".parse().unwrap();
        assert!(domain.is_within(&"corp.example".parse().unwrap()));
        assert!(domain.is_within(&domain));
        assert!(!domain.is_within(&"orp.example".parse().unwrap()));
        assert_eq!(domain.parent(), Some("corp.example"));
    }
}
