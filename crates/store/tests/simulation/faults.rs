//! Full disks, failing disks and damaged octets: an answer each time, never
//! a panic, and no promise broken.

use std::sync::Arc;

use proptest::prelude::*;
use store::contract::StoreError;
use store::disk::{Crash, SimulatedDisk};
use store::{
    CorrespondenceTable, EventLog, EventWatcher, MessageQueue, QueueStep, RecipientState, Store,
    StoreOptions, TripletTable,
};
use types::{Event, EventId};

use crate::lives::open;
use crate::samples::*;

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_by_itself() {
    let disk = SimulatedDisk::new();
    let (store, _) = open(&disk, 0).unwrap();
    disk.set_capacity(Some(disk.used_octets() + 100_000));
    let mut number = 0;
    let error = loop {
        number += 1;
        if let Err(error) = commit(&store, number, 1, 10_000).await {
            break error;
        }
    };
    assert!(matches!(error, StoreError::Full), "{error}");
    assert!(matches!(commit(&store, 1000, 1, 100_000).await, Err(StoreError::Full)));
    disk.set_capacity(None);
    let position = commit(&store, 2000, 1, 10_000).await.unwrap();
    store.flushed(position).await.unwrap();
    assert_eq!(store.depth().messages() as u64, number);
    let disk = disk.restart(Crash::PowerCut { seed: 1 });
    let (store, report) = open(&disk, 0).unwrap();
    assert_eq!((report.messages as u64, report.damage), (number, vec![]));
    assert!(read(&store, 2000).unwrap() == content(2000, 10_000));
}

#[tokio::test]
async fn below_the_reserve_only_refusals_are_recorded() {
    let disk = SimulatedDisk::new();
    let options = StoreOptions { reserve_octets: 5_000_000, ..StoreOptions::simulated("/data") };
    let (store, _) = Store::open(Arc::new(disk.clone()), options, at(0)).unwrap();
    store.ready().unwrap();
    disk.set_capacity(Some(disk.used_octets() + 4_000_000));
    store.maintain(at(1)).unwrap();
    assert!(matches!(store.ready(), Err(StoreError::Full)));
    assert!(matches!(commit(&store, 1, 1, 10).await, Err(StoreError::Full)));
    store.record(vec![refusal(1, at(1))]).unwrap();
    disk.set_capacity(None);
    store.maintain(at(2)).unwrap();
    commit(&store, 2, 1, 10).await.unwrap();
}

#[tokio::test]
async fn a_failing_disk_ends_all_promises() {
    for fail in [SimulatedDisk::fail_writes, SimulatedDisk::fail_syncs] {
        let disk = SimulatedDisk::new();
        let (store, _) = open(&disk, 0).unwrap();
        let position = commit(&store, 1, 1, 10).await.unwrap();
        store.flushed(position).await.unwrap();
        fail(&disk, true);
        let promised = match commit(&store, 2, 1, 10).await {
            Ok(position) => store.flushed(position).await,
            Err(error) => Err(error),
        };
        assert!(promised.is_err());
        // A sync that failed once has lost what it should have written, so
        // a disk that works again is not trusted before the next start.
        fail(&disk, false);
        assert!(commit(&store, 3, 1, 10).await.is_err());
        assert!(store.record(vec![refusal(5, at(0))]).is_err());
        assert!(store.enter(&trying(1).attempt(6, at(0))).is_err());
        assert!(store.ready().is_err());
        let (store, _) = open(&disk.restart(Crash::PowerCut { seed: 3 }), 0).unwrap();
        assert!(read(&store, 1).unwrap() == content(1, 10));
    }
}

/// Remembers what it was told of.
#[derive(Default)]
struct Told(std::sync::Mutex<Vec<EventId>>);

impl EventWatcher for Told {
    fn happened(&self, events: &[Arc<Event>]) {
        self.0.lock().unwrap().extend(events.iter().map(|event| event.id));
    }
}

#[tokio::test]
async fn what_could_not_be_flushed_is_known_to_nobody() {
    let disk = SimulatedDisk::new();
    let (store, _) = open(&disk, 0).unwrap();
    let told = Arc::new(Told::default());
    store.watch(Arc::clone(&told) as _);
    commit(&store, 1, 1, 10).await.unwrap();
    let known = event_id(100);
    assert_eq!(*told.0.lock().unwrap(), [known]);
    assert_eq!(store.totals().attempts.iter().sum::<u64>(), 1);
    disk.fail_syncs(true);
    commit(&store, 2, 1, 10).await.unwrap_err();
    // The client was told to come back: nothing may show it as accepted.
    assert!(store.event(event_id(200)).unwrap().is_none());
    assert_eq!(store.totals().attempts.iter().sum::<u64>(), 1);
    assert_eq!(*told.0.lock().unwrap(), [known]);
    let leased = store.lease_due(at(9), 10);
    assert_eq!(leased.iter().map(|message| message.id).collect::<Vec<_>>(), [queue_id(1)]);
    // The record may have reached the disk all the same. Then the message is
    // there with its event, both or none.
    for crash in [Crash::Kill, Crash::PowerCut { seed: 5 }] {
        let (store, _) = open(&disk.restart(crash), 0).unwrap();
        let message = store.message(queue_id(2)).is_some();
        assert_eq!(store.event(event_id(200)).unwrap().is_some(), message, "{crash:?}");
    }
}

#[test]
fn an_attempt_and_its_triplet_are_one_write() {
    let disk = SimulatedDisk::new();
    let (store, _) = open(&disk, 0).unwrap();
    let before = disk.operations();
    store.enter(&trying(1).attempt(6, at(0))).unwrap();
    store.record(vec![refusal(6, at(0))]).unwrap();
    assert_eq!(disk.operations() - before, 1);
    // Both are there after the death of the process.
    let (store, _) = open(&disk.restart(Crash::Kill), 0).unwrap();
    assert_eq!(store.size(), (1, 0));
    assert!(store.event(event_id(6)).unwrap().is_some());
}

#[tokio::test]
async fn a_second_instance_is_refused() {
    let disk = SimulatedDisk::new();
    let (store, _) = open(&disk, 0).unwrap();
    assert!(matches!(open(&disk, 0), Err(StoreError::InUse)));
    drop(store);
    open(&disk, 0).unwrap();
}

#[tokio::test]
async fn after_close_everything_is_refused_and_nothing_is_replayed() {
    let disk = SimulatedDisk::new();
    let (store, _) = open(&disk, 0).unwrap();
    commit(&store, 1, 1, 10).await.unwrap();
    store.record(vec![refusal(1, at(0))]).unwrap();
    store.close(at(1)).unwrap();
    assert!(matches!(store.record(vec![refusal(2, at(0))]), Err(StoreError::Closed)));
    // Tasks that are being ended may still hold the closed store.
    let (next, report) = open(&disk, 1).unwrap();
    assert!(store.record(vec![refusal(3, at(0))]).is_err());
    let store = next;
    assert_eq!((report.records, report.messages), (0, 1));
    assert!(store.event(event_id(1)).unwrap().is_some());
}

#[test]
fn at_the_limit_of_triplets_known_ones_go_on() {
    let options = StoreOptions { triplets_max: 2, ..StoreOptions::simulated("/data") };
    let disk = SimulatedDisk::new();
    let (store, _) = Store::open(Arc::new(disk), options, at(0)).unwrap();
    let enter = |pair, number, seconds| {
        store.enter(&trying(pair).attempt(number, at(seconds))).map(|facts| facts.attempts)
    };
    assert_eq!(enter(1, 1, 0).unwrap(), 1);
    assert_eq!(enter(2, 2, 0).unwrap(), 1);
    assert!(matches!(enter(3, 3, 0), Err(StoreError::TableFull)));
    assert_eq!(enter(1, 4, 60).unwrap(), 2);
    assert_eq!(enter(1, 5, 61).unwrap(), 3);
    assert!(matches!(enter(3, 6, 62), Err(StoreError::TableFull)));
    let due = store.due(at(12 * 60 * 60 + 1), 10);
    store.expired(vec![expiry(50, &due[0])]).unwrap();
    assert_eq!(enter(3, 7, 63).unwrap(), 1);
}

#[test]
fn at_the_limit_of_pairs_known_ones_go_on() {
    let options = StoreOptions { correspondences_max: 1, ..StoreOptions::simulated("/data") };
    let (store, _) = Store::open(Arc::new(SimulatedDisk::new()), options, at(0)).unwrap();
    let wrote = |other: &str, seconds| {
        let own = "bob@corp.example".parse().unwrap();
        let pair = types::Correspondence { own, other: other.parse().unwrap(), wrote: at(seconds) };
        let learned = store.wrote(&[pair]).unwrap();
        (learned.new, learned.renewed, learned.left_out)
    };
    assert_eq!(wrote("ann@x.example", 0), (1, 0, 0));
    assert_eq!(wrote("eve@x.example", 1), (0, 0, 1));
    assert_eq!(wrote("ann@x.example", 2), (0, 1, 0));
}

/// A store with something of everything, closed or just left.
async fn lived_in(close: bool) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let (store, _) = open(&disk, 0).unwrap();
    for number in 1..=60 {
        commit(&store, number, 2, (number as usize % 7) * 9000).await.unwrap();
        store.record(vec![refusal(number, at(number as i64))]).unwrap();
        store.enter(&trying(number).attempt(number + 5000, at(number as i64))).unwrap();
        if number % 3 == 0 {
            let done = |which| QueueStep {
                recipient: event_id(number * 100 + which),
                state: RecipientState::Done,
            };
            store.settle(queue_id(number), vec![done(0), done(1)], vec![]).unwrap();
        }
        if number == 40 {
            store.checkpoint_now(at(41)).unwrap();
        }
    }
    if close {
        store.close(at(100)).unwrap();
    }
    drop(store);
    disk
}

/// Asks a store on a damaged disk for everything there is.
fn use_everything(disk: &SimulatedDisk) {
    let Ok((store, _)) = open(disk, 200) else { return };
    for message in MessageQueue::list(&store, None, 1000) {
        let Ok(mut reader) = store.read(message.id) else { continue };
        while reader.next_piece().is_ok_and(|piece| !piece.is_empty()) {}
    }
    for number in 1..=60 {
        drop(store.event(event_id(number)));
    }
    store.due(at(1_000_000), 1000);
    TripletTable::list(&store, "bob", 1000);
    drop(store.record(vec![refusal(9000, at(200))]));
    drop(store.checkpoint_now(at(201)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn damaged_octets_never_end_in_a_panic(
        close: bool,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>(), 1..=255u8), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let disk = runtime.block_on(lived_in(close));
        for (which, offset, bits) in flips {
            let files = disk.files();
            let (path, octets) = which.get(&files);
            // Most of a segment is empty: aim at its beginning more often.
            let reach = if offset % 4 == 0 { *octets } else { (*octets).min(200_000) };
            disk.damage(path, u64::from(offset) % reach.max(1), bits);
        }
        use_everything(&disk.restart(Crash::Kill));
    }
}
