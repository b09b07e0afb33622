//! The contract of events as far as the write path goes; what searching
//! finds is tested where the index is.

use store::contract::{Filter, Page};
use store::{EventLog, MessageQueue, QueueStep, RecipientState};

use crate::backend::Backend;
use crate::samples::*;

fn count<S: EventLog>(store: &S) -> usize {
    let page = Page { after: None, rows_max: 1, count_max: 1_000_000 };
    store.search(&Filter::Everything, at(-1_000_000)..at(1_000_000), page).unwrap().count
}

pub(crate) async fn an_event_is_found_at_once_and_after_a_restart(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let position = store.record(vec![refusal(1, at(0)), refusal(2, at(0))]).unwrap();
    assert_eq!(store.event(event_id(2)).unwrap(), Some(refusal(2, at(0))));
    store.flushed(position).await.unwrap();
    drop(store);
    let store = backend.open(at(0));
    assert_eq!(store.event(event_id(1)).unwrap(), Some(refusal(1, at(0))));
    assert_eq!(store.life_line(life_line(2)).unwrap(), [refusal(2, at(0))]);
    assert_eq!(store.by_reference(event_id(2).reference()).unwrap(), [refusal(2, at(0))]);
    assert_eq!(store.totals().attempts, [0, 0, 0, 2]);
}

pub(crate) async fn many_events_survive_checkpoints_once(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let mut recorded = 0;
    for round in 0..4 {
        for _ in 0..700 {
            recorded += 1;
            let when = at(round * 1000);
            store.record(vec![refusal(recorded, when)]).unwrap();
        }
        backend.tidy(&store, at(round * 1000 + 1));
    }
    store.record(vec![refusal(recorded + 1, at(4000))]).unwrap();
    assert_eq!(count(&store) as u64, recorded + 1);
    drop(store);
    let store = backend.open(at(4001));
    assert_eq!(count(&store) as u64, recorded + 1);
    assert_eq!(store.totals().attempts, [0, 0, 0, recorded + 1]);
}

pub(crate) async fn events_older_than_asked_are_dropped(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let day = 24 * 60 * 60;
    store.record(vec![refusal(1, at(0))]).unwrap();
    backend.tidy(&store, at(2 * day));
    store.record(vec![refusal(2, at(2 * day))]).unwrap();
    assert_eq!(store.drop_before(at(day)).unwrap(), 1);
    assert_eq!(store.event(event_id(1)).unwrap(), None);
    assert!(store.event(event_id(2)).unwrap().is_some());
}

pub(crate) async fn events_of_a_queued_message_stay_as_long_as_it_does(mut backend: impl Backend) {
    let store = backend.open(at(0));
    let day = 24 * 60 * 60;
    let position = commit(&store, 1, 1, 10).await.unwrap();
    store.record(vec![refusal(2, at(1))]).unwrap();
    store.flushed(position).await.unwrap();
    let story = store.life_line(life_line(100)).unwrap();
    assert_eq!(story.len(), 1);
    backend.tidy(&store, at(20 * day));
    assert_eq!(store.drop_before(at(19 * day)).unwrap(), 1);
    assert_eq!((store.event(event_id(2)).unwrap(), count(&store)), (None, 1));
    drop(store);
    let store = backend.open(at(20 * day));
    assert_eq!(store.life_line(life_line(100)).unwrap(), story);
    let done = QueueStep { recipient: event_id(100), state: RecipientState::Done };
    store.settle(queue_id(1), vec![done], vec![]).unwrap();
    assert_eq!(store.drop_before(at(19 * day)).unwrap(), 1);
    assert!(store.life_line(life_line(100)).unwrap().is_empty());
}
