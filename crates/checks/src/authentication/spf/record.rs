//! The published policy of a domain (RFC 7208 sections 4.6, 5 and 6): a text
//! of terms, read as a whole before any of it counts, because one mistake
//! anywhere makes the policy void.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::SpfResult;

use super::macros::{MacroText, Place};

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SpfRecord {
    /// The mechanisms with what follows if one matches, in order.
    pub(super) directives: Vec<(SpfResult, Mechanism)>,
    /// Whose policy counts if none matches.
    pub(super) redirect: Option<MacroText>,
    /// Where the words for those who are refused stand.
    pub(super) exp: Option<MacroText>,
}

/// One mechanism. A name that is not given is the domain itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(MacroText),
    A(Option<MacroText>, Prefixes),
    Mx(Option<MacroText>, Prefixes),
    Ptr(Option<MacroText>),
    Network(IpAddr, Prefixes),
    Exists(MacroText),
}

/// How many bits of an address count, by family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    v4: u8,
    v6: u8,
}

impl Prefixes {
    const WHOLE: Prefixes = Prefixes { v4: 32, v6: 128 };

    /// Whether two addresses agree as far as it counts.
    pub(super) fn agree(self, one: IpAddr, other: IpAddr) -> bool {
        match (one, other) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                let differ = u32::from(one) ^ u32::from(other);
                differ.checked_shr(32 - u32::from(self.v4)).unwrap_or(0) == 0
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                let differ = u128::from(one) ^ u128::from(other);
                differ.checked_shr(128 - u32::from(self.v6)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Whether a text is a policy at all (RFC 7208 section 4.5).
pub(super) fn is_policy(text: &[u8]) -> bool {
    text.get(..6).is_some_and(|version| version.eq_ignore_ascii_case(b"v=spf1"))
        && matches!(text.get(6), None | Some(b' '))
}

impl SpfRecord {
    /// Reads a policy; nothing if anything in it breaks the grammar.
    pub(super) fn parse(text: &[u8]) -> Option<SpfRecord> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
        let mut record = SpfRecord::default();
        for term in text.get(6..)?.split(' ').filter(|term| !term.is_empty()) {
            match term.find([':', '/', '=']) {
                Some(at) if term.get(at..)?.starts_with('=') => record.modifier(term, at)?,
                _ => record.directives.push(directive(term)?),
            }
        }
        Some(record)
    }

    fn modifier(&mut self, term: &str, at: usize) -> Option<()> {
        let (name, value) = (term.get(..at)?, term.get(at + 1..)?);
        let place = match name.to_ascii_lowercase().as_str() {
            "redirect" => &mut self.redirect,
            "exp" => &mut self.exp,
            other => {
                let first = other.chars().next()?.is_ascii_alphabetic();
                let rest = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                let named = first && other.chars().all(rest);
                return (named && MacroText::parse(value, Place::Record).is_some()).then_some(());
            }
        };
        // Each may stand once (RFC 7208 section 6).
        match place.is_some() {
            true => None,
            false => {
                *place = Some(MacroText::parse_name(value)?);
                Some(())
            }
        }
    }
}

fn directive(term: &str) -> Option<(SpfResult, Mechanism)> {
    let (result, rest) = match term.chars().next()? {
        '+' => (SpfResult::Pass, term.get(1..)?),
        '-' => (SpfResult::Fail, term.get(1..)?),
        '~' => (SpfResult::SoftFail, term.get(1..)?),
        '?' => (SpfResult::Neutral, term.get(1..)?),
        _ => (SpfResult::Pass, term),
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, argument) = rest.split_at_checked(end)?;
    Some((result, mechanism(&name.to_ascii_lowercase(), argument)?))
}

/// Reads a mechanism; `argument` begins with its `:` or `/`, if there is one.
fn mechanism(name: &str, argument: &str) -> Option<Mechanism> {
    let value = argument.strip_prefix(':');
    match name {
        "all" if argument.is_empty() => Some(Mechanism::All),
        "include" => Some(Mechanism::Include(MacroText::parse_name(value?)?)),
        "exists" => Some(Mechanism::Exists(MacroText::parse_name(value?)?)),
        "ptr" if argument.is_empty() => Some(Mechanism::Ptr(None)),
        "ptr" => Some(Mechanism::Ptr(Some(MacroText::parse_name(value?)?))),
        "a" => name_and_prefixes(argument).map(|(name, prefixes)| Mechanism::A(name, prefixes)),
        "mx" => name_and_prefixes(argument).map(|(name, prefixes)| Mechanism::Mx(name, prefixes)),
        "ip4" => {
            let (network, v4) = network(value?, 32)?;
            let network: Ipv4Addr = network.parse().ok()?;
            Some(Mechanism::Network(network.into(), Prefixes { v4, ..Prefixes::WHOLE }))
        }
        "ip6" => {
            let (network, v6) = network(value?, 128)?;
            let network: Ipv6Addr = network.parse().ok()?;
            Some(Mechanism::Network(network.into(), Prefixes { v6, ..Prefixes::WHOLE }))
        }
        _ => None,
    }
}

fn network(text: &str, max: u8) -> Option<(&str, u8)> {
    match text.split_once('/') {
        Some((network, length)) => Some((network, length_of(length, max)?)),
        None => Some((text, max)),
    }
}

/// `:name/24//64`, each part optional. A name may have slashes of its own;
/// only digits at the very end are a length.
fn name_and_prefixes(argument: &str) -> Option<(Option<MacroText>, Prefixes)> {
    let mut prefixes = Prefixes::WHOLE;
    let mut rest = argument;
    if let Some((before, length)) = rest.rsplit_once("//")
        && length.chars().all(|c| c.is_ascii_digit())
    {
        prefixes.v6 = length_of(length, 128)?;
        rest = before;
    }
    if let Some((before, length)) = rest.rsplit_once('/')
        && length.chars().all(|c| c.is_ascii_digit())
    {
        prefixes.v4 = length_of(length, 32)?;
        rest = before;
    }
    match rest {
        "" => Some((None, prefixes)),
        named => Some((Some(MacroText::parse_name(named.strip_prefix(':')?)?), prefixes)),
    }
}

/// A length without leading zeros.
fn length_of(text: &str, max: u8) -> Option<u8> {
    let plain = text == "0" || (text.chars().all(|c| c.is_ascii_digit()) && !text.starts_with('0'));
    text.parse().ok().filter(|length| plain && *length <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mistake_makes_the_whole_policy_void() {
        for text in [
            "v=spf1 a",
            "v=spf1 +a:x.example/24//64 -all",
            "v=spf1 mx//64 ?all op=auth",
            "v=spf1  ip4:192.0.2.0/24  ip6:2001:db8::/32 ~all ",
            "v=spf1 a:foo:bar/baz.x.example -all",
            "V=SPF1 REDIRECT=_spf.example.com",
        ] {
            assert!(SpfRecord::parse(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "v=spf1 a/33",
            "v=spf1 a/032",
            "v=spf1 mx/24/64",
            "v=spf1 all:x",
            "v=spf1 include",
            "v=spf1 ip4:1.2.3",
            "v=spf1 ip6:::1/129",
            "v=spf1 nonsense",
            "v=spf1 =x",
            "v=spf1 redirect=a.example redirect=b.example",
            "v=spf1 a:\u{fc}.example",
            "v=spf1 -all\tx",
        ] {
            assert!(SpfRecord::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn prefixes_count_only_their_bits() {
        let agree = |v4, one: &str, other: &str| {
            Prefixes { v4, v6: 64 }.agree(one.parse().unwrap(), other.parse().unwrap())
        };
        assert!(agree(24, "192.0.2.1", "192.0.2.200"));
        assert!(!agree(25, "192.0.2.1", "192.0.2.200"));
        assert!(agree(0, "192.0.2.1", "198.51.100.1"));
        assert!(agree(32, "2001:db8::1", "2001:db8::2"));
        assert!(!agree(0, "192.0.2.1", "::1"));
    }
}
