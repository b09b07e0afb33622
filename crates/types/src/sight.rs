//! Whose mail somebody sees: everybody's, or that of some recipient domains.
//!
//! What belongs to no recipient (a refused MAIL, a connection that never
//! reached RCPT, a notice to somebody elsewhere) belongs to nobody who is
//! limited.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::{ForwardPath, parent_of};
use crate::event::Event;
use crate::policy::DomainPattern;

/// Most domains of one account.
pub const DOMAINS_MAX: usize = 100;

/// Whose mail a caller sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// Everybody's.
    #[default]
    Everything,
    /// That of recipients in these domains; at least one.
    Domains(Arc<[DomainPattern]>),
}

/// These domains limit nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SightError {
    /// None at all: that would be nobody's mail, and look like everybody's.
    #[error("a limit needs at least one domain")]
    Empty,
    /// Too many.
    #[error("these are more than {DOMAINS_MAX} domains")]
    TooMany,
}

impl Sight {
    /// The mail of these domains (`corp.example`, or `*.corp.example` for all
    /// below it).
    ///
    /// # Errors
    ///
    /// There is none, or there are more than [`DOMAINS_MAX`].
    pub fn of(domains: Vec<DomainPattern>) -> Result<Sight, SightError> {
        match domains.len() {
            0 => Err(SightError::Empty),
            1..=DOMAINS_MAX => Ok(Sight::Domains(domains.into())),
            _ => Err(SightError::TooMany),
        }
    }

    /// Whether it is everybody's mail.
    pub fn is_everything(&self) -> bool {
        matches!(self, Sight::Everything)
    }

    /// The domains it is limited to; empty where it is not.
    pub fn domains(&self) -> &[DomainPattern] {
        match self {
            Sight::Everything => &[],
            Sight::Domains(domains) => domains,
        }
    }

    /// Whether the mail of a domain is in it; the domain in comparable form.
    pub fn sees_domain(&self, domain: &str) -> bool {
        match self {
            Sight::Everything => true,
            Sight::Domains(domains) => domains.iter().any(|pattern| covers(pattern, domain)),
        }
    }

    /// Whether the mail of a recipient is in it.
    pub fn sees_path(&self, recipient: &ForwardPath) -> bool {
        self.sees_domain(recipient.domain_key())
    }

    /// Whether what happened is in it.
    pub fn sees(&self, event: &Event) -> bool {
        match (self, &event.subject.recipient) {
            (Sight::Everything, _) => true,
            (Sight::Domains(_), Some(recipient)) => self.sees_path(recipient),
            (Sight::Domains(_), None) => false,
        }
    }

    /// Whether it has all that `other` has.
    pub fn covers(&self, other: &Sight) -> bool {
        match (self, other) {
            (Sight::Everything, _) => true,
            (Sight::Domains(_), Sight::Everything) => false,
            (Sight::Domains(own), Sight::Domains(theirs)) => {
                theirs.iter().all(|pattern| own.iter().any(|own| is_within(pattern, own)))
            }
        }
    }
}

fn covers(pattern: &DomainPattern, domain: &str) -> bool {
    let wanted = pattern.domain.as_str();
    match pattern.below {
        false => domain == wanted,
        true => std::iter::successors(parent_of(domain), |above| parent_of(above))
            .any(|above| above == wanted),
    }
}

/// Whether all of one pattern lies in another.
fn is_within(pattern: &DomainPattern, other: &DomainPattern) -> bool {
    pattern == other || (other.below && covers(other, pattern.domain.as_str()))
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
        assert_eq!(Sight::of(Vec::new()), Err(SightError::Empty));
        let many = vec!["corp.example".parse().unwrap(); DOMAINS_MAX + 1];
        assert_eq!(Sight::of(many), Err(SightError::TooMany));
        assert_eq!(serde_json::to_string(&Sight::Everything).unwrap(), "\"everything\"");
        let some = sight(&["*.labs.example"]);
        let text = serde_json::to_string(&some).unwrap();
        assert_eq!(serde_json::from_str::<Sight>(&text).unwrap(), some);
    }

    #[test]
    fn one_sight_covers_another() {
        let (all, corp, below) =
            (Sight::Everything, sight(&["corp.example"]), sight(&["*.corp.example"]));
        assert!(all.covers(&corp) && all.covers(&all) && corp.covers(&corp));
        assert!(!corp.covers(&all) && !corp.covers(&below) && !below.covers(&corp));
        assert!(below.covers(&sight(&["a.corp.example", "*.b.corp.example"])));
        assert!(!below.covers(&sight(&["a.corp.example", "other.example"])));
    }
}
