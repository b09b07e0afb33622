//! Limits to groups, which are kept with the policies.

use store::state::{Authorship, Edit, Object, ObjectKey, PolicyDocument, PolicyState, SqliteState};
use types::lists::Group;
use types::{Actor, Caller, Role};

use super::tests::{House, PASSWORD, house, machine, visitor};
use super::*;

impl House {
    fn policies(&self) -> SqliteState {
        SqliteState::open(&self.folder.path().join("state.db")).unwrap()
    }

    fn group(&self, name: &str, parent: Option<&str>, members: &[&str]) {
        let members = members.iter().map(|member| member.parse().unwrap()).collect();
        let group = Group { name: name.into(), parent: parent.map(str::to_owned), members };
        self.policies().change(&who(), vec![Edit::Put(Object::Group(group))]).unwrap();
    }

    /// The operator vera, limited to these groups.
    fn limited(&self, groups: &[&str]) -> Result<(), CenterError> {
        let groups = Some(groups.iter().map(|name| (*name).to_owned()).collect());
        let change = AccountChange { groups, ..AccountChange::default() };
        self.accounts.change_account(&machine(), "vera", &change)
    }
}

fn who() -> Authorship {
    let (at, note) = ("2026-11-21T10:00:00Z".parse().unwrap(), String::new());
    Authorship { actor: Actor::machine("ann"), note, at, expected: None }
}

fn sees(caller: &Caller, address: &str) -> bool {
    caller.sight.sees_address(&address.parse().unwrap())
}

#[test]
fn a_change_of_a_group_counts_from_the_next_request_on() {
    let house = house();
    let accounts = &house.accounts;
    house.person("vera", Role::Operator);
    house.group("Clinic", None, &["ann@corp.example"]);
    house.limited(&["Clinic"]).unwrap();
    let Ok(Step::Done(secret)) = accounts.sign_in("vera", PASSWORD, &visitor()) else {
        panic!("no code is asked for")
    };
    let here = visitor().address;
    let session = || accounts.session(secret.reveal(), here).unwrap().unwrap();
    let caller = || session().caller;
    assert!(sees(&caller(), "Ann@corp.example") && !sees(&caller(), "bob@corp.example"));
    assert!(caller().may(Permission::QueueActions) && !caller().may(Permission::SeePolicies));
    let token = NewToken {
        name: "t".into(),
        account: Some("vera".into()),
        permissions: vec![Permission::SeeMetadata].into(),
        networks: vec![],
        expires: None,
    };
    let made = accounts.add_token(&machine(), &token).unwrap();
    let program = || accounts.token(&made.secret, here).unwrap();
    // What goes on for hours asks again, as the live tail does, and alerts.
    let begun = caller();
    let again = || accounts.again(&begun, Some(session().id)).unwrap().unwrap();
    let alert = || accounts.as_it_is_now(begun.account().unwrap(), Some(made.id)).unwrap().unwrap();
    let everybody = || [caller(), program(), again(), alert()];
    house.group("Ward", Some("Clinic"), &["labs.example", "*.far.example"]);
    for caller in everybody() {
        assert!(sees(&caller, "eve@labs.example") && sees(&caller, "x@a.far.example"), "below it");
        assert!(sees(&caller, "ann@corp.example") && !sees(&caller, "x@far.example"));
    }
    house.group("Clinic", None, &["bob@corp.example"]);
    for caller in everybody() {
        assert!(sees(&caller, "bob@corp.example") && !sees(&caller, "ann@corp.example"));
    }
    house.group("Ward", None, &["labs.example"]);
    for caller in everybody() {
        assert!(!sees(&caller, "eve@labs.example"), "it stands elsewhere now");
    }
    house.group("Clinic", None, &[]);
    for caller in everybody() {
        assert!(!caller.sight.is_everything() && !sees(&caller, "bob@corp.example"), "emptied");
    }
}

#[test]
fn a_group_that_is_gone_shows_nothing_and_people_do_not_remove_it() {
    let house = house();
    house.person("vera", Role::Operator);
    let missing = house.limited(&["Clinic"]).unwrap_err();
    assert!(missing.to_string().contains("there is no group \"Clinic\""), "{missing}");
    house.group("Clinic", None, &["ann@corp.example"]);
    house.limited(&["Clinic", "Clinic"]).unwrap();
    let remove = vec![Edit::Remove(ObjectKey::Group("Clinic".into()))];
    let refused = CenterError::from(house.policies().change(&who(), remove).unwrap_err());
    let text = "the account vera is limited to group \"Clinic\"; give it another limit first";
    assert_eq!(refused.to_string(), text);
    let members = vec!["ann@corp.example".parse().unwrap()];
    let group = Group { name: "Clinic".into(), parent: None, members };
    let document = PolicyDocument { groups: vec![group], ..PolicyDocument::default() };
    house.policies().apply_file(&who(), document).unwrap();
    house.policies().apply_file(&who(), PolicyDocument::default()).unwrap();
    let caller = house.session("vera").caller;
    assert!(!caller.sight.is_everything() && !sees(&caller, "ann@corp.example"));
    assert!(!caller.may(Permission::SeePolicies), "still limited");
    let row = |house: &House| house.accounts.accounts(&machine()).unwrap().remove(0);
    assert_eq!(row(&house).groups_missing, ["Clinic"]);
    // It can still be changed otherwise, and given another limit.
    let change = AccountChange { role: Some(Role::Viewer.into()), ..AccountChange::default() };
    house.accounts.change_account(&machine(), "vera", &change).unwrap();
    let domains = Some(vec!["corp.example".parse().unwrap()]);
    let beside = AccountChange { domains, ..AccountChange::default() };
    house.accounts.change_account(&machine(), "vera", &beside).unwrap();
    assert_eq!((row(&house).groups.len(), row(&house).domains.len()), (1, 1));
    let open = AccountChange { domains: Some(vec![]), ..AccountChange::default() };
    house.accounts.change_account(&machine(), "vera", &open).unwrap();
    assert!(!house.session("vera").caller.sight.is_everything(), "the group still limits");
    house.limited(&[]).unwrap();
    assert!(house.session("vera").caller.sight.is_everything());
}

#[test]
fn an_owner_limited_to_a_group_is_no_owner() {
    let house = house();
    let owner = house.person("vera", Role::Owner);
    house.group("Clinic", None, &["ann@corp.example"]);
    let last = house.limited(&["Clinic"]).unwrap_err();
    assert!(last.to_string().contains("last owner"), "{last}");
    house.person("ana", Role::Owner);
    house.limited(&["Clinic"]).unwrap();
    assert_eq!(house.accounts.owners().unwrap(), ["ana"]);
    let open = AccountChange { groups: Some(vec![]), ..AccountChange::default() };
    let limited = house.accounts.again(&owner, Some(1)).unwrap().unwrap();
    assert!(house.accounts.change_account(&limited, "vera", &open).is_err(), "not by oneself");
}
