//! The spellings under which an address is looked up: itself, its domain and
//! what lies above its domain.
//!
//! Each spelling is a piece of the address itself (`ann@mx.corp.example`,
//! `@mx.corp.example`, `.corp.example`, `.example`), so that a look-up
//! allocates nothing, and the three kinds cannot be confused.

use types::lists::{Pattern, SenderPattern};
use types::policy::DomainPattern;

/// What of a mail a spelling of a managed sender is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Basis {
    /// Who it says it is from, in the envelope or in the From field.
    Address,
    /// Who signed it.
    Signature,
}

/// How precisely a scope or an entry names somebody; the greater is the more
/// specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Anybody.
    Everyone,
    /// Internal or external.
    Side,
    /// Everything below a domain of so many labels: `*.mx.example` is more
    /// specific than `*.example`.
    Below(u8),
    /// One domain.
    Domain,
    /// A group.
    Group,
    /// A value of an attribute in a directory.
    Attribute,
    /// One address.
    Address,
}

/// The spelling under which a pattern is stored, and its rank.
pub(crate) fn spelling(pattern: &Pattern) -> (String, Rank) {
    match pattern {
        Pattern::Address(address) => (address.key().to_owned(), Rank::Address),
        Pattern::Domain(domain) => domain_spelling(domain),
    }
}

/// The same of a managed sender, and what it is compared with.
pub(crate) fn sender_spelling(pattern: &SenderPattern) -> (Basis, String, Rank) {
    let (basis, (spelling, rank)) = match pattern {
        SenderPattern::Named(pattern) => (Basis::Address, spelling(pattern)),
        SenderPattern::Signed(domain) => (Basis::Signature, domain_spelling(domain)),
    };
    (basis, spelling, rank)
}

/// As [`spelling`], of a domain or what lies below it.
pub(crate) fn domain_spelling(pattern: &DomainPattern) -> (String, Rank) {
    let domain = &pattern.domain;
    match pattern.below {
        true => (format!(".{domain}"), Rank::Below(labels(domain.as_str()))),
        false => (format!("@{domain}"), Rank::Domain),
    }
}

/// The rank of what is stored under a spelling.
pub(crate) fn rank_of(spelling: &str) -> Rank {
    match spelling.strip_prefix('.') {
        Some(domain) => Rank::Below(labels(domain)),
        None if spelling.starts_with('@') => Rank::Domain,
        None => Rank::Address,
    }
}

/// All spellings that cover an address in comparable form, the most specific
/// first; none if it has no domain.
pub(crate) fn spellings(address: &str) -> impl Iterator<Item = (&str, Rank)> {
    let parts = address.rfind('@').and_then(|place| address.split_at_checked(place));
    parts.into_iter().flat_map(move |(_, at_domain)| {
        std::iter::once((address, Rank::Address)).chain(domain_spellings(at_domain))
    })
}

/// All spellings that cover a domain, given with an `@` before it, the most
/// specific first.
pub(crate) fn domain_spellings(at_domain: &str) -> impl Iterator<Item = (&str, Rank)> {
    std::iter::once((at_domain, Rank::Domain)).chain(parents(at_domain))
}

/// `.b.c` and `.c` of `@a.b.c`. An address literal has none: its dots
/// separate no labels.
fn parents(at_domain: &str) -> impl Iterator<Item = (&str, Rank)> {
    let named = if at_domain.starts_with("@[") { "" } else { at_domain };
    named.match_indices('.').filter_map(move |(place, _)| {
        let parent = named.get(place..)?;
        Some((parent, Rank::Below(labels(parent.trim_start_matches('.')))))
    })
}

fn labels(domain: &str) -> u8 {
    u8::try_from(domain.split('.').count()).unwrap_or(u8::MAX)
}
