//! What has happened becomes known: findable in the memory of events, and
//! told to whoever watches.
//!
//! The events of a message that is taken over wait here for the flush of
//! their record. Were they known before and the flush failed, search and
//! metrics would show as accepted what the client was told to send again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use types::Event;

use crate::contract::{EventWatcher, Position};
use crate::events::EventIndex;

/// Makes events known.
pub(crate) struct Publisher {
    events: Arc<EventIndex>,
    /// Events that are written and wait for a flush, by the start of their
    /// journal record.
    waiting: Mutex<BTreeMap<u64, Vec<Arc<Event>>>>,
    watcher: OnceLock<Arc<dyn EventWatcher>>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    pub(crate) fn new(events: Arc<EventIndex>) -> Self {
        Publisher { events, waiting: Mutex::default(), watcher: OnceLock::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Arc<Event>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `watcher` of every event from now on; the first one stays.
    pub(crate) fn watch(&self, watcher: Arc<dyn EventWatcher>) {
        // A second one is a mistake of the wiring; nothing is lost by it.
        let _kept = self.watcher.set(watcher);
    }

    /// Makes the events of the record at `start` known.
    pub(crate) fn publish(&self, start: u64, events: Vec<Event>) {
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        self.push(start, &events);
        self.tell(&events);
    }

    /// Does so once everything up to the record at `start`, and that one, is
    /// durable.
    pub(crate) fn publish_when_durable(&self, start: u64, events: Vec<Event>) {
        self.waiting().insert(start, events.into_iter().map(Arc::new).collect());
    }

    /// Everything before `durable` survives a power cut.
    pub(crate) fn flushed(&self, durable: Position) {
        let mut known = Vec::new();
        {
            // Pushed before they leave: a checkpoint looks here first, then
            // into the index, and must find each in one of the two.
            let mut waiting = self.waiting();
            while let Some(entry) = waiting.first_entry().filter(|e| *e.key() < durable.0) {
                self.push(*entry.key(), entry.get());
                known.extend(entry.remove());
            }
        }
        if !known.is_empty() {
            self.tell(&known);
        }
    }

    /// The first journal position with events that are not known yet.
    pub(crate) fn waits_from(&self) -> Option<Position> {
        self.waiting().keys().next().copied().map(Position)
    }

    fn push(&self, start: u64, events: &[Arc<Event>]) {
        for event in events {
            self.events.push(Position(start), Arc::clone(event));
        }
    }

    fn tell(&self, events: &[Arc<Event>]) {
        if let Some(watcher) = self.watcher.get() {
            watcher.happened(events);
        }
    }
}
