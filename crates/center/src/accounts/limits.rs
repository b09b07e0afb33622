//! To whose mail accounts are limited, and whom that means at this moment.
//!
//! An account names groups; who is in them is looked up when a caller is
//! made, so that a change of a group counts from the next request on. What
//! was read is kept until the policy set has another version: a request costs
//! one number out of the database, however large the groups are.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use types::lists::Group;
use types::policy::DomainPattern;
use types::{AddressSet, Limit, Sight, hexadecimal};

use super::Accounts;
use crate::CenterError;

/// The groups of one version of the policy set, and those that limit
/// somebody as sets.
#[derive(Default)]
pub(super) struct Groups {
    version: Option<u64>,
    all: Vec<Group>,
    sets: HashMap<Vec<String>, Arc<AddressSet>>,
}

impl Groups {
    fn members(&mut self, names: &[String]) -> Arc<AddressSet> {
        if let Some(known) = self.sets.get(names) {
            return Arc::clone(known);
        }
        let members = policy::members(&self.all, names);
        let mut texts: Vec<String> = members.iter().map(|member| member.to_string()).collect();
        texts.sort_unstable();
        let mark = hexadecimal(&Sha256::digest(texts.join("\n")));
        let set = Arc::new(AddressSet::new(members, &mark));
        self.sets.insert(names.to_vec(), Arc::clone(&set));
        set
    }
}

impl Accounts {
    /// Whose mail somebody sees who is limited so. If the groups cannot be
    /// read, that is an error and not a wider view.
    pub(super) fn sight(&self, limit: Option<&Limit>) -> Result<Sight, CenterError> {
        let Some(limit) = limit else { return Ok(Sight::Everything) };
        let members = match limit.groups() {
            [] => Arc::default(),
            names => self.with_groups(|groups| groups.members(names))?,
        };
        Ok(Sight::within(limit.clone(), members))
    }

    /// A limit to these domains and groups, which have to be there; nothing
    /// if there are none of either.
    pub(super) fn limit(
        &self,
        domains: &[DomainPattern],
        groups: &[String],
    ) -> Result<Option<Limit>, CenterError> {
        let limit = limit(domains, groups)?;
        if let Some(missing) = self.missing(groups)?.first() {
            return Err(CenterError::invalid(format!(
                "there is no group {missing:?}; `portcullis group list` has them"
            )));
        }
        Ok(limit)
    }

    /// Which of these groups are not there: of those nothing is seen.
    pub(super) fn missing(&self, groups: &[String]) -> Result<Vec<String>, CenterError> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.with_groups(|known| {
            let missing = |name: &&String| known.all.iter().all(|group| group.name != **name);
            groups.iter().filter(missing).cloned().collect()
        })
    }

    fn with_groups<T>(&self, look: impl FnOnce(&mut Groups) -> T) -> Result<T, CenterError> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, all)) = self.state.groups(groups.version)? {
            *groups = Groups { version: Some(version), all, sets: HashMap::new() };
        }
        Ok(look(&mut groups))
    }
}

/// A limit to these domains and groups; nothing if there are none of either.
pub(super) fn limit(
    domains: &[DomainPattern],
    groups: &[String],
) -> Result<Option<Limit>, CenterError> {
    if domains.is_empty() && groups.is_empty() {
        return Ok(None);
    }
    // The same one twice is one; in order, so that equal limits are the same.
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    groups.dedup();
    let limit = Limit::new(domains.to_vec(), groups);
    limit.map(Some).map_err(|error| CenterError::invalid(error.to_string()))
}

/// The domains of a limit.
pub(super) fn domains(limit: Option<&Limit>) -> Vec<DomainPattern> {
    limit.map_or_else(Vec::new, |limit| limit.domains().to_vec())
}

/// The groups of a limit.
pub(super) fn groups(limit: Option<&Limit>) -> Vec<String> {
    limit.map_or_else(Vec::new, |limit| limit.groups().to_vec())
}

/// A limit as the audit log has it, beside the role.
pub(super) fn told(role: &types::RoleName, limit: Option<&Limit>) -> Value {
    json!({ "role": role, "domains": domains(limit), "groups": groups(limit) })
}
