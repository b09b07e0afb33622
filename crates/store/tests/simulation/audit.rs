//! Compares what is in a store with what it has promised.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use store::{EventLog, MessageQueue, Store};
use types::event::FollowUp;
use types::{EventId, EventKind};

use crate::samples::*;
use crate::work::{Sure, Worker};

/// Asks for everything, and takes over what the store knows better: what
/// survived a crash by luck is there for good.
pub(crate) fn check(worker: &mut Worker, store: &Store) {
    let expiries = check_events(worker, store);
    check_messages(worker, store);
    check_windows(worker, &expiries);
}

fn check_events(worker: &mut Worker, store: &Store) -> BTreeMap<EventId, u32> {
    let mut found: BTreeMap<EventId, u32> = BTreeMap::new();
    let mut expiries: BTreeMap<EventId, u32> = BTreeMap::new();
    let mut count = |event: types::Event| {
        *found.entry(event.id).or_default() += 1;
        if let EventKind::FollowUp { of, what: FollowUp::GreylistExpired { .. } } = event.kind {
            *expiries.entry(of).or_default() += 1;
        }
        ControlFlow::Continue(())
    };
    store.visit(at(-1_000_000_000)..at(1_000_000_000), &mut count).unwrap();
    let seed = worker.seed;
    for (number, sure) in &mut worker.events {
        let times = found.remove(&event_id(*number)).unwrap_or(0);
        assert!(times <= 1, "seed {seed}: event {number} is there {times} times");
        assert!(times == 1 || *sure == Sure::Unknown, "seed {seed}: event {number} is lost");
        let by_id = store.event(event_id(*number)).unwrap();
        assert_eq!(by_id.is_some(), times == 1, "seed {seed}: event {number} by its id");
        if times == 1 && *sure == Sure::Unknown {
            *sure = Sure::Durable;
        }
    }
    assert!(found.is_empty(), "seed {seed}: events nobody recorded: {found:?}");
    // What is not there now will never be.
    worker.events.retain(|_, sure| *sure != Sure::Unknown);
    expiries
}

fn check_messages(worker: &mut Worker, store: &Store) {
    let seed = worker.seed;
    let mut gone = Vec::new();
    for (number, known) in &mut worker.messages {
        let there = store.message(queue_id(*number)).is_some();
        match (known.there, known.done) {
            (_, Some(Sure::Durable | Sure::Written(_))) => {
                assert!(!there, "seed {seed}: message {number} is back");
            }
            (Sure::Durable | Sure::Written(_), None) => {
                assert!(there, "seed {seed}: message {number} is lost, {known:?}");
            }
            _ => {}
        }
        if there {
            let octets = read(store, *number);
            let octets = octets.unwrap_or_else(|e| panic!("seed {seed}: message {number}: {e}"));
            let whole = octets == content(*number, known.octets);
            assert!(whole, "seed {seed}: message {number} is not what it was");
            known.there = Sure::Durable;
            known.done = None;
        } else {
            gone.push(*number);
        }
    }
    for number in gone {
        worker.messages.remove(&number);
    }
    assert_eq!(
        store.depth().messages(),
        worker.messages.len(),
        "seed {seed}: messages nobody sent"
    );
}

fn check_windows(worker: &mut Worker, expiries: &BTreeMap<EventId, u32>) {
    let seed = worker.seed;
    for (first, times) in expiries {
        assert_eq!(*times, 1, "seed {seed}: the expiry of {first} is told {times} times");
        let known = worker.windows.get(first);
        let known = known.unwrap_or_else(|| panic!("seed {seed}: {first} was never opened"));
        let passed = matches!(known.passed, Some(Sure::Durable | Sure::Written(_)));
        assert!(!passed, "seed {seed}: {first} has passed and expired");
    }
}

/// Lets all windows close, and checks that each that did not pass is told.
pub(crate) fn settle_triplets(worker: &mut Worker, store: &Store) {
    worker.now += 100 * 24 * 60 * 60;
    while worker.expire(store, 100) > 0 {}
    let expiries = check_events(worker, store);
    for (first, known) in &worker.windows {
        let surely_open = known.opened != Sure::Unknown && known.passed.is_none();
        let told = expiries.contains_key(first);
        assert!(told || !surely_open, "seed {}: nobody told of {first}", worker.seed);
    }
}
