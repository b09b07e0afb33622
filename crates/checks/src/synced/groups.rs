//! Groups of a directory: read as entries, and flattened to the addresses of
//! the people in them and in the groups in them.
//!
//! A group that cannot be had whole is none at all: who is missing in one
//! would be permitted or blocked no more.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use types::{EmailAddress, GroupsLeftOut};
use world::ldap::{Filter, LdapEntry, LdapError, LdapSearch, LdapSession, Scope};

use super::names::comparable;
use super::people::{Number, People, Who};
use super::reading::{ADDRESSES_MAX, OCTETS_MAX};
use super::sid::{OBJECT_SID, Sid};
use super::values::{Held, TooManyValues};

/// The attribute that names members by their `uid` (RFC 2307).
const MEMBER_UID: &str = "memberUid";
/// Longest name of a group, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Names of members in all groups, as they are read.
const NAMED_MAX: usize = 1_000_000;
/// Members of one group, with those of the groups in it.
pub(super) const MEMBERS_MAX: usize = 100_000;
/// Members of all groups, each counted in every group.
pub(super) const MEMBERSHIPS_MAX: usize = 200_000;
/// How deep groups stand in groups.
pub(super) const DEEP_MAX: usize = 20;
/// Members that are looked at in all, however often groups stand in others.
const LOOKS_MAX: usize = 20_000_000;

/// How the groups of a directory are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// Where the search begins.
    pub base: String,
    /// Which entries are groups.
    pub filter: Filter,
    /// Where their names stand.
    pub name: String,
    /// Where their members stand.
    pub members: Vec<String>,
    /// Groups that are taken.
    pub groups_max: usize,
}

impl GroupSettings {
    /// Whether members are named by the `uid` of people.
    pub(super) fn by_uid(&self) -> bool {
        self.members.iter().any(|name| name.eq_ignore_ascii_case(MEMBER_UID))
    }

    /// The attributes that are asked for.
    pub(super) fn attributes(&self) -> Vec<String> {
        let mut all: Vec<String> =
            std::iter::once(&self.name).chain(&self.members).cloned().collect();
        all.push(OBJECT_SID.to_owned());
        all
    }
}

/// Why groups cannot be had whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum GroupsError {
    #[error(
        "two groups are called {name:?}, {one} and {other}: let group_name be another attribute"
    )]
    TwoOfOneName { name: String, one: String, other: String },
    #[error(
        "the entries have more than {ADDRESSES_MAX} addresses of whatever domain, or {} MiB of \
         them, so groups are not read: let filter find fewer entries",
        OCTETS_MAX >> 20
    )]
    TooManyAddresses,
    #[error("two entries have the uid {0:?}, which a group names as its member")]
    TwoOfOneUid(String),
    #[error("the groups name more than {NAMED_MAX} members: let group_filter find fewer groups")]
    TooManyNamed,
    #[error("the group {0:?} has more than {MEMBERS_MAX} members")]
    TooLarge(String),
    #[error(
        "the groups have more than {MEMBERSHIPS_MAX} members in all: let group_filter find fewer \
         groups"
    )]
    TooManyInAll,
    #[error("groups stand more than {DEEP_MAX} deep in the group {0:?}")]
    TooDeep(String),
    #[error("groups stand in one another too often: let group_filter find fewer groups")]
    TooTangled,
}

/// Why the groups of a server are not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoGroups {
    /// It could not be read; another may.
    #[error(transparent)]
    Ldap(#[from] LdapError),
    /// They cannot be had whole, and no other server has others.
    #[error(transparent)]
    NotWhole(#[from] GroupsError),
    /// The same of the values of attributes.
    #[error(transparent)]
    Values(#[from] TooManyValues),
    /// Reading them took too long in all.
    #[error("reading the groups took longer than {} minutes", .0.as_secs() / 60)]
    TooLong(Duration),
}

impl NoGroups {
    /// Whether another server may have them.
    pub(super) fn is_of_server(&self) -> bool {
        match self {
            NoGroups::Ldap(error) => !matches!(error, LdapError::TooMuch { .. }),
            NoGroups::TooLong(_) => true,
            NoGroups::NotWhole(_) | NoGroups::Values(_) => false,
        }
    }
}

/// What an entry names as a member.
enum Member {
    Person(Number),
    SwitchedOff,
    /// One of several with this `uid`.
    Several(Box<str>),
    /// Nobody who was read: a group, or a stranger.
    Other(Box<str>),
    Unknown,
}

impl Member {
    /// Somebody whose name, as the value has it, is known.
    fn known(who: Who, value: &[u8]) -> Member {
        match who {
            Who::Person(number) => Member::Person(number),
            Who::SwitchedOff => Member::SwitchedOff,
            Who::Several => Member::Several(String::from_utf8_lossy(value).into()),
        }
    }
}

/// A group as its entry has it.
struct Entry {
    /// What the server calls the entry.
    dn: String,
    /// Nothing if there is none that can be used.
    name: Option<String>,
    members: Vec<Member>,
}

/// Groups as they were read, with their members' addresses, and the values
/// that people have of attributes.
#[derive(Default)]
pub(super) struct Flat {
    pub(super) groups: Vec<(String, Vec<EmailAddress>)>,
    pub(super) values: Held,
    pub(super) left_out: GroupsLeftOut,
}

/// Reads the groups after the people, whose names are known then.
///
/// # Errors
/// They cannot be had whole, or not from this server.
pub(super) async fn fetch(
    session: &mut dyn LdapSession,
    settings: &GroupSettings,
    page_size: u32,
    people: &People,
) -> Result<Flat, NoGroups> {
    people.whole()?;
    let attributes = settings.attributes();
    let search = LdapSearch {
        base: &settings.base,
        scope: Scope::Whole,
        filter: &settings.filter,
        attributes: &attributes,
        page_size,
        entries_max: settings.groups_max,
    };
    let mut groups = Groups::new(settings, people);
    session.search(&search, &mut |entry| groups.entry(&entry)).await?;
    Ok(groups.flatten()?)
}

/// Reads entries as they come.
pub(super) struct Groups<'a> {
    settings: &'a GroupSettings,
    people: &'a People,
    entries: Vec<Entry>,
    named: usize,
}

impl<'a> Groups<'a> {
    pub(super) fn new(settings: &'a GroupSettings, people: &'a People) -> Groups<'a> {
        Groups { settings, people, entries: Vec::new(), named: 0 }
    }

    /// Takes the name and the members of an entry.
    pub(super) fn entry(&mut self, entry: &LdapEntry) {
        let mut members = Vec::new();
        let mut name = None;
        for (attribute, values) in &entry.attributes {
            let attribute = attribute.split(';').next().unwrap_or_default();
            let is = |wanted: &String| wanted.eq_ignore_ascii_case(attribute);
            if is(&self.settings.name) && name.is_none() {
                name = values.first().and_then(|value| usable(value));
            }
            if attribute.eq_ignore_ascii_case(OBJECT_SID) {
                self.primary(values, &mut members);
            }
            if !self.settings.members.iter().any(is) {
                continue;
            }
            let by_uid = attribute.eq_ignore_ascii_case(MEMBER_UID);
            self.named = self.named.saturating_add(values.len());
            // It is given up as soon as all were read.
            if self.named <= NAMED_MAX {
                members.extend(values.iter().map(|value| self.member(value, by_uid)));
            }
        }
        self.entries.push(Entry { dn: entry.name.clone(), name, members });
    }

    /// Takes those whose primary group is called so by Windows: no `member`
    /// names them.
    fn primary(&mut self, values: &[Vec<u8>], members: &mut Vec<Member>) {
        let Some(group) = values.first().and_then(|value| Sid::read(value)) else { return };
        let all = self.people.of_primary(&group);
        self.named = self.named.saturating_add(all.len());
        if self.named <= NAMED_MAX {
            members.extend(all.iter().map(|who| Member::known(*who, &[])));
        }
    }

    fn member(&self, value: &[u8], by_uid: bool) -> Member {
        let known = |who: Who| Member::known(who, value);
        if by_uid {
            return self.people.of_uid(value).map_or(Member::Unknown, known);
        }
        let name = std::str::from_utf8(value).ok().and_then(comparable);
        let Some(name) = name else { return Member::Unknown };
        self.people.named(&name).map_or_else(|| Member::Other(name), known)
    }

    /// The groups with everybody in them.
    ///
    /// # Errors
    /// One of them cannot be had whole.
    pub(super) fn flatten(self) -> Result<Flat, GroupsError> {
        if self.named > NAMED_MAX {
            return Err(GroupsError::TooManyNamed);
        }
        self.names_are_apart()?;
        let tree = Tree::of(&self.entries, self.people);
        let mut walk = Walk { left_out: GroupsLeftOut::default(), looks: 0, memberships: 0 };
        let mut groups = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            match &entry.name {
                Some(name) => groups.push((name.clone(), walk.members(&tree, place, name)?)),
                None => walk.left_out.nameless += 1,
            }
        }
        Ok(Flat { groups, left_out: walk.left_out, ..Flat::default() })
    }

    /// Two groups of one name would be one here.
    fn names_are_apart(&self) -> Result<(), GroupsError> {
        let mut seen: HashMap<String, &Entry> = HashMap::new();
        for entry in &self.entries {
            let Some(name) = &entry.name else { continue };
            if let Some(other) = seen.insert(name.to_lowercase(), entry) {
                let (name, one, other) = (name.clone(), other.dn.clone(), entry.dn.clone());
                return Err(GroupsError::TwoOfOneName { name, one, other });
            }
        }
        Ok(())
    }
}

/// A name that people can read and type. One that begins with a colon could be
/// taken for a value of an attribute.
fn usable(value: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(value).ok()?.trim();
    let fits = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.starts_with(':');
    (fits && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

/// Which entries are in which.
struct Tree<'a> {
    entries: &'a [Entry],
    people: &'a People,
    by_name: HashMap<Box<str>, usize>,
    /// Groups with an address of their own, which were read among the people:
    /// as members they stand for whom they have.
    by_number: HashMap<Number, usize>,
}

impl<'a> Tree<'a> {
    fn of(entries: &'a [Entry], people: &'a People) -> Tree<'a> {
        let mut tree = Tree { entries, people, by_name: HashMap::new(), by_number: HashMap::new() };
        for (place, entry) in entries.iter().enumerate() {
            let Some(name) = comparable(&entry.dn) else { continue };
            if let Some(Who::Person(number)) = people.named(&name) {
                tree.by_number.insert(number, place);
            }
            tree.by_name.insert(name, place);
        }
        tree
    }

    /// The group that a member is, if it is one.
    fn group(&self, member: &Member) -> Option<usize> {
        match member {
            Member::Person(number) => self.by_number.get(number).copied(),
            Member::Other(name) => self.by_name.get(name).copied(),
            Member::SwitchedOff | Member::Several(_) | Member::Unknown => None,
        }
    }
}

/// Counts while groups are walked through.
struct Walk {
    left_out: GroupsLeftOut,
    looks: usize,
    memberships: usize,
}

impl Walk {
    /// Everybody in a group and in the groups in it. Each is entered once, so
    /// that a circle ends.
    fn members(
        &mut self,
        tree: &Tree<'_>,
        place: usize,
        name: &str,
    ) -> Result<Vec<EmailAddress>, GroupsError> {
        let mut open = VecDeque::from([(place, 0)]);
        let mut entered = HashSet::from([place]);
        let mut people: HashSet<Number> = HashSet::new();
        let mut members: Vec<EmailAddress> = Vec::new();
        while let Some((place, deep)) = open.pop_front() {
            let Some(entry) = tree.entries.get(place) else { continue };
            self.looks = self.looks.saturating_add(entry.members.len());
            if self.looks > LOOKS_MAX {
                return Err(GroupsError::TooTangled);
            }
            for member in &entry.members {
                if let Some(group) = tree.group(member) {
                    if entered.insert(group) {
                        open.push_back((group, deep + 1));
                        if deep >= DEEP_MAX {
                            return Err(GroupsError::TooDeep(name.to_owned()));
                        }
                    }
                    continue;
                }
                match member {
                    Member::Person(number) if people.insert(*number) => {
                        members.extend_from_slice(tree.people.addresses(*number));
                    }
                    Member::Person(_) => {}
                    Member::Several(uid) => {
                        return Err(GroupsError::TwoOfOneUid(uid.to_string()));
                    }
                    Member::SwitchedOff => self.left_out.members_off += 1,
                    Member::Other(_) | Member::Unknown => self.left_out.members_unknown += 1,
                }
            }
            if members.len() > MEMBERS_MAX {
                return Err(GroupsError::TooLarge(name.to_owned()));
            }
        }
        self.memberships = self.memberships.saturating_add(members.len());
        match self.memberships > MEMBERSHIPS_MAX {
            true => Err(GroupsError::TooManyInAll),
            false => Ok(members),
        }
    }
}
