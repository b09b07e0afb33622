//! The tree of groups: who is a member of what.

use std::collections::HashMap;

use types::DirectoryAttribute;
use types::lists::{Group, Pattern};

/// The members of some groups and of all groups below them, as the scopes of
/// policies have them: for whoever is limited to groups. A group that is not
/// there has none.
pub fn members<'a>(groups: &'a [Group], names: &[String]) -> Vec<&'a Pattern> {
    let tree = GroupTree::new(groups);
    names.iter().flat_map(|name| tree.members(name)).collect()
}

/// Groups by name, and what stands below each.
#[derive(Debug)]
pub(crate) struct GroupTree<'a> {
    by_name: HashMap<&'a str, &'a Group>,
    below: HashMap<&'a str, Vec<&'a Group>>,
    /// Those who have a value of an attribute, by its key: a group of each
    /// directory.
    by_value: HashMap<String, Vec<&'a Group>>,
}

impl<'a> GroupTree<'a> {
    pub(crate) fn new(groups: &'a [Group]) -> Self {
        let mut below: HashMap<&str, Vec<&Group>> = HashMap::new();
        for group in groups {
            if let Some(parent) = &group.parent {
                below.entry(parent).or_default().push(group);
            }
        }
        let mut by_value: HashMap<String, Vec<&Group>> = HashMap::new();
        for group in groups {
            if let Some(held) = Group::value_of(&group.name) {
                by_value.entry(held.key()).or_default().push(group);
            }
        }
        let by_name = groups.iter().map(|group| (group.name.as_str(), group)).collect();
        GroupTree { by_name, below, by_value }
    }

    /// The group of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Group> {
        self.by_name.get(name).copied()
    }

    /// The members of the group `name` and of all groups below it.
    pub(crate) fn members(&self, name: &str) -> Vec<&'a Pattern> {
        let mut open: Vec<&Group> = self.get(name).into_iter().collect();
        let mut members = Vec::new();
        // A circle is refused elsewhere; here no more groups are opened than
        // there are, so that it cannot keep us.
        for _ in 0..self.by_name.len() {
            let Some(group) = open.pop() else { break };
            members.extend(&group.members);
            open.extend(self.below.get(group.name.as_str()).into_iter().flatten());
        }
        members
    }

    /// Those who have a value of an attribute, in whichever directory.
    pub(crate) fn holders(&self, held: &DirectoryAttribute) -> impl Iterator<Item = &'a Pattern> {
        let groups = self.by_value.get(&held.key()).into_iter().flatten();
        groups.flat_map(|group| &group.members)
    }

    /// The group `name` and those above it, from the bottom up, each once.
    pub(crate) fn upwards(&self, name: &str) -> impl Iterator<Item = &'a Group> + '_ {
        let parent = |group: &&'a Group| self.get(group.parent.as_deref()?);
        std::iter::successors(self.get(name), parent).take(self.by_name.len())
    }
}
