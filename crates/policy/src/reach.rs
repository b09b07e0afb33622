//! Which of our domains a policy can be about, whoever the recipient is.

use types::Domain;
use types::lists::Pattern;
use types::policy::{DomainPattern, Policy, Scope};

use crate::groups::GroupTree;

/// Whether a policy can apply to a recipient of one of our domains.
pub(crate) fn reaches(policy: &Policy, groups: &GroupTree<'_>, domain: &Domain) -> bool {
    let of = |scope| holds(scope, groups, domain);
    of(&policy.to) || (policy.bidirectional && of(&policy.from))
}

/// Whether a scope can hold somebody of one of our domains.
fn holds(scope: &Scope, groups: &GroupTree<'_>, domain: &Domain) -> bool {
    match scope {
        Scope::Everyone | Scope::Internal => true,
        Scope::External => false,
        Scope::Domain(pattern) => covers(pattern, domain),
        Scope::Address(address) => address.domain_key() == domain.as_str(),
        Scope::Group(name) => groups.members(name).into_iter().any(|member| is_of(member, domain)),
        Scope::Attribute(held) => groups.holders(held).any(|member| is_of(member, domain)),
    }
}

fn is_of(member: &Pattern, domain: &Domain) -> bool {
    match member {
        Pattern::Address(address) => address.domain_key() == domain.as_str(),
        Pattern::Domain(pattern) => covers(pattern, domain),
    }
}

fn covers(pattern: &DomainPattern, domain: &Domain) -> bool {
    match pattern.below {
        false => pattern.domain == *domain,
        true => domain
            .as_str()
            .strip_suffix(pattern.domain.as_str())
            .is_some_and(|below| below.ends_with('.')),
    }
}
