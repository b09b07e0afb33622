//! Windows that closed without a pass and whose *Sender Failed to Retry*
//! event is not recorded yet.

use std::collections::{BTreeMap, HashMap, HashSet};

use types::{EventId, Timestamp};

use super::entry::Window;
use crate::contract::ExpiredTriplet;

/// Closed windows, by when they closed.
#[derive(Debug, Default)]
pub(super) struct Closed {
    by_close: BTreeMap<(Timestamp, EventId), Box<Window>>,
    closes: HashMap<EventId, Timestamp>,
    /// Those that were handed out and wait to be recorded.
    handed_out: HashSet<EventId>,
}

impl Closed {
    pub(super) fn insert(&mut self, window: Box<Window>) {
        self.closes.insert(window.first_event, window.closes);
        self.by_close.insert((window.closes, window.first_event), window);
    }

    /// Hands out windows that closed up to `now` and are not out already.
    pub(super) fn hand_out(&mut self, now: Timestamp, max: usize) -> Vec<ExpiredTriplet> {
        let due = self.by_close.values().take_while(|window| window.closes < now);
        let due = due.filter(|window| !self.handed_out.contains(&window.first_event));
        let due: Vec<ExpiredTriplet> = due.take(max).map(|window| window.expired()).collect();
        self.handed_out.extend(due.iter().map(|expired| expired.facts.first_event));
        due
    }

    /// The window that `event` opened, if its expiry is still to be told.
    pub(super) fn get(&self, event: EventId) -> Option<&Window> {
        let closes = self.closes.get(&event)?;
        self.by_close.get(&(*closes, event)).map(|window| &**window)
    }

    pub(super) fn remove(&mut self, event: EventId) {
        self.handed_out.remove(&event);
        if let Some(closes) = self.closes.remove(&event) {
            self.by_close.remove(&(closes, event));
        }
    }

    /// Recording failed: they are handed out again.
    pub(super) fn give_back(&mut self, event: EventId) {
        self.handed_out.remove(&event);
    }

    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        self.by_close.values().map(|window| &**window)
    }
}
