//! Groups of directories on servers: what was read, and what became of it.

use serde::{Deserialize, Serialize};

use crate::address::EmailAddress;
use crate::attribute::DirectoryAttribute;
use crate::lists::Group;
use crate::time::Timestamp;

/// The groups of one directory, and who has which value of an attribute, as
/// they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupsRead {
    /// The directory's name.
    pub directory: String,
    /// Each group's name there, once, with its members.
    pub groups: Vec<(String, Vec<EmailAddress>)>,
    /// Each value of an attribute, once, with the addresses of those who have it.
    pub values: Vec<(DirectoryAttribute, Vec<EmailAddress>)>,
    /// What was read: without groups in it, there are none to be missing.
    pub wanted: GroupsWanted,
    /// How many of a hundred memberships may be gone at once.
    pub shrink_percent_max: u8,
    /// It is taken although it can hardly be meant, as long as no more
    /// memberships than this are gone.
    pub accept: Option<usize>,
    /// Nothing is changed; it is only told what would be.
    pub dry_run: bool,
}

/// What the settings read of a directory for policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupsWanted {
    /// Whether its groups.
    pub groups: bool,
    /// Which attributes of people.
    pub attributes: Vec<String>,
}

impl GroupsWanted {
    /// Whether a group of the policy set is one of those: of people with a
    /// value of an attribute that is read, or of the directory itself.
    pub fn has(&self, group: &str) -> bool {
        match Group::value_of(group) {
            None => self.groups,
            Some(held) => self.attributes.iter().any(|name| name.eq_ignore_ascii_case(&held.name)),
        }
    }
}

/// What taking them came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupsTaken {
    /// Groups that the directory has.
    pub groups: usize,
    /// Their members, each counted once in every group.
    pub members: usize,
    /// Values of attributes that people have.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub values: usize,
    /// Addresses with a value, each counted once for every value.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub holders: usize,
    /// Memberships that are new, those of values included.
    pub added: usize,
    /// Memberships that are gone, those of values included.
    pub removed: usize,
    /// Groups that the directory has no more, and that stay because a policy
    /// names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Why they would not be taken without being accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// What reading and taking them came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupsReading {
    /// What was taken.
    #[serde(flatten)]
    pub taken: GroupsTaken,
    /// What was not.
    #[serde(flatten)]
    pub left_out: GroupsLeftOut,
}

/// What of a directory's groups was not taken, by why.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct GroupsLeftOut {
    /// Groups without a name that can be used.
    pub nameless: usize,
    /// Members whose account is switched off, each counted in every group.
    pub members_off: usize,
    /// Members of whose name no entry with an address was read, each counted in
    /// every group.
    pub members_unknown: usize,
    /// Values of attributes that are too long, empty or no text.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub values_unusable: usize,
}

/// What is known of a directory's groups.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct GroupsKnown {
    /// How many groups it has.
    pub groups: usize,
    /// Their members, each counted once in every group.
    pub members: usize,
    /// Values of attributes that people have.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub values: usize,
    /// Addresses with a value, each counted once for every value.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub holders: usize,
    /// When they were last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Timestamp>,
}

// serde's signature, for numbers that older readers do not know.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Why groups were not taken; those there were are in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupsProblem {
    /// They can hardly be meant, and wait for somebody to accept them.
    #[error("{why}")]
    Refused {
        /// What speaks against them.
        why: String,
        /// Memberships that are gone in them.
        gone: usize,
    },
    /// They cannot be taken. A sentence for the operator.
    #[error("{0}")]
    Failed(String),
}
