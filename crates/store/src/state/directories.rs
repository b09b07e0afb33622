//! Groups of directories on servers in the policy set: taken as they are read,
//! and changed by nobody else.

use types::lists::Group;

use super::draft::Draft;
use super::limits;
use super::objects::{DirectoryEdit, Object, ObjectKey, Origin, Provenance};
use crate::contract::StoreError;

/// Refuses what is managed elsewhere.
pub(super) fn refuse_managed(
    key: &ObjectKey,
    stored: Option<&(Object, Provenance)>,
) -> Result<(), StoreError> {
    match stored.map(|(_, kept)| kept.origin) {
        None | Some(Origin::People) => Ok(()),
        Some(Origin::File) => Err(StoreError::FileManaged(key.to_string())),
        Some(Origin::Directory | Origin::Gone) => {
            Err(StoreError::DirectoryManaged(key.to_string()))
        }
    }
}

/// Refuses a group that would mix with those of directories: one of people or
/// of the policy file with such a name, or below such a group, whose members
/// it would add to; and one of a directory whose name is taken.
pub(super) fn refuse(draft: &Draft<'_>, group: &Group, origin: Origin) -> Result<(), StoreError> {
    let key = ObjectKey::Group(group.name.clone());
    let stored = draft.stored(&key)?.map(|(_, kept)| kept.origin);
    if origin.is_directory() {
        return match stored {
            Some(Origin::People | Origin::File) => Err(StoreError::NameTaken(key.to_string())),
            None | Some(Origin::Directory | Origin::Gone) => Ok(()),
        };
    }
    if stored.is_some_and(Origin::is_directory) {
        return Err(StoreError::DirectoryManaged(key.to_string()));
    }
    // One that was called so before there were groups of directories stays.
    if let (None, Some(directory)) = (stored, Group::directory_of(&group.name)) {
        let (what, directory) = (key.to_string(), directory.to_owned());
        return Err(StoreError::NameOfDirectory { what, directory });
    }
    let Some(parent) = &group.parent else { return Ok(()) };
    let above = ObjectKey::Group(parent.clone());
    match draft.stored(&above)? {
        Some((_, kept)) if kept.origin.is_directory() => Err(StoreError::DirectoryManaged(
            format!("{above}, below which {:?} would stand,", group.name),
        )),
        _ => Ok(()),
    }
}

/// Takes one step of what a directory says.
pub(super) fn take(draft: &mut Draft<'_>, edit: DirectoryEdit) -> Result<(), StoreError> {
    match edit {
        DirectoryEdit::Put(group) => draft.put(Object::Group(group), Origin::Directory).map(drop),
        DirectoryEdit::Leave { name, needed } => {
            let key = ObjectKey::Group(name);
            let ObjectKey::Group(name) = &key else { return Ok(()) };
            let Some((object, kept)) = draft.stored(&key)? else { return Ok(()) };
            if !kept.origin.is_directory() {
                return Ok(());
            }
            match needed || limits::whom(draft.connection(), name)?.is_some() {
                true => draft.put(object, Origin::Gone).map(drop),
                false => draft.remove(&key),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;
    use types::{Actor, Timestamp};

    use super::super::{
        AccountState, Authorship, Edit, Plan, PolicyDocument, PolicyState, SqliteAccounts,
        SqliteState,
    };
    use super::*;

    fn open(folder: &Path) -> SqliteState {
        SqliteState::open(&folder.join("state.db")).unwrap()
    }

    fn who(author: &str) -> Authorship {
        let at = Timestamp::from_millis(1);
        Authorship { actor: Actor::machine(author), note: String::new(), at, expected: None }
    }

    fn group(name: &str, members: &[&str]) -> Group {
        let members = members.iter().map(|member| member.parse().unwrap()).collect();
        Group { name: name.to_owned(), parent: None, members }
    }

    fn put(name: &str, members: &[&str]) -> DirectoryEdit {
        DirectoryEdit::Put(group(name, members))
    }

    fn leave(name: &str, needed: bool) -> DirectoryEdit {
        DirectoryEdit::Leave { name: name.to_owned(), needed }
    }

    /// Name, origin and members of every group.
    fn groups(state: &SqliteState) -> Vec<(String, Origin, usize)> {
        let stored = state.read(&mut |_| {}).unwrap().groups.into_iter();
        stored.map(|s| (s.group.name, s.provenance.origin, s.group.members.len())).collect()
    }

    #[test]
    fn what_a_directory_says_is_one_version_of_its_own_and_the_same_again_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path());
        let edits = || vec![put("corp:A", &["ann@x.example"]), put("corp:B", &[])];
        let first = state.take_groups(&who("directory corp"), edits()).unwrap();
        assert_eq!((first.version, first.differences.len()), (1, 2));
        assert_eq!(state.take_groups(&who("directory corp"), edits()).unwrap().version, 1);
        let version = state.history(None, 1).unwrap().remove(0);
        assert_eq!(version.author, "directory corp");
        let again = vec![put("corp:A", &["bob@x.example"]), leave("corp:B", true)];
        let second = state.take_groups(&who("directory corp"), again).unwrap();
        assert_eq!((second.version, second.differences.len()), (2, 2));
        let gone = ("corp:B".to_owned(), Origin::Gone, 0);
        assert_eq!(groups(&state), [("corp:A".to_owned(), Origin::Directory, 1), gone]);
        let same = vec![leave("corp:B", true), leave("corp:never", true)];
        assert_eq!(state.take_groups(&who("directory corp"), same).unwrap().version, 2);
        state.take_groups(&who("directory corp"), vec![leave("corp:B", false)]).unwrap();
        assert_eq!(groups(&state).len(), 1);
        // It comes back as a group of the directory's.
        state.take_groups(&who("directory corp"), vec![leave("corp:A", true)]).unwrap();
        state.take_groups(&who("directory corp"), vec![put("corp:A", &["bob@x.example"])]).unwrap();
        assert_eq!(groups(&state), [("corp:A".to_owned(), Origin::Directory, 1)]);
    }

    #[test]
    fn nobody_else_changes_a_group_of_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path());
        state.take_groups(&who("d"), vec![put("corp:A", &["ann@x.example"])]).unwrap();
        let below = Group { parent: Some("corp:A".to_owned()), ..group("Mine", &[]) };
        for edit in [
            Edit::Put(Object::Group(group("corp:A", &[]))),
            Edit::Put(Object::Group(below.clone())),
            Edit::Remove(ObjectKey::Group("corp:A".to_owned())),
        ] {
            let refused = state.change(&who("ann"), vec![edit.clone()]);
            assert!(matches!(refused, Err(StoreError::DirectoryManaged(_))), "{refused:?}");
            let planned = state.plan(&who("ann"), Plan::Edits(vec![edit]));
            assert!(matches!(planned, Err(StoreError::DirectoryManaged(_))), "{planned:?}");
        }
        let new = vec![Edit::Put(Object::Group(group("other:B", &[])))];
        let refused = state.change(&who("ann"), new).unwrap_err().to_string();
        assert!(refused.contains("a group of the directory other"), "{refused}");
        let file = |group: Group| PolicyDocument { groups: vec![group], ..Default::default() };
        for group in [group("corp:A", &[]), below] {
            let refused = state.apply_file(&who("file"), file(group));
            assert!(matches!(refused, Err(StoreError::DirectoryManaged(_))), "{refused:?}");
        }
        let refused = state.import(&who("ann"), file(group("other:B", &[])));
        assert!(matches!(refused, Err(StoreError::NameOfDirectory { .. })), "{refused:?}");
        for fine in ["Corp:A", "a b:c", "corp:", ":x", "corp"] {
            let edit = Edit::Put(Object::Group(group(fine, &[])));
            state.change(&who("ann"), vec![edit]).unwrap();
        }
        // Once it is gone there, it can be taken away here.
        state.take_groups(&who("d"), vec![leave("corp:A", true)]).unwrap();
        let remove = || vec![Edit::Remove(ObjectKey::Group("corp:A".to_owned()))];
        state.change(&who("ann"), remove()).unwrap();
    }

    #[test]
    fn an_import_and_a_roll_back_leave_it_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path());
        let mine = vec![Edit::Put(Object::Group(group("Mine", &["a.example"])))];
        state.change(&who("ann"), mine).unwrap();
        let old = vec![put("corp:A", &["old@x.example"]), put("corp:B", &["old@x.example"])];
        state.take_groups(&who("d"), old).unwrap();
        let new = vec![put("corp:A", &["new@x.example"]), leave("corp:B", false)];
        state.take_groups(&who("d"), new).unwrap();
        let export = state.export().unwrap();
        assert_eq!(export.groups, [group("Mine", &["a.example"])]);
        let mut named = export;
        named.groups.push(group("corp:A", &["import@x.example"]));
        let version = state.version().unwrap();
        assert_eq!(state.import(&who("ann"), named).unwrap().version, version);
        for number in [2, 1, 0] {
            state.roll_back(&who("ann"), number).unwrap();
            let stored = state.group("corp:A").unwrap().unwrap();
            assert_eq!(stored.group, group("corp:A", &["new@x.example"]), "version {number}");
            assert!(state.group("corp:B").unwrap().is_none(), "version {number}");
        }
        assert!(state.group("Mine").unwrap().is_none());
    }

    #[test]
    fn a_name_that_is_taken_and_an_account_that_needs_a_group_are_minded() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()));
        let raw = Connection::open(folder.path().join("state.db")).unwrap();
        // As a program of format 15 left it.
        raw.execute_batch(
            "DROP INDEX groups_by_origin;
            ALTER TABLE senders DROP COLUMN kind;
            ALTER TABLE senders DROP COLUMN authenticated_only;
            INSERT INTO groups VALUES ('corp:Old', '{\"name\":\"corp:Old\",\"members\":[]}', 1,
                'people', 0, 'ann', 0, 'ann');
            PRAGMA user_version = 15",
        )
        .unwrap();
        let state = open(folder.path());
        assert_eq!(groups(&state), [("corp:Old".to_owned(), Origin::People, 0)]);
        let taken = state.take_groups(&who("d"), vec![put("corp:Old", &[])]);
        assert!(matches!(taken, Err(StoreError::NameTaken(_))), "{taken:?}");
        let more = Edit::Put(Object::Group(group("corp:Old", &["a.example"])));
        state.change(&who("ann"), vec![more]).unwrap();
        state.take_groups(&who("d"), vec![put("corp:A", &["ann@x.example"])]).unwrap();
        let accounts = SqliteAccounts::open(&folder.path().join("state.db")).unwrap();
        assert_eq!(accounts.count().unwrap(), 0);
        raw.execute(
            "INSERT INTO accounts (name, role, domains, preferences, created, created_by)
            VALUES ('vera', 'viewer', '{\"domains\":[],\"groups\":[\"corp:A\"]}', '{}', 0, 'x')",
            (),
        )
        .unwrap();
        state.take_groups(&who("d"), vec![leave("corp:A", false)]).unwrap();
        let gone = state.group("corp:A").unwrap().unwrap();
        assert_eq!((gone.provenance.origin, gone.group.members.len()), (Origin::Gone, 1));
    }
}
