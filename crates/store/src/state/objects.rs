//! What the state store holds, as plain values.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::lists::{Group, ManagedSender, SenderAction, SenderKind};
use types::{Actor, Definition, Policy, PolicyId, Sight, Timestamp};

/// Where an object comes from, which decides who may change it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Made by a person or learned; anybody with the permission may change it.
    #[default]
    People,
    /// Applied from the policy file; it can be changed only there.
    File,
    /// Read from a directory on a server; it can be changed only there.
    Directory,
    /// Was read from a directory that has it no more, and is kept with its last
    /// members because something names it. When that was is when it was last
    /// changed.
    Gone,
}

impl Origin {
    /// Whether the policy file manages it.
    pub fn is_file(self) -> bool {
        self == Origin::File
    }

    /// Whether it is, or was, read from a directory on a server.
    pub fn is_directory(self) -> bool {
        matches!(self, Origin::Directory | Origin::Gone)
    }

    /// Whether it can be changed somewhere else only.
    pub fn is_managed(self) -> bool {
        self != Origin::People
    }
}

/// What the store keeps beside an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Provenance {
    /// The version of the policy set in which it was last changed.
    pub version: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it was last changed.
    pub changed: Timestamp,
    /// Who changed it last.
    pub changed_by: String,
}

/// How often an object has decided; kept in batches, outside the versions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Hits {
    /// Since it was made.
    pub count: u64,
    /// The last time, if there was one.
    pub last: Option<Timestamp>,
}

/// A policy with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredPolicy {
    /// The policy; its `id` is set.
    pub policy: Policy,
    /// Who made it and when.
    pub provenance: Provenance,
    /// How often it decided.
    pub hits: Hits,
}

/// A group with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredGroup {
    /// The group.
    pub group: Group,
    /// Who made it and when.
    pub provenance: Provenance,
}

/// A definition with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredDefinition {
    /// The definition.
    pub definition: Definition,
    /// Who made it and when.
    pub provenance: Provenance,
}

/// A managed sender with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredSender {
    /// The entry; its `id` is set.
    pub sender: ManagedSender,
    /// Who made it and when.
    pub provenance: Provenance,
    /// How often it decided.
    pub hits: Hits,
}

/// One object of the policy set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A policy.
    Policy(Policy),
    /// A group.
    Group(Group),
    /// A definition.
    Definition(Definition),
    /// A managed sender.
    Sender(ManagedSender),
}

/// Names one object of the policy set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKey {
    /// A policy by its number.
    Policy(PolicyId),
    /// A group by its name.
    Group(String),
    /// A definition by its name.
    Definition(String),
    /// A managed sender by its number.
    Sender(PolicyId),
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectKey::Policy(id) => write!(f, "policy {id}"),
            ObjectKey::Group(name) => write!(f, "group {name:?}"),
            ObjectKey::Definition(name) => write!(f, "definition {name:?}"),
            ObjectKey::Sender(id) => write!(f, "managed sender {id}"),
        }
    }
}

/// One step of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Stores an object. A policy or sender without `id` is new and gets the
    /// next number; with one, it replaces the stored object of that number,
    /// which must exist. A group or definition replaces the one of its name or is new. A
    /// sender replaces any other entry of the same pair: a permit ends a block.
    Put(Object),
    /// Puts back an object that was removed, under the number it had: whatever
    /// named it before means the same again.
    PutBack(Object),
    /// Removes an object, which must exist.
    Remove(ObjectKey),
}

/// One step of what a directory says of its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryEdit {
    /// It has this group.
    Put(Group),
    /// It has the group of this name no more.
    Leave {
        /// Its name here.
        name: String,
        /// Whether a policy names it.
        needed: bool,
    },
}

/// A change that is only asked about.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// What [`change`](super::PolicyState::change) would do.
    Edits(Vec<Edit>),
    /// What [`import`](super::PolicyState::import) would do.
    Import(PolicyDocument),
    /// What [`roll_back`](super::PolicyState::roll_back) would do.
    RollBack(u64),
}

/// Who changes something, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorship {
    /// The author, whose name the history shows.
    pub actor: Actor,
    /// What the change is for.
    pub note: String,
    /// When it is made.
    pub at: Timestamp,
    /// The version it was made on; a change since then is a
    /// [`StoreError::Conflict`](crate::StoreError::Conflict). Nothing: made on whatever there is.
    pub expected: Option<u64>,
}

/// One version of the policy set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its number; the first is 1, an empty set is version 0.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub author: String,
    /// What for.
    pub note: String,
    /// The version whose content it brought back, if it is a rollback.
    pub restores: Option<u64>,
    /// How many objects it changed.
    pub differences: u64,
}

/// What one object was and is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which object.
    pub key: ObjectKey,
    /// What it was; nothing if it is new.
    pub before: Option<Object>,
    /// What it is; nothing if it is gone.
    pub after: Option<Object>,
}

/// What a change did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The version there is now; the old one if nothing differed.
    pub version: u64,
    /// What differs, with the numbers that new objects were given.
    pub differences: Vec<Difference>,
}

/// Which managed senders are wanted; what is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SenderQuery {
    /// Only the list of this recipient, by its [key](types::EmailAddress::key).
    pub recipient: Option<String>,
    /// Only entries for exactly this address or pattern, in comparable form.
    pub sender: Option<String>,
    /// Only entries whose sender, recipient or note contains this, without case.
    pub text: Option<String>,
    /// Only entries that do this.
    pub action: Option<SenderAction>,
    /// Only entries that match this kind of thing.
    pub kind: Option<SenderKind>,
    /// Only entries that count for authenticated mail alone, or only others.
    pub authenticated_only: Option<bool>,
    /// Only entries that have not decided since then, and are older.
    pub unused_since: Option<Timestamp>,
    /// Only entries of recipients in here.
    pub within: Sight,
}

/// The whole set without its managed senders, which come one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySetContent {
    /// Its version.
    pub version: u64,
    /// Policies by number.
    pub policies: Vec<StoredPolicy>,
    /// Groups by name.
    pub groups: Vec<StoredGroup>,
    /// Definitions by name.
    pub definitions: Vec<StoredDefinition>,
}

/// The policy set as one document, for export, import and the policy file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// Policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// Groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Definitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<Definition>,
    /// Managed senders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<ManagedSender>,
}

/// Uses of one policy or managed sender since the last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HitNote {
    /// Which one; policies and managed senders share their numbers.
    pub id: PolicyId,
    /// How many.
    pub count: u64,
    /// The last of them.
    pub last: Timestamp,
}
