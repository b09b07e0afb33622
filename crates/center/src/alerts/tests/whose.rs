//! Whose rows an alert sees, and when it stops with its owner.

use super::*;

#[test]
fn an_alert_sees_the_members_that_its_owners_group_has_now() {
    let house = House::new();
    let put = |members: &[&str]| {
        let members = members.iter().map(|member| member.parse().unwrap()).collect();
        let group = Group { name: "Desk".to_owned(), parent: None, members };
        house.center.put_group(&house.owner(), group, None, "").unwrap();
    };
    put(&[]);
    let desk = house.account("desk", &[]);
    let groups = Some(vec!["Desk".to_owned()]);
    let limited = AccountChange { groups, ..AccountChange::default() };
    house.accounts.change_account(&house.owner(), "desk", &limited).unwrap();
    let alert = NewAlert { mail: vec!["cid@corp.example".parse().unwrap()], ..more_than(1, 5) };
    let (view, _) = house.set(&desk, &alert);
    let came = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            house.record(rejected(number, number as i64, BOB));
        }
        house.center.watch_alerts().unwrap();
    };
    came(1..5);
    assert_eq!(house.alert(&desk, view).fired, None, "nobody is in the group");
    put(&[BOB]);
    came(5..7);
    assert_eq!(house.alert(&desk, view).fired, Some(at(6)));
}

#[test]
fn an_alert_stops_whose_owner_was_left_without_a_role() {
    let house = House::new();
    let desk = house.account("desk", &[]);
    let (view, _) =
        house.set(&desk, &NewAlert { mail: vec![BOB.parse().unwrap()], ..more_than(1, 5) });
    let note = AuditNote::new(Actor::machine("Corp"), AuditAction::RoleWithdrawn, "desk", at(0));
    let id = desk.account().unwrap();
    house
        .state
        .change(&note, &mut |to| to.set_role(id, &RoleName::withdrawn()).map(|()| true))
        .unwrap();
    for number in 1..5 {
        house.record(rejected(number, number as i64, BOB));
    }
    house.center.watch_alerts().unwrap();
    let alert = house.alert(&desk, view);
    assert_eq!(alert.stopped.as_deref(), Some("desk has lost the permission see_metadata"));
    assert_eq!((alert.fired, alert.waiting), (None, 0));
}

#[test]
fn an_alert_sees_what_its_owner_sees_and_stops_with_them() {
    let house = House::new();
    let desk = house.account("desk", &["corp.example"]);
    let alert = NewAlert { mail: vec![BOB.parse().unwrap()], ..more_than(1, 5) };
    let (view, _) = house.set(&desk, &alert);
    house.record(rejected(1, 1, BOB));
    for number in 2..9 {
        house.record(rejected(number, number as i64, "eve@labs.example"));
    }
    house.center.watch_alerts().unwrap();
    assert_eq!(house.alert(&desk, view).fired, None, "the others are none of theirs");
    house.record(rejected(10, 10, BOB));
    house.center.watch_alerts().unwrap();
    assert_eq!(house.alert(&desk, view).fired, Some(at(10)));
    assert_eq!(house.alert(&desk, view).waiting, 2);
    let ana = NewPerson {
        name: "ana".to_owned(),
        role: Role::Owner.into(),
        domains: Vec::new(),
        groups: Vec::new(),
    };
    house.accounts.add_account(&house.owner(), &ana).unwrap();
    let password = "four quiet words here";
    house.accounts.set_password(&house.owner(), "ana", password, Tokens::Keep).unwrap();
    let closed = AccountChange { disabled: Some(true), ..AccountChange::default() };
    house.accounts.change_account(&house.owner(), "desk", &closed).unwrap();
    house.record(rejected(11, 11, BOB));
    house.center.watch_alerts().unwrap();
    let alert = house.alert(&desk, view);
    assert_eq!(alert.stopped.as_deref(), Some("desk has no access any more"));
    assert_eq!(alert.waiting, 0, "nothing more is told");
    let search = AuditSearch { action: "alert.stopped".to_owned(), ..AuditSearch::default() };
    let entries = house.center.audit(&house.owner(), &search, None, 10).unwrap();
    assert_eq!(
        (entries.rows.len(), entries.rows[0].note.as_str()),
        (1, "desk has no access any more")
    );
    // Set again by who may, it watches again.
    let opened = AccountChange { disabled: Some(false), ..AccountChange::default() };
    house.accounts.change_account(&house.owner(), "desk", &opened).unwrap();
    let again = house.center.set_alert(&desk, view, &more_than(1, 5)).unwrap();
    assert_eq!((again.alert.stopped, again.alert.fired), (None, None));
}
