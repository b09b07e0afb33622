//! The contract of [`PolicyState`], for every implementation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use types::lists::{Group, ManagedSender, SenderAction};
use types::policy::{PermitOption, PolicyMode, PolicyOption, Scope};
use types::{Actor, Policy, PolicyId, Timestamp};

use super::{
    Authorship, Edit, HitNote, Object, ObjectKey, Origin, PolicyDocument, PolicyState, SenderQuery,
    SqliteState, Version,
};
use crate::contract::StoreError;

fn state(folder: &Path) -> SqliteState {
    SqliteState::open(&folder.join("state.db")).unwrap()
}

fn who(author: &str, at_ms: i64) -> Authorship {
    let at = Timestamp::from_millis(at_ms);
    Authorship { actor: Actor::machine(author), note: "because".into(), at, expected: None }
}

fn policy(narrative: &str) -> Policy {
    Policy {
        id: None,
        narrative: narrative.into(),
        option: PolicyOption::PermittedSenders(PermitOption::Permit),
        based_on: Default::default(),
        from: Scope::Everyone,
        to: Scope::Internal,
        source_ips: vec!["203.0.113.0/24".parse().unwrap()],
        source_hosts: vec![],
        validity: Default::default(),
        mode: PolicyMode::On,
        overrides: false,
        bidirectional: false,
    }
}

fn group(name: &str, member: &str) -> Group {
    Group { name: name.into(), parent: None, members: vec![member.parse().unwrap()] }
}

fn sender(sender: &str, recipient: &str, action: SenderAction) -> ManagedSender {
    ManagedSender {
        id: None,
        sender: sender.parse().unwrap(),
        recipient: recipient.parse().unwrap(),
        action,
        authenticated_only: false,
        note: String::new(),
        created_by: String::new(),
        created: Timestamp::EPOCH,
        created_from: None,
        valid_until: None,
    }
}

fn put_policy(narrative: &str) -> Edit {
    Edit::Put(Object::Policy(policy(narrative)))
}

fn put_sender(from: &str, to: &str, action: SenderAction) -> Edit {
    Edit::Put(Object::Sender(sender(from, to, action)))
}

/// Narratives, group names and senders of the set, by key.
fn content(state: &dyn PolicyState) -> BTreeMap<ObjectKey, String> {
    let mut all = content_of(state, Origin::People);
    all.extend(content_of(state, Origin::File));
    all
}

/// The same of one origin only.
fn content_of(state: &dyn PolicyState, origin: Origin) -> BTreeMap<ObjectKey, String> {
    let mut content = BTreeMap::new();
    let set = state
        .read(&mut |stored| {
            let entry = &stored.sender;
            let text = format!("{} {} {}", entry.action.slug(), entry.sender, entry.recipient);
            if stored.provenance.origin == origin {
                content.insert(ObjectKey::Sender(entry.id.unwrap()), text);
            }
        })
        .unwrap();
    for stored in set.policies.into_iter().filter(|one| one.provenance.origin == origin) {
        let policy = stored.policy;
        content.insert(ObjectKey::Policy(policy.id.unwrap()), policy.narrative);
    }
    for stored in set.groups.into_iter().filter(|one| one.provenance.origin == origin) {
        let members = stored.group.members.iter().map(ToString::to_string).collect::<Vec<_>>();
        content.insert(ObjectKey::Group(stored.group.name), members.join(" "));
    }
    for stored in set.definitions.into_iter().filter(|one| one.provenance.origin == origin) {
        let text = format!("{:?}", stored.definition.set);
        content.insert(ObjectKey::Definition(stored.definition.name), text);
    }
    content
}

/// A definition that blocks one country.
fn definition(name: &str, country: &str) -> types::Definition {
    use types::definition::{DefinitionSet, GeographicalAction, GeographicalDefinition};
    let places = GeographicalDefinition {
        action: GeographicalAction::Block,
        countries: vec![country.parse().unwrap()],
        networks: Vec::new(),
    };
    let set = DefinitionSet::GeographicalRestriction(places);
    types::Definition { name: name.to_owned(), narrative: String::new(), set }
}

#[test]
fn every_change_is_one_version_with_what_was_and_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    assert_eq!(state.version().unwrap(), 0);
    let made = state
        .change(
            &who("ann", 1_000),
            vec![put_policy("one"), Edit::Put(Object::Group(group("Team", "a@corp.example")))],
        )
        .unwrap();
    assert_eq!((made.version, made.differences.len()), (1, 2));
    let id = PolicyId(1);
    let stored = state.policy(id).unwrap().unwrap();
    assert_eq!(stored.policy, Policy { id: Some(id), ..policy("one") });
    assert_eq!((stored.provenance.version, stored.provenance.created_by.as_str()), (1, "ann"));

    let changed = Policy { id: Some(id), ..policy("two") };
    let second = state.change(&who("bob", 2_000), vec![Edit::Put(Object::Policy(changed.clone()))]);
    let [difference] = &second.unwrap().differences[..] else { panic!("one difference") };
    assert_eq!(difference.before, Some(Object::Policy(stored.policy)));
    assert_eq!(difference.after, Some(Object::Policy(changed.clone())));
    let kept = state.policy(id).unwrap().unwrap().provenance;
    assert_eq!((kept.created_by.as_str(), kept.changed_by.as_str()), ("ann", "bob"));
    assert_eq!(kept.changed, Timestamp::from_millis(2_000));

    let nothing = state.change(&who("bob", 3_000), vec![Edit::Put(Object::Policy(changed))]);
    assert_eq!(nothing.unwrap().version, 2, "nothing differs, so there is no version");
    let history = state.history(None, 10).unwrap();
    assert_eq!(history.iter().map(|v| v.number).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(state.history(Some(2), 10).unwrap().len(), 1);
    let Version { author, note, restores, differences, .. } = &history[0];
    assert_eq!(
        (author.as_str(), note.as_str(), restores, differences),
        ("bob", "because", &None, &1)
    );
}

#[test]
fn a_change_on_an_old_version_is_a_conflict_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    state.change(&who("ann", 1), vec![put_policy("one")]).unwrap();
    let late = Authorship { expected: Some(0), ..who("bob", 2) };
    let refused = state.change(&late, vec![put_policy("two")]);
    assert!(matches!(refused, Err(StoreError::Conflict { expected: 0, found: 1 })), "{refused:?}");
    let wrong = vec![put_policy("two"), Edit::Remove(ObjectKey::Group("none".into()))];
    assert!(matches!(state.change(&who("bob", 2), wrong), Err(StoreError::NotFound(_))));
    assert_eq!(content(&state).len(), 1, "a change is made as a whole or not at all");
}

#[test]
fn numbers_are_never_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    state.change(&who("ann", 1), vec![put_policy("one"), put_policy("two")]).unwrap();
    state.change(&who("ann", 2), vec![Edit::Remove(ObjectKey::Policy(PolicyId(2)))]).unwrap();
    let entry = put_sender("x.example", "a@corp.example", SenderAction::Block);
    let made = state.change(&who("ann", 3), vec![entry]).unwrap();
    assert_eq!(made.differences[0].key, ObjectKey::Sender(PolicyId(3)));
}

#[test]
fn a_new_entry_of_a_pair_replaces_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let block = put_sender("Bad@X.Example", "a@corp.example", SenderAction::Block);
    state.change(&who("ann", 1), vec![block]).unwrap();
    let permit = put_sender("bad@x.example", "A@corp.example", SenderAction::Permit);
    let changed = state.change(&who("ann", 2), vec![permit]).unwrap();
    assert_eq!(changed.differences.len(), 2, "the old entry goes, the new one comes");
    let query = SenderQuery { recipient: Some("a@corp.example".into()), ..Default::default() };
    let [stored] = &state.senders(&query, None, 10).unwrap()[..] else { panic!("one entry") };
    assert_eq!(stored.sender.action, SenderAction::Permit);
    assert_eq!(stored.sender.created_by, "ann");
    assert_eq!(stored.sender.id, Some(PolicyId(2)));
    state.roll_back(&who("ann", 3), 1).unwrap();
    let [stored] = &state.senders(&query, None, 10).unwrap()[..] else { panic!("one entry") };
    assert_eq!((stored.sender.action, stored.sender.id), (SenderAction::Block, Some(PolicyId(1))));
}

#[test]
fn senders_are_found_by_recipient_sender_text_and_action_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let mut edits = Vec::new();
    for n in 0..50 {
        let action = if n % 2 == 0 { SenderAction::Permit } else { SenderAction::Block };
        edits.push(put_sender(
            &format!("s{n}@x.example"),
            &format!("r{}@corp.example", n % 5),
            action,
        ));
    }
    state.change(&who("ann", 1), edits).unwrap();
    let count = |query: SenderQuery| {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = state.senders(&query, after, 7).unwrap();
            count += page.len();
            let Some(last) = page.last() else { return count };
            assert!(last.sender.id > after);
            after = last.sender.id;
        }
    };
    let none = SenderQuery::default();
    assert_eq!(count(none.clone()), 50);
    let pair = |n: u32| (format!("r{}@corp.example", n % 5), format!("s{n}@x.example"));
    let mut pairs: Vec<_> = (0..50).map(pair).collect();
    pairs.extend((0..600).map(|n| ("r0@corp.example".to_owned(), format!("none{n}@x.example"))));
    assert_eq!(state.senders_of(&pairs).unwrap().len(), 50, "in two questions");
    let crossed = vec![("r1@corp.example".to_owned(), "s0@x.example".to_owned())];
    assert_eq!(state.senders_of(&crossed).unwrap(), [], "both belong to others");
    assert_eq!(state.senders_of(&[]).unwrap(), []);
    let recipient = Some("r3@corp.example".to_owned());
    assert_eq!(count(SenderQuery { recipient: recipient.clone(), ..none.clone() }), 10);
    let action = Some(SenderAction::Block);
    assert_eq!(count(SenderQuery { recipient, action, ..none.clone() }), 5);
    assert_eq!(count(SenderQuery { sender: Some("s7@x.example".into()), ..none.clone() }), 1);
    assert_eq!(count(SenderQuery { text: Some("S4".into()), ..none.clone() }), 11);
    assert_eq!(count(SenderQuery { text: Some("%".into()), ..none.clone() }), 0);
    let all = count(none.clone());
    for (domain, found) in
        [("corp.example", all), ("*.example", all), ("*.corp.example", 0), ("orp.example", 0)]
    {
        let within = types::Sight::of(vec![domain.parse().unwrap()]).unwrap();
        assert_eq!(count(SenderQuery { within, ..none.clone() }), found, "{domain}");
    }
    let members = ["R3@corp.example".parse().unwrap()];
    let limit = types::Limit::new(Vec::new(), vec!["Desk".to_owned()]).unwrap();
    let within = types::Sight::within(limit, Arc::new(types::AddressSet::new(&members, "")));
    assert_eq!(count(SenderQuery { within, ..none.clone() }), 10, "of the members of a group");
}

#[test]
fn the_policy_file_manages_its_own_objects_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    state.change(&who("ann", 1), vec![put_policy("by hand")]).unwrap();
    let document = PolicyDocument {
        policies: vec![policy("from file"), policy("another")],
        groups: vec![group("Team", "a@corp.example")],
        definitions: vec![definition("Far", "XA")],
        senders: vec![sender("x.example", "a@corp.example", SenderAction::Permit)],
    };
    let applied = state.apply_file(&who("file", 2), document.clone()).unwrap();
    assert_eq!((applied.version, applied.differences.len()), (2, 5));
    let again = state.apply_file(&who("file", 3), document.clone()).unwrap();
    assert_eq!(again.version, 2, "an unchanged file changes nothing");

    for edit in [
        Edit::Remove(ObjectKey::Policy(PolicyId(2))),
        Edit::Remove(ObjectKey::Definition("Far".into())),
        Edit::Put(Object::Definition(definition("Far", "XB"))),
        Edit::Put(Object::Policy(Policy { id: Some(PolicyId(3)), ..policy("mine") })),
        Edit::Put(Object::Group(group("Team", "b@corp.example"))),
        put_sender("x.example", "a@corp.example", SenderAction::Block),
    ] {
        let refused = state.change(&who("ann", 4), vec![edit]);
        assert!(matches!(refused, Err(StoreError::FileManaged(_))), "{refused:?}");
    }

    let mut shorter = document;
    shorter.policies.remove(0);
    shorter.senders[0].action = SenderAction::Block;
    let applied = state.apply_file(&who("file", 5), shorter).unwrap();
    let keys: Vec<_> = applied.differences.iter().map(|d| d.key.to_string()).collect();
    assert_eq!(keys, ["policy #2", "managed sender #4", "managed sender #5"]);
    assert_eq!(state.policy(PolicyId(3)).unwrap().unwrap().provenance.origin, Origin::File);
    assert!(state.policy(PolicyId(1)).unwrap().is_some(), "made by hand, untouched");

    state.apply_file(&who("file", 6), PolicyDocument::default()).unwrap();
    assert_eq!(content(&state).into_values().collect::<Vec<_>>(), ["by hand"]);
}

#[test]
fn a_roll_back_leaves_what_belongs_to_the_policy_file() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let edits = vec![put_policy("by hand"), Edit::Put(Object::Group(group("Team", "old.example")))];
    state.change(&who("ann", 1), edits).unwrap();
    let file = PolicyDocument {
        policies: vec![policy("from file")],
        groups: vec![group("Team", "file.example")],
        definitions: Vec::new(),
        senders: vec![sender("x.example", "a@corp.example", SenderAction::Block)],
    };
    state.apply_file(&who("file", 2), file).unwrap();
    state.change(&who("ann", 3), vec![put_policy("later")]).unwrap();
    let of_file = content_of(&state, Origin::File);
    assert_eq!(of_file.len(), 3);
    for version in [0, 1, 2] {
        state.roll_back(&who("bob", 4), version).unwrap();
        assert_eq!(content_of(&state, Origin::File), of_file, "version {version}");
    }
    let of_people: Vec<_> = content_of(&state, Origin::People).into_values().collect();
    assert_eq!(of_people, ["by hand"]);
    // What was the file's is not brought back once it is out of the file.
    state.apply_file(&who("file", 5), PolicyDocument::default()).unwrap();
    state.roll_back(&who("bob", 6), 2).unwrap();
    assert_eq!(content(&state).into_values().collect::<Vec<_>>(), ["by hand"]);
}

#[test]
fn an_export_used_as_policy_file_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let edits = vec![
        put_policy("one"),
        put_policy("one"),
        put_policy("two"),
        Edit::Put(Object::Group(group("Team", "a.example"))),
        put_sender("x.example", "a@corp.example", SenderAction::Block),
    ];
    state.change(&who("ann", 1), edits).unwrap();
    let before = content(&state);
    let export = state.export().unwrap();
    state.apply_file(&who("file", 2), export.clone()).unwrap();
    assert_eq!(content(&state), before, "the same objects with the same numbers");
    assert_eq!(content_of(&state, Origin::File), before, "which belong to the file now");
    assert_eq!(state.apply_file(&who("file", 3), export).unwrap().version, 2);
}

#[test]
fn an_export_imported_again_changes_nothing_and_elsewhere_makes_the_same_set() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (here, there) = (state(here.path()), state(there.path()));
    let file = PolicyDocument { policies: vec![policy("from file")], ..Default::default() };
    here.apply_file(&who("file", 1), file).unwrap();
    let edits = vec![
        put_policy("one"),
        Edit::Put(Object::Group(group("Team", "*.corp.example"))),
        put_sender("x@x.example", "a@corp.example", SenderAction::Auto),
    ];
    here.change(&who("ann", 2), edits).unwrap();
    let export = here.export().unwrap();
    let json = serde_json::to_string(&export).unwrap();
    let export: PolicyDocument = serde_json::from_str(&json).unwrap();
    assert_eq!(here.import(&who("bob", 3), export.clone()).unwrap().version, 2);
    assert_eq!(there.import(&who("bob", 3), export).unwrap().version, 1);
    let texts = |state: &dyn PolicyState| content(state).into_values().collect::<Vec<_>>();
    assert_eq!(texts(&here), texts(&there));
    let empty = here.import(&who("bob", 4), PolicyDocument::default()).unwrap();
    assert_eq!(empty.differences.len(), 3);
    assert_eq!(texts(&here), ["from file"]);
}

#[test]
fn hits_are_counted_outside_the_versions() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let entry = put_sender("x.example", "a@corp.example", SenderAction::Block);
    state.change(&who("ann", 1), vec![put_policy("one"), entry]).unwrap();
    let hit =
        |id, count, last| HitNote { id: PolicyId(id), count, last: Timestamp::from_millis(last) };
    state.note_hits(&[hit(1, 3, 50), hit(2, 1, 60), hit(99, 1, 70)]).unwrap();
    state.note_hits(&[hit(1, 2, 40)]).unwrap();
    let policy = state.policy(PolicyId(1)).unwrap().unwrap();
    assert_eq!((policy.hits.count, policy.hits.last), (5, Some(Timestamp::from_millis(50))));
    let changed = Policy { narrative: "new".into(), ..policy.policy };
    state.change(&who("ann", 2), vec![Edit::Put(Object::Policy(changed))]).unwrap();
    state.roll_back(&who("ann", 3), 1).unwrap();
    assert_eq!(state.policy(PolicyId(1)).unwrap().unwrap().hits.count, 5);
    assert_eq!(state.sender(PolicyId(2)).unwrap().unwrap().hits.count, 1);
    assert_eq!(state.version().unwrap(), 3);
}

#[test]
fn what_was_changed_is_there_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    {
        let state = state(folder.path());
        state.change(&who("ann", 1), vec![put_policy("one")]).unwrap();
        state.set_fact("daily_log", Some("2026-11-20")).unwrap();
        state.set_fact("gone", Some("1")).unwrap();
        state.set_fact("gone", None).unwrap();
    }
    let state = state(folder.path());
    assert_eq!(content(&state).len(), 1);
    assert_eq!(state.fact("daily_log").unwrap().as_deref(), Some("2026-11-20"));
    assert_eq!(state.fact("gone").unwrap(), None);
}

#[test]
fn a_database_that_is_locked_newer_or_none_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let state = state(folder.path());
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = state.change(&who("ann", 1), vec![put_policy("one")]);
    assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
    assert_eq!(state.version().unwrap(), 0, "readers go on");
    other.execute_batch("COMMIT; PRAGMA user_version = 99").unwrap();
    assert!(matches!(SqliteState::open(&path), Err(StoreError::Database(_))));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "no database at all, but a text that is long enough".repeat(9)).unwrap();
    assert!(matches!(SqliteState::open(&text), Err(StoreError::Database(_))));
    let nowhere = folder.path().join("missing").join("state.db");
    assert!(matches!(SqliteState::open(&nowhere), Err(StoreError::Io { .. })));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Change(u8, u8),
    Remove(u8),
    Group(u8, u8),
    Sender(u8, u8, bool),
    File(Vec<u8>),
    RollBack(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(Step::Put),
        (any::<u8>(), any::<u8>()).prop_map(|(which, text)| Step::Change(which, text)),
        any::<u8>().prop_map(Step::Remove),
        (0..3_u8, any::<u8>()).prop_map(|(name, member)| Step::Group(name, member)),
        (0..3_u8, 0..3_u8, any::<bool>()).prop_map(|(s, r, p)| Step::Sender(s, r, p)),
        proptest::collection::vec(0..4_u8, 0..3).prop_map(Step::File),
        any::<u8>().prop_map(Step::RollBack),
    ]
}

fn one_of(content: &BTreeMap<ObjectKey, String>, which: u8) -> Option<&ObjectKey> {
    content.keys().nth(usize::from(which) % content.len().max(1))
}

/// What a step does to the state; some are refused, which changes nothing.
fn take(state: &SqliteState, step: &Step, versions: usize) {
    let who = who("ann", 1);
    let now = content(state);
    let edit = match step {
        Step::Put(text) => put_policy(&format!("p{text}")),
        Step::Change(which, text) => match one_of(&now, *which) {
            Some(ObjectKey::Policy(id)) => {
                let new = Policy { id: Some(*id), ..policy(&format!("c{text}")) };
                Edit::Put(Object::Policy(new))
            }
            _ => return,
        },
        Step::Remove(which) => match one_of(&now, *which) {
            Some(key) => Edit::Remove(key.clone()),
            None => return,
        },
        Step::Group(name, member) => {
            // Names of both kinds are apart.
            match member % 2 {
                0 => Edit::Put(Object::Definition(definition(&format!("g{name}"), "XB"))),
                _ => Edit::Put(Object::Group(group(
                    &format!("g{name}"),
                    &format!("m{member}.example"),
                ))),
            }
        }
        Step::Sender(from, to, permits) => {
            let action = if *permits { SenderAction::Permit } else { SenderAction::Block };
            put_sender(&format!("s{from}.example"), &format!("r{to}@corp.example"), action)
        }
        Step::File(numbers) => {
            let policies = numbers.iter().map(|n| policy(&format!("f{n}"))).collect();
            let groups = numbers.iter().map(|n| group(&format!("g{n}"), "f.example")).collect();
            let definitions = numbers.iter().map(|n| definition(&format!("d{n}"), "XA")).collect();
            let action = SenderAction::Block;
            let entry = |n| sender(&format!("s{n}.example"), "r0@corp.example", action);
            let senders = numbers.iter().map(entry).collect();
            let document = PolicyDocument { policies, groups, definitions, senders };
            state.apply_file(&who, document).unwrap();
            return;
        }
        Step::RollBack(to) => {
            state.roll_back(&who, u64::from(*to) % versions as u64).unwrap();
            return;
        }
    };
    match state.change(&who, vec![edit]) {
        Ok(_) | Err(StoreError::FileManaged(_)) => {}
        other => panic!("{step:?}: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Of every version what belongs to people can be brought back exactly,
    /// whatever happened between, what belongs to the policy file stays,
    /// and differences lead from any version to any other.
    #[test]
    fn any_version_can_be_brought_back(steps in proptest::collection::vec(step(), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path());
        let parts_of = |state: &SqliteState| {
            (content_of(state, Origin::People), content_of(state, Origin::File))
        };
        let (mut versions, mut parts) = (vec![content(&state)], vec![parts_of(&state)]);
        for step in &steps {
            take(&state, step, versions.len());
            if state.version().unwrap() as usize == versions.len() {
                versions.push(content(&state));
                parts.push(parts_of(&state));
            }
            prop_assert_eq!(state.version().unwrap() as usize + 1, versions.len());
            prop_assert_eq!(&content(&state), versions.last().unwrap());
        }
        let last = versions.len() - 1;
        for (from, to) in [(0, last), (last, 0), (last / 2, last), (last, last / 3)] {
            let mut keys: Vec<_> = versions[from].keys().collect();
            for difference in state.differences(from as u64, to as u64).unwrap() {
                prop_assert_eq!(difference.before.is_some(), keys.contains(&&difference.key));
                keys.retain(|key| **key != difference.key);
                if difference.after.is_some() {
                    let key = versions[to].get_key_value(&difference.key).map(|(key, _)| key);
                    keys.push(key.expect("a difference leads to what is there"));
                }
            }
            keys.sort();
            prop_assert_eq!(keys, versions[to].keys().collect::<Vec<_>>());
        }
        for (number, (of_people, of_file)) in parts.iter().enumerate() {
            let files = content_of(&state, Origin::File);
            state.roll_back(&who("bob", 2), number as u64).unwrap();
            prop_assert_eq!(&content_of(&state, Origin::File), &files);
            let now = content_of(&state, Origin::People);
            // A pair has one entry: the file's, if it has one.
            let pair = |text: &str| text.split_once(' ').map(|(_, pair)| pair.to_owned());
            let pairs: Vec<_> = files
                .iter()
                .filter(|(key, _)| matches!(key, ObjectKey::Sender(_)))
                .map(|(_, text)| pair(text))
                .collect();
            for (key, text) in of_people {
                let is_taken = matches!(key, ObjectKey::Sender(_)) && pairs.contains(&pair(text));
                if !files.contains_key(key) && !is_taken {
                    prop_assert_eq!(now.get(key), Some(text));
                }
            }
            for key in now.keys() {
                prop_assert!(of_people.contains_key(key) || of_file.contains_key(key));
            }
        }
    }
}
