//! One part of the table: what an attempt means is decided here, and every
//! change is applied here, at the attempt as well as when the journal is
//! read again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use types::Timestamp;
use types::finding::{TripletFacts, TripletState};

use super::clients::Clients;
use super::entry::{Remembered, TripletChange, Window, seconds};
use super::key::Key;
use super::pair::{Pair, Pairs};
use crate::contract::TripletAttempt;

/// The entries whose keys fall into one part.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) windows: HashMap<Key, Box<Window>>,
    pub(super) remembered: HashMap<Key, Remembered>,
    /// Open windows by the time they close.
    by_close: BTreeSet<(Timestamp, Key)>,
    /// Where its windows are also found by sender and recipient.
    pairs: Arc<Pairs>,
    /// How many remembered triplets each client has.
    clients: Arc<Clients>,
}

/// What an attempt is, and what it changes.
pub(super) struct Step {
    pub(super) facts: TripletFacts,
    pub(super) change: TripletChange,
}

impl Shard {
    pub(super) fn new(pairs: &Arc<Pairs>, clients: &Arc<Clients>) -> Self {
        Shard {
            windows: HashMap::new(),
            remembered: HashMap::new(),
            by_close: BTreeSet::new(),
            pairs: Arc::clone(pairs),
            clients: Arc::clone(clients),
        }
    }

    /// Decides where an attempt stands; changes nothing.
    pub(super) fn step(&self, key: Key, attempt: &TripletAttempt<'_>) -> Step {
        let remember_s = seconds(attempt.times.remember);
        if let Some(known) = self.remembered.get(&key)
            && !known.is_forgotten(attempt.at, attempt.times.remember)
        {
            // Once its life-line is closed, this is another message.
            let line = known.open_line(attempt.at).unwrap_or(attempt.life_line);
            let mut facts = known.facts(line);
            facts.attempts = facts.attempts.saturating_add(1);
            return Step { facts, change: TripletChange::Used { key, at: attempt.at, remember_s } };
        }
        let Some(window) = self.windows.get(&key).filter(|w| attempt.at <= w.closes) else {
            let window = Box::new(Window::open(attempt));
            let facts = window.facts(TripletState::FirstSeen, 1);
            return Step { facts, change: TripletChange::Opened(window) };
        };
        let attempts = window.attempts.saturating_add(1);
        // A clock that stepped back makes the wait zero, never too long.
        let waited = attempt.at.since(window.first_seen);
        let is_early = waited < attempt.times.retry_after;
        if window.steered || !is_early {
            let facts = window.facts(TripletState::Passed, attempts);
            let facts = TripletFacts { let_in: is_early, ..facts };
            Step { facts, change: TripletChange::Passed { key, at: attempt.at, remember_s } }
        } else {
            let facts = window.facts(TripletState::TooEarly, attempts);
            Step { facts, change: TripletChange::Retried { key, at: attempt.at } }
        }
    }

    /// Whether `change` adds an entry.
    pub(super) fn grows_by(&self, change: &TripletChange) -> bool {
        match change {
            TripletChange::Opened(window) => {
                let key = window.key();
                !self.windows.contains_key(&key) && !self.remembered.contains_key(&key)
            }
            _ => false,
        }
    }

    /// Applies a change. Returns the window that was closed by a new one and
    /// still has its expiry to be told.
    pub(super) fn apply(&mut self, change: TripletChange) -> Option<Box<Window>> {
        match change {
            TripletChange::Opened(window) => {
                let key = window.key();
                self.forget_one(key);
                let old = self.remove_window(key);
                let told = old.filter(|old| old.first_event != window.first_event);
                self.insert_window(key, window);
                return told;
            }
            TripletChange::Retried { key, at } => {
                if let Some(window) = self.windows.get_mut(&key) {
                    window.attempts = window.attempts.saturating_add(1);
                    window.last_used = window.last_used.max(at);
                }
            }
            TripletChange::Passed { key, at, remember_s } => {
                if let Some(window) = self.remove_window(key) {
                    self.remember(key, Remembered::of(&window, at, remember_s));
                }
            }
            TripletChange::Used { key, at, remember_s } => {
                if let Some(known) = self.remembered.get_mut(&key) {
                    known.attempts = known.attempts.saturating_add(1);
                    known.last_used = known.last_used.max(at);
                    known.remember_s = remember_s;
                }
            }
            TripletChange::Accepted { key } => {
                if let Some(known) = self.remembered.get_mut(&key) {
                    known.line_open_s = 0;
                }
            }
            TripletChange::Steered { key } => {
                if let Some(window) = self.windows.get_mut(&key) {
                    window.steered = true;
                }
            }
            TripletChange::Forgotten { key } => {
                self.remove_window(key);
                self.forget_one(key);
            }
        }
        None
    }

    pub(super) fn insert_window(&mut self, key: Key, window: Box<Window>) {
        self.by_close.insert((window.closes, key));
        self.pairs.insert(Pair::of(&window), key);
        self.windows.insert(key, window);
    }

    pub(super) fn remove_window(&mut self, key: Key) -> Option<Box<Window>> {
        let window = self.windows.remove(&key)?;
        self.by_close.remove(&(window.closes, key));
        self.pairs.remove(Pair::of(&window), key);
        Some(window)
    }

    pub(super) fn remember(&mut self, key: Key, known: Remembered) {
        self.clients.add(&known);
        if let Some(old) = self.remembered.insert(key, known) {
            self.clients.remove(&old);
        }
    }

    fn forget_one(&mut self, key: Key) {
        if let Some(known) = self.remembered.remove(&key) {
            self.clients.remove(&known);
        }
    }

    /// Takes out a window that closed before `now`, the oldest first; at the
    /// very instant a retry still passes.
    pub(super) fn take_closed(&mut self, now: Timestamp) -> Option<Box<Window>> {
        let (closes, key) = *self.by_close.first()?;
        if closes >= now { None } else { self.remove_window(key) }
    }

    /// Drops what was remembered and not used for too long.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let clients = &self.clients;
        self.remembered.retain(|_, known| {
            let kept = !known.is_forgotten(now, Duration::from_secs(known.remember_s.into()));
            if !kept {
                clients.remove(known);
            }
            kept
        });
    }

    /// Entries of both kinds.
    pub(super) fn len(&self) -> usize {
        self.windows.len() + self.remembered.len()
    }
}
