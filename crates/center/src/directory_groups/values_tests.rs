//! Values of attributes in the policy set.

use types::{
    Caller, DirectoryAttribute, EventKind, ForwardPath, GroupsWanted, Outcome, Policy, PolicyId,
    PolicyRef, Reason,
};

use super::tests::{FOUR, House, house};
use super::*;
use crate::tests::{block, sample};

fn root() -> Caller {
    Caller::with_all("root")
}

fn held(value: &str) -> DirectoryAttribute {
    DirectoryAttribute::new("department", value).unwrap()
}

/// Who has which department; no groups are read.
fn read(values: &[(&str, &[&str])]) -> GroupsRead {
    let members = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect();
    GroupsRead {
        directory: "corp".to_owned(),
        groups: Vec::new(),
        values: values.iter().map(|(value, all)| (held(value), members(all))).collect(),
        wanted: GroupsWanted { groups: false, attributes: vec!["Department".to_owned()] },
        shrink_percent_max: 50,
        accept: None,
        dry_run: false,
    }
}

impl House {
    fn hold(&self, values: &[(&str, &[&str])]) -> Result<GroupsTaken, GroupsProblem> {
        self.groups.take(read(values))
    }

    /// A policy to whoever is in a department.
    fn policy_for(&self, value: &str) -> PolicyId {
        let policy = Policy { to: Scope::Attribute(held(value)), ..block("No", "x.example") };
        let made = self.gateway.center.put_policy(&root(), policy, None, "").unwrap();
        made.differences[0].id.unwrap()
    }

    /// Each value with how many addresses have it.
    fn values(&self) -> Vec<String> {
        let rows = self.gateway.center.attributes(&root()).unwrap().into_iter();
        rows.map(|row| format!("{} {}: {}", row.directory, row.attribute, row.addresses)).collect()
    }
}

#[test]
fn values_are_taken_told_and_stand_beside_the_groups() {
    let house = house();
    let taken = house.hold(&[("Sales", FOUR), ("Purchase", &["eve@x.example"])]).unwrap();
    assert_eq!((taken.groups, taken.members, taken.values, taken.holders), (0, 0, 2, 5));
    assert_eq!((taken.added, house.version()), (5, 1));
    assert_eq!(house.values(), ["corp department = Purchase: 1", "corp department = Sales: 4"]);
    assert!(house.gateway.center.groups(&root()).unwrap().is_empty(), "they are no groups");
    let known = house.groups.known("corp").unwrap();
    assert_eq!((known.groups, known.values, known.holders), (0, 2, 5));
    // Another spelling of the same is the same, and makes no version.
    let taken = house.hold(&[("SALES", FOUR), ("purchase", &["EVE@x.example"])]).unwrap();
    assert_eq!((taken.added, taken.removed, house.version()), (0, 0, 1));
    // Who was given another department has the old one no more.
    house.hold(&[("Sales", &FOUR[1..]), ("Purchase", &["eve@x.example", FOUR[0]])]).unwrap();
    assert_eq!(house.values(), ["corp department = Purchase: 2", "corp department = Sales: 3"]);
    let version = house.gateway.center.versions(&root(), None, 1).unwrap().remove(0);
    assert_eq!((version.number, version.author.as_str()), (2, "directory corp"));
    // An export has none of it, and an import leaves it.
    let text = house.gateway.center.export_policies(&root()).unwrap();
    assert!(!text.contains("x.example"), "{text}");
    house.gateway.center.import_policies(&root(), &text, None, "").unwrap();
    assert_eq!(house.values().len(), 2);
}

#[test]
fn a_value_that_a_policy_names_and_nobody_has_any_more_waits_and_then_is_nobodys() {
    let house = house();
    house.hold(&[("Sales", &["eve@x.example"]), ("Rest", FOUR)]).unwrap();
    let id = house.policy_for("SALES");
    let refused = house.hold(&[("Rest", FOUR)]);
    let Err(GroupsProblem::Refused { why, gone }) = refused else { panic!("{refused:?}") };
    assert!(why.starts_with("the attribute department = Sales, which a policy names"), "{why}");
    assert_eq!((gone, house.values().len()), (1, 2));
    house.groups.take(GroupsRead { accept: Some(1), ..read(&[("Rest", FOUR)]) }).unwrap();
    assert_eq!(house.values(), ["corp department = Rest: 4", "corp department = Sales: 0"]);
    let version = house.version();
    house.hold(&[("Rest", FOUR)]).unwrap();
    assert_eq!(house.version(), version, "it is told once");
    house.gateway.center.remove_policy(&root(), id, None, "").unwrap();
    house.hold(&[("Rest", FOUR)]).unwrap();
    assert_eq!(house.values(), ["corp department = Rest: 4"]);
}

#[test]
fn what_the_settings_read_no_more_goes_without_a_question_unless_a_policy_names_it() {
    let house = house();
    house.hold(&[("Sales", &["eve@x.example"]), ("Rest", FOUR)]).unwrap();
    house.policy_for("sales");
    let other = GroupsWanted { groups: true, attributes: vec!["title".to_owned()] };
    let without = GroupsRead { wanted: other, ..read(&[]) };
    let taken = house.groups.take(without).unwrap();
    assert_eq!(taken.kept, ["corp::department=Sales"]);
    assert_eq!(house.values(), ["corp department = Sales: 1"]);
    // Back in the settings, it is what it was.
    house.hold(&[("Sales", &["eve@x.example"])]).unwrap();
    let stored = house.gateway.parts().policies.group("corp::department=Sales").unwrap().unwrap();
    assert_eq!(stored.provenance.origin, Origin::Directory);
}

#[test]
fn an_event_says_whose_attribute_covered_it() {
    let house = house();
    house.hold(&[("Sales", &["bob@corp.example"])]).unwrap();
    let id = house.policy_for("sales");
    let version = house.version();
    let said = |to: &str| {
        let mut event = sample(1, Reason::BlockedPolicyEnvelope);
        event.subject.recipient = Some(ForwardPath::Address(to.parse().unwrap()));
        let EventKind::Attempt(Outcome::Rejected(decision)) = &mut event.kind else { panic!() };
        decision.policy = Some(PolicyRef::Policy { id, version });
        let view = house.gateway.center.seen_by(&root()).policy_view(&event).unwrap().unwrap();
        (view.scope.unwrap(), view.matched.unwrap())
    };
    let scope = "from x.example to the attribute department = sales".to_owned();
    let expected = "attribute department = sales of bob@corp.example";
    assert_eq!(said("BOB@corp.example"), (scope.clone(), expected.replace("bob", "BOB")));
    let expected = "the domain x.example".to_owned();
    assert_eq!(said("cid@corp.example"), (scope, expected), "who has it no more");
}
