//! The worker: does random things to a store and remembers what it was told.

use std::collections::BTreeMap;

use store::contract::ContentWriter;
use store::disk::SimulatedDisk;
use store::{
    Acceptance, EventLog, MessageQueue, OpenReport, Position, QueueStep, RecipientState, Store,
    TripletTable,
};
use types::EventId;
use types::finding::TripletState;

use crate::samples::*;

/// How sure it is that something is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    /// Flushed, or there when the store was opened.
    Durable,
    /// Written, at this step; a power cut may take it.
    Written(u64),
    /// The call failed, or a power cut came before its flush.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownMessage {
    pub(crate) octets: usize,
    pub(crate) there: Sure,
    /// All recipients were settled as done.
    pub(crate) done: Option<Sure>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownWindow {
    pub(crate) opened: Sure,
    pub(crate) passed: Option<Sure>,
}

pub(crate) struct Worker {
    pub(crate) seed: u64,
    state: u64,
    pub(crate) now: i64,
    step: u64,
    next: u64,
    last_position: Option<(Position, u64)>,
    pub(crate) events: BTreeMap<u64, Sure>,
    pub(crate) messages: BTreeMap<u64, KnownMessage>,
    pub(crate) windows: BTreeMap<EventId, KnownWindow>,
    power_was_cut: bool,
}

impl Worker {
    pub(crate) fn new(seed: u64) -> Self {
        Worker {
            seed,
            state: seed,
            now: 0,
            step: 0,
            next: 1,
            last_position: None,
            events: BTreeMap::new(),
            messages: BTreeMap::new(),
            windows: BTreeMap::new(),
            power_was_cut: false,
        }
    }

    /// A number below `end` (SplitMix64).
    pub(crate) fn chance(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Only a power cut may leave something unreadable behind.
    pub(crate) fn check_report(&self, report: &OpenReport) {
        // A lost message is never the work of a power cut alone.
        let lost = report.damage.iter().any(|sentence| sentence.contains("is lost"));
        let expected = report.damage.is_empty() || self.power_was_cut && !lost;
        assert!(expected, "seed {}: {:?}", self.seed, report.damage);
    }

    /// The machine went down.
    pub(crate) fn crashed(&mut self, power_cut: bool) {
        // What it tears stays in the journal until a checkpoint passes it.
        self.power_was_cut |= power_cut;
        self.last_position = None;
        if power_cut {
            self.replace_written(Sure::Unknown);
        }
    }

    /// The store was opened: what it has read it has made durable.
    pub(crate) fn opened(&mut self) {
        self.replace_written(Sure::Durable);
    }

    fn replace_written(&mut self, with: Sure) {
        self.each(|sure| {
            if matches!(sure, Sure::Written(_)) {
                *sure = with;
            }
        });
    }

    fn each(&mut self, mut change: impl FnMut(&mut Sure)) {
        self.events.values_mut().for_each(&mut change);
        for message in self.messages.values_mut() {
            change(&mut message.there);
            message.done.iter_mut().for_each(&mut change);
        }
        for window in self.windows.values_mut() {
            change(&mut window.opened);
            window.passed.iter_mut().for_each(&mut change);
        }
    }

    /// Does random things until the machine is down or `steps` are done.
    pub(crate) async fn work(&mut self, store: &Store, disk: &SimulatedDisk, steps: u64) {
        let mut draft: Option<(u64, usize, Box<dyn ContentWriter>)> = None;
        for _ in 0..steps {
            if disk.is_down() {
                break;
            }
            self.step += 1;
            match self.chance(20) {
                0..=4 => self.record(store),
                5..=7 => self.commit(store, None).await,
                8 => match draft.take() {
                    Some(draft) => self.commit(store, Some(draft)).await,
                    None => draft = self.begin(store).await,
                },
                9..=10 => self.flush(store).await,
                11..=12 => self.settle(store),
                13..=16 => self.enter(store),
                17 => {
                    self.expire(store, 5);
                }
                18 => {
                    self.now += self.chance(3000) as i64;
                    drop(store.maintain(at(self.now)));
                }
                _ if self.chance(4) == 0 => drop(store.checkpoint_now(at(self.now))),
                _ => self.now += self.chance(4000) as i64,
            }
        }
    }

    fn outcome(&mut self, result: Result<Position, store::StoreError>) -> Sure {
        match result {
            Ok(position) => {
                self.last_position = Some((position, self.step));
                Sure::Written(self.step)
            }
            Err(_) => Sure::Unknown,
        }
    }

    fn record(&mut self, store: &Store) {
        let numbers: Vec<u64> = (0..1 + self.chance(3)).map(|_| self.number()).collect();
        let events = numbers.iter().map(|&number| refusal(number, at(self.now))).collect();
        let sure = self.outcome(store.record(events));
        self.events.extend(numbers.into_iter().map(|number| (number, sure)));
    }

    fn size(&mut self) -> usize {
        match self.chance(8) {
            0 => 0,
            1 => 100_000,
            2..=3 => 20_000,
            _ => self.chance(5000) as usize,
        }
    }

    async fn begin(&mut self, store: &Store) -> Option<(u64, usize, Box<dyn ContentWriter>)> {
        let (number, octets) = (self.number(), self.size());
        let mut writer = store.content(queue_id(number));
        let (first, _) = split(number, octets);
        writer.write(&first).await.ok()?;
        Some((number, octets, writer))
    }

    async fn commit(&mut self, store: &Store, draft: Option<(u64, usize, Box<dyn ContentWriter>)>) {
        let begun = match draft {
            Some(draft) => Some(draft),
            None => self.begin(store).await,
        };
        let Some((number, octets, mut writer)) = begun else { return };
        let (_, second) = split(number, octets);
        if writer.write(&second).await.is_err() {
            return;
        }
        let mut message = message(number, 1, octets as u64);
        let event = self.number();
        message.recipients[0].event = event_id(event);
        let events = vec![acceptance_event(event, at(self.now), message.id)];
        let acceptance = Acceptance { message: Some(message), events };
        let sure = match self.outcome(store.commit(Some(writer), acceptance).await) {
            Sure::Written(_) => Sure::Durable,
            unknown => unknown,
        };
        self.events.insert(event, sure);
        self.messages.insert(number, KnownMessage { octets, there: sure, done: None });
    }

    async fn flush(&mut self, store: &Store) {
        let Some((position, step)) = self.last_position else { return };
        if store.flushed(position).await.is_ok() {
            self.each(|sure| {
                if matches!(sure, Sure::Written(written) if *written <= step) {
                    *sure = Sure::Durable;
                }
            });
        }
    }

    fn settle(&mut self, store: &Store) {
        let due = at(1_000_000);
        let leased = store.lease_due(due, 1);
        let Some(message) = leased.first() else { return };
        let number = self.messages.keys().copied().find(|number| queue_id(*number) == message.id);
        let number = number.unwrap_or_else(|| panic!("seed {}: an unknown message", self.seed));
        let done = self.chance(2) == 0;
        let state = match done {
            true => RecipientState::Done,
            false => RecipientState::Waiting { attempts: 1, due: at(self.now), warned: false },
        };
        let step = QueueStep { recipient: message.recipients[0].event, state };
        let event = self.number();
        let events = vec![refusal(event, at(self.now))];
        let sure = self.outcome(store.settle(message.id, vec![step], events));
        self.events.insert(event, sure);
        if let (true, Some(known)) = (done, self.messages.get_mut(&number)) {
            known.done = Some(sure);
        }
    }

    fn enter(&mut self, store: &Store) {
        let (pair, number) = (self.chance(12), self.number());
        let entered = store.enter(&trying(pair).attempt(number, at(self.now)));
        // The change is written with the event of the attempt, at once.
        let mut sure = Sure::Unknown;
        if entered.is_ok() {
            sure = self.outcome(store.record(vec![refusal(number, at(self.now))]));
            self.events.insert(number, sure);
        }
        let known = |opened| KnownWindow { opened, passed: None };
        match entered {
            Ok(facts) if facts.state == TripletState::FirstSeen => {
                self.windows.insert(facts.first_event, known(sure));
            }
            Ok(facts) if facts.state == TripletState::Passed => {
                let window = self.windows.entry(facts.first_event);
                window.or_insert(known(Sure::Unknown)).passed = Some(sure);
            }
            Ok(_) => {}
            Err(_) => {
                // It may have opened a window, or let any one of its pair pass.
                self.windows.insert(event_id(number), known(Sure::Unknown));
                self.windows.values_mut().filter(|w| w.passed.is_none()).for_each(|window| {
                    window.passed = Some(Sure::Unknown);
                });
            }
        }
    }

    pub(crate) fn expire(&mut self, store: &Store, max: usize) -> usize {
        let due = store.due(at(self.now), max);
        let numbers: Vec<u64> = due.iter().map(|_| self.number()).collect();
        let events = due.iter().zip(&numbers).map(|(expired, &n)| expiry(n, expired)).collect();
        if !due.is_empty() {
            let sure = self.outcome(store.expired(events));
            self.events.extend(numbers.into_iter().map(|number| (number, sure)));
        }
        due.len()
    }
}

/// The content of a message in two pieces.
fn split(number: u64, octets: usize) -> (Vec<u8>, Vec<u8>) {
    let mut first = content(number, octets);
    let second = first.split_off(octets / 3);
    (first, second)
}
