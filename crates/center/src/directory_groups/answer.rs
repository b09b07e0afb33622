//! What was read of a directory, as groups of the policy set.

use std::collections::{BTreeMap, HashMap, HashSet};

use store::state::StoredGroup;
use types::lists::{Group, Pattern};
use types::{EmailAddress, GroupsRead};

/// Its groups, and those of the holders of a value of an attribute, by name.
///
/// A value keeps the spelling in which it is stored, so that a directory that
/// has it in several makes no versions. One that a policy names and nobody has
/// any more is a group of nobody: its last holders have it no longer, as the
/// members of a group that is gone may still be meant.
pub(super) fn groups(
    read: &GroupsRead,
    stored: &BTreeMap<&str, &StoredGroup>,
    named: &HashSet<&str>,
) -> BTreeMap<String, Group> {
    let GroupsRead { directory, groups, values, wanted, .. } = read;
    let values_stored: HashMap<String, &str> =
        stored.keys().filter_map(|name| Some((Group::value_of(name)?.key(), *name))).collect();
    let mut all = BTreeMap::new();
    for (name, members) in groups {
        let group = group(Group::name_in(directory, name), members);
        all.insert(group.name.clone(), group);
    }
    for (held, members) in values {
        let known = values_stored.get(&held.key()).map(|name| (*name).to_owned());
        let name = known.unwrap_or_else(|| Group::name_of_value(directory, held));
        all.insert(name.clone(), group(name, members));
    }
    for name in values_stored.values().filter(|name| named.contains(**name) && wanted.has(name)) {
        all.entry((*name).to_owned()).or_insert_with(|| group((*name).to_owned(), &[]));
    }
    all
}

/// A group as it stands in the set: members in order, each once.
fn group(name: String, members: &[EmailAddress]) -> Group {
    let mut members = members.to_vec();
    members.sort_unstable_by(|one, other| one.key().cmp(other.key()));
    members.dedup_by(|one, other| one.key() == other.key());
    Group { name, parent: None, members: members.into_iter().map(Pattern::Address).collect() }
}
