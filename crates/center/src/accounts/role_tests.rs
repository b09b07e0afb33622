//! Roles, limits, closed accounts, and the one for emergencies.

use std::sync::{Arc, Mutex};

use types::{Caller, Permission, Permissions, Role};

use super::tests::{House, PASSWORD, denied, house, machine, visitor};
use super::*;

fn domain(text: &str) -> types::policy::DomainPattern {
    text.parse().unwrap()
}

#[test]
fn a_limit_holds_for_sessions_and_tokens_from_the_next_request_on() {
    let house = house();
    let accounts = &house.accounts;
    house.person("ana", Role::Owner);
    house.person("vera", Role::Operator);
    let limited =
        AccountChange { domains: Some(vec![domain("corp.example")]), ..AccountChange::default() };
    let session = |secret: &str| accounts.session(secret, visitor().address).unwrap();
    let Step::Done(secret) = accounts.sign_in("vera", PASSWORD, &visitor()).unwrap() else {
        panic!("no code is asked for")
    };
    assert!(session(secret.reveal()).unwrap().caller.sight.is_everything());
    accounts.change_account(&machine(), "vera", &limited).unwrap();
    let caller = session(secret.reveal()).unwrap().caller;
    assert!(caller.sight.sees_domain("corp.example") && !caller.sight.sees_domain("labs.example"));
    assert!(caller.may(Permission::QueueActions) && !caller.may(Permission::SeePolicies));
    let token = NewToken {
        name: "t".into(),
        account: Some("vera".into()),
        permissions: vec![Permission::SeeMetadata].into(),
        networks: vec![],
        expires: None,
    };
    let over_all = NewToken { permissions: vec![Permission::SystemStatus].into(), ..token.clone() };
    assert!(denied(accounts.add_token(&machine(), &over_all)), "more than the account may");
    let made = accounts.add_token(&machine(), &token).unwrap();
    let program = accounts.token(&made.secret, visitor().address).unwrap();
    assert_eq!(program.sight, caller.sight);
    let open = AccountChange { domains: Some(vec![]), ..AccountChange::default() };
    accounts.change_account(&machine(), "vera", &open).unwrap();
    assert!(session(secret.reveal()).unwrap().caller.sight.is_everything());
}

#[test]
fn nobody_comes_in_with_an_account_that_is_disabled() {
    let house = house();
    let accounts = &house.accounts;
    let owner = house.person("ana", Role::Owner);
    house.person("vera", Role::Viewer);
    let token = NewToken {
        name: "t".into(),
        account: Some("vera".into()),
        permissions: vec![Permission::SeeMetadata].into(),
        networks: vec![],
        expires: None,
    };
    let token = accounts.add_token(&owner, &token).unwrap();
    let Step::Done(secret) = accounts.sign_in("vera", PASSWORD, &visitor()).unwrap() else {
        panic!("no code is asked for")
    };
    let switch = |disabled| AccountChange { disabled: Some(disabled), ..AccountChange::default() };
    accounts.change_account(&owner, "vera", &switch(true)).unwrap();
    assert!(accounts.session(secret.reveal(), visitor().address).unwrap().is_none());
    let refused = accounts.token(&token.secret, visitor().address);
    assert!(matches!(refused, Err(TokenRefusal::Disabled)));
    let refused = accounts.sign_in("vera", PASSWORD, &visitor());
    assert!(matches!(refused, Err(SignInRefusal::Disabled)));
    let refused = accounts.sign_in("vera", "something else", &visitor());
    assert!(matches!(refused, Err(SignInRefusal::Wrong)), "said to nobody else");
    assert!(accounts.set_up_link(&owner, Some("vera")).is_err());
    accounts.change_account(&owner, "vera", &switch(false)).unwrap();
    assert!(accounts.token(&token.secret, visitor().address).is_ok());
    let own = accounts.change_account(&owner, "ana", &switch(true));
    assert!(own.unwrap_err().to_string().contains("your own account"));
}

#[test]
fn the_last_owner_is_neither_removed_nor_weakened() {
    let house = house();
    let accounts = &house.accounts;
    house.person("ana", Role::Owner);
    let weaker = [
        AccountChange { role: Some(Role::Viewer.into()), ..AccountChange::default() },
        AccountChange { domains: Some(vec![domain("x.example")]), ..AccountChange::default() },
        AccountChange { disabled: Some(true), ..AccountChange::default() },
    ];
    let refused = |change: &AccountChange| {
        let error = accounts.change_account(&machine(), "ana", change).unwrap_err();
        assert!(error.to_string().contains("the last owner"), "{error}");
    };
    weaker.iter().for_each(refused);
    // Neither one who is limited nor one for emergencies is an owner left.
    house.person("bob", Role::Owner);
    accounts.change_account(&machine(), "bob", &weaker[1]).unwrap();
    accounts.emergency_account(&machine(), "glass").unwrap();
    weaker.iter().for_each(refused);
    assert!(accounts.remove_account(&machine(), "ana").is_err());
    house.person("cid", Role::Owner);
    accounts.change_account(&machine(), "ana", &weaker[0]).unwrap();
}

#[test]
fn roles_are_made_changed_and_removed() {
    let house = house();
    let accounts = &house.accounts;
    let owner = house.person("ana", Role::Owner);
    let desk: types::RoleName = "desk".parse().unwrap();
    let body = |permissions: Vec<Permission>| RoleBody {
        permissions: permissions.into(),
        note: "Desk of the lab".into(),
    };
    let of_vera = |accounts: &Accounts| {
        let vera = accounts.state.account_named("vera").unwrap().unwrap();
        vera.permissions()
    };
    let wants =
        NewPerson { name: "vera".into(), role: desk.clone(), domains: vec![], groups: vec![] };
    let unknown = accounts.add_account(&owner, &wants).unwrap_err();
    assert!(unknown.to_string().contains("there is no role desk"), "{unknown}");
    accounts.put_role(&owner, &desk, &body(vec![Permission::SeeMetadata])).unwrap();
    accounts.add_account(&owner, &wants).unwrap();
    accounts
        .put_role(&owner, &desk, &body(vec![Permission::SeeMetadata, Permission::SeeQueue]))
        .unwrap();
    assert!(of_vera(accounts).has(Permission::SeeQueue), "whoever has it may it at once");
    assert!(accounts.put_role(&owner, &desk, &body(vec![])).is_err());
    let in_use = accounts.remove_role(&owner, &desk).unwrap_err();
    assert!(in_use.to_string().contains("vera has this role"), "{in_use}");
    let viewer: types::RoleName = Role::Viewer.into();
    let switched: Vec<Permission> =
        Role::Viewer.fixed().iter().chain([Permission::EditSenders]).collect();
    let plain = |permissions: Vec<Permission>| RoleBody {
        permissions: permissions.into(),
        note: String::new(),
    };
    accounts.put_role(&owner, &viewer, &plain(switched.clone())).unwrap();
    accounts.set_role(&owner, "vera", Role::Viewer).unwrap();
    let may = of_vera(accounts);
    assert!(may.has(Permission::EditSenders) && !may.has(Permission::SeeSubjects));
    let never = switched.iter().copied().chain([Permission::EditPolicies]).collect();
    let error = accounts.put_role(&owner, &viewer, &plain(never)).unwrap_err().to_string();
    assert!(error.contains("Viewer never has edit_policies"), "{error}");
    let less = accounts.put_role(&owner, &viewer, &plain(vec![Permission::SeeMetadata]));
    assert!(less.unwrap_err().to_string().contains("always has"));
    accounts.remove_role(&owner, &viewer).unwrap();
    assert_eq!(of_vera(accounts), Role::Viewer.permissions(), "as it was");
    accounts.remove_role(&owner, &desk).unwrap();
    assert!(matches!(accounts.remove_role(&owner, &desk), Err(CenterError::NotFound(_))));
    let made = accounts.roles(&owner).unwrap();
    assert_eq!(made.len(), Role::ALL.len());
}

/// Nobody gives away, or takes, what they do not have.
#[test]
fn whoever_manages_accounts_gives_no_more_than_they_have() {
    let house = house();
    let accounts = &house.accounts;
    let owner = house.person("ana", Role::Owner);
    let clerk: types::RoleName = "clerk".parse().unwrap();
    let permissions = vec![Permission::ManageAccounts, Permission::SeeMetadata];
    let body = RoleBody { permissions: permissions.into(), note: String::new() };
    accounts.put_role(&owner, &clerk, &body).unwrap();
    let bob = house.person("bob", clerk.clone());
    let more = RoleBody { permissions: Permissions::all(), note: String::new() };
    assert!(denied(accounts.put_role(&bob, &clerk, &more)));
    assert!(denied(accounts.put_role(&bob, &"x".parse().unwrap(), &more)));
    assert!(denied(accounts.set_role(&bob, "bob", Role::Owner)));
    assert!(denied(accounts.set_role(&bob, "ana", Role::Viewer)), "takes nothing from others");
    assert!(denied(accounts.remove_account(&bob, "ana")));
    // Nor do they make an owner of one who is limited.
    let carl = house.person("carl", Role::Owner);
    let limit = |domains: Vec<types::policy::DomainPattern>| AccountChange {
        domains: Some(domains),
        ..AccountChange::default()
    };
    accounts.change_account(&owner, "carl", &limit(vec![domain("corp.example")])).unwrap();
    let is_almost_all = |one: &Permission| {
        one.reach() == types::Reach::Recipients || *one == Permission::ManageAccounts
    };
    let permissions = carl.permissions.iter().filter(is_almost_all).collect();
    let almost = RoleBody { permissions, note: String::new() };
    let manager: types::RoleName = "manager".parse().unwrap();
    accounts.put_role(&owner, &manager, &almost).unwrap();
    let dora = house.person("dora", manager);
    assert!(denied(accounts.change_account(&dora, "carl", &limit(Vec::new()))));
    accounts.change_account(&dora, "carl", &limit(vec![domain("labs.example")])).unwrap();
    let limited = Caller { name: "bob".into(), ..owner.clone() }
        .seeing(types::Sight::of(vec![domain("corp.example")]).unwrap());
    assert!(denied(accounts.accounts(&limited).map(drop)));
}

struct Heard(Mutex<Vec<EmergencyUse>>);

impl EmergencyAlarm for Heard {
    fn used(&self, what: &EmergencyUse) {
        self.0.lock().unwrap().push(what.clone());
    }
}

#[test]
fn the_account_for_emergencies_is_made_on_the_machine_and_loud() {
    let house = house();
    let heard = Arc::new(Heard(Mutex::default()));
    let house = House { accounts: house.accounts.with_alarm(heard.clone()), ..house };
    let accounts = &house.accounts;
    let owner = house.person("ana", Role::Owner);
    let remote = accounts.emergency_account(&owner, "glass").unwrap_err();
    assert!(remote.to_string().contains("on the machine itself"), "{remote}");
    assert!(accounts.emergency_account(&machine(), "ana").is_err(), "a person's is not taken");
    let first = accounts.emergency_account(&machine(), "glass").unwrap();
    let password = accounts.emergency_account(&machine(), "glass").unwrap();
    assert_eq!(accounts.emergency_use(), None, "making it is no use");
    let old = accounts.sign_in("glass", first.reveal(), &visitor());
    assert!(matches!(old, Err(SignInRefusal::Wrong)));
    let Step::Done(secret) = accounts.sign_in("glass", password.reveal(), &visitor()).unwrap()
    else {
        panic!("no code is asked for")
    };
    let session = accounts.session(secret.reveal(), visitor().address).unwrap().unwrap();
    assert!(session.emergency && session.caller.permissions == Permissions::all());
    let used = accounts.emergency_use().unwrap();
    assert_eq!((&*used.name, used.from), ("glass", Some(visitor().address)));
    assert_eq!(*heard.0.lock().unwrap(), [used]);
    house.clock.advance(EMERGENCY_TOLD_FOR);
    assert_eq!(accounts.emergency_use(), None, "not told for ever");
}
