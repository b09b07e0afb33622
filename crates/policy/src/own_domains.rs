//! Permits that cover the organisation's own domains: whoever forges those
//! would be let past.

use std::collections::{HashMap, HashSet};
use std::iter::successors;

use types::address::parent_of;
use types::lists::{Group, ManagedSender, Pattern, SenderAction, SenderPattern};
use types::policy::{BasePolicies, DomainPattern, Policy, Scope};

use crate::groups::GroupTree;
use crate::validate::Wrong;

/// Finds permits that cover the organisation's own domains.
pub(crate) struct OwnDomains<'a> {
    /// Every group with an own domain in it or below it, with that domain.
    groups: HashMap<&'a str, String>,
    /// Every value of an attribute that an address of an own domain has, by
    /// its key, with that domain.
    values: HashMap<String, String>,
    exact: HashSet<&'a str>,
    /// Every domain above an own one, with the one it is above of.
    above: HashMap<&'a str, &'a str>,
}

impl<'a> OwnDomains<'a> {
    pub(crate) fn new(base: &'a BasePolicies, groups: &'a [Group]) -> Self {
        let own = || base.domains.iter().map(|(domain, _)| domain.as_str());
        let parents = |domain| successors(parent_of(domain), |above| parent_of(above));
        let mut own = OwnDomains {
            groups: HashMap::new(),
            values: HashMap::new(),
            exact: own().collect(),
            above: own()
                .flat_map(|domain| parents(domain).map(move |above| (above, domain)))
                .collect(),
        };
        own.mark_groups(groups);
        own
    }

    /// Looks at every member once, however many policies name its group.
    fn mark_groups(&mut self, groups: &'a [Group]) {
        let tree = GroupTree::new(groups);
        for group in groups {
            let Some(domain) = group.members.iter().find_map(|member| self.pattern(member)) else {
                continue;
            };
            if let Some(held) = Group::value_of(&group.name) {
                self.values.insert(held.key(), domain.clone());
            }
            for above in tree.upwards(&group.name) {
                self.groups.insert(&above.name, domain.clone());
            }
        }
    }

    /// The own domain that a permit policy names, unless the permit is
    /// restricted to clients, which a forger is not.
    pub(crate) fn permitted_by(&self, policy: &Policy) -> Option<String> {
        if !policy.source_ips.is_empty() || !policy.source_hosts.is_empty() {
            return None;
        }
        let exchanged = || match &policy.from {
            Scope::Everyone => self.named_by(&policy.to),
            from => self.named_by(from).and_then(|_| self.named_by(&policy.to)),
        };
        self.named_by(&policy.from)
            .or_else(|| if policy.bidirectional { exchanged() } else { None })
    }

    fn named_by(&self, scope: &Scope) -> Option<String> {
        match scope {
            Scope::Everyone | Scope::External => None,
            Scope::Internal => Some("internal senders".to_owned()),
            Scope::Domain(pattern) => self.domain(pattern),
            Scope::Address(address) => self.address(address.domain_key()),
            Scope::Group(name) => self.groups.get(name.as_str()).cloned(),
            Scope::Attribute(held) => self.values.get(&held.key()).cloned(),
        }
    }

    fn pattern(&self, pattern: &Pattern) -> Option<String> {
        match pattern {
            Pattern::Address(address) => self.address(address.domain_key()),
            Pattern::Domain(domain) => self.domain(domain),
        }
    }

    /// What an entry of a recipient's may not do. That it counts for
    /// authenticated mail alone makes no permit of our own domains right: who
    /// sends for us is known by policies. What was learned skips greylisting
    /// and lists as a permit does.
    pub(crate) fn entry_fault(&self, entry: &ManagedSender) -> Option<Wrong> {
        match (entry.action, &entry.sender) {
            (SenderAction::Block, _) => {
                entry.authenticated_only.then_some(Wrong::AuthenticatedBlock)
            }
            (SenderAction::Permit | SenderAction::Auto, SenderPattern::Named(pattern)) => {
                self.pattern(pattern).map(Wrong::OwnDomain)
            }
            (SenderAction::Permit | SenderAction::Auto, SenderPattern::Signed(domain)) => {
                self.domain(domain).map(Wrong::OwnSignature)
            }
            (SenderAction::Disabled, _) => None,
        }
    }

    fn address(&self, domain_key: &str) -> Option<String> {
        self.exact.get(domain_key).map(|&own| own.to_owned())
    }

    /// `*.example` covers an own domain that lies below `example`.
    fn domain(&self, pattern: &DomainPattern) -> Option<String> {
        let found = match pattern.below {
            true => self.above.get(pattern.domain.as_str()),
            false => self.exact.get(pattern.domain.as_str()),
        };
        found.map(|&own| own.to_owned())
    }
}
