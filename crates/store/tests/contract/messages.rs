//! The contract of the queue and its content.

use std::time::Duration;

use store::RecipientState;
use store::contract::StoreError;
use store::{Acceptance, EventLog, MessageQueue, Position, QueueDepth, QueueStep, QueuedMessage};

use crate::backend::Backend;
use crate::samples::*;

fn done(event: u64) -> QueueStep {
    QueueStep { recipient: event_id(event), state: RecipientState::Done }
}

async fn accept<S: EventLog>(store: &S, number: u64, recipients: u64, octets: usize) {
    let position = commit(store, number, recipients, octets).await.unwrap();
    store.flushed(position).await.unwrap();
}

pub(crate) async fn a_message_comes_back_octet_for_octet(mut backend: impl Backend) {
    let store = backend.open(at(0));
    for (number, octets) in [(1, 0), (2, 1), (3, 3000), (4, 4096), (5, 50_000)] {
        accept(&store, number, 1, octets).await;
        assert!(read(&store, number).unwrap() == content(number, octets), "{octets} octets");
    }
    drop(store);
    let store = backend.open(at(0));
    for (number, octets) in [(1, 0), (2, 1), (3, 3000), (4, 4096), (5, 50_000)] {
        assert!(read(&store, number).unwrap() == content(number, octets), "{octets} octets");
        assert_eq!(*store.message(queue_id(number)).unwrap(), message(number, 1, octets as u64));
    }
}

pub(crate) async fn large_messages_come_back_too(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let octets = 3_000_000;
    accept(&store, 1, 1, octets).await;
    assert!(read(&store, 1).unwrap() == content(1, octets));
    drop(store);
    let store = backend.open(at(0));
    assert!(read(&store, 1).unwrap() == content(1, octets));
    let position = MessageQueue::settle(&store, queue_id(1), vec![done(100)], vec![]).unwrap();
    store.flushed(position).await.unwrap();
    backend.tidy(&store, at(1));
    assert!(read(&store, 1).is_err());
}

pub(crate) async fn a_message_is_leased_once_it_is_flushed_and_once_at_a_time(
    mut backend: impl Backend,
) {
    let store = backend.open(at(0));
    accept(&store, 7, 1, 10).await;
    assert_eq!(store.next_due(), Some(at(7)));
    assert!(store.lease_due(at(6), 10).is_empty());
    assert!(!store.is_leased(queue_id(7)));
    assert_eq!(store.lease_due(at(7), 10).len(), 1);
    assert!(store.is_leased(queue_id(7)));
    assert!(store.lease_due(at(8), 10).is_empty());
    assert_eq!(store.next_due(), None);
    let wait = QueueStep {
        recipient: event_id(700),
        state: RecipientState::Waiting { attempts: 1, due: at(60), warned: false },
    };
    store.settle(queue_id(7), vec![wait], vec![]).unwrap();
    assert!(!store.is_leased(queue_id(7)), "settled, so nobody transfers it");
    assert!(store.lease_due(at(59), 10).is_empty());
    assert_eq!(store.lease_due(at(60), 10)[0].recipients[0].state, wait_state());
    drop(store);
    // Leases do not survive, messages do.
    assert_eq!(backend.open(at(0)).lease_due(at(60), 10)[0].recipients[0].state, wait_state());
}

fn wait_state() -> RecipientState {
    RecipientState::Waiting { attempts: 1, due: at(60), warned: false }
}

pub(crate) async fn a_lease_given_back_leaves_the_message_as_it_was(mut backend: impl Backend) {
    let store = backend.open(at(0));
    accept(&store, 1, 2, 10).await;
    let before = store.lease_due(at(9), 1);
    store.settle(queue_id(1), vec![], vec![]).unwrap();
    assert_eq!(store.lease_due(at(9), 1), before);
}

pub(crate) async fn an_intervention_leaves_the_lease_alone(mut backend: impl Backend) {
    let store = backend.open(at(0));
    accept(&store, 1, 2, 10).await;
    assert_eq!(store.lease_due(at(9), 1).len(), 1);
    // "Try now", while it is being transferred.
    let state = RecipientState::Waiting { attempts: 0, due: at(9), warned: false };
    let now = |event| QueueStep { recipient: event_id(event), state };
    store.intervene(queue_id(1), vec![now(100), now(101)], vec![refusal(5, at(9))]).unwrap();
    assert!(store.lease_due(at(10), 10).is_empty(), "it would be sent twice");
    assert_eq!(store.next_due(), None);
    assert!(store.event(event_id(5)).unwrap().is_some());
    store.settle(queue_id(1), vec![done(100)], vec![]).unwrap();
    assert_eq!(store.lease_due(at(10), 10).len(), 1, "the other one is due at once");
    // Deleted, while it is being transferred.
    store.intervene(queue_id(1), vec![done(101)], vec![]).unwrap();
    assert!(store.message(queue_id(1)).is_none());
    store.settle(queue_id(1), vec![now(101)], vec![]).unwrap();
    assert!(store.message(queue_id(1)).is_none(), "deleted stays deleted");
}

pub(crate) async fn recipients_not_named_stay_as_they_are(mut backend: impl Backend) {
    let store = backend.open(at(0));
    accept(&store, 1, 3, 10).await;
    store.lease_due(at(9), 1);
    store.settle(queue_id(1), vec![done(101)], vec![refusal(5, at(9))]).unwrap();
    let message = store.message(queue_id(1)).unwrap();
    let states: Vec<bool> =
        message.recipients.iter().map(|r| r.state == RecipientState::Done).collect();
    assert_eq!(states, [false, true, false]);
    assert!(store.event(event_id(5)).unwrap().is_some());
}

pub(crate) async fn done_stays_done(mut backend: impl Backend) {
    let store = backend.open(at(0));
    accept(&store, 1, 2, 10).await;
    store.settle(queue_id(1), vec![done(100)], vec![]).unwrap();
    let state = RecipientState::Waiting { attempts: 1, due: at(60), warned: false };
    let back = QueueStep { recipient: event_id(100), state };
    store.settle(queue_id(1), vec![back], vec![]).unwrap();
    assert_eq!(store.message(queue_id(1)).unwrap().recipients[0].state, RecipientState::Done);
}

/// So many messages wait, the oldest since then.
fn waiting(messages: usize, since: i64) -> QueueDepth {
    QueueDepth { waiting: messages, held: 0, oldest_waiting: Some(at(since)) }
}

pub(crate) async fn who_is_held_does_not_wait_for_the_next_hop(mut backend: impl Backend) {
    let store = backend.open(at(0));
    accept(&store, 1, 1, 10).await;
    accept(&store, 2, 1, 10).await;
    let step = |recipient, state| QueueStep { recipient: event_id(recipient), state };
    let held = |recipient| vec![step(recipient, RecipientState::Held { attempts: 0 })];
    store.settle(queue_id(1), held(100), vec![]).unwrap();
    let one_of_two = QueueDepth { waiting: 1, held: 1, oldest_waiting: Some(at(2)) };
    assert_eq!(store.depth(), one_of_two);
    drop(store);
    let store = backend.open(at(0));
    assert_eq!(store.depth(), one_of_two);
    let released = step(100, RecipientState::Waiting { attempts: 0, due: at(60), warned: false });
    store.settle(queue_id(1), vec![released], vec![]).unwrap();
    assert_eq!(store.depth(), waiting(2, 1));
    store.settle(queue_id(1), held(100), vec![]).unwrap();
    store.settle(queue_id(2), held(200), vec![]).unwrap();
    let depth = store.depth();
    assert_eq!((depth.waiting, depth.held, depth.oldest_waiting), (0, 2, None));
    assert_eq!(depth.messages(), 2);
}

pub(crate) async fn a_done_message_is_gone_after_a_restart(mut backend: impl Backend) {
    let store = backend.open(at(0));
    accept(&store, 1, 1, 10).await;
    accept(&store, 2, 1, 10).await;
    assert_eq!(store.depth(), waiting(2, 1));
    store.settle(queue_id(1), vec![done(100)], vec![]).unwrap();
    assert_eq!(store.depth(), waiting(1, 2));
    drop(store);
    let store = backend.open(at(0));
    assert_eq!(store.depth(), waiting(1, 2));
    assert!(read(&store, 1).is_err());
}

pub(crate) async fn a_message_outlives_the_journal(mut backend: impl Backend) {
    let store = backend.open(at(0));
    accept(&store, 1, 1, 30_000).await;
    accept(&store, 2, 1, 30_000).await;
    // Many journal segments pass by, and checkpoints with them.
    for number in 10..110 {
        accept(&store, number, 1, 40_000).await;
        store.settle(queue_id(number), vec![done(number * 100)], vec![]).unwrap();
        if number % 25 == 0 {
            backend.tidy(&store, at(number as i64));
        }
    }
    assert!(read(&store, 1).unwrap() == content(1, 30_000));
    drop(store);
    let store = backend.open(at(200));
    assert_eq!(store.depth().messages(), 2);
    assert!(read(&store, 1).unwrap() == content(1, 30_000));
    let position = store.settle(queue_id(1), vec![done(100)], vec![]).unwrap();
    store.flushed(position).await.unwrap();
    backend.tidy(&store, at(201));
    assert!(read(&store, 2).unwrap() == content(2, 30_000));
    drop(store);
    let store = backend.open(at(202));
    assert!(read(&store, 2).unwrap() == content(2, 30_000));
    assert_eq!(store.depth().messages(), 1);
}

pub(crate) async fn a_dropped_writer_leaves_nothing(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let mut writer = store.content(queue_id(1));
    writer.write(&content(1, 2_000_000)).await.unwrap();
    drop(writer);
    assert_eq!(store.depth(), QueueDepth::default());
    backend.tidy(&store, at(1));
    drop(store);
    assert_eq!(backend.open(at(0)).depth(), QueueDepth::default());
}

pub(crate) async fn a_writer_of_another_message_makes_no_empty_one(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let mut writer = store.content(queue_id(1));
    writer.write(b"content").await.unwrap();
    let acceptance = Acceptance { message: Some(message(2, 1, 7)), events: vec![] };
    let committed = store.commit(Some(writer), acceptance).await;
    assert!(matches!(committed, Err(StoreError::Closed)), "{committed:?}");
    assert_eq!(store.depth().messages(), 0);
}

pub(crate) async fn refusals_of_a_transaction_share_its_commit(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let acceptance = Acceptance { message: None, events: vec![refusal(1, at(0))] };
    let position = store.commit(None, acceptance).await.unwrap();
    store.flushed(position).await.unwrap();
    assert_eq!(store.event(event_id(1)).unwrap(), Some(refusal(1, at(0))));
}

pub(crate) async fn whoever_waits_for_a_change_is_told(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let told = async {
        // A wake without a reason is allowed; a missed one is not.
        while store.next_due().is_none() {
            tokio::time::timeout(Duration::from_secs(10), store.changed()).await.unwrap();
        }
    };
    tokio::join!(told, accept(&store, 1, 1, 10));
}

pub(crate) async fn messages_are_listed_in_order_of_arrival(mut backend: impl Backend) {
    let store = backend.open(at(0));
    for number in [3, 1, 2] {
        accept(&store, number, 1, 1).await;
    }
    let ids = |after, max| {
        MessageQueue::list(&store, after, max).iter().map(|m| m.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 10), [queue_id(1), queue_id(2), queue_id(3)]);
    assert_eq!(ids(Some(queue_id(1)), 1), [queue_id(2)]);
}

/// The next number of a sequence, below `end` (SplitMix64).
fn chance(state: &mut u64, end: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) % end as u64) as usize
}

/// The notices as they are kept are those that a walk through the whole queue
/// finds, whatever came, was held, or left, and after a restart too.
pub(crate) async fn notices_are_what_the_list_has_of_them(mut backend: impl Backend) {
    let mut store = backend.open(at(0));
    let (mut state, mut last, mut met) = (7, None, 0);
    for number in 1..200 {
        match chance(&mut state, 10) {
            0..5 => {
                let notice = chance(&mut state, 3) == 0;
                let message = QueuedMessage { notice, ..message(number, 2, 10) };
                last = Some(commit_message(&store, number, message).await.unwrap());
            }
            5..9 => last = act_on_one(&store, &mut state).or(last),
            _ => {
                if let Some(position) = last.take() {
                    store.flushed(position).await.unwrap();
                }
                drop(store);
                store = backend.open(at(0));
            }
        }
        met += compare_notices(&store, &mut state);
    }
    assert!(met > 200, "there were hardly any: {met}");
}

/// Holds some recipients of one message, or lets them go.
fn act_on_one<S: MessageQueue>(store: &S, state: &mut u64) -> Option<Position> {
    let all = MessageQueue::list(store, None, 1_000);
    let one = all.get(chance(state, all.len().max(1)))?;
    let to = match chance(state, 3) {
        0 => RecipientState::Held { attempts: 1 },
        _ => RecipientState::Done,
    };
    let some = one.recipients.iter().take(chance(state, 3));
    let steps = some.map(|one| QueueStep { recipient: one.event, state: to });
    Some(store.intervene(one.id, steps.collect(), vec![]).unwrap())
}

/// Holds both ways to find notices against each other, as a whole and in
/// pages; how many there are.
fn compare_notices<S: MessageQueue>(store: &S, state: &mut u64) -> usize {
    let all = MessageQueue::list(store, None, 1_000);
    let walked: Vec<_> = all.into_iter().filter(|one| one.notice).collect();
    assert_eq!(store.notices(None, 1_000), walked);
    assert_eq!(store.notice_count(), walked.len());
    let max = chance(state, 4);
    assert_eq!(store.notices(None, max), walked[..max.min(walked.len())]);
    let after = chance(state, walked.len().max(1));
    if let Some(one) = walked.get(after) {
        assert_eq!(store.notices(Some(one.id), 1_000), walked[after + 1..]);
    }
    walked.len()
}
