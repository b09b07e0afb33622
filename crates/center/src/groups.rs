//! Keeping groups, which policies name in their scopes.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use store::state::{Edit, Object, ObjectKey, Origin, Provenance, StoredGroup};
use types::lists::{Group, Pattern};
use types::{Caller, DirectoryAttribute, Permission, Timestamp};

use crate::directory_groups;
use crate::input::pattern_problem;
use crate::races::until_settled;
use crate::{Center, CenterError, ChangeResult, ImportHow, Problem, permit};

/// A group with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupRow {
    /// The group.
    pub group: Group,
    /// Who made it and when.
    pub provenance: Provenance,
    /// The directory it is read from, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<GroupSource>,
}

/// The directory that a group is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupSource {
    /// Its name in the settings.
    pub name: String,
    /// When its groups were last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Timestamp>,
    /// When it was found that the directory has the group no more: it stays
    /// with its last members while a policy or an account names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Timestamp>,
}

/// A value of an attribute in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AttributeRow {
    /// The directory's name in the settings.
    pub directory: String,
    /// The attribute and its value, as scopes of policies name them.
    #[serde(flatten)]
    pub attribute: DirectoryAttribute,
    /// How many addresses have it.
    pub addresses: usize,
}

impl AttributeRow {
    /// What a stored group is, if it has the holders of a value.
    fn of(stored: &StoredGroup) -> Option<AttributeRow> {
        let StoredGroup { group, provenance } = stored;
        let attribute = Group::value_of(&group.name)?;
        let directory = Group::directory_of(&group.name)?.to_owned();
        let addresses = group.members.len();
        let is_read = provenance.origin.is_directory();
        is_read.then_some(AttributeRow { directory, attribute, addresses })
    }
}

impl Center {
    /// All groups, by name, without those of who has a value of an attribute:
    /// they are [`Center::attributes`].
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn groups(&self, caller: &Caller) -> Result<Vec<GroupRow>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let content = self.parts.policies.read(&mut |_| {})?;
        let is_value = |stored: &StoredGroup| {
            stored.provenance.origin.is_directory() && Group::value_of(&stored.group.name).is_some()
        };
        let groups = content.groups.into_iter().filter(|stored| !is_value(stored));
        groups.map(|stored| self.group_row(stored)).collect()
    }

    /// Every value of an attribute that people have in a directory, by
    /// directory and name.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn attributes(&self, caller: &Caller) -> Result<Vec<AttributeRow>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let content = self.parts.policies.read(&mut |_| {})?;
        Ok(content.groups.iter().filter_map(AttributeRow::of).collect())
    }

    fn group_row(
        &self,
        StoredGroup { group, provenance }: StoredGroup,
    ) -> Result<GroupRow, CenterError> {
        let name = Group::directory_of(&group.name).filter(|_| provenance.origin.is_directory());
        let directory = match name {
            None => None,
            Some(name) => Some(GroupSource {
                name: name.to_owned(),
                read: directory_groups::read_at(&*self.parts.policies, name)?,
                gone: (provenance.origin == Origin::Gone).then_some(provenance.changed),
            }),
        };
        Ok(GroupRow { group, provenance, directory })
    }

    /// One group.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn group(&self, caller: &Caller, name: &str) -> Result<GroupRow, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let stored = self.parts.policies.group(name)?;
        let stored = stored.ok_or_else(|| CenterError::NotFound(format!("group {name:?}")))?;
        self.group_row(stored)
    }

    /// Adds a group, or replaces the one of its name.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`].
    pub fn put_group(
        &self,
        caller: &Caller,
        group: Group,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditLists)?;
        self.edit_policies(caller, vec![Edit::Put(Object::Group(group))], expected, note)
    }

    /// Removes a group; refused while a policy names it.
    ///
    /// # Errors
    ///
    /// As [`Center::put_policy`], and [`CenterError::NotFound`].
    pub fn remove_group(
        &self,
        caller: &Caller,
        name: &str,
        expected: Option<u64>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditLists)?;
        let edit = Edit::Remove(ObjectKey::Group(name.to_owned()));
        self.edit_policies(caller, vec![edit], expected, note)
    }

    /// Adds and removes members, leaving the others as they are.
    ///
    /// # Errors
    ///
    /// As [`Center::put_group`], and [`CenterError::NotFound`].
    pub fn change_members(
        &self,
        caller: &Caller,
        name: &str,
        add: Vec<Pattern>,
        remove: &[Pattern],
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        self.rework_group(caller, name, note, |group| {
            group.members.retain(|member| !remove.contains(member) && !add.contains(member));
            group.members.extend(add.iter().cloned());
        })
    }

    /// Puts a group below another, or at the top, with the members it has.
    ///
    /// # Errors
    ///
    /// As [`Center::put_group`], and [`CenterError::NotFound`].
    pub fn move_group(
        &self,
        caller: &Caller,
        name: &str,
        parent: Option<String>,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        self.rework_group(caller, name, note, |group| group.parent.clone_from(&parent))
    }

    /// Changes a group as it is at that moment, whatever else is changed
    /// meanwhile.
    fn rework_group(
        &self,
        caller: &Caller,
        name: &str,
        note: &str,
        rework: impl Fn(&mut Group),
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditLists)?;
        until_settled(|| {
            let version = self.parts.policies.version()?;
            let mut group = self.group(caller, name)?.group;
            rework(&mut group);
            self.put_group(caller, group, Some(version), note)
        })
    }

    /// Adds members from a text that was pasted or is the first column of a
    /// CSV file: one address or domain per line. Empty lines and lines that
    /// begin with `#` are left out.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] with a problem per bad line, unless good lines
    /// are taken on their own or nothing is stored.
    pub fn paste_members(
        &self,
        caller: &Caller,
        name: &str,
        text: &str,
        how: ImportHow,
        note: &str,
    ) -> Result<Pasted, CenterError> {
        permit(caller, Permission::EditLists)?;
        until_settled(|| self.paste_once(caller, name, text, how, note))
    }

    fn paste_once(
        &self,
        caller: &Caller,
        name: &str,
        text: &str,
        how: ImportHow,
        note: &str,
    ) -> Result<Pasted, CenterError> {
        let version = self.parts.policies.version()?;
        let mut group = self.group(caller, name)?.group;
        let mut known: HashSet<String> = group.members.iter().map(ToString::to_string).collect();
        let mut pasted = Pasted { dry_run: how.dry_run, version, ..Pasted::default() };
        for (line, text) in (1..).zip(text.lines()) {
            let Some(text) = first_cell(text) else { continue };
            match member(&text) {
                Ok(member) if known.insert(member.to_string()) => {
                    group.members.push(member);
                    pasted.added += 1;
                }
                Ok(_) => pasted.known += 1,
                Err(message) => pasted.problems.push(Problem::at_line(line, message)),
            }
            if pasted.added > MEMBERS_MAX {
                let message = format!("more than {MEMBERS_MAX} members at once");
                return Err(CenterError::invalid(message));
            }
        }
        if !pasted.problems.is_empty() && !how.partial && !how.dry_run {
            return Err(CenterError::Invalid { problems: pasted.problems });
        }
        if pasted.added > 0 && !how.dry_run {
            pasted.version = self.put_group(caller, group, Some(version), note)?.version;
        }
        Ok(pasted)
    }
}

/// Most members added by one text.
const MEMBERS_MAX: usize = 100_000;

/// What adding members from a text did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Pasted {
    /// Members that are new.
    pub added: usize,
    /// Members that were there before, or twice in the text.
    pub known: usize,
    /// Every bad line, with why.
    pub problems: Vec<Problem>,
    /// Whether it was only asked about: then nothing is stored.
    pub dry_run: bool,
    /// The version there is now.
    pub version: u64,
}

/// The first cell of a line, without quotes; nothing where nothing is meant.
fn first_cell(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches('\u{feff}');
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let cell = reader.records().next()?.ok()?.get(0)?.trim().to_owned();
    // A file of one column has a separator other than a comma now and then.
    let cell = cell.split([';', '\t']).next().unwrap_or_default().trim().to_owned();
    (!cell.is_empty()).then_some(cell)
}

fn member(text: &str) -> Result<Pattern, String> {
    let shown = || crate::presentable_within(text, 80);
    let pattern: Pattern = text.parse().map_err(|error| format!("{:?}: {error}", shown()))?;
    match pattern_problem(&pattern) {
        Some(problem) => Err(format!("{:?}: {problem}", shown())),
        None => Ok(pattern),
    }
}

#[cfg(test)]
mod tests {
    use types::lists::Group;

    use super::*;
    use crate::tests::{Gateway, at};

    fn root() -> Caller {
        Caller::with_all("root")
    }

    #[test]
    fn a_thousand_lines_are_pasted_and_every_bad_one_is_named() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        let group = Group { name: "G".to_owned(), parent: None, members: Vec::new() };
        center.put_group(&root(), group, None, "").unwrap();
        let mut text = "# partners\n\nann@a.example, the first\nnonsense\n@b.example\n".to_owned();
        for number in 0..1_000 {
            text += &format!("user{number}@c.example\n");
        }
        text += "\"quoted@d.example\",x\nann@a.example\nann@@x\n*.e.example;y\n";
        let paste = |partial, dry_run| {
            center.paste_members(&root(), "G", &text, ImportHow { partial, dry_run }, "")
        };
        let lines = |problems: &[Problem]| {
            problems.iter().filter_map(|problem| problem.line).collect::<Vec<_>>()
        };
        let told = paste(false, true).unwrap();
        assert_eq!((told.added, told.known, lines(&told.problems)), (1_004, 1, vec![4, 1_008]));
        assert!(matches!(paste(false, false), Err(CenterError::Invalid { .. })));
        assert_eq!(center.group(&root(), "G").unwrap().group.members, []);
        assert_eq!(paste(true, false).unwrap().added, 1_004);
        assert_eq!(center.group(&root(), "G").unwrap().group.members.len(), 1_004);
        let again = paste(true, false).unwrap();
        assert_eq!((again.added, again.known), (0, 1_005));
    }

    #[test]
    fn changes_made_at_once_are_all_made() {
        let gateway = Gateway::new(at(0));
        let center = &gateway.center;
        let group = |name: String| Group { name, parent: None, members: Vec::new() };
        center.put_group(&root(), group("G".to_owned()), None, "").unwrap();
        std::thread::scope(|all| {
            for number in 0..8 {
                all.spawn(move || {
                    let member = format!("user@{number}.example").parse().unwrap();
                    center.put_group(&root(), group(format!("G{number}")), None, "").unwrap();
                    center.change_members(&root(), "G", vec![member], &[], "").unwrap();
                    center
                        .move_group(&root(), &format!("G{number}"), Some("G".into()), "")
                        .unwrap();
                });
            }
        });
        let groups = center.groups(&root()).unwrap();
        assert_eq!(groups.iter().filter(|row| row.group.parent.is_some()).count(), 8);
        assert_eq!(center.group(&root(), "G").unwrap().group.members.len(), 8);
    }
}
