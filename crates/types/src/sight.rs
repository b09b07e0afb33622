//! Whose mail somebody sees: everybody's, or that of some recipient domains
//! and groups.
//!
//! A [`Limit`] is what is kept with an account: names. A [`Sight`] is what it
//! comes to at this moment, with the members its groups have now.
//!
//! What belongs to no recipient (a refused MAIL, a connection that never
//! reached RCPT, a notice to somebody elsewhere) belongs to nobody who is
//! limited.

use std::collections::HashSet;
use std::sync::Arc;

use crate::address::{EmailAddress, ForwardPath, ReversePath, parent_of};
use crate::client::Direction;
use crate::event::Event;
use crate::lists::Pattern;
use crate::policy::DomainPattern;

/// Most domains of one account.
pub const DOMAINS_MAX: usize = 100;
/// Most groups of one account.
pub const GROUPS_MAX: usize = 20;

/// To whose mail an account is limited: domains, and groups by their names.
/// At least one of either, since none at all would look like no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    domains: Vec<DomainPattern>,
    groups: Vec<String>,
}

/// These domains and groups limit nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// None at all: that would be nobody's mail, and look like everybody's.
    #[error("a limit needs at least one domain or group")]
    Empty,
    /// Too many domains.
    #[error("these are more than {DOMAINS_MAX} domains")]
    TooManyDomains,
    /// Too many groups.
    #[error("these are more than {GROUPS_MAX} groups")]
    TooManyGroups,
}

impl Limit {
    /// To the mail of these domains (`corp.example`, or `*.corp.example` for
    /// all below it) and of the members of these groups.
    ///
    /// # Errors
    ///
    /// There is none of either, or more than [`DOMAINS_MAX`] or
    /// [`GROUPS_MAX`].
    pub fn new(domains: Vec<DomainPattern>, groups: Vec<String>) -> Result<Limit, LimitError> {
        match (domains.len(), groups.len()) {
            (0, 0) => Err(LimitError::Empty),
            (DOMAINS_OVER.., _) => Err(LimitError::TooManyDomains),
            (_, GROUPS_OVER..) => Err(LimitError::TooManyGroups),
            _ => Ok(Limit { domains, groups }),
        }
    }

    /// Its domains.
    pub fn domains(&self) -> &[DomainPattern] {
        &self.domains
    }

    /// The names of its groups.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}

const DOMAINS_OVER: usize = DOMAINS_MAX + 1;
const GROUPS_OVER: usize = GROUPS_MAX + 1;

/// Addresses and domains, each found by a hash of its text: a look-up costs
/// the same however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSet {
    addresses: HashSet<Box<str>>,
    domains: HashSet<Box<str>>,
    below: HashSet<Box<str>>,
    mark: Box<str>,
}

impl AddressSet {
    /// A set of these. Two sets with the same `mark` have to be the same.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a Pattern>, mark: &str) -> Self {
        let mut set = AddressSet { mark: mark.into(), ..AddressSet::default() };
        for pattern in patterns {
            match pattern {
                Pattern::Address(address) => set.addresses.insert(address.key().into()),
                Pattern::Domain(domain) => match domain.below {
                    true => set.below.insert(domain.domain.as_str().into()),
                    false => set.domains.insert(domain.domain.as_str().into()),
                },
            };
        }
        set
    }

    /// Whether an address in comparable form is in it, itself or by its
    /// domain.
    pub fn has(&self, key: &str) -> bool {
        let domain = || key.rsplit_once('@').map(|(_, domain)| domain);
        self.addresses.contains(key) || domain().is_some_and(|domain| self.has_domain(domain))
    }

    /// Whether all addresses of a domain are in it, by the domain.
    pub fn has_domain(&self, domain: &str) -> bool {
        self.domains.contains(domain) || self.has_above(domain)
    }

    fn has_above(&self, domain: &str) -> bool {
        let mut above = std::iter::successors(parent_of(domain), |above| parent_of(above));
        !self.below.is_empty() && above.any(|above| self.below.contains(above))
    }

    /// What tells it from others.
    pub fn mark(&self) -> &str {
        &self.mark
    }
}

/// Whose mail a caller sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// Everybody's.
    #[default]
    Everything,
    /// That of some recipients.
    Limited(Arc<Limited>),
}

/// A limit with what its groups hold at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    limit: Limit,
    members: Arc<AddressSet>,
}

impl Limited {
    /// What it is by name.
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    /// The members of its groups.
    pub fn members(&self) -> &Arc<AddressSet> {
        &self.members
    }

    fn sees_domain(&self, domain: &str) -> bool {
        let mut named = self.limit.domains.iter();
        named.any(|pattern| pattern.matches(domain)) || self.members.has_domain(domain)
    }

    fn sees_key(&self, key: &str) -> bool {
        let Some((_, domain)) = key.rsplit_once('@') else { return false };
        self.sees_domain(domain) || self.members.has(key)
    }

    fn sees_all_of(&self, pattern: &DomainPattern) -> bool {
        let DomainPattern { domain, below } = pattern;
        let by_members = match below {
            true => {
                let below = &self.members.below;
                below.contains(domain.as_str()) || self.members.has_above(domain.as_str())
            }
            false => self.members.has_domain(domain.as_str()),
        };
        by_members || self.limit.domains.iter().any(|own| is_within(pattern, own))
    }
}

impl Sight {
    /// The mail of these domains.
    ///
    /// # Errors
    ///
    /// There is none, or there are more than [`DOMAINS_MAX`].
    pub fn of(domains: Vec<DomainPattern>) -> Result<Sight, LimitError> {
        Limit::new(domains, Vec::new()).map(|limit| Sight::within(limit, Arc::default()))
    }

    /// What a limit leaves, whose groups have these members now. A group that
    /// is not there has none: of it nothing is seen.
    pub fn within(limit: Limit, members: Arc<AddressSet>) -> Sight {
        Sight::Limited(Arc::new(Limited { limit, members }))
    }

    /// Whether it is everybody's mail.
    pub fn is_everything(&self) -> bool {
        matches!(self, Sight::Everything)
    }

    /// What it is limited to; nothing where it is not.
    pub fn limited(&self) -> Option<&Limited> {
        match self {
            Sight::Everything => None,
            Sight::Limited(limited) => Some(limited),
        }
    }

    /// The domains it is limited to; empty where it is not, or to groups
    /// alone.
    pub fn domains(&self) -> &[DomainPattern] {
        self.limited().map_or(&[], |limited| limited.limit.domains())
    }

    /// The groups it is limited to; empty where it is not, or to domains
    /// alone.
    pub fn groups(&self) -> &[String] {
        self.limited().map_or(&[], |limited| limited.limit.groups())
    }

    /// Whether all mail of a domain is in it; the domain in comparable form.
    pub fn sees_domain(&self, domain: &str) -> bool {
        self.limited().is_none_or(|limited| limited.sees_domain(domain))
    }

    /// Whether the mail of an address in comparable form is in it.
    pub fn sees_key(&self, key: &str) -> bool {
        self.limited().is_none_or(|limited| limited.sees_key(key))
    }

    /// Whether the mail of an address is in it.
    pub fn sees_address(&self, recipient: &EmailAddress) -> bool {
        self.sees_key(recipient.key())
    }

    /// Whether the mail of a recipient is in it. The bare postmaster is of no
    /// domain.
    pub fn sees_path(&self, recipient: &ForwardPath) -> bool {
        self.sees_key(recipient.key())
    }

    /// Whether what happened is in it: it is about a recipient there, or
    /// about mail that somebody there sent.
    pub fn sees(&self, event: &Event) -> bool {
        let subject = &event.subject;
        self.is_everything()
            || subject.recipient.as_ref().is_some_and(|recipient| self.sees_path(recipient))
            || self.sees_sent(subject.client.client.direction, subject.reverse_path.as_deref())
    }

    /// Whether mail on its way out is that of somebody in it. What came in
    /// never is: there an envelope sender is whatever its writer says, while
    /// outbound mail is taken from our own servers alone.
    pub fn sees_sent(&self, direction: Direction, sender: Option<&ReversePath>) -> bool {
        let sender = sender.and_then(ReversePath::address);
        direction == Direction::Outbound && sender.is_some_and(|sender| self.sees_address(sender))
    }

    /// What tells the members its groups have from others; empty without
    /// groups.
    pub fn mark(&self) -> &str {
        self.limited().map_or("", |limited| limited.members.mark())
    }

    /// Whether it has all that a limit left whose groups had the members of
    /// this mark. Of groups only the same with the same members count: to
    /// have less for a while is safe.
    pub fn covers(&self, limit: &Limit, mark: &str) -> bool {
        let Some(own) = self.limited() else { return true };
        let same = || own.limit.groups == limit.groups && own.members.mark() == mark;
        (limit.groups.is_empty() || same())
            && limit.domains.iter().all(|pattern| own.sees_all_of(pattern))
    }
}

/// Whether all of one pattern lies in another.
fn is_within(pattern: &DomainPattern, other: &DomainPattern) -> bool {
    pattern == other || (other.below && other.matches(pattern.domain.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(domains: &[&str]) -> Sight {
        Sight::of(domains.iter().map(|domain| domain.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn a_domain_is_seen_by_its_name_or_from_above() {
        let some = sight(&["corp.example", "*.labs.example"]);
        for (domain, seen) in [
            ("corp.example", true),
            ("sub.corp.example", false),
            ("notcorp.example", false),
            ("labs.example", false),
            ("a.labs.example", true),
            ("b.a.labs.example", true),
            ("xlabs.example", false),
            ("example", false),
            ("", false),
        ] {
            assert_eq!(some.sees_domain(domain), seen, "{domain}");
            assert!(Sight::Everything.sees_domain(domain));
        }
        assert!(!some.sees_path(&ForwardPath::Postmaster), "of no domain");
        assert!(some.sees_path(&ForwardPath::Address("Ann@CORP.example".parse().unwrap())));
    }

    #[test]
    fn no_domain_is_no_limit_and_so_refused() {
        assert_eq!(Sight::of(Vec::new()), Err(LimitError::Empty));
        let many = |count| vec!["corp.example".parse().unwrap(); count];
        assert_eq!(Sight::of(many(DOMAINS_MAX + 1)), Err(LimitError::TooManyDomains));
        assert!(Sight::of(many(DOMAINS_MAX)).is_ok());
        let groups = |count| Limit::new(Vec::new(), vec!["Desk".to_owned(); count]);
        assert_eq!(groups(GROUPS_MAX + 1), Err(LimitError::TooManyGroups));
        assert!(groups(GROUPS_MAX).is_ok());
    }

    #[test]
    fn one_sight_covers_another() {
        let (corp, below) = (sight(&["corp.example"]), sight(&["*.corp.example"]));
        assert!(covered(&Sight::Everything, &corp) && covered(&corp, &corp));
        assert!(!covered(&corp, &below) && !covered(&below, &corp));
        assert!(covered(&below, &sight(&["a.corp.example", "*.b.corp.example"])));
        assert!(!covered(&below, &sight(&["a.corp.example", "other.example"])));
    }

    fn covered(by: &Sight, other: &Sight) -> bool {
        by.covers(other.limited().unwrap().limit(), other.mark())
    }

    fn grouped(domains: &[&str], members: &[&str], mark: &str) -> Sight {
        let domains = domains.iter().map(|domain| domain.parse().unwrap()).collect();
        let members: Vec<Pattern> = members.iter().map(|text| text.parse().unwrap()).collect();
        let limit = Limit::new(domains, vec!["Desk".to_owned()]).unwrap();
        Sight::within(limit, Arc::new(AddressSet::new(&members, mark)))
    }

    #[test]
    fn members_of_a_group_are_seen_by_address_or_domain() {
        let some = grouped(
            &["own.example"],
            &["Ann@corp.example", "labs.example", "*.far.example", "x@[192.0.2.1]"],
            "",
        );
        for (address, seen) in [
            ("ANN@corp.example", true),
            ("\"ann\"@CORP.example", true),
            ("ann+tag@corp.example", false),
            ("bob@corp.example", false),
            ("bob@labs.example", true),
            ("bob@a.labs.example", false),
            ("bob@far.example", false),
            ("bob@a.b.far.example", true),
            ("bob@own.example", true),
            ("x@[192.0.2.1]", true),
            ("y@[192.0.2.1]", false),
        ] {
            assert_eq!(some.sees_address(&address.parse().unwrap()), seen, "{address}");
        }
        assert!(!some.sees_domain("corp.example"), "one address is not its domain");
        assert!(!some.sees_path(&ForwardPath::Postmaster) && !some.sees_key("labs.example"));
        let nobody = grouped(&[], &[], "");
        assert!(!nobody.is_everything() && !nobody.sees_address(&"a@b.example".parse().unwrap()));
    }

    #[test]
    fn a_group_covers_what_its_domains_hold_and_itself_while_it_stays_the_same() {
        let desk = grouped(&[], &["ann@corp.example", "labs.example", "*.far.example"], "1");
        assert!(covered(&Sight::Everything, &desk));
        for (domain, is_covered) in [
            ("labs.example", true),
            ("*.far.example", true),
            ("a.far.example", true),
            ("*.a.far.example", true),
            ("far.example", false),
            ("*.labs.example", false),
            ("corp.example", false),
        ] {
            assert_eq!(covered(&desk, &sight(&[domain])), is_covered, "{domain}");
        }
        assert!(covered(&desk, &desk));
        assert!(!covered(&desk, &grouped(&[], &["ann@corp.example"], "2")));
        assert!(!covered(&desk, &grouped(&["corp.example"], &[], "1")), "its domain beside it");
        assert!(!covered(&sight(&["corp.example"]), &desk));
    }
}
