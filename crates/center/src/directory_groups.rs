//! Groups that are read from directories on servers: looked at, stored as a
//! version of the policy set whose author is the directory, and in force when
//! the call returns.

mod answer;
mod guard;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod values_tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use policy::validate;
use store::StoreError;
use store::state::{
    Authorship, DirectoryEdit, ObjectKey, Origin, PolicySetContent, PolicyState, StoredGroup,
};
use types::lists::Group;
use types::policy::Scope;
use types::{Actor, GroupsKnown, GroupsProblem, GroupsRead, GroupsTaken, Timestamp};
use world::Clock;

use crate::policies::{is_same, objects, put_group};
use crate::races::until_settled;
use crate::{Activation, CenterError, PolicyActivator};
use guard::Refusal;

/// Keeps the groups of directories. The binary asks it, as each is read.
pub struct DirectoryGroups {
    policies: Arc<dyn PolicyState>,
    activator: Arc<dyn PolicyActivator>,
    clock: Arc<dyn Clock>,
}

/// What is different.
struct Changes {
    edits: Vec<DirectoryEdit>,
    taken: GroupsTaken,
    refusal: Option<Refusal>,
}

impl DirectoryGroups {
    /// Keeps them in this policy set.
    pub fn new(
        policies: Arc<dyn PolicyState>,
        activator: Arc<dyn PolicyActivator>,
        clock: Arc<dyn Clock>,
    ) -> DirectoryGroups {
        DirectoryGroups { policies, activator, clock }
    }

    /// Takes what was read. The same as before makes no version.
    ///
    /// # Errors
    ///
    /// See [`GroupsProblem`].
    pub fn take(&self, read: GroupsRead) -> Result<GroupsTaken, GroupsProblem> {
        let GroupsRead { directory, accept, dry_run, .. } = &read;
        let (accept, dry_run) = (*accept, *dry_run);
        let taken = until_settled(|| {
            let content = self.policies.read(&mut |_| {})?;
            let changes = changes(&content, &read);
            let Changes { edits, mut taken, refusal } = changes;
            let gone = taken.removed;
            let is_accepted = accept.is_some_and(|most| gone <= most);
            let refusal = refusal.filter(|_| !is_accepted).map(|refusal| refusal.told(accept));
            if dry_run {
                self.fits(&content, &edits)?;
                taken.refusal = refusal;
                return Ok(Ok(taken));
            }
            if let Some(why) = refusal {
                return Ok(Err(GroupsProblem::Refused { why, gone }));
            }
            self.put(&content, directory, edits, &note(&taken))?;
            Ok(Ok(taken))
        });
        let taken = taken.map_err(failed)??;
        if !dry_run {
            let now = self.clock.now().as_millis().to_string();
            let kept = self.policies.set_fact(&fact(directory), Some(&now));
            kept.map_err(|error| GroupsProblem::Failed(error.to_string()))?;
        }
        Ok(taken)
    }

    /// What is known of the groups of one.
    ///
    /// # Errors
    ///
    /// The state cannot be read. A sentence for the operator.
    pub fn known(&self, directory: &str) -> Result<GroupsKnown, String> {
        let content = self.policies.read(&mut |_| {}).map_err(|error| error.to_string())?;
        let present = of(&content, directory).filter(|stored| is_present(stored));
        let sizes = Sizes::of(present.map(|stored| &stored.group));
        let read = read_at(&*self.policies, directory).map_err(|error| error.to_string())?;
        let Sizes { groups, members, values, holders } = sizes;
        Ok(GroupsKnown { groups, members, values, holders, read })
    }

    /// Lets go of the groups of directories other than these: the settings
    /// have those no more, or do not read their groups. What a policy or an
    /// account names stays as it was last.
    ///
    /// # Errors
    ///
    /// The state cannot be changed. A sentence for the operator.
    pub fn keep_only(&self, directories: &[String]) -> Result<(), String> {
        let done = until_settled(|| {
            let content = self.policies.read(&mut |_| {})?;
            let named = named(&content);
            let mut left: BTreeMap<&str, Vec<DirectoryEdit>> = BTreeMap::new();
            let stored = content.groups.iter();
            for stored in stored.filter(|stored| stored.provenance.origin.is_directory()) {
                let name = &stored.group.name;
                let Some(directory) = Group::directory_of(name) else { continue };
                if !directories.iter().any(|kept| kept == directory) {
                    left.entry(directory).or_default().push(leave(name, &named));
                }
            }
            let note = "the settings read no groups of this directory any more";
            // One after the other, each on the version the last one made.
            left.into_iter().try_fold(content.version, |version, (directory, edits)| {
                self.store(version, directory, edits, note)
            })
        });
        done.map(drop).map_err(|error| error.to_string())
    }

    /// Stores edits if the set can be compiled with them as well as before.
    fn put(
        &self,
        content: &PolicySetContent,
        directory: &str,
        edits: Vec<DirectoryEdit>,
        note: &str,
    ) -> Result<(), CenterError> {
        self.fits(content, &edits)?;
        self.store(content.version, directory, edits, note).map(drop)
    }

    /// Whether edits fit the set: no name is that of a group that is managed
    /// here, and no policy would be left out because it no longer fits its
    /// group, which nobody would have changed.
    fn fits(&self, content: &PolicySetContent, edits: &[DirectoryEdit]) -> Result<(), CenterError> {
        let groups: Vec<&Group> = edits.iter().filter_map(put).collect();
        if groups.is_empty() {
            return Ok(());
        }
        let ours = content.groups.iter().filter(|one| !one.provenance.origin.is_directory());
        let ours: HashSet<&str> = ours.map(|stored| stored.group.name.as_str()).collect();
        if let Some(group) = groups.iter().find(|group| ours.contains(group.name.as_str())) {
            let key = ObjectKey::Group(group.name.clone());
            return Err(StoreError::NameTaken(key.to_string()).into());
        }
        let base = self.activator.base();
        let before = validate(&objects(content), &base);
        let mut after = content.clone();
        for group in groups {
            put_group(&mut after, group);
        }
        let problems = validate(&objects(&after), &base);
        match problems.iter().find(|problem| !before.iter().any(|other| is_same(problem, other))) {
            None => Ok(()),
            Some(problem) => Err(CenterError::invalid(format!("with them, {problem}"))),
        }
    }

    /// Stores edits made on a version and puts them into force. Gives the
    /// version there is then.
    fn store(
        &self,
        version: u64,
        directory: &str,
        edits: Vec<DirectoryEdit>,
        note: &str,
    ) -> Result<u64, CenterError> {
        let actor = Actor::machine(&format!("directory {directory}"));
        let (note, at) = (note.to_owned(), self.clock.now());
        let who = Authorship { actor, note, at, expected: Some(version) };
        let version = self.policies.take_groups(&who, edits)?.version;
        // Also one that could not be put into force when it was stored.
        if self.activator.in_force().version() < version {
            let activated = self.activator.activate(version, Activation::Policies);
            activated.map_err(|why| CenterError::NotActivated { version, why })?;
        }
        Ok(version)
    }
}

/// The group that is put, if one is.
fn put(edit: &DirectoryEdit) -> Option<&Group> {
    match edit {
        DirectoryEdit::Put(group) => Some(group),
        DirectoryEdit::Leave { .. } => None,
    }
}

/// When the groups of a directory were last read.
pub(crate) fn read_at(
    policies: &dyn PolicyState,
    directory: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let kept = policies.fact(&fact(directory))?;
    Ok(kept.and_then(|text| text.parse().ok()).map(Timestamp::from_millis))
}

/// Under which name that is remembered.
fn fact(directory: &str) -> String {
    format!("directory_groups.{directory}")
}

fn failed(error: CenterError) -> GroupsProblem {
    GroupsProblem::Failed(error.to_string())
}

/// How much there is.
#[derive(Default)]
struct Sizes {
    groups: usize,
    members: usize,
    values: usize,
    holders: usize,
}

impl Sizes {
    fn of<'a>(groups: impl Iterator<Item = &'a Group>) -> Sizes {
        let mut sizes = Sizes::default();
        for group in groups {
            let (count, size) = match Group::value_of(&group.name) {
                None => (&mut sizes.groups, &mut sizes.members),
                // One that is kept for a policy's sake, and that nobody has.
                Some(_) if group.members.is_empty() => continue,
                Some(_) => (&mut sizes.values, &mut sizes.holders),
            };
            *count += 1;
            *size += group.members.len();
        }
        sizes
    }
}

/// What is stored of a directory.
fn of<'a>(
    content: &'a PolicySetContent,
    directory: &'a str,
) -> impl Iterator<Item = &'a StoredGroup> {
    content.groups.iter().filter(move |stored| {
        stored.provenance.origin.is_directory()
            && Group::directory_of(&stored.group.name) == Some(directory)
    })
}

fn is_present(stored: &StoredGroup) -> bool {
    stored.provenance.origin == Origin::Directory
}

/// The groups that policies name, by their names or by the value whose holders
/// they have.
fn named(content: &PolicySetContent) -> HashSet<&str> {
    let (mut names, mut values) = (HashSet::new(), HashSet::new());
    for stored in &content.policies {
        for scope in [&stored.policy.from, &stored.policy.to] {
            match scope {
                Scope::Group(name) => drop(names.insert(name.as_str())),
                Scope::Attribute(held) => drop(values.insert(held.key())),
                _ => {}
            }
        }
    }
    let stored = content.groups.iter().map(|stored| stored.group.name.as_str());
    let is_named =
        |name: &&str| Group::value_of(name).is_some_and(|held| values.contains(&held.key()));
    names.extend(stored.filter(is_named));
    names
}

fn leave(name: &str, named: &HashSet<&str>) -> DirectoryEdit {
    DirectoryEdit::Leave { name: name.to_owned(), needed: named.contains(name) }
}

/// What these groups change.
fn changes(content: &PolicySetContent, read: &GroupsRead) -> Changes {
    let GroupsRead { directory, wanted, shrink_percent_max, .. } = read;
    let named = named(content);
    let stored: BTreeMap<&str, &StoredGroup> =
        of(content, directory).map(|stored| (stored.group.name.as_str(), stored)).collect();
    let groups = &answer::groups(read, &stored, &named);
    // One that was gone, and is back, decides mail as it was last. What the
    // settings read no more is missing because they say so.
    let decides = |stored: &&&StoredGroup| {
        let name = &stored.group.name;
        groups.contains_key(name) || (is_present(stored) && wanted.has(name))
    };
    let before: Vec<&Group> = stored.values().filter(decides).map(|stored| &stored.group).collect();
    let tally = guard::tally(&before, groups);
    let sizes = Sizes::of(groups.values());
    let mut taken = GroupsTaken {
        groups: sizes.groups,
        members: sizes.members,
        values: sizes.values,
        holders: sizes.holders,
        added: tally.added,
        removed: tally.removed,
        ..GroupsTaken::default()
    };
    let mut edits = Vec::new();
    for (name, group) in groups {
        let is_same = |stored: &&&StoredGroup| is_present(stored) && stored.group == *group;
        if stored.get(name.as_str()).filter(is_same).is_none() {
            edits.push(DirectoryEdit::Put(group.clone()));
        }
    }
    for name in stored.keys().filter(|name| !groups.contains_key(**name)) {
        if named.contains(name) {
            taken.kept.push((*name).to_owned());
        }
        edits.push(leave(name, &named));
    }
    let refusal = guard::look(&before, groups, tally, &named, *shrink_percent_max);
    Changes { edits, taken, refusal }
}

/// What the history says a version is for.
fn note(taken: &GroupsTaken) -> String {
    let GroupsTaken { added, removed, kept, .. } = taken;
    let mut note = format!("{added} memberships are new, {removed} are gone");
    if !kept.is_empty() {
        note += &format!(
            "; gone from the directory, and kept because a policy names it: {}",
            kept.join(", ")
        );
    }
    note
}
