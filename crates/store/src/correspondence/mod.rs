//! Who of ours wrote to whom outside, and when last: the memory of auto
//! allow.
//!
//! The table is in memory, in parts that are locked apart, and found by its
//! two addresses, so what a look costs does not grow with it; every change is
//! in the journal. A change that a crash loses costs an answer its way past
//! greylisting, and no mail: so learning is never waited for.
//!
//! At [`Correspondences::entries_max`] pairs no new one is learned; known
//! ones are renewed as before, because forgetting them to make room would let
//! one mailing push out what everybody else relies on.

use std::cmp::{Ordering as Order, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::{Deserialize, Serialize};
use types::{Correspondence, EmailAddress, Timestamp};

use crate::contract::{Learned, NotLearned, StoreError};
use crate::journal::{BatchRef, Journal};

mod stored;

pub(crate) use stored::{PairCuts, StoredPairs};

/// Parts of the table that are locked apart. Stored in checkpoints: a change
/// needs a new format number there.
const SHARDS: usize = 16;

/// One change, as the journal has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorrespondenceChange {
    /// Somebody wrote to somebody.
    Wrote(Correspondence),
    /// As if nobody had.
    Forgotten(Correspondence),
    /// Mail of `other` to `own` was held back, and somebody let it go then:
    /// an answer to it teaches nothing.
    Released(Correspondence),
}

impl CorrespondenceChange {
    fn pair(&self) -> &Correspondence {
        match self {
            CorrespondenceChange::Wrote(pair)
            | CorrespondenceChange::Forgotten(pair)
            | CorrespondenceChange::Released(pair) => pair,
        }
    }
}

/// Pairs by the comparable forms of their addresses, with a NUL between.
type Pairs = HashMap<Box<str>, Correspondence>;

/// One part of the table.
#[derive(Debug, Default)]
struct Shard {
    /// Who wrote to whom.
    pairs: Pairs,
    /// Whose held mail was let go, and when, as [`CorrespondenceChange::Released`]
    /// says it.
    released: Pairs,
}

/// Most pairs of one part that are kept because held mail was let go. People
/// do that one by one; beyond, answers teach.
const RELEASED_MAX: usize = 16_384;

/// All pairs.
#[derive(Debug)]
pub(crate) struct Correspondences {
    shards: Vec<RwLock<Shard>>,
    entries: AtomicUsize,
    entries_max: usize,
    no_room: AtomicU64,
    unwritten: AtomicU64,
}

/// A pair in the order in which pairs are shown: newest first; of one moment
/// in an order that does not change.
struct Shown(Correspondence);

impl Shown {
    fn place(pair: &Correspondence) -> (Reverse<Timestamp>, &str, &str) {
        (Reverse(pair.wrote), pair.own.key(), pair.other.key())
    }
}

impl Ord for Shown {
    fn cmp(&self, other: &Self) -> Order {
        Shown::place(&self.0).cmp(&Shown::place(&other.0))
    }
}

impl PartialOrd for Shown {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Shown {}

impl Correspondences {
    pub(crate) fn new(entries_max: usize) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        let (no_room, unwritten) = (AtomicU64::new(0), AtomicU64::new(0));
        Correspondences { shards, entries: AtomicUsize::new(0), entries_max, no_room, unwritten }
    }

    /// See [`crate::CorrespondenceTable::wrote`].
    pub(crate) fn wrote(
        &self,
        journal: &Journal,
        pairs: &[Correspondence],
    ) -> Result<Learned, StoreError> {
        let mut learned = Learned::default();
        for (place, pair) in pairs.iter().enumerate() {
            if let Err(error) = self.write_down(journal, pair, &mut learned) {
                let unwritten = pairs.len() - place;
                self.unwritten.fetch_add(unwritten as u64, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(learned)
    }

    fn write_down(
        &self,
        journal: &Journal,
        pair: &Correspondence,
        learned: &mut Learned,
    ) -> Result<(), StoreError> {
        let key = key_of(&pair.own, &pair.other);
        let mut shard = write(self.shard(&key)?);
        if shard.released.get(&key).is_some_and(|released| released.covers(pair.wrote)) {
            return Ok(());
        }
        let count = match shard.pairs.get(&key) {
            // What is older teaches nothing.
            Some(known) if known.wrote >= pair.wrote => return Ok(()),
            None if self.len() >= self.entries_max => {
                learned.left_out += 1;
                self.no_room.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Some(_) => &mut learned.renewed,
            None => &mut learned.new,
        };
        self.change(journal, &mut shard, key, CorrespondenceChange::Wrote(pair.clone()))?;
        *count += 1;
        Ok(())
    }

    /// See [`crate::CorrespondenceTable::room`].
    pub(crate) fn room(&self) -> usize {
        self.entries_max.saturating_sub(self.len())
    }

    /// See [`crate::CorrespondenceTable::not_learned`].
    pub(crate) fn not_learned(&self) -> NotLearned {
        NotLearned {
            no_room: self.no_room.load(Ordering::Relaxed),
            unwritten: self.unwritten.load(Ordering::Relaxed),
        }
    }

    /// See [`crate::CorrespondenceTable::forget`].
    pub(crate) fn forget(
        &self,
        journal: &Journal,
        pairs: &[Correspondence],
    ) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for pair in pairs {
            let key = key_of(&pair.own, &pair.other);
            let mut shard = write(self.shard(&key)?);
            if shard.pairs.contains_key(&key) {
                let change = CorrespondenceChange::Forgotten(pair.clone());
                self.change(journal, &mut shard, key, change)?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// See [`crate::CorrespondenceTable::released`].
    pub(crate) fn released(
        &self,
        journal: &Journal,
        pairs: &[Correspondence],
    ) -> Result<(), StoreError> {
        for pair in pairs {
            let key = key_of(&pair.own, &pair.other);
            let mut shard = write(self.shard(&key)?);
            if shard.released.len() < RELEASED_MAX || shard.released.contains_key(&key) {
                let change = CorrespondenceChange::Released(pair.clone());
                self.change(journal, &mut shard, key, change)?;
            }
        }
        Ok(())
    }

    /// Writes a change and applies it, both under the lock of its part, so
    /// that the order in the journal is the order in the table.
    fn change(
        &self,
        journal: &Journal,
        shard: &mut Shard,
        key: Box<str>,
        change: CorrespondenceChange,
    ) -> Result<(), StoreError> {
        let batch = BatchRef { correspondence: Some(&change), ..BatchRef::default() };
        journal.append_batch(&batch)?;
        self.apply(shard, key, change);
        Ok(())
    }

    fn apply(&self, shard: &mut Shard, key: Box<str>, change: CorrespondenceChange) {
        match change {
            CorrespondenceChange::Wrote(pair) => {
                if shard.pairs.insert(key, pair).is_none() {
                    self.entries.fetch_add(1, Ordering::Relaxed);
                }
            }
            CorrespondenceChange::Forgotten(_) => {
                if shard.pairs.remove(&key).is_some() {
                    self.entries.fetch_sub(1, Ordering::Relaxed);
                }
            }
            CorrespondenceChange::Released(pair) => {
                shard.released.insert(key, pair);
            }
        }
    }

    /// See [`crate::CorrespondenceTable::between`].
    pub(crate) fn between(
        &self,
        own: &EmailAddress,
        other: &EmailAddress,
        at: Timestamp,
    ) -> Option<Correspondence> {
        let key = key_of(own, other);
        let shard = read(self.shard(&key).ok()?);
        shard.pairs.get(&key).filter(|pair| pair.covers(at)).cloned()
    }

    /// See [`crate::CorrespondenceTable::find`].
    pub(crate) fn find(
        &self,
        wanted: &dyn Fn(&Correspondence) -> bool,
        at: Timestamp,
        max: usize,
    ) -> Vec<Correspondence> {
        // The first `max` and no more, the last of them on top: whoever learns
        // waits while a part is looked through, and for no sorting.
        let mut first = BinaryHeap::new();
        for shard in &self.shards {
            let shard = read(shard);
            for pair in shard.pairs.values().filter(|pair| pair.covers(at) && wanted(pair)) {
                if first.len() < max {
                    first.push(Shown(pair.clone()));
                } else if let Some(mut last) = first.peek_mut()
                    && Shown::place(pair) < Shown::place(&last.0)
                {
                    *last = Shown(pair.clone());
                }
            }
        }
        first.into_sorted_vec().into_iter().map(|shown| shown.0).collect()
    }

    /// Pairs, those that count no more and are not dropped yet included.
    pub(crate) fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Drops what counts no more.
    pub(crate) fn drop_old(&self, now: Timestamp) {
        for shard in &self.shards {
            let mut shard = write(shard);
            let before = shard.pairs.len();
            shard.pairs.retain(|_, pair| pair.covers(now));
            shard.released.retain(|_, pair| pair.covers(now));
            self.entries.fetch_sub(before - shard.pairs.len(), Ordering::Relaxed);
        }
    }

    fn shard(&self, key: &str) -> Result<&RwLock<Shard>, StoreError> {
        self.shards.get(shard_of(key)).ok_or(StoreError::Closed)
    }
}

fn key_of(own: &EmailAddress, other: &EmailAddress) -> Box<str> {
    format!("{}\0{}", own.key(), other.key()).into()
}

fn shard_of(key: &str) -> usize {
    crc32fast::hash(key.as_bytes()) as usize % SHARDS
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_no_more_is_dropped_and_makes_room() {
        let table = Correspondences::new(10);
        let at = |days: u64| Timestamp::EPOCH + std::time::Duration::from_secs(days * 86_400);
        let mut cuts = PairCuts::default();
        for (other, wrote) in [("a@x.example", at(0)), ("b@x.example", at(5))] {
            let pair = Correspondence {
                own: "bob@corp.example".parse().unwrap(),
                other: other.parse().unwrap(),
                wrote,
            };
            let number = shard_of(&key_of(&pair.own, &pair.other));
            table.load_shard(
                StoredPairs { number, cut: 0, pairs: vec![pair], released: vec![] },
                &mut cuts,
            );
        }
        assert_eq!(table.len(), 2);
        table.drop_old(at(120));
        assert_eq!(table.len(), 1);
        let left = table.find(&|_| true, at(120), 10);
        assert_eq!(
            left.iter().map(|pair| pair.other.as_str()).collect::<Vec<_>>(),
            ["b@x.example"]
        );
    }

    #[test]
    fn the_newest_of_many_are_found_in_order() {
        let table = Correspondences::new(1_000);
        let mut cuts = PairCuts::default();
        let mut all: Vec<Correspondence> = (0..300)
            .map(|number: u64| Correspondence {
                own: format!("{}@corp.example", number % 7).parse().unwrap(),
                other: format!("{number}@x.example").parse().unwrap(),
                wrote: Timestamp::EPOCH + std::time::Duration::from_secs(number * 37 % 50),
            })
            .collect();
        for pair in &all {
            let number = shard_of(&key_of(&pair.own, &pair.other));
            let (pairs, released) = (vec![pair.clone()], Vec::new());
            table.load_shard(StoredPairs { number, cut: 0, pairs, released }, &mut cuts);
        }
        all.sort_by(|one, other| Shown::place(one).cmp(&Shown::place(other)));
        for max in [0, 1, 20, 300, 1_000] {
            let found = table.find(&|_| true, Timestamp::EPOCH, max);
            assert_eq!(found, all[..max.min(300)], "{max}");
        }
    }
}
