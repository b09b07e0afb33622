//! Keeping groups, which policies name in their scopes.

use serde::{Deserialize, Serialize};
use store::state::{Edit, Object, ObjectKey, Provenance, StoredGroup};
use types::lists::{Group, Pattern};
use types::{Caller, Permission};

use crate::{Center, CenterError, ChangeResult, permit};

/// A group with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupRow {
    /// The group.
    pub group: Group,
    /// Who made it and when.
    pub provenance: Provenance,
}

impl From<StoredGroup> for GroupRow {
    fn from(stored: StoredGroup) -> Self {
        GroupRow { group: stored.group, provenance: stored.provenance }
    }
}

impl Center {
    /// All groups, by name.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn groups(&self, caller: &Caller) -> Result<Vec<GroupRow>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let content = self.parts.policies.read(&mut |_| {})?;
        Ok(content.groups.into_iter().map(GroupRow::from).collect())
    }

    /// One group.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn group(&self, caller: &Caller, name: &str) -> Result<GroupRow, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let stored = self.parts.policies.group(name)?;
        stored.map(GroupRow::from).ok_or_else(|| CenterError::NotFound(format!("group {name:?}")))
    }

    /// Adds a group, or replaces the one of its name.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`].
    pub fn put_group(
        &self,
        caller: &Caller,
        group: Group,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        self.edit_policies(caller, vec![Edit::Put(Object::Group(group))], expected, note)
    }

    /// Removes a group; refused while a policy names it.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`], and [`CenterError::NotFound`].
    pub fn remove_group(
        &self,
        caller: &Caller,
        name: &str,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let edit = Edit::Remove(ObjectKey::Group(name.to_owned()));
        self.edit_policies(caller, vec![edit], expected, note)
    }

    /// Adds and removes members, leaving the others as they are.
    ///
    /// # Errors
    ///
    /// As [`Center::put_group`], and [`CenterError::NotFound`].
    pub fn change_members(
        &self,
        caller: &Caller,
        name: &str,
        add: Vec<Pattern>,
        remove: &[Pattern],
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let version = self.parts.policies.version()?;
        let mut group = self.group(caller, name)?.group;
        group.members.retain(|member| !remove.contains(member) && !add.contains(member));
        group.members.extend(add);
        self.put_group(caller, group, Some(version), note)
    }
}
