//! The contract of greylisting's memory, with the numbers of the product.

use std::time::Duration;

use store::contract::{TripletAttempt, TripletSteer};
use store::{Acceptance, EventLog, TripletTable};
use types::finding::TripletFacts;
use types::finding::TripletState::{self, FirstSeen, Known, Passed, TooEarly};
use types::policy::ClientIdentity;
use types::{CheckName, Event, Finding, Micros, Observed, Source, Stage};

use crate::backend::Backend;
use crate::samples::*;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

fn enter<S: TripletTable>(store: &S, pair: u64, event: u64, seconds: i64) -> TripletFacts {
    store.enter(&trying(pair).attempt(event, at(seconds))).unwrap()
}

fn state<S: TripletTable>(store: &S, pair: u64, event: u64, seconds: i64) -> TripletState {
    enter(store, pair, event, seconds).state
}

pub(crate) async fn the_numbers_of_the_product_hold(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let cases = [(59, TooEarly), (60, Passed), (12 * HOUR, Passed), (12 * HOUR + 1, FirstSeen)];
    for (pair, (seconds, expected)) in (1..).zip(cases) {
        let first = enter(&store, pair, pair * 10, 0);
        assert_eq!((first.state, first.attempts), (FirstSeen, 1));
        let second = enter(&store, pair, pair * 10 + 1, seconds);
        assert_eq!(second.state, expected, "after {seconds} s");
        let opened = if expected == FirstSeen { (pair * 10 + 1, 1) } else { (pair * 10, 2) };
        assert_eq!(second.life_line, life_line(opened.0), "after {seconds} s");
        assert_eq!(second.first_event, event_id(opened.0));
        assert_eq!(second.attempts, opened.1);
    }
    // An early retry keeps the first time.
    assert_eq!(state(&store, 1, 12, 60), Passed);
    // Another recipient is another triplet.
    assert_eq!(state(&store, 9, 90, 61), FirstSeen);
    assert_eq!(store.size(), (2, 3));
}

pub(crate) async fn what_is_held_is_known_without_entering_and_by_its_own_identity(
    mut backend: impl Backend,
) {
    let store = backend.open(at(0));
    let trying = trying(1);
    let by = |identity, seconds| TripletAttempt {
        identity,
        client: "sender.example".into(),
        ..trying.attempt(10, at(seconds))
    };
    let held = |seconds| {
        [ClientIdentity::Address, ClientIdentity::Network, ClientIdentity::Pool]
            .map(|identity| store.stands(&by(identity, seconds)) != FirstSeen)
    };
    assert_eq!((held(0), store.size()), ([false; 3], (0, 0)));
    store.enter(&by(ClientIdentity::Pool, 0)).unwrap();
    assert_eq!((held(12 * HOUR), store.size()), ([false, false, true], (1, 0)));
    assert_eq!(held(12 * HOUR + 1), [false; 3], "the window is over");
    assert_eq!(store.enter(&by(ClientIdentity::Pool, 60)).unwrap().state, Passed);
    assert_eq!(held(36 * DAY), [false, false, true]);
    assert_eq!(held(36 * DAY + 61), [false; 3], "forgotten");
    drop(store);
    let store = backend.open(at(61));
    assert_eq!(store.stands(&by(ClientIdentity::Pool, 61)), Known, "and kept over a start");
}

pub(crate) async fn the_pairs_of_a_client_are_counted_as_long_as_they_are_remembered(
    mut backend: impl Backend,
) {
    let store = backend.open(at(0));
    let (network, pool) = (ClientIdentity::Network, ClientIdentity::Pool);
    let client = "198.51.100.0/24";
    let enter = |store: &_, pair: u64, seconds: i64| {
        let trying = trying(pair);
        let attempt = TripletAttempt { client: client.into(), ..trying.attempt(pair, at(seconds)) };
        TripletTable::enter(store, &attempt).unwrap().state
    };
    for pair in 1..=3 {
        enter(&store, pair, 0);
        assert_eq!(store.pairs_of(network, client), 0, "who waits has not come back");
    }
    for pair in 1..=3 {
        assert_eq!(enter(&store, pair, 60), Passed);
    }
    // Again is no other pair, and another identity is another client.
    assert_eq!(enter(&store, 1, 20 * DAY), Known);
    assert_eq!((store.pairs_of(network, client), store.pairs_of(pool, client)), (3, 0));
    drop(store);
    let store = backend.open(at(20 * DAY));
    assert_eq!(store.pairs_of(network, client), 3);
    let known = store.list(client, 10);
    let gone = known.iter().find(|entry| entry.last_used == at(60)).cloned().unwrap();
    store.steer(&[gone], TripletSteer::Forget).unwrap();
    assert_eq!(store.pairs_of(network, client), 2);
    // One is used again too late, and begins anew.
    let old = store.list(client, 10).into_iter().find(|entry| entry.last_used == at(60)).unwrap();
    let pair = (1..=3).find(|pair| recipient(*pair) == old.recipient).unwrap();
    assert_eq!(enter(&store, pair, 40 * DAY), FirstSeen);
    assert_eq!(store.pairs_of(network, client), 1);
}

pub(crate) async fn a_late_retry_opens_a_new_window_and_the_old_one_expires(
    mut backend: impl Backend,
) {
    let store = backend.open(at(0));
    enter(&store, 1, 10, 0);
    enter(&store, 1, 11, 30);
    assert_eq!(state(&store, 1, 12, 13 * HOUR), FirstSeen);
    let due = store.due(at(13 * HOUR), 10);
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].closed, at(12 * HOUR));
    assert_eq!((due[0].facts.first_event, due[0].facts.attempts), (event_id(10), 2));
    assert_eq!(due[0].session, session(10));
    assert_eq!(due[0].subject, subject(1));
    store.expired(vec![expiry(99, &due[0])]).unwrap();
    // The new window goes on.
    assert_eq!(state(&store, 1, 13, 13 * HOUR + 60), Passed);
}

pub(crate) async fn a_passed_triplet_is_remembered_36_days_after_its_last_use(
    mut backend: impl Backend,
) {
    let store = backend.open(at(0));
    enter(&store, 1, 10, 0);
    enter(&store, 1, 11, 60);
    assert_eq!(state(&store, 1, 12, 36 * DAY), Known);
    // Sliding: counted from the last use.
    assert_eq!(state(&store, 1, 13, 72 * DAY), Known);
    let known = enter(&store, 1, 14, 72 * DAY + 1);
    assert_eq!(known.first_event, event_id(10));
    // It passed long ago: what comes now is another message.
    assert_eq!(known.life_line, life_line(14));
    assert_eq!(state(&store, 1, 15, 108 * DAY + 2), FirstSeen);
}

pub(crate) async fn a_life_line_goes_on_until_a_message_is_accepted(mut backend: impl Backend) {
    let store = backend.open(at(0));
    enter(&store, 1, 10, 0);
    assert_eq!(state(&store, 1, 11, 60), Passed);
    // Its transaction failed, and what was known of it survives us.
    backend.tidy(&store, at(70));
    drop(store);
    let store = backend.open(at(80));
    let again = enter(&store, 1, 12, 90);
    assert_eq!((again.state, again.life_line), (Known, life_line(10)));
    assert_eq!(store.list("bob1@", 1)[0].facts.life_line, life_line(10));
    // The failure of another attempt ends nothing.
    for (event, end) in [(13, refusal(13, at(90))), (14, taken(12, 90, &again))] {
        let facts = enter(&store, 1, event, 100);
        assert_eq!(facts.life_line, life_line(10));
        let acceptance = Acceptance { message: None, events: vec![end] };
        store.commit(None, acceptance).await.unwrap();
    }
    assert_eq!(enter(&store, 1, 15, 110).life_line, life_line(15));
    drop(store);
    let store = backend.open(at(120));
    assert_eq!(enter(&store, 1, 16, 130).life_line, life_line(16));
    // For people it stays the line that the triplet opened.
    assert_eq!(store.list("bob1@", 1)[0].facts.life_line, life_line(10));

    enter(&store, 2, 20, 0);
    assert_eq!(state(&store, 2, 21, 60), Passed);
    assert_eq!(enter(&store, 2, 22, 12 * HOUR).life_line, life_line(20));
    assert_eq!(enter(&store, 2, 23, 12 * HOUR + 1).life_line, life_line(23));
}

/// The event of an attempt for pair 1 with these facts, accepted.
fn taken(number: u64, seconds: i64, facts: &TripletFacts) -> Event {
    let mut event = acceptance_event(number, at(seconds), queue_id(number));
    event.life_line = facts.life_line;
    event.subject = subject(1);
    event.record.evidence.add(Finding {
        check: CheckName::Greylist,
        stage: Stage::Rcpt,
        observed: Observed::Triplet(facts.clone()),
        source: Source::Memory,
        took: Micros(0),
    });
    event
}

pub(crate) async fn a_clock_that_steps_back_expires_nothing(mut backend: impl Backend) {
    let store = backend.open(at(0));
    enter(&store, 1, 10, 1000);
    assert!(store.due(at(-5 * DAY), 10).is_empty());
    assert_eq!(state(&store, 1, 11, -5 * DAY), TooEarly);
    assert_eq!(state(&store, 1, 12, 1060), Passed);
    assert_eq!(state(&store, 1, 13, -5 * DAY), Known);
    assert_eq!(state(&store, 1, 14, 30 * DAY), Known);
}

pub(crate) async fn an_expiry_is_told_once(mut backend: impl Backend) {
    let store = backend.open(at(0));
    for pair in 1..=3 {
        enter(&store, pair, pair * 10, pair as i64);
    }
    assert!(store.due(at(12 * HOUR), 10).is_empty());
    let due = store.due(at(12 * HOUR + 3), 10);
    // At the very instant of closing a retry still passes.
    let firsts: Vec<_> = due.iter().map(|expired| expired.facts.first_event).collect();
    assert_eq!(firsts, [event_id(10), event_id(20)]);
    assert!(store.due(at(12 * HOUR + 3), 10).is_empty());
    store
        .expired(due.iter().zip(50..).map(|(expired, number)| expiry(number, expired)).collect())
        .unwrap();
    assert_eq!(store.size(), (1, 0));
    drop(store);
    let store = backend.open(at(0));
    assert!(store.due(at(12 * HOUR + 3), 10).is_empty());
    assert_eq!(store.due(at(12 * HOUR + 4), 10).len(), 1);
}

pub(crate) async fn an_expiry_not_recorded_is_due_again_after_a_restart(mut backend: impl Backend) {
    let store = backend.open(at(0));
    enter(&store, 1, 10, 0);
    enter(&store, 2, 20, 0);
    assert_eq!(store.due(at(DAY), 10).len(), 2);
    backend.tidy(&store, at(DAY));
    drop(store);
    let store = backend.open(at(DAY));
    assert_eq!(store.due(at(DAY), 1).len(), 1);
    assert_eq!(store.due(at(DAY), 10).len(), 1);
}

pub(crate) async fn a_permit_closes_the_window_silently(mut backend: impl Backend) {
    let store = backend.open(at(0));
    enter(&store, 1, 10, 0);
    enter(&store, 2, 20, 0);
    store.close_silently(&sender(1), &recipient(1)).unwrap();
    store.close_silently(&sender(2), &recipient(1)).unwrap();
    let due = store.due(at(DAY), 10);
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].facts.first_event, event_id(20));
}

pub(crate) async fn people_can_steer(mut backend: impl Backend) {
    let store = backend.open(at(0));
    enter(&store, 1, 10, 0);
    enter(&store, 2, 20, 5);
    let found = store.list("BOB1@", 10);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].facts.state, found[0].recipient.clone()), (FirstSeen, recipient(1)));
    assert_eq!(store.steer(&found, TripletSteer::Pass).unwrap(), 1);
    assert_eq!(state(&store, 1, 11, 1), Passed);
    let all = store.list("", 10);
    assert_eq!(all.iter().map(|e| e.facts.state).collect::<Vec<_>>(), [FirstSeen, Known]);
    assert_eq!(store.steer(&all, TripletSteer::Forget).unwrap(), 2);
    assert_eq!(store.size(), (0, 0));
    assert_eq!(state(&store, 1, 12, 2), FirstSeen);
    assert_eq!(store.due(at(DAY), 10).len(), 1);
}

pub(crate) async fn whom_nobody_asks_to_come_back_counts_as_returned(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let first = enter(&store, 1, 10, 0);
    let remember = Duration::from_secs(DAY as u64);
    store.take_as_returned(&first, &recipient(1), at(0), remember).unwrap();
    drop(store);
    let store = backend.open(at(DAY));
    assert!(store.due(at(DAY), 10).is_empty(), "no retry is waited for");
    assert_eq!(state(&store, 1, 11, DAY), Known);
    // Without a window there is nothing to take.
    store.take_as_returned(&first, &recipient(2), at(0), remember).unwrap();
    assert_eq!(store.size(), (0, 1));
}

pub(crate) async fn everything_survives_a_restart(mut backend: impl Backend) {
    let store = backend.open(at(0));
    enter(&store, 1, 10, 0);
    enter(&store, 1, 11, 60);
    enter(&store, 2, 20, 0);
    backend.tidy(&store, at(61));
    enter(&store, 2, 21, 30);
    enter(&store, 3, 30, 0);
    let steered = store.list("bob3@", 1);
    store.steer(&steered, TripletSteer::Pass).unwrap();
    drop(store);
    let store = backend.open(at(100));
    assert_eq!(store.size(), (2, 1));
    assert_eq!(state(&store, 1, 12, 100), Known);
    let second = enter(&store, 2, 22, 40);
    assert_eq!((second.state, second.attempts), (TooEarly, 3));
    let let_in = enter(&store, 3, 31, 1);
    assert_eq!((let_in.state, let_in.let_in), (Passed, true));
}
