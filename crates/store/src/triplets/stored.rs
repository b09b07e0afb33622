//! The table in a checkpoint, and putting it together again.
//!
//! Each part is cut at its own position while its lock is held: every change
//! before that position is in it, none after. So a checkpoint never stops
//! the table as a whole, and the journal is applied to each part from its
//! own cut on.

use serde::{Deserialize, Serialize};

use super::entry::{Remembered, Window};
use super::key::{Key, SHARDS};
use super::{Triplets, lock};
use crate::contract::Position;
use crate::journal::{Batch, Journal};

/// One part of the table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredShard {
    /// Which part.
    pub(crate) number: usize,
    /// Changes before this are in it.
    pub(crate) cut: u64,
    pub(crate) windows: Vec<Window>,
    pub(crate) remembered: Vec<Remembered>,
}

/// Closed windows whose expiry is not recorded.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredClosed {
    /// Changes before this are in it.
    pub(crate) cut: u64,
    pub(crate) windows: Vec<Window>,
}

/// From where on the journal applies to each part.
#[derive(Debug)]
pub(crate) struct Cuts {
    shards: Vec<u64>,
    closed: u64,
}

impl Default for Cuts {
    fn default() -> Self {
        Cuts { shards: vec![0; SHARDS], closed: 0 }
    }
}

impl Triplets {
    /// One part as it is now; parts are numbered from 0 to the first `None`.
    pub(crate) fn store_shard(&self, journal: &Journal, number: usize) -> Option<StoredShard> {
        let shard = lock(self.shards.get(number)?);
        Some(StoredShard {
            number,
            cut: journal.end().0,
            windows: shard.windows.values().map(|window| (**window).clone()).collect(),
            remembered: shard.remembered.values().cloned().collect(),
        })
    }

    /// The closed windows as they are now. Stored after all parts: a window
    /// that moves here meanwhile is then found twice, not never.
    pub(crate) fn store_closed(&self, journal: &Journal) -> StoredClosed {
        let closed = lock(&self.closed);
        StoredClosed { cut: journal.end().0, windows: closed.windows().cloned().collect() }
    }

    pub(crate) fn load_shard(&self, stored: StoredShard, cuts: &mut Cuts) {
        let (Some(shard), Some(cut)) =
            (self.shards.get(stored.number), cuts.shards.get_mut(stored.number))
        else {
            return;
        };
        *cut = stored.cut;
        let mut shard = lock(shard);
        let before = shard.len();
        for window in stored.windows {
            shard.insert_window(window.key(), Box::new(window));
        }
        for known in stored.remembered {
            shard.remember(known.key(), known);
        }
        self.count(before, shard.len());
    }

    /// Loaded after all parts, from which windows found here are taken out.
    pub(crate) fn load_closed(&self, stored: StoredClosed, cuts: &mut Cuts) {
        cuts.closed = stored.cut;
        for window in stored.windows {
            self.remove_if(window.key(), window.first_event);
            lock(&self.closed).insert(Box::new(window));
        }
    }

    /// Applies what a batch at `position` says of triplets.
    pub(crate) fn replay(&self, position: u64, batch: &mut Batch, cuts: &Cuts) {
        for &(key, first) in &batch.expired {
            if cuts.applies_to(key, position) {
                self.remove_if(key, first);
            }
            if position >= cuts.closed {
                lock(&self.closed).remove(first);
            }
        }
        let Some(change) = batch.triplet.take() else { return };
        let key = change.key();
        if !cuts.applies_to(key, position) {
            return;
        }
        let Ok(mut shard) = self.shard(key) else { return };
        let before = shard.len();
        if let Some(told) = shard.apply(change)
            && position >= cuts.closed
        {
            lock(&self.closed).insert(told);
        }
        self.count(before, shard.len());
    }

    /// Removes the open window of `key` if `first` opened it.
    fn remove_if(&self, key: Key, first: types::EventId) {
        let Ok(mut shard) = self.shard(key) else { return };
        let before = shard.len();
        if shard.windows.get(&key).is_some_and(|window| window.first_event == first) {
            shard.remove_window(key);
        }
        self.count(before, shard.len());
    }
}

impl Cuts {
    fn applies_to(&self, key: Key, position: u64) -> bool {
        self.shards.get(key.shard()).is_some_and(|cut| position >= *cut)
    }

    /// The first position that any part needs.
    pub(crate) fn first(&self) -> Position {
        Position(self.shards.iter().copied().min().unwrap_or(0).min(self.closed))
    }
}
