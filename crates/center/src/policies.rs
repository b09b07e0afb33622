//! Keeping policies: every change is a new version with an author, checked
//! before it is stored and in force when the call returns.

use policy::{Document, PolicyObjects, SenderChange};
use serde::{Deserialize, Serialize};
use store::state::{
    Authorship, Changed, Difference, Edit, Hits, Object, ObjectKey, Origin, PolicySetContent,
    Provenance, StoredPolicy,
};
use types::lists::{Group, ManagedSender, Pattern};
use types::policy::PolicyMode;
use types::{Caller, Definition, Permission, Policy, PolicyId, Timestamp};

use crate::input::pattern_problem;
use crate::races::until_settled;
use crate::{Activation, Center, CenterError, Problem, VersionDifference, permit};

/// All policies of the present version.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyList {
    /// The version of the policy set.
    pub version: u64,
    /// The policies, by number.
    pub policies: Vec<PolicyRow>,
}

/// A policy with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyRow {
    /// The policy.
    pub policy: Policy,
    /// Its type, as people see it.
    pub kind: String,
    /// `on`, `off`, `observe`, `future` or `expired`.
    pub standing: String,
    /// Who made it, when, in which version, and whether it belongs to the file.
    pub provenance: Provenance,
    /// How often it decided; where it takes no action, how often it applied.
    pub hits: Hits,
    /// The policy that always comes before it, and why: then it is never
    /// applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadowed_by: Option<String>,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ChangeResult {
    /// The version there is now; the old one if nothing differed.
    pub version: u64,
    /// What differs.
    pub differences: Vec<VersionDifference>,
    /// Stored objects that are not in force, because they no longer fit the
    /// settings: a sentence for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Objects that a roll-back left as they are, because they are or were
    /// managed by the policy file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_by_file: Vec<String>,
    /// Groups of directories that a roll-back left as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_by_directory: Vec<String>,
}

impl Center {
    /// All policies.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn policies(&self, caller: &Caller) -> Result<PolicyList, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let content = self.parts.policies.read(&mut |_| {})?;
        let now = self.parts.clock.now();
        let mut rows: Vec<PolicyRow> =
            content.policies.into_iter().map(|policy| row(policy, now)).collect();
        crate::shadows::mark(&mut rows);
        Ok(PolicyList { version: content.version, policies: rows })
    }

    /// One policy.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none of this number.
    pub fn policy(&self, caller: &Caller, id: PolicyId) -> Result<PolicyRow, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let stored = self.parts.policies.policy(id)?;
        let stored = stored.ok_or_else(|| CenterError::NotFound(format!("policy {id}")))?;
        Ok(row(stored, self.parts.clock.now()))
    }

    /// Adds a policy (without a number) or changes one (with its number).
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] with all problems, [`CenterError::Conflict`]
    /// if the set is not at `expected` any more.
    pub fn put_policy(
        &self,
        caller: &Caller,
        policy: Policy,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let edit = Edit::Put(Object::Policy(policy));
        self.edit_policies(caller, vec![edit], expected, note)
    }

    /// Removes a policy.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`], and [`CenterError::NotFound`].
    pub fn remove_policy(
        &self,
        caller: &Caller,
        id: PolicyId,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let edit = Edit::Remove(ObjectKey::Policy(id));
        self.edit_policies(caller, vec![edit], expected, note)
    }

    /// Checks edits of policies and groups against the set as it is, stores
    /// them and puts them into force.
    pub(crate) fn edit_policies(
        &self,
        caller: &Caller,
        edits: Vec<Edit>,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        let change = |expected: Option<u64>| {
            let version = self.check_edits(&edits)?;
            // What was checked is what is stored: without a version of the
            // caller's own, the one just read is expected.
            let who = self.author(caller, expected.or(Some(version)), note);
            Ok(self.parts.policies.change(&who, edits.clone())?)
        };
        let changed = match expected {
            Some(_) => change(expected),
            None => until_settled(|| change(None)),
        };
        self.activated(changed?)
    }

    /// Refuses edits of policies and groups that the set as it is does not
    /// allow. Returns the version of that.
    pub(crate) fn check_edits(&self, edits: &[Edit]) -> Result<u64, CenterError> {
        let mut content = self.parts.policies.read(&mut |_| {})?;
        // First of all: whoever may not change an object need not be told
        // what else would be wrong with the change.
        for edit in edits {
            refuse_managed(&content, edit)?;
            refuse_members(&content, edit)?;
        }
        let base = self.parts.activator.base();
        let before = policy::validate(&objects(&content), &base);
        for edit in edits {
            apply(&mut content, edit);
        }
        // What was wrong before, because the settings changed since, must not
        // keep anybody from mending one thing after the other.
        let mut problems = policy::validate(&objects(&content), &base);
        problems.retain(|problem| !before.iter().any(|other| is_same(problem, other)));
        refuse(problems, None)?;
        Ok(content.version)
    }

    /// What is wrong with managed senders on their own.
    pub(crate) fn sender_problems(&self, senders: Vec<ManagedSender>) -> Vec<policy::Problem> {
        let objects = PolicyObjects { managed_senders: senders, ..PolicyObjects::default() };
        policy::validate(&objects, &self.parts.activator.base())
    }

    pub(crate) fn author(&self, caller: &Caller, expected: Option<u64>, note: &str) -> Authorship {
        Authorship {
            actor: caller.into(),
            note: note.to_owned(),
            at: self.parts.clock.now(),
            expected,
        }
    }

    /// Puts a stored change into force.
    pub(crate) fn activated(&self, changed: Changed) -> Result<ChangeResult, CenterError> {
        let version = changed.version;
        let mut left_out = Vec::new();
        if !changed.differences.is_empty() {
            let activation = activation(&changed.differences);
            let not_activated = |why| CenterError::NotActivated { version, why };
            left_out = self.parts.activator.activate(version, activation).map_err(not_activated)?;
        }
        let differences = changed.differences.into_iter().map(VersionDifference::from).collect();
        let (kept_by_file, kept_by_directory) = (Vec::new(), Vec::new());
        Ok(ChangeResult { version, differences, left_out, kept_by_file, kept_by_directory })
    }
}

/// Refuses an edit of what is managed elsewhere.
fn refuse_managed(content: &PolicySetContent, edit: &Edit) -> Result<(), CenterError> {
    let policy = |id: PolicyId| {
        let found = content.policies.iter().find(|stored| stored.policy.id == Some(id));
        found.map(|stored| stored.provenance.origin)
    };
    let group = |name: &str| {
        let found = content.groups.iter().find(|stored| stored.group.name == name);
        found.map(|stored| stored.provenance.origin)
    };
    let definition = |name: &str| {
        let found = content.definitions.iter().find(|stored| stored.definition.name == name);
        found.map(|stored| stored.provenance.origin)
    };
    let (key, origin) = match edit {
        Edit::Put(Object::Policy(new)) | Edit::PutBack(Object::Policy(new)) => match new.id {
            Some(id) => (ObjectKey::Policy(id), policy(id)),
            None => return Ok(()),
        },
        Edit::Put(Object::Group(new)) | Edit::PutBack(Object::Group(new)) => {
            (ObjectKey::Group(new.name.clone()), group(&new.name))
        }
        Edit::Put(Object::Definition(new)) | Edit::PutBack(Object::Definition(new)) => {
            (ObjectKey::Definition(new.name.clone()), definition(&new.name))
        }
        Edit::Remove(ObjectKey::Policy(id)) => (ObjectKey::Policy(*id), policy(*id)),
        Edit::Remove(ObjectKey::Definition(name)) => {
            (ObjectKey::Definition(name.clone()), definition(name))
        }
        Edit::Remove(ObjectKey::Group(name)) => (ObjectKey::Group(name.clone()), group(name)),
        Edit::Put(Object::Sender(_))
        | Edit::PutBack(Object::Sender(_))
        | Edit::Remove(ObjectKey::Sender(_)) => return Ok(()),
    };
    match (origin, edit) {
        (Some(Origin::File), _) => Err(CenterError::FileManaged(key.to_string())),
        // What its directory has no more nobody else can remove.
        (Some(Origin::Gone), Edit::Remove(_)) => Ok(()),
        (Some(Origin::Directory | Origin::Gone), _) => {
            Err(CenterError::DirectoryManaged(key.to_string()))
        }
        (None, Edit::Remove(_)) => Err(CenterError::NotFound(key.to_string())),
        _ => Ok(()),
    }
}

/// Refuses new members of a group that cannot be meant.
fn refuse_members(content: &PolicySetContent, edit: &Edit) -> Result<(), CenterError> {
    let (Edit::Put(Object::Group(group)) | Edit::PutBack(Object::Group(group))) = edit else {
        return Ok(());
    };
    let stored = content.groups.iter().find(|stored| stored.group.name == group.name);
    let is_new =
        |member: &&Pattern| stored.is_none_or(|stored| !stored.group.members.contains(member));
    let wrong = group.members.iter().filter(is_new).filter_map(pattern_problem);
    let problems: Vec<Problem> = wrong.map(Problem::new).collect();
    if problems.is_empty() { Ok(()) } else { Err(CenterError::Invalid { problems }) }
}

/// The least that has to be compiled anew.
fn activation(differences: &[Difference]) -> Activation {
    let changes: Vec<SenderChange> = differences.iter().filter_map(sender_change).collect();
    match changes.len() {
        0 => Activation::Policies,
        // An entry that moved to another pair must leave its old one, so
        // removals go first and one change of a pair cannot undo another.
        count if count == differences.len() && !moves(differences) => {
            let (mut ordered, puts): (Vec<_>, Vec<_>) = changes
                .into_iter()
                .partition(|change| matches!(change, SenderChange::Remove { .. }));
            ordered.extend(puts);
            Activation::Senders(ordered)
        }
        _ => Activation::Everything,
    }
}

/// What a difference means to the compiled managed senders.
pub(crate) fn sender_change(difference: &Difference) -> Option<SenderChange> {
    match (&difference.before, &difference.after) {
        (_, Some(Object::Sender(entry))) => Some(SenderChange::Put(entry.clone())),
        (Some(Object::Sender(entry)), None) => Some(SenderChange::Remove {
            recipient: entry.recipient.clone(),
            sender: entry.sender.clone(),
        }),
        _ => None,
    }
}

/// Whether an entry changed the pair it is about.
fn moves(differences: &[Difference]) -> bool {
    differences.iter().any(|difference| match (&difference.before, &difference.after) {
        (Some(Object::Sender(before)), Some(Object::Sender(after))) => {
            before.recipient != after.recipient || before.sender != after.sender
        }
        _ => false,
    })
}

pub(crate) fn refuse(
    problems: Vec<policy::Problem>,
    text: Option<&str>,
) -> Result<(), CenterError> {
    if problems.is_empty() {
        return Ok(());
    }
    let told = |problem: policy::Problem| Problem {
        line: text.and_then(|text| Document::line_of(text, &problem.object)),
        object: Some(problem.object.to_string()),
        field: problem.wrong.field(),
        message: problem.wrong.to_string(),
    };
    Err(CenterError::Invalid { problems: problems.into_iter().map(told).collect() })
}

pub(crate) fn objects(content: &PolicySetContent) -> PolicyObjects {
    let policy = |stored: &StoredPolicy| policy::StoredPolicy {
        policy: stored.policy.clone(),
        version: stored.provenance.version,
        created: stored.provenance.created,
    };
    PolicyObjects {
        policies: content.policies.iter().map(policy).collect(),
        groups: content.groups.iter().map(|stored| stored.group.clone()).collect(),
        definitions: content.definitions.iter().map(|stored| stored.definition.clone()).collect(),
        managed_senders: Vec::new(),
    }
}

/// Whether two problems are one, though its object stands elsewhere now.
pub(crate) fn is_same(problem: &policy::Problem, other: &policy::Problem) -> bool {
    problem.wrong == other.wrong && problem.object.to_string() == other.object.to_string()
}

/// What the set will be once an edit of a policy, group or definition is stored.
fn apply(content: &mut PolicySetContent, edit: &Edit) {
    match edit {
        Edit::Put(Object::Policy(policy)) | Edit::PutBack(Object::Policy(policy)) => {
            content.policies.retain(|stored| policy.id.is_none() || stored.policy.id != policy.id);
            let (provenance, hits) = (Provenance::default(), Hits::default());
            content.policies.push(StoredPolicy { policy: policy.clone(), provenance, hits });
        }
        Edit::Put(Object::Group(group)) | Edit::PutBack(Object::Group(group)) => {
            put_group(content, group);
        }
        Edit::Remove(ObjectKey::Policy(id)) => {
            content.policies.retain(|stored| stored.policy.id != Some(*id));
        }
        Edit::Remove(ObjectKey::Group(name)) => {
            content.groups.retain(|stored| stored.group.name != *name);
        }
        Edit::Put(Object::Definition(definition))
        | Edit::PutBack(Object::Definition(definition)) => put_definition(content, definition),
        Edit::Remove(ObjectKey::Definition(name)) => {
            content.definitions.retain(|stored| stored.definition.name != *name);
        }
        Edit::Put(Object::Sender(_))
        | Edit::PutBack(Object::Sender(_))
        | Edit::Remove(ObjectKey::Sender(_)) => {}
    }
}

pub(crate) fn put_group(content: &mut PolicySetContent, group: &Group) {
    content.groups.retain(|stored| stored.group.name != group.name);
    let provenance = Provenance::default();
    content.groups.push(store::state::StoredGroup { group: group.clone(), provenance });
}

fn put_definition(content: &mut PolicySetContent, definition: &Definition) {
    content.definitions.retain(|stored| stored.definition.name != definition.name);
    let (definition, provenance) = (definition.clone(), Provenance::default());
    content.definitions.push(store::state::StoredDefinition { definition, provenance });
}

fn row(stored: StoredPolicy, now: Timestamp) -> PolicyRow {
    let validity = stored.policy.validity;
    let standing = match stored.policy.mode {
        PolicyMode::Off => "off",
        _ if validity.from.is_some_and(|from| now < from) => "future",
        _ if validity.until.is_some_and(|until| until <= now) => "expired",
        PolicyMode::Observe => "observe",
        PolicyMode::On => "on",
    };
    PolicyRow {
        kind: stored.policy.kind().title().to_owned(),
        standing: standing.to_owned(),
        policy: stored.policy,
        provenance: stored.provenance,
        hits: stored.hits,
        shadowed_by: None,
    }
}
