//! Groups and managed senders: the lists that policies and people keep.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::{AddressError, EmailAddress};
use crate::attribute::DirectoryAttribute;
use crate::id::EventId;
use crate::policy::{DomainPattern, PolicyId};
use crate::time::Timestamp;

pub use crate::sender_pattern::{SenderKind, SenderPattern};

/// A group of addresses and domains, part of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name, unique in the tree.
    pub name: String,
    /// The group it stands below, if any. Members of a group count as
    /// members of the groups above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Addresses and domains.
    #[serde(default)]
    pub members: Vec<Pattern>,
}

/// Longest name of a directory on a server, in octets: it becomes the name of
/// a file.
const DIRECTORY_NAME_OCTETS_MAX: usize = 40;

/// Whether a directory on a server can be called so.
pub fn is_directory_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = !name.is_empty() && name.len() <= DIRECTORY_NAME_OCTETS_MAX;
    fits && !name.starts_with('-') && name.bytes().all(plain)
}

impl Group {
    /// What a group that is read from a directory is called here:
    /// `corp:Sales`.
    pub fn name_in(directory: &str, name: &str) -> String {
        format!("{directory}:{name}")
    }

    /// The directory that a group of this name would be of; nothing for a name
    /// that none can give it. Groups of people are not made with such a name,
    /// whether there is that directory or not: it may come.
    pub fn directory_of(name: &str) -> Option<&str> {
        let (directory, rest) = name.split_once(':')?;
        (is_directory_name(directory) && !rest.trim().is_empty()).then_some(directory)
    }

    /// What the group is called here of those who have a value of an attribute
    /// in a directory: `corp::department=Sales`. No group of a directory is
    /// called so, because none begins with a colon.
    pub fn name_of_value(directory: &str, held: &DirectoryAttribute) -> String {
        format!("{directory}::{}={}", held.name, held.value)
    }

    /// The attribute and value whose holders a group of this name has; nothing
    /// for any other group.
    pub fn value_of(name: &str) -> Option<DirectoryAttribute> {
        let (directory, rest) = name.split_once("::")?;
        let (attribute, value) = rest.split_once('=')?;
        let held = DirectoryAttribute { name: attribute.to_owned(), value: value.to_owned() };
        (is_directory_name(directory) && held.fault().is_none()).then_some(held)
    }
}

/// The group every permitted sender can be put into, there from the start.
pub const PERMITTED_SENDERS_GROUP: &str = "Permitted Senders";
/// The group every blocked sender can be put into, there from the start.
pub const BLOCKED_SENDERS_GROUP: &str = "Blocked Senders";

/// An address, a domain, or everything below a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `ann@sender.example`
    Address(EmailAddress),
    /// `sender.example` or `*.sender.example`
    Domain(DomainPattern),
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Address(address) => address.fmt(f),
            Pattern::Domain(domain) => domain.fmt(f),
        }
    }
}

impl FromStr for Pattern {
    type Err = AddressError;

    /// Reads what people paste: an address, a domain, `@domain` or `*.domain`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        match text.strip_prefix('@') {
            Some(domain) => domain.parse().map(Pattern::Domain),
            None if text.contains('@') => text.parse().map(Pattern::Address),
            None => text.parse().map(Pattern::Domain),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One sender in the list of one recipient.
///
/// A new entry for the same pair replaces the old one: a permit ends a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagedSender {
    /// The number; nothing in a document that makes a new entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PolicyId>,
    /// Whom it matches.
    pub sender: SenderPattern,
    /// Whose list it is in.
    pub recipient: EmailAddress,
    /// What it does.
    pub action: SenderAction,
    /// Whether it counts only for mail that SPF, DKIM or DMARC proves to be
    /// from the domain of the address it matched: what has the domain of a
    /// signature is proved by it. A block cannot have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authenticated_only: bool,
    /// The owner's remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Who made it.
    #[serde(default)]
    pub created_by: String,
    /// When it was made.
    #[serde(default)]
    pub created: Timestamp,
    /// The attempt it was made from, if it was made from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_from: Option<EventId>,
    /// Until when it counts; for ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

/// What a managed sender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SenderAction {
    /// Skip greylisting, reputation and spam scanning.
    Permit,
    /// Refuse.
    Block,
    /// Learned from outbound mail; skips what a permit skips.
    Auto,
    /// Kept, without effect.
    Disabled,
}

impl SenderAction {
    /// The name in files and on the command line.
    pub const fn slug(self) -> &'static str {
        match self {
            SenderAction::Permit => "permit",
            SenderAction::Block => "block",
            SenderAction::Auto => "auto",
            SenderAction::Disabled => "disabled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_those_with_a_value_is_told_from_others_by_its_name() {
        let held = DirectoryAttribute::new("department", "R&D = :: fun").unwrap();
        let name = Group::name_of_value("corp", &held);
        assert_eq!(name, "corp::department=R&D = :: fun");
        assert_eq!(Group::value_of(&name), Some(held));
        assert_eq!(Group::directory_of(&name), Some("corp"), "and so nobody makes one");
        for other in
            ["corp:department=Sales", "corp::Sales", "corp::=x", "Corp::l=x", "::l=x", "l=x"]
        {
            assert_eq!(Group::value_of(other), None, "{other}");
        }
    }
}
