//! The tree of groups: who is a member of what.

use std::collections::HashMap;

use types::lists::{Group, Pattern};

/// The members of the group `name` and of all groups below it.
pub(crate) fn members_of<'a>(groups: &'a [Group], name: &str) -> Vec<&'a Pattern> {
    let mut below: HashMap<&str, Vec<&Group>> = HashMap::new();
    for group in groups {
        if let Some(parent) = &group.parent {
            below.entry(parent).or_default().push(group);
        }
    }
    let mut open: Vec<&Group> = groups.iter().filter(|group| group.name == name).collect();
    let mut members = Vec::new();
    // A circle is refused elsewhere; here each group is opened at most once,
    // so that it cannot keep us.
    for _ in 0..groups.len() {
        let Some(group) = open.pop() else { break };
        members.extend(&group.members);
        open.extend(below.get(group.name.as_str()).into_iter().flatten());
    }
    members
}
