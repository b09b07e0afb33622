//! What is believed of the sign-in service of the organisation: whose word it
//! is, which of its groups give which role, and what becomes of people it
//! knows and we do not.
//!
//! How it is asked (OpenID Connect) is not known here, only what it said.

use std::collections::BTreeSet;

use types::policy::DomainPattern;
use types::{Limit, RoleName};

use super::limits::limit;
use crate::CenterError;

/// A group of the service, and what it gives here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRole {
    /// The group, as the service writes it.
    pub group: String,
    /// What whoever is in it may do.
    pub role: RoleName,
    /// The recipient domains whose mail they see; everybody's if there are
    /// neither domains nor groups.
    pub domains: Vec<DomainPattern>,
    /// The groups of ours whose members' mail they see, by name.
    pub groups: Vec<String>,
}

/// What becomes of people of whom the service says that they have a role, and
/// who have no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newcomers {
    /// They get one.
    Welcome,
    /// They are refused: somebody makes and links their accounts before.
    Refused,
}

/// One sign-in service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRules {
    /// What people call it.
    pub name: String,
    /// Its name for itself, which nobody else can have.
    pub issuer: String,
    /// Its groups; the first that somebody is in says the role.
    pub groups: Vec<GroupRole>,
    /// The role of whoever is in none of them; nothing if they have none.
    pub otherwise: Option<RoleName>,
    /// What becomes of people without an account.
    pub newcomers: Newcomers,
}

/// What a service gives somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) role: RoleName,
    pub(super) limit: Option<Limit>,
}

/// Somebody, as the service knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who they are there, for ever (the claim `sub`).
    pub subject: String,
    /// What they are called, to be the name of an account; or why that is not
    /// known, as a sentence without its full stop.
    pub name: Result<String, String>,
    /// The groups they are in; nothing if it says nothing of groups, or why
    /// what it says cannot be understood.
    pub groups: Result<Option<BTreeSet<String>>, String>,
}

impl ProviderRules {
    /// What these groups give. Whoever is in several that give the same role
    /// sees the domains and groups of them all. A group of ours that is not
    /// there lets them see nothing.
    pub(super) fn given(&self, groups: &BTreeSet<String>) -> Result<Option<Given>, CenterError> {
        let of_theirs = || self.groups.iter().filter(|rule| groups.contains(&rule.group));
        let Some(first) = of_theirs().next() else {
            let given = |role: &RoleName| Given { role: role.clone(), limit: None };
            return Ok(self.otherwise.as_ref().map(given));
        };
        let same = || of_theirs().filter(|rule| rule.role == first.role);
        let role = first.role.clone();
        if same().any(|rule| rule.domains.is_empty() && rule.groups.is_empty()) {
            return Ok(Some(Given { role, limit: None }));
        }
        let domains: Vec<_> = same().flat_map(|rule| rule.domains.iter().cloned()).collect();
        let groups: Vec<_> = same().flat_map(|rule| rule.groups.iter().cloned()).collect();
        Ok(Some(Given { role, limit: limit(&domains, &groups)? }))
    }
}

#[cfg(test)]
mod tests {
    use types::Role;

    use super::*;

    fn group(group: &str, role: Role, domains: &[&str]) -> GroupRole {
        let domains = domains.iter().map(|domain| domain.parse().unwrap()).collect();
        GroupRole { group: group.into(), role: role.into(), domains, groups: Vec::new() }
    }

    fn given(otherwise: Option<Role>, groups: &[&str]) -> Option<(RoleName, Vec<String>)> {
        let rules = ProviderRules {
            name: "Corp".into(),
            issuer: "https://id.corp.example".into(),
            groups: vec![
                group("mail-owners", Role::Owner, &[]),
                group("desk-a", Role::Viewer, &["a.example"]),
                group("desk-b", Role::Viewer, &["b.example", "*.b.example"]),
                group("desk-all", Role::Viewer, &[]),
                group("auditors", Role::Auditor, &["a.example"]),
            ],
            otherwise: otherwise.map(RoleName::from),
            newcomers: Newcomers::Welcome,
        };
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let given = rules.given(&groups).unwrap()?;
        let domains = given.limit.map_or_else(Vec::new, |limit| limit.domains().to_vec());
        Some((given.role, domains.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn the_first_group_says_the_role_and_all_of_that_role_the_domains() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            given(None, &["desk-a", "mail-owners"]),
            Some((Role::Owner.into(), none.clone()))
        );
        assert_eq!(
            given(None, &["desk-a", "auditors"]),
            Some((Role::Viewer.into(), vec!["a.example".into()]))
        );
        let (role, domains) = given(None, &["desk-b", "desk-a"]).unwrap();
        assert_eq!((role, domains.len()), (Role::Viewer.into(), 3));
        assert_eq!(given(None, &["desk-a", "desk-all"]), Some((Role::Viewer.into(), none.clone())));
        assert_eq!(given(None, &["Mail-Owners", "staff"]), None, "case counts");
        assert_eq!(given(Some(Role::Viewer), &["staff"]), Some((Role::Viewer.into(), none)));
    }
}
