//! What managed senders match and count for, as it is kept.

use std::path::Path;

use rusqlite::Connection;
use types::lists::{ManagedSender, SenderAction, SenderKind};
use types::{Actor, Timestamp};

use super::{Authorship, Edit, Object, PolicyState, SenderQuery, SqliteState};

fn open(folder: &Path) -> SqliteState {
    SqliteState::open(&folder.join("state.db")).unwrap()
}

fn put(state: &SqliteState, sender: &str, authenticated_only: bool) {
    let entry = ManagedSender {
        id: None,
        sender: sender.parse().unwrap(),
        recipient: "bob@corp.example".parse().unwrap(),
        action: SenderAction::Permit,
        authenticated_only,
        note: String::new(),
        created_by: String::new(),
        created: Timestamp::EPOCH,
        created_from: None,
        valid_until: None,
    };
    let (actor, at) = (Actor::machine("ann"), Timestamp::from_millis(1));
    let who = Authorship { actor, note: String::new(), at, expected: None };
    state.change(&who, vec![Edit::Put(Object::Sender(entry))]).unwrap();
}

/// The entries that are found: whom they match, and `*` where only
/// authenticated mail counts.
fn found(state: &SqliteState, query: SenderQuery) -> Vec<String> {
    let found = state.senders(&query, None, 100).unwrap().into_iter();
    let shown = found.map(|stored| {
        let mark = if stored.sender.authenticated_only { "*" } else { "" };
        format!("{}{mark}", stored.sender.sender)
    });
    shown.collect()
}

#[test]
fn a_domain_and_the_domain_of_a_signature_are_two_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    put(&state, "sender.example", false);
    put(&state, "dkim:sender.example", false);
    put(&state, "ann@sender.example", true);
    let all = ["sender.example", "dkim:sender.example", "ann@sender.example*"];
    assert_eq!(found(&state, SenderQuery::default()), all);
    // Another entry for the same pair, whatever it counts for.
    put(&state, "ann@sender.example", false);
    put(&state, "dkim:SENDER.example", true);
    let all = ["sender.example", "ann@sender.example", "dkim:sender.example*"];
    assert_eq!(found(&state, SenderQuery::default()), all);
    let pairs = [("bob@corp.example".to_owned(), "dkim:sender.example".to_owned())];
    assert_eq!(state.senders_of(&pairs).unwrap().len(), 1);
    drop(state);
    assert_eq!(found(&open(folder.path()), SenderQuery::default()), all);
}

#[test]
fn entries_are_found_by_what_they_match_and_count_for() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    put(&state, "*.sender.example", true);
    put(&state, "dkim:*.sender.example", false);
    put(&state, "ann@sender.example", false);
    let of_kind = |kind| found(&state, SenderQuery { kind: Some(kind), ..Default::default() });
    assert_eq!(of_kind(SenderKind::Address), ["ann@sender.example"]);
    assert_eq!(of_kind(SenderKind::Domain), ["*.sender.example*"]);
    assert_eq!(of_kind(SenderKind::DkimDomain), ["dkim:*.sender.example"]);
    let only =
        |is| found(&state, SenderQuery { authenticated_only: Some(is), ..Default::default() });
    assert_eq!(only(true), ["*.sender.example*"]);
    assert_eq!(only(false), ["dkim:*.sender.example", "ann@sender.example"]);
    let text = SenderQuery { text: Some("DKIM:".to_owned()), ..Default::default() };
    assert_eq!(found(&state, text), ["dkim:*.sender.example"]);
}

#[test]
fn entries_of_an_older_format_are_read_and_found_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    put(&state, "ann@sender.example", false);
    put(&state, "*.sender.example", false);
    drop(state);
    let raw = Connection::open(folder.path().join("state.db")).unwrap();
    // As a program of format 16 left it, whose rows have neither in their body.
    let bodies: String =
        raw.query_row("SELECT group_concat(body) FROM senders", [], |row| row.get(0)).unwrap();
    assert!(!bodies.contains("authenticated"), "{bodies}");
    raw.execute_batch(
        "ALTER TABLE senders DROP COLUMN kind;
        ALTER TABLE senders DROP COLUMN authenticated_only;
        PRAGMA user_version = 16",
    )
    .unwrap();
    let state = open(folder.path());
    let of_kind = |kind| found(&state, SenderQuery { kind: Some(kind), ..Default::default() });
    assert_eq!(of_kind(SenderKind::Address), ["ann@sender.example"]);
    assert_eq!(of_kind(SenderKind::Domain), ["*.sender.example"]);
    let plain = SenderQuery { authenticated_only: Some(false), ..Default::default() };
    assert_eq!(found(&state, plain).len(), 2);
    put(&state, "ann@sender.example", true);
    assert_eq!(of_kind(SenderKind::Address), ["ann@sender.example*"]);
}
