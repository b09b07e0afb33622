//! The contract of [`AuditState`], for every implementation, and what
//! tampering with the file looks like.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use types::lists::Group;
use types::{AccountId, Actor, AuditAction, AuditNote, Timestamp, TokenId, Via};

use super::audit::{AuditQuery, ChainBreak, Verified};
use super::{AuditState, Authorship, Edit, Object, PolicyState, SqliteAudit, SqliteState};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
}

fn open(folder: &Path) -> SqliteAudit {
    SqliteAudit::open(&folder.join("state.db")).unwrap()
}

fn actor(name: &str, via: Via) -> Actor {
    let from = Some("2001:db8::7".parse().unwrap());
    Actor { name: name.into(), via, from, row: Some("7K2M4QX9B0TA".parse().unwrap()) }
}

fn note(subject: &str, seconds: i64) -> AuditNote {
    let actor = actor("ana", Via::Account(AccountId(3)));
    AuditNote {
        note: "asked on the telephone".to_owned(),
        details: "{\"before\":\"viewer\"}".to_owned(),
        ..AuditNote::new(actor, AuditAction::RoleGiven, subject, at(seconds))
    }
}

fn numbers(state: &dyn AuditState, query: &AuditQuery) -> Vec<u64> {
    let found = state.entries(query, None, 100).unwrap();
    found.into_iter().map(|entry| entry.number).collect()
}

fn filled(folder: &Path) -> SqliteAudit {
    let state = open(folder);
    for subject in ["Bob", "cid", "dora"] {
        state.record(&note(subject, 0)).unwrap();
    }
    state
}

fn edit_by_hand(folder: &Path, sql: &str) -> Verified {
    let connection = Connection::open(folder.join("state.db")).unwrap();
    let without = "DROP TRIGGER IF EXISTS audit_is_not_changed;
        DROP TRIGGER IF EXISTS audit_is_not_removed;";
    connection.execute_batch(without).unwrap();
    connection.execute_batch(sql).unwrap();
    open(folder).verify().unwrap()
}

#[test]
fn what_is_recorded_is_read_back_newest_first_and_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let vias = [
        Via::Machine,
        Via::Visitor,
        Via::Account(AccountId(3)),
        Via::Token { account: AccountId(3), token: TokenId(9) },
    ];
    let notes: Vec<AuditNote> = vias
        .into_iter()
        .map(|via| AuditNote { actor: actor("x", via), version: Some(7), ..note("y", 1) })
        .collect();
    let state = open(folder.path());
    for (note, number) in notes.iter().zip(1..) {
        // No history of a version 7 is kept, so this one is not verified here.
        assert_eq!(state.record(note).unwrap(), number);
    }
    let state = open(folder.path());
    let found = state.entries(&AuditQuery::default(), None, 100).unwrap();
    let read: Vec<_> = found.iter().rev().map(|entry| entry.note.clone()).collect();
    assert_eq!(read, notes);
    assert_eq!(state.entry(2).unwrap().as_ref(), found.get(2));
    assert_eq!(state.entry(99).unwrap(), None);
    let head = state.head().unwrap();
    assert_eq!((head.number, head.hash), (4, found[0].hash));
    let older = state.entries(&AuditQuery::default(), Some(3), 1).unwrap();
    assert_eq!(older.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2]);
}

#[test]
fn every_part_of_a_query_restricts() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    state.record(&note("Bob Ünlü", 0)).unwrap();
    let other = actor("root", Via::Machine);
    let other = Actor { from: None, row: None, ..other };
    let note = AuditNote::new(other, AuditAction::QueueHeld, "3 messages", at(50));
    state.record(&note).unwrap();
    let of = |query: AuditQuery| numbers(&state, &query);
    let any = AuditQuery::default;
    let text = |text: &str| AuditQuery { text: Some(text.to_owned()), ..any() };
    assert_eq!(of(any()), [2, 1]);
    assert_eq!(of(text("bob ünlü")), [1]);
    assert_eq!(of(text("TELEPHONE")), [1]);
    assert_eq!(of(text("2001:DB8::7")), [1]);
    assert_eq!(of(text("%")), Vec::<u64>::new(), "nothing is a pattern");
    assert_eq!(of(AuditQuery { account: Some(AccountId(3)), ..any() }), [1]);
    assert_eq!(of(AuditQuery { actor: Some("root".to_owned()), ..any() }), [2]);
    assert_eq!(of(AuditQuery { row: "7K2M4QX9B0TA".parse().ok(), ..any() }), [1]);
    assert_eq!(of(AuditQuery { version: Some(1), ..any() }), Vec::<u64>::new());
    assert_eq!(of(AuditQuery { times: Some(at(10)..at(60)), ..any() }), [2]);
    let actions = vec![AuditAction::QueueHeld, AuditAction::QueueDeleted];
    assert_eq!(of(AuditQuery { actions, ..any() }), [2]);
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(open(folder.path()).verify().unwrap().broken, None, "empty");
    let state = filled(folder.path());
    let verified = state.verify().unwrap();
    assert_eq!((verified.head, verified.broken), (state.head().unwrap(), None));
}

#[test]
fn entries_can_be_neither_changed_nor_removed() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let connection = Connection::open(folder.path().join("state.db")).unwrap();
    for sql in [
        "UPDATE audit SET actor = 'eve'",
        "DELETE FROM audit",
        "REPLACE INTO audit SELECT * FROM audit",
    ] {
        let refused = connection.execute_batch(sql);
        let refused = refused.map_err(|error| error.to_string());
        let kept = open(folder.path()).verify().unwrap().broken.is_none();
        assert!(refused.is_err() || kept, "{sql}: {refused:?}");
    }
}

#[test]
fn whoever_edits_the_file_is_found_out_at_the_entry() {
    for (sql, broken) in [
        ("UPDATE audit SET subject = 'eve' WHERE number = 2", ChainBreak::Changed(2)),
        ("UPDATE audit SET sought = '' WHERE number = 3", ChainBreak::Changed(3)),
        ("UPDATE audit SET at = at + 1 WHERE number = 1", ChainBreak::Changed(1)),
        ("DELETE FROM audit WHERE number = 2", ChainBreak::Missing(2..3)),
        ("DELETE FROM audit WHERE number >= 2", ChainBreak::Missing(2..4)),
        ("DELETE FROM audit", ChainBreak::Missing(1..4)),
        ("DELETE FROM audit WHERE number = 1", ChainBreak::Missing(1..2)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        assert_eq!(edit_by_hand(folder.path(), sql).broken, Some(broken), "{sql}");
    }
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    for set in ["action = 'x.y'", "token = 1", "via = 'machine'", "address = 'here'"] {
        let sql = format!("UPDATE audit SET {set} WHERE number = 2");
        let verified = edit_by_hand(folder.path(), &sql);
        assert!(matches!(verified.broken, Some(ChainBreak::Unreadable(2, _))), "{verified:?}");
        assert_eq!(verified.head.number, 1);
    }
}

#[test]
fn after_a_loss_of_the_newest_the_gap_stays_visible() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    edit_by_hand(folder.path(), "DELETE FROM audit WHERE number = 3");
    let state = open(folder.path());
    assert_eq!(state.record(&note("later", 9)).unwrap(), 4);
    assert_eq!(state.verify().unwrap().broken, Some(ChainBreak::Missing(3..4)));
}

#[test]
fn a_change_of_the_policy_set_is_noted_with_it_and_guards_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let policies = SqliteState::open(&folder.path().join("state.db")).unwrap();
    let group = |members: &[&str]| Group {
        name: "Team".to_owned(),
        parent: None,
        members: members.iter().map(|member| member.parse().unwrap()).collect(),
    };
    let who = Authorship {
        actor: actor("ana", Via::Account(AccountId(3))),
        note: "why".to_owned(),
        at: at(5),
        expected: None,
    };
    let put = |members: &[&str]| vec![Edit::Put(Object::Group(group(members)))];
    policies.change(&who, put(&["a.example"])).unwrap();
    policies.change(&who, put(&["a.example"])).unwrap();
    policies.change(&who, put(&["b.example"])).unwrap();
    policies.roll_back(&who, 1).unwrap();
    let state = open(folder.path());
    let found = state.entries(&AuditQuery::default(), None, 9).unwrap();
    let told: Vec<_> = found.iter().map(|e| (e.note.action.slug(), e.note.version)).collect();
    let wanted =
        [("policy.rolled_back", Some(3)), ("group.changed", Some(2)), ("group.changed", Some(1))];
    assert_eq!(told, wanted, "a change of nothing is not noted");
    assert_eq!(found[1].note.actor, who.actor);
    assert_eq!(found[1].note.subject, "group \"Team\": 1 members");
    assert!(found[1].note.details.contains("b.example"), "{}", found[1].note.details);
    assert_eq!(numbers(&state, &AuditQuery { version: Some(2), ..AuditQuery::default() }), [2]);
    assert_eq!(state.verify().unwrap().broken, None);
    let forged = "UPDATE differences SET after = replace(after, 'b.example', 'c.example')
        WHERE version = 2";
    let broken = ChainBreak::History { number: 2, version: 2 };
    assert_eq!(edit_by_hand(folder.path(), forged).broken, Some(broken));
}

#[test]
fn two_that_write_at_once_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = Arc::new(folder.path().to_owned());
    open(&path);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let path = Arc::clone(&path);
            std::thread::spawn(move || {
                let state = open(&path);
                for second in 0..5 {
                    state.record(&note("x", second)).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let verified = open(&path).verify().unwrap();
    assert_eq!((verified.head.number, verified.broken), (20, None));
}
