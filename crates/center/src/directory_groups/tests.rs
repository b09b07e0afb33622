use store::state::PolicyDocument;
use types::lists::SenderAction;
use types::policy::{PermitOption, PolicyOption};
use types::{Caller, GroupsWanted, Policy};

use super::*;
use crate::tests::{Gateway, at, block, entry};

fn root() -> Caller {
    Caller::with_all("root")
}

pub(super) struct House {
    pub(super) gateway: Gateway,
    pub(super) groups: DirectoryGroups,
}

pub(super) fn house() -> House {
    let gateway = Gateway::new(at(0));
    let parts = gateway.parts();
    let (policies, activator) = (Arc::clone(&parts.policies), Arc::clone(&parts.activator));
    let groups = DirectoryGroups::new(policies, activator, Arc::clone(&parts.clock));
    House { gateway, groups }
}

fn read(groups: &[(&str, &[&str])]) -> GroupsRead {
    let members = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect();
    GroupsRead {
        directory: "corp".to_owned(),
        groups: groups.iter().map(|(name, all)| ((*name).to_owned(), members(all))).collect(),
        values: Vec::new(),
        wanted: GroupsWanted { groups: true, attributes: Vec::new() },
        shrink_percent_max: 50,
        accept: None,
        dry_run: false,
    }
}

fn naming(group: &str) -> Policy {
    Policy { from: Scope::Group(group.to_owned()), ..block("No partners", "x.example") }
}

pub(super) const FOUR: &[&str] =
    &["ann@x.example", "bob@x.example", "cid@x.example", "dan@x.example"];

impl House {
    fn take(&self, groups: &[(&str, &[&str])]) -> Result<GroupsTaken, GroupsProblem> {
        self.groups.take(read(groups))
    }

    fn refused(&self, groups: &[(&str, &[&str])]) -> String {
        match self.take(groups) {
            Err(GroupsProblem::Refused { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.gateway.parts().policies.version().unwrap()
    }

    /// The members of a group, or nothing if there is none.
    fn members(&self, name: &str) -> Option<usize> {
        let group = self.gateway.center.group(&root(), name).ok()?;
        Some(group.group.members.len())
    }

    fn name_it(&self, group: &str) -> types::PolicyId {
        let made = self.gateway.center.put_policy(&root(), naming(group), None, "").unwrap();
        made.differences[0].id.unwrap()
    }
}

#[test]
fn groups_are_taken_told_and_the_same_again_makes_no_version() {
    let house = house();
    let taken = house.take(&[("Sales", FOUR), ("Empty", &[])]).unwrap();
    assert_eq!((taken.groups, taken.members, taken.added, taken.removed), (2, 4, 4, 0));
    // In any order, and twice, it is the same.
    house.gateway.advance(std::time::Duration::from_secs(60));
    let again =
        [("Empty", &[][..]), ("Sales", &[FOUR[3], FOUR[2], "BOB@x.example", FOUR[1], FOUR[0]])];
    let taken = house.take(&again).unwrap();
    assert_eq!((taken.added, taken.removed, house.version()), (0, 0, 1));
    let row = house.gateway.center.group(&root(), "corp:Sales").unwrap();
    let source = row.directory.unwrap();
    assert_eq!((source.name.as_str(), source.read, source.gone), ("corp", Some(at(60)), None));
    let known = house.groups.known("corp").unwrap();
    let expected =
        GroupsKnown { groups: 2, members: 4, read: Some(at(60)), ..GroupsKnown::default() };
    assert_eq!(known, expected);
    let version = house.gateway.center.versions(&root(), None, 1).unwrap().remove(0);
    assert_eq!(version.author, "directory corp");
    let dry = GroupsRead { dry_run: true, ..read(&[("Sales", &FOUR[..3])]) };
    let told = house.groups.take(dry).unwrap();
    assert_eq!((told.removed, house.members("corp:Sales")), (1, Some(4)));
}

#[test]
fn an_answer_that_can_hardly_be_meant_waits() {
    let house = house();
    house.take(&[("A", FOUR), ("B", &["eve@x.example"])]).unwrap();
    let none = house.refused(&[]);
    assert!(none.starts_with("the answer has none of 2 groups"), "{none}");
    let shrunk = house.refused(&[("A", &FOUR[..1]), ("B", &["eve@x.example"])]);
    assert!(shrunk.starts_with("3 of 5 memberships"), "{shrunk}");
    house.name_it("corp:B");
    let emptied = house.refused(&[("A", FOUR), ("B", &[])]);
    assert!(emptied.starts_with("the group \"corp:B\", which a policy names"), "{emptied}");
    assert_eq!((house.members("corp:A"), house.members("corp:B")), (Some(4), Some(1)));
    let dry = GroupsRead { dry_run: true, ..read(&[]) };
    assert!(house.groups.take(dry).unwrap().refusal.is_some());
    let less = || read(&[("A", &FOUR[..1]), ("B", &[])]);
    let seen = house.groups.take(GroupsRead { accept: Some(3), ..less() });
    let Err(GroupsProblem::Refused { why, gone }) = seen else { panic!("{seen:?}") };
    assert!(gone == 4 && why.contains("than the 3 that were accepted"), "{gone}: {why}");
    house.groups.take(GroupsRead { accept: Some(4), ..less() }).unwrap();
    assert_eq!((house.members("corp:A"), house.members("corp:B")), (Some(1), Some(0)));
    // Without a limit of what may be gone, nobody at all is still a mistake.
    let open = GroupsRead { shrink_percent_max: 100, ..read(&[("A", &[]), ("B", &[])]) };
    assert!(matches!(house.groups.take(open), Err(GroupsProblem::Refused { .. })));
}

#[test]
fn a_group_that_left_stays_while_a_policy_names_it() {
    let house = house();
    house.take(&[("A", FOUR), ("B", &["eve@x.example"]), ("C", &["fay@x.example"])]).unwrap();
    let id = house.name_it("corp:B");
    house.gateway.advance(std::time::Duration::from_secs(60));
    let taken = house.take(&[("A", FOUR)]).unwrap();
    assert_eq!((taken.kept, taken.removed), (vec!["corp:B".to_owned()], 2));
    assert_eq!((house.members("corp:B"), house.members("corp:C")), (Some(1), None));
    let gone = |name: &str| house.gateway.center.group(&root(), name).unwrap().directory.unwrap();
    assert_eq!(gone("corp:B").gone, Some(at(60)));
    house.gateway.advance(std::time::Duration::from_secs(60));
    let version = house.version();
    house.take(&[("A", FOUR)]).unwrap();
    assert_eq!((gone("corp:B").gone, house.version()), (Some(at(60)), version));
    // The settings lose the directory: nothing a policy needs is lost.
    house.groups.keep_only(&["corp".to_owned()]).unwrap();
    assert_eq!(house.version(), version);
    let other = house.name_it("corp:A");
    house.groups.keep_only(&[]).unwrap();
    assert_eq!(house.members("corp:A"), Some(4));
    assert!(gone("corp:A").gone.is_some());
    let remove = |id| house.gateway.center.remove_policy(&root(), id, None, "");
    let used = house.gateway.center.remove_group(&root(), "corp:B", None, "");
    assert!(matches!(used, Err(CenterError::Invalid { .. })), "{used:?}");
    remove(id).unwrap();
    house.gateway.center.remove_group(&root(), "corp:B", None, "").unwrap();
    remove(other).unwrap();
    house.groups.keep_only(&[]).unwrap();
    assert_eq!((house.members("corp:A"), house.members("corp:B")), (None, None));
}

#[test]
fn a_group_that_comes_back_is_guarded_like_one_that_never_left() {
    let house = house();
    house.take(&[("A", FOUR), ("B", &["eve@x.example"])]).unwrap();
    house.name_it("corp:B");
    house.take(&[("A", FOUR)]).unwrap();
    let emptied = house.refused(&[("A", FOUR), ("B", &[])]);
    assert!(emptied.starts_with("the group \"corp:B\", which a policy names"), "{emptied}");
    assert_eq!(house.members("corp:B"), Some(1));
    let taken = house.take(&[("A", FOUR), ("B", &["eve@x.example", "fay@x.example"])]).unwrap();
    assert_eq!((taken.added, taken.removed, house.members("corp:B")), (1, 0, Some(2)));
    // The settings read no groups for a while; the first reading is no new one.
    house.name_it("corp:A");
    house.groups.keep_only(&[]).unwrap();
    let shrunk = house.refused(&[("A", &FOUR[..1]), ("B", &["eve@x.example"])]);
    assert!(shrunk.starts_with("4 of 6 memberships"), "{shrunk}");
    assert_eq!((house.members("corp:A"), house.members("corp:B")), (Some(4), Some(2)));
    let taken = house.take(&[("A", FOUR), ("B", &["eve@x.example", "fay@x.example"])]).unwrap();
    assert_eq!((taken.added, taken.removed), (0, 0));
    let group = house.gateway.center.group(&root(), "corp:A").unwrap();
    assert_eq!(group.directory.unwrap().gone, None);
}

#[test]
fn a_policy_that_would_not_fit_any_more_keeps_the_old_members() {
    let house = house();
    house.take(&[("Partners", &["ann@x.example", "bob@x.example"])]).unwrap();
    let option = PolicyOption::PermittedSenders(PermitOption::Permit);
    let permit = Policy { option, ..naming("corp:Partners") };
    house.gateway.center.put_policy(&root(), permit, None, "").unwrap();
    let ours = ["ann@x.example", "bob@corp.example", "bob@x.example"];
    let failed = house.take(&[("Partners", &ours)]);
    let Err(GroupsProblem::Failed(why)) = failed else { panic!("{failed:?}") };
    assert!(why.contains("one of the organisation's own domains"), "{why}");
    let dry = GroupsRead { dry_run: true, ..read(&[("Partners", &ours)]) };
    let Err(GroupsProblem::Failed(promised)) = house.groups.take(dry) else { panic!("a promise") };
    assert_eq!(promised, why, "what would be refused is not promised");
    assert_eq!(house.members("corp:Partners"), Some(2));
}

#[test]
fn a_name_that_people_have_given_is_told_before_it_is_stored() {
    let house = house();
    let center = &house.gateway.center;
    let ours = Group { name: "Mine".to_owned(), parent: None, members: Vec::new() };
    center.put_group(&root(), ours, None, "").unwrap();
    let mut content = house.gateway.parts().policies.read(&mut |_| {}).unwrap();
    let of_corp = |name: &str| {
        let name = Group::name_in("corp", name);
        DirectoryEdit::Put(Group { name, parent: None, members: Vec::new() })
    };
    assert!(house.groups.fits(&content, &[of_corp("Sales")]).is_ok());
    // Made before there were groups of directories: no such name is free now.
    content.groups[0].group.name = "corp:Sales".to_owned();
    let why = house.groups.fits(&content, &[of_corp("Sales")]).unwrap_err().to_string();
    assert!(why.contains("there is group \"corp:Sales\" already"), "{why}");
    assert!(house.groups.fits(&content, &[of_corp("Other")]).is_ok());
}

#[test]
fn it_is_read_only_for_everybody_else() {
    let house = house();
    let center = &house.gateway.center;
    house.take(&[("Sales", FOUR)]).unwrap();
    house.name_it("corp:Sales");
    let below = Group { name: "Mine".to_owned(), parent: None, members: Vec::new() };
    center.put_group(&root(), below, None, "").unwrap();
    let name = "corp:Sales";
    let how = crate::ImportHow::default();
    let refused = [
        center.remove_group(&root(), name, None, "").err(),
        center.change_members(&root(), name, vec!["a.b".parse().unwrap()], &[], "").err(),
        center.move_group(&root(), name, Some("Mine".to_owned()), "").err(),
        center.move_group(&root(), "Mine", Some(name.to_owned()), "").err(),
        center.paste_members(&root(), name, "eve@x.example", how, "").err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(CenterError::DirectoryManaged(_))), "{error:?}");
    }
    let new = Group { name: "other:Sales".to_owned(), parent: None, members: Vec::new() };
    let error = center.put_group(&root(), new, None, "").unwrap_err().to_string();
    assert!(error.contains("the name of a group of the directory other"), "{error}");
    let text = center.export_policies(&root()).unwrap();
    assert!(text.contains("corp:Sales") && !text.contains("ann@x.example"), "{text}");
    let version = house.version();
    assert_eq!(center.import_policies(&root(), &text, None, "").unwrap().version, version);
    let wrong = format!("{text}\n[[group]]\nname = \"other:X\"\nmembers = []\n");
    let problems = center.check_policies(&root(), &wrong).unwrap();
    assert!(problems[0].line.is_some(), "{problems:?}");
    assert!(problems[0].message.contains("come from there"), "{problems:?}");
    let error = center.import_policies(&root(), &wrong, None, "");
    assert!(matches!(error, Err(CenterError::Invalid { .. })), "{error:?}");
    // Back to before the group: the policy goes, the group stays.
    house.take(&[("Sales", &FOUR[1..])]).unwrap();
    center.put_sender(&root(), entry("x.example", SenderAction::Block), "").unwrap();
    let done = center.roll_back(&root(), 1, None, "").unwrap();
    assert_eq!(done.kept_by_directory, ["group \"corp:Sales\""]);
    assert_eq!((done.kept_by_file.len(), house.members(name)), (0, Some(3)));
    let undone = center.undo(&root(), house.version());
    assert!(undone.is_ok(), "what people did: {undone:?}");
    house.take(&[("Sales", FOUR)]).unwrap();
    let undone = center.undo(&root(), house.version());
    assert!(matches!(undone, Err(CenterError::DirectoryManaged(_))), "{undone:?}");
    let empty = PolicyDocument::default();
    let author = center.author(&root(), None, "");
    house.gateway.parts().policies.import(&author, empty).unwrap();
    assert_eq!(house.members(name), Some(4));
}
