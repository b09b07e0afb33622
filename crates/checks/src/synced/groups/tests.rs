use super::*;

fn settings() -> GroupSettings {
    GroupSettings {
        base: "dc=corp".to_owned(),
        filter: "(cn=*)".parse().unwrap(),
        name: "cn".to_owned(),
        members: ["member", "uniqueMember", "memberUid"].map(str::to_owned).to_vec(),
        groups_max: 100,
    }
}

fn entry(dn: &str, values: &[(&str, &str)]) -> LdapEntry {
    let mut attributes: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for (name, value) in values {
        match attributes.iter_mut().find(|(other, _)| other == name) {
            Some((_, values)) => values.push(value.as_bytes().to_vec()),
            None => attributes.push(((*name).to_owned(), vec![value.as_bytes().to_vec()])),
        }
    }
    LdapEntry { name: dn.to_owned(), attributes }
}

fn people(all: &[&str]) -> People {
    let mut people = People::default();
    for name in all {
        let entry = entry(&format!("cn={name},dc=corp"), &[("uid", name)]);
        people.add(&entry, vec![format!("{name}@corp.example").parse().unwrap()]);
    }
    people
}

fn flat(people: &People, entries: &[LdapEntry]) -> Result<Flat, GroupsError> {
    let settings = settings();
    let mut groups = Groups::new(&settings, people);
    entries.iter().for_each(|entry| groups.entry(entry));
    groups.flatten()
}

/// Who is in each group, by local part.
fn told(flat: &Flat) -> Vec<String> {
    let of = |(name, members): &(String, Vec<EmailAddress>)| {
        let mut members: Vec<&str> =
            members.iter().map(|one| one.key().split('@').next().unwrap()).collect();
        members.sort_unstable();
        format!("{name}: {}", members.join(" "))
    };
    flat.groups.iter().map(of).collect()
}

#[test]
fn groups_in_groups_are_followed_and_circles_end() {
    let mut people = people(&["ann", "bob", "cid", "sales-list"]);
    people.switched_off(&entry("cn=off,dc=corp", &[]));
    let entries = [
        entry(
            "cn=A,dc=corp",
            &[("cn", "A"), ("member", "CN=Ann, DC=corp"), ("member", "cn=b,dc=corp")],
        ),
        entry(
            "cn=B,dc=corp",
            &[("cn", "B"), ("uniqueMember", "cn=bob,dc=corp#'1'B"), ("member", "cn=a,dc=corp")],
        ),
        entry(
            "cn=Self,dc=corp",
            &[
                ("cn", "Self"),
                ("member", "cn=self,dc=corp"),
                ("member", "cn=off,dc=corp"),
                ("member", "cn=who,dc=other"),
                ("member", "rubbish"),
            ],
        ),
        entry("cn=Unix,dc=corp", &[("CN", "Unix"), ("memberuid", "CID"), ("memberUid", "nobody")]),
        // Found among the people too, because it has an address.
        entry("cn=sales-list,dc=corp", &[("cn", "Sales"), ("member", "cn=cid,dc=corp")]),
        entry(
            "cn=Over,dc=corp",
            &[("cn", "Over"), ("member", "cn=sales-list,dc=corp"), ("member", "cn=cid,dc=corp")],
        ),
        entry("cn=nameless,dc=corp", &[("member", "cn=cid,dc=corp")]),
        entry("cn=Through,dc=corp", &[("cn", "Through"), ("member", "cn=nameless,dc=corp")]),
        entry("cn=Empty,dc=corp", &[("cn", "Empty")]),
    ];
    let flat = flat(&people, &entries).unwrap();
    assert_eq!(
        told(&flat),
        [
            "A: ann bob",
            "B: ann bob",
            "Self: ",
            "Unix: cid",
            "Sales: cid",
            "Over: cid",
            "Through: cid",
            "Empty: ",
        ]
    );
    let left_out = GroupsLeftOut {
        nameless: 1,
        members_off: 1,
        members_unknown: 3,
        ..GroupsLeftOut::default()
    };
    assert_eq!(flat.left_out, left_out);
}

/// What Windows calls something of the domain `domain` with this number.
fn sid(domain: u8, number: u32) -> Vec<u8> {
    let head = [1, 2, 0, 0, 0, 0, 0, 5, domain, 0, 0, 0];
    [&head[..], &number.to_le_bytes()].concat()
}

fn with_sid(mut entry: LdapEntry, sid: Vec<u8>, primary: &[u8]) -> LdapEntry {
    entry.attributes.push(("objectSid".to_owned(), vec![sid]));
    if !primary.is_empty() {
        entry.attributes.push(("primaryGroupID".to_owned(), vec![primary.to_vec()]));
    }
    entry
}

#[test]
fn the_primary_group_of_an_account_counts_as_every_other() {
    let mut people = People::default();
    let mut add = |name: &str, sid: Vec<u8>, primary: &[u8]| {
        let entry = with_sid(entry(&format!("cn={name},dc=corp"), &[]), sid, primary);
        people.add(&entry, vec![format!("{name}@corp.example").parse().unwrap()]);
    };
    add("ann", sid(1, 1_104), b"513");
    add("bob", sid(1, 1_105), b"513");
    add("cid", sid(1, 1_106), b"514");
    add("elsewhere", sid(2, 1_104), b"513");
    add("unreadable", sid(1, 1_107), b"");
    add("short", sid(1, 1_108)[..15].to_vec(), b"513");
    add("long", [sid(1, 1_109), vec![0]].concat(), b"513");
    add("negative", sid(1, 1_110), b"-1");
    add("odd", sid(1, 1_111), b"\xff");
    people.switched_off(&with_sid(entry("cn=off,dc=corp", &[]), sid(1, 1_112), b"513"));
    let named = [("cn", "Users"), ("member", "cn=ann,dc=corp"), ("member", "cn=cid,dc=corp")];
    let entries = [
        with_sid(entry("cn=Users,dc=corp", &named), sid(1, 513), b""),
        entry("cn=Over,dc=corp", &[("cn", "Over"), ("member", "cn=users,dc=corp")]),
        with_sid(entry("cn=Empty,dc=corp", &[("cn", "Empty")]), sid(1, 600), b""),
        with_sid(entry("cn=Odd,dc=corp", &[("cn", "Odd")]), vec![1; 200], b""),
    ];
    let flat = flat(&people, &entries).unwrap();
    assert_eq!(told(&flat), ["Users: ann bob cid", "Over: ann bob cid", "Empty: ", "Odd: "]);
    assert_eq!(flat.left_out.members_off, 2, "in the group, and in the one above");
}

#[test]
fn what_cannot_be_had_whole_is_an_error() {
    let people = people(&["ann"]);
    let chain = |length: usize| {
        let one = |n: usize| {
            let (cn, next) = (format!("g{n}"), format!("cn=g{},dc=corp", n + 1));
            entry(&format!("cn={cn},dc=corp"), &[("cn", &cn), ("member", &next)])
        };
        (0..length).map(one).collect::<Vec<_>>()
    };
    assert!(flat(&people, &chain(DEEP_MAX + 1)).is_ok());
    let error = flat(&people, &chain(DEEP_MAX + 2)).err().unwrap();
    assert_eq!(error.to_string(), "groups stand more than 20 deep in the group \"g0\"");
    let twice = ["cn=a,ou=x", "cn=a,ou=y"].map(|dn| entry(dn, &[("cn", "a")]));
    let error = flat(&people, &twice).err().unwrap().to_string();
    assert!(error.starts_with("two groups are called \"a\", cn=a,ou=x and cn=a,ou=y"), "{error}");
    for (name, is_usable) in [
        ("Sales", true),
        (" Vertrieb Süd ", true),
        ("", false),
        (" ", false),
        ("a\nb", false),
        ("a:b", true),
        (":l=x", false),
    ] {
        assert_eq!(usable(name.as_bytes()).is_some(), is_usable, "{name:?}");
    }
    assert_eq!(usable("x".repeat(NAME_CHARS_MAX + 1).as_bytes()), None);
    assert_eq!(usable(b"\xff"), None);
}

#[test]
fn too_many_members_are_an_error() {
    let mut people = People::default();
    let count = MEMBERS_MAX + 1;
    let mut crowd = Vec::with_capacity(count);
    for n in 0..count {
        let dn = format!("cn=p{n},dc=corp");
        people.add(&entry(&dn, &[]), vec![format!("p{n}@corp.example").parse().unwrap()]);
        crowd.push(dn.into_bytes());
    }
    let of = |name: &str, members: &[Vec<u8>]| LdapEntry {
        name: format!("cn={name},dc=corp"),
        attributes: vec![
            ("cn".to_owned(), vec![name.as_bytes().to_vec()]),
            ("member".to_owned(), members.to_vec()),
        ],
    };
    let error = flat(&people, &[of("All", &crowd)]).err().unwrap();
    assert_eq!(error, GroupsError::TooLarge("All".to_owned()));
    let most = &crowd[..MEMBERS_MAX];
    let thrice = ["a", "b", "c"].map(|name| of(name, most));
    assert!(flat(&people, &thrice[..2]).is_ok());
    assert_eq!(flat(&people, &thrice).err(), Some(GroupsError::TooManyInAll));
}

#[test]
fn a_uid_that_two_entries_have_names_nobody_and_is_told() {
    let mut people = people(&["ann", "bob"]);
    let other = entry("cn=other,dc=corp", &[("uid", "ANN")]);
    people.add(&other, vec!["other@corp.example".parse().unwrap()]);
    let group = |uid: &str| entry("cn=A,dc=corp", &[("cn", "A"), ("memberUid", uid)]);
    assert_eq!(told(&flat(&people, &[group("bob")]).unwrap()), ["A: bob"]);
    let error = flat(&people, &[group("ann")]).err();
    assert_eq!(error, Some(GroupsError::TwoOfOneUid("ann".to_owned())));
}
