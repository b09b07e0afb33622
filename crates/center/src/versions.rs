//! The policy set as a whole: as one document, and through its versions.

use policy::{Document, PolicyObjects};
use serde::{Deserialize, Serialize};
use store::state::{Difference, Object, ObjectKey, Origin, PolicyDocument, Provenance, Version};
use types::{Caller, Permission, Policy, PolicyId, Timestamp};

use crate::policies::refuse;
use crate::{Center, CenterError, ChangeResult, Problem, permit};

/// Most versions listed at once.
const VERSIONS_MAX: usize = 200;

/// One version of the policy set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRow {
    /// Its number.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub author: String,
    /// What for.
    pub note: String,
    /// The version it brought back, if it is a rollback.
    pub restores: Option<u64>,
    /// How many objects it changed.
    pub differences: u64,
}

/// What one object was and is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionDifference {
    /// Which object, as people find it.
    pub object: String,
    /// Its number, unless it is a group.
    pub id: Option<PolicyId>,
    /// What it was, as TOML; nothing if it is new.
    pub before: Option<String>,
    /// What it is, as TOML; nothing if it is gone.
    pub after: Option<String>,
}

impl From<Version> for VersionRow {
    fn from(version: Version) -> Self {
        let Version { number, at, author, note, restores, differences } = version;
        VersionRow { number, at, author, note, restores, differences }
    }
}

impl From<Difference> for VersionDifference {
    fn from(difference: Difference) -> Self {
        let id = match difference.key {
            ObjectKey::Policy(id) | ObjectKey::Sender(id) => Some(id),
            ObjectKey::Group(_) => None,
        };
        VersionDifference {
            object: difference.key.to_string(),
            id,
            before: difference.before.as_ref().map(readable),
            after: difference.after.as_ref().map(readable),
        }
    }
}

fn readable(object: &Object) -> String {
    let text = match object {
        Object::Policy(policy) => toml::to_string(policy),
        Object::Group(group) => toml::to_string(group),
        Object::Sender(sender) => toml::to_string(sender),
    };
    text.unwrap_or_else(|error| format!("# {error}"))
}

impl Center {
    /// Policies, groups and managed senders as one TOML document.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn export_policies(&self, caller: &Caller) -> Result<String, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        permit(caller, Permission::SeeSenders)?;
        let stored = self.parts.policies.export()?;
        let document = Document {
            policies: stored.policies,
            groups: stored.groups,
            managed_senders: stored.senders,
        };
        toml::to_string(&document).map_err(|error| CenterError::invalid(error.to_string()))
    }

    /// What is wrong with a document, without changing anything.
    ///
    /// # Errors
    ///
    /// Only a caller without permission or a failing store.
    pub fn check_policies(&self, caller: &Caller, text: &str) -> Result<Vec<Problem>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        match self.checked(text) {
            Ok(_) => Ok(Vec::new()),
            Err(CenterError::Invalid { problems }) => Ok(problems),
            Err(other) => Err(other),
        }
    }

    /// Replaces everything that does not belong to the policy file by what
    /// the document says, in one version.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`]; problems have lines.
    pub fn import_policies(
        &self,
        caller: &Caller,
        text: &str,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        permit(caller, Permission::EditSenders)?;
        let document = self.checked(text)?;
        let document = PolicyDocument {
            policies: document.policies,
            groups: document.groups,
            senders: document.managed_senders,
        };
        let who = self.author(caller, expected, note);
        self.activated(self.parts.policies.import(&who, document)?)
    }

    /// Versions, newest first, below `before`.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn versions(
        &self,
        caller: &Caller,
        before: Option<u64>,
        rows_max: usize,
    ) -> Result<Vec<VersionRow>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let versions = self.parts.policies.history(before, rows_max.clamp(1, VERSIONS_MAX))?;
        Ok(versions.into_iter().map(VersionRow::from).collect())
    }

    /// What differs between two versions.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] for a version there is not.
    pub fn differences(
        &self,
        caller: &Caller,
        from: u64,
        to: u64,
    ) -> Result<Vec<VersionDifference>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let differences = self.parts.policies.differences(from, to)?;
        Ok(differences.into_iter().map(VersionDifference::from).collect())
    }

    /// Brings back the content of a version, as a new version.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`], and [`CenterError::NotFound`].
    pub fn roll_back(
        &self,
        caller: &Caller,
        number: u64,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        permit(caller, Permission::EditSenders)?;
        let who = self.author(caller, expected, note);
        self.activated(self.parts.policies.roll_back(&who, number)?)
    }

    /// Reads and checks a document together with what the policy file gave.
    fn checked(&self, text: &str) -> Result<Document, CenterError> {
        let document = Document::parse(text).map_err(|error| CenterError::Invalid {
            problems: vec![Problem::at_line(error.line, error.message)],
        })?;
        let stored = self.parts.policies.read(&mut |_| {})?;
        let from_file = |provenance: &Provenance| provenance.origin == Origin::File;
        let mut objects = PolicyObjects {
            policies: document.policies.iter().cloned().map(new_policy).collect(),
            groups: document.groups.clone(),
            managed_senders: document.managed_senders.clone(),
        };
        let named = |name: &str| document.groups.iter().any(|group| group.name == name);
        let kept =
            stored.groups.iter().filter(|g| from_file(&g.provenance) && !named(&g.group.name));
        objects.groups.extend(kept.map(|group| group.group.clone()));
        refuse(policy::validate(&objects, &self.parts.activator.base()), Some(text))?;
        Ok(document)
    }
}

fn new_policy(policy: Policy) -> policy::StoredPolicy {
    policy::StoredPolicy { policy, version: 0, created: Timestamp::EPOCH }
}
