//! Groups and attributes of directories, as they are read and handed on.

use types::{EmailAddress, GroupsProblem};
use world::ldap::LdapEntry;
use world::simulated::LdapFault;

use super::tests::{FILTER, House, people, settings, with_two_servers};
use super::*;

const GROUPS: &str = "(objectClass=group)";

fn with_groups() -> SyncSettings {
    let groups = GroupSettings {
        base: "ou=groups".to_owned(),
        filter: GROUPS.parse().unwrap(),
        name: "cn".to_owned(),
        members: vec!["member".to_owned()],
        groups_max: 2,
    };
    SyncSettings { groups: Some(groups), ..settings(&["corp.example"]) }
}

fn group(name: &str, members: &[&str]) -> LdapEntry {
    let members = members.iter().map(|member| format!("CN={member}").into_bytes()).collect();
    LdapEntry {
        name: format!("cn={name},ou=groups"),
        attributes: vec![
            ("cn".to_owned(), vec![name.as_bytes().to_vec()]),
            ("member".to_owned(), members),
        ],
    }
}

#[tokio::test]
async fn groups_are_read_after_the_people_with_addresses_of_whatever_domain() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example", "eve@partner.example"]));
    let members = ["Ann@corp.example", "eve@partner.example", "nobody@corp.example"];
    house.server.set(GROUPS, vec![group("Sales", &members)]);
    assert!(house.synced.replace(vec![with_groups()], None).is_empty());
    assert_eq!(house.synced.let_groups_go(), None);
    assert_eq!(*house.groups.kept.lock().unwrap(), ["corp"]);
    let stored = house.synced.status().remove(0).groups.unwrap();
    assert_eq!((stored.groups, stored.members), (7, 8), "what was kept is told");
    let report = house.turn().await.remove(0).unwrap();
    let reading = report.groups.unwrap().unwrap();
    assert_eq!((reading.taken.groups, reading.taken.members), (1, 2));
    assert_eq!(reading.left_out.members_unknown, 1);
    let taken = house.groups.taken.lock().unwrap().remove(0);
    assert_eq!(taken.accept, None);
    let (name, members) = &taken.groups[0];
    let members: Vec<&str> = members.iter().map(EmailAddress::key).collect();
    assert_eq!(
        (name.as_str(), members),
        ("Sales", vec!["ann@corp.example", "eve@partner.example"])
    );
    assert_eq!((taken.directory.as_str(), taken.shrink_percent_max), ("corp", 50));
    let status = house.synced.status().remove(0);
    assert_eq!((status.groups.unwrap().members, status.groups_problem), (2, None));
    house.synced.replace(vec![settings(&["corp.example"])], None);
    assert_eq!(house.synced.let_groups_go(), None);
    assert!(house.groups.kept.lock().unwrap().is_empty());
    assert_eq!(house.synced.status().remove(0).groups, None);
}

/// Two servers of which the second is asked for the groups the first refuses.
#[tokio::test]
async fn a_server_that_gives_no_groups_is_followed_by_the_next_from_the_beginning() {
    let house = House::new();
    let two = SyncSettings { server: with_two_servers().server, ..with_groups() };
    house.server.set(FILTER, people(&["ann@corp.example"]));
    house.server.set(GROUPS, vec![group("Sales", &["ann@corp.example"])]);
    house.put(vec![two]);
    let (first, second) = ("ldap://127.0.0.1", "ldap://[::1]");
    let breaks = Some(LdapFault::BreaksAbout(GROUPS));
    house.server.fault(first, breaks);
    let report = house.turn().await.remove(0).unwrap();
    assert_eq!(report.groups.unwrap().unwrap().taken.groups, 1);
    assert_eq!(house.server.opened(), 2);
    // Neither has any: the people of the first are taken, and both are told.
    house.server.fault(second, breaks);
    let report = house.synced.synchronise("corp", SyncHow::default()).await.unwrap();
    let problem = report.groups.unwrap().unwrap_err().to_string();
    let expected = "the connection to ldap://127.0.0.1 broke: it ended early; the connection to \
                    ldap://[::1] broke: it ended early";
    assert_eq!((problem.as_str(), report.recipients), (expected, 1));
    // Where the other cannot be read at all, it is the same.
    house.server.fault(second, Some(LdapFault::BreaksAfter(0)));
    let report = house.synced.synchronise("corp", SyncHow::default()).await.unwrap();
    assert_eq!(report.groups.unwrap().unwrap_err().to_string(), expected);
    assert!(house.look("ann@corp.example").0);
    // What is too much is so everywhere.
    house.server.fault(first, None);
    let three = ["A", "B", "C"].map(|name| group(name, &["ann@corp.example"]));
    house.server.set(GROUPS, three.to_vec());
    let opened = house.server.opened();
    let report = house.synced.synchronise("corp", SyncHow::default()).await.unwrap();
    assert!(report.groups.unwrap().is_err());
    assert_eq!(house.server.opened(), opened + 1);
}

#[tokio::test]
async fn attributes_are_read_with_the_people_and_without_groups_too() {
    let house = House::new();
    let with = |who: &str, pairs: &[(&str, &str)]| {
        let attribute =
            |(name, value): &(&str, &str)| ((*name).to_owned(), vec![value.as_bytes().to_vec()]);
        let mut entry = people(&[who]).remove(0);
        entry.attributes.extend(pairs.iter().map(attribute));
        entry
    };
    let off = [("userAccountControl", "514"), ("department", "Sales")];
    house.server.set(
        FILTER,
        vec![
            with("ann@corp.example", &[("Department", "Sales"), ("title", "Head")]),
            with("eve@partner.example", &[("department", "sales")]),
            with("off@corp.example", &off),
            with("odd@corp.example", &[("department", "")]),
        ],
    );
    let policy_attributes = vec!["department".to_owned(), "mail".to_owned()];
    let one =
        SyncSettings { policy_attributes, disabled_accounts: false, ..settings(&["corp.example"]) };
    house.put(vec![one.clone()]);
    assert_eq!(house.synced.let_groups_go(), None);
    assert_eq!(*house.groups.kept.lock().unwrap(), ["corp"]);
    let report = house.turn().await.remove(0).unwrap();
    assert_eq!(report.groups.unwrap().unwrap().left_out.values_unusable, 1);
    let taken = house.groups.taken.lock().unwrap().remove(0);
    assert_eq!((taken.groups.len(), taken.wanted.groups), (0, false));
    assert_eq!(taken.wanted.attributes, ["department", "mail"]);
    let held: Vec<String> = taken
        .values
        .iter()
        .filter(|(held, _)| held.name == "department")
        .map(|(held, who)| {
            let who: Vec<&str> = who.iter().map(EmailAddress::key).collect();
            format!("{held}: {}", who.join(" "))
        })
        .collect();
    assert_eq!(held, ["department = Sales: ann@corp.example eve@partner.example"]);
    // Too many of one entry: no group and no value is taken, the people are.
    let many = (0..21).map(|n| format!("d{n}").into_bytes()).collect();
    let mut crowded = people(&["ann@corp.example"]);
    crowded[0].attributes.push(("department".to_owned(), many));
    house.server.set(FILTER, crowded);
    let report = house.sync(Some(3)).await.unwrap();
    let problem = report.groups.unwrap().unwrap_err().to_string();
    assert_eq!(problem, "cn=ann@corp.example has more than 20 values of department");
    assert!(house.groups.taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn groups_that_take_too_long_cost_the_people_nothing() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    house.put(vec![with_groups()]);
    house.server.fault("ldap://127.0.0.1", Some(LdapFault::SilentAbout(GROUPS)));
    let time = async {
        while house.clock.next_deadline().is_none() {
            tokio::task::yield_now().await;
        }
        house.clock.advance_to_next();
    };
    let (mut came, ()) = tokio::join!(house.turn(), time);
    let groups = came.remove(0).unwrap().groups.unwrap();
    assert!(groups.unwrap_err().to_string().contains("longer than 30 minutes"));
    assert!(house.look("ann@corp.example").0);
}

#[tokio::test]
async fn who_accepts_recipients_accepts_no_groups() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example", "bob@corp.example", "cid@corp.example"]));
    house.put(vec![with_groups()]);
    house.turn().await.remove(0).unwrap();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    let groups = SyncHow { accept_groups: Some(2), ..SyncHow::default() };
    let refused = house.synced.synchronise("corp", groups).await;
    let Err(SyncError::Refused { groups: Some(groups), .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(groups.is_ok(), "they are looked at by themselves, and told: {groups:?}");
    house.sync(Some(2)).await.unwrap();
    let taken = house.groups.taken.lock().unwrap();
    let accepted: Vec<_> = taken.iter().map(|read| read.accept).collect();
    assert_eq!(accepted, [None, Some(2), None]);
}

#[tokio::test]
async fn groups_that_cannot_be_had_whole_cost_the_people_nothing() {
    let house = House::new();
    house.server.set(FILTER, people(&["ann@corp.example"]));
    let three = ["A", "B", "C"].map(|name| group(name, &["ann@corp.example"]));
    house.server.set(GROUPS, three.to_vec());
    house.synced.replace(vec![with_groups()], None);
    let report = house.turn().await.remove(0).unwrap();
    let problem = report.groups.unwrap().unwrap_err().to_string();
    assert!(problem.contains("more than 2 entries"), "{problem}");
    assert!(house.groups.taken.lock().unwrap().is_empty());
    assert!(house.look("ann@corp.example").0);
    let status = house.synced.status().remove(0);
    assert_eq!((status.problem, status.groups.unwrap().groups), (None, 7));
    assert!(matches!(status.groups_problem, Some(GroupsProblem::Failed(_))));
    house.server.set(GROUPS, three[..2].to_vec());
    let refusal = GroupsProblem::Refused { why: "too few".to_owned(), gone: 3 };
    *house.groups.refuses.lock().unwrap() = Some(refusal.clone());
    let seen = house.synced.synchronise("corp", SyncHow { dry_run: true, ..SyncHow::default() });
    assert_eq!(seen.await.unwrap().groups, Some(Err(refusal.clone())));
    let left = house.synced.status().remove(0).groups_problem;
    assert!(matches!(left, Some(GroupsProblem::Failed(_))), "a dry run changes nothing");
    house.synced.synchronise("corp", SyncHow::default()).await.unwrap();
    assert_eq!(house.synced.status().remove(0).groups_problem, Some(refusal));
    *house.groups.refuses.lock().unwrap() = None;
    house.synced.synchronise("corp", SyncHow::default()).await.unwrap();
    assert_eq!(house.synced.status().remove(0).groups_problem, None);
}
