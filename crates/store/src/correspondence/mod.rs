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

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::{Deserialize, Serialize};
use types::{Correspondence, EmailAddress, Timestamp};

use crate::contract::{Learned, StoreError};
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
    left_out: AtomicU64,
}

impl Correspondences {
    pub(crate) fn new(entries_max: usize) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        let (entries, left_out) = (AtomicUsize::new(0), AtomicU64::new(0));
        Correspondences { shards, entries, entries_max, left_out }
    }

    /// See [`crate::CorrespondenceTable::wrote`].
    pub(crate) fn wrote(
        &self,
        journal: &Journal,
        pairs: &[Correspondence],
    ) -> Result<Learned, StoreError> {
        let learned = self.write_down(journal, pairs);
        let left_out = learned.as_ref().map_or(pairs.len(), |learned| learned.left_out);
        self.left_out.fetch_add(left_out as u64, Ordering::Relaxed);
        learned
    }

    fn write_down(
        &self,
        journal: &Journal,
        pairs: &[Correspondence],
    ) -> Result<Learned, StoreError> {
        let mut learned = Learned::default();
        for pair in pairs {
            let key = key_of(&pair.own, &pair.other);
            let mut shard = write(self.shard(&key)?);
            if shard.released.get(&key).is_some_and(|released| released.covers(pair.wrote)) {
                continue;
            }
            match shard.pairs.get(&key) {
                // What is older teaches nothing.
                Some(known) if known.wrote >= pair.wrote => continue,
                None if self.len() >= self.entries_max => {
                    learned.left_out += 1;
                    continue;
                }
                Some(_) => learned.renewed += 1,
                None => learned.new += 1,
            }
            let change = CorrespondenceChange::Wrote(pair.clone());
            self.change(journal, &mut shard, key, change)?;
        }
        Ok(learned)
    }

    /// See [`crate::CorrespondenceTable::room`].
    pub(crate) fn room(&self) -> usize {
        self.entries_max.saturating_sub(self.len())
    }

    /// See [`crate::CorrespondenceTable::left_out`].
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
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
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = read(shard);
            let pairs = shard.pairs.values().filter(|pair| pair.covers(at) && wanted(pair));
            found.extend(pairs.cloned());
            // Newest first; of one moment in an order that does not change.
            found.sort_by(|a: &Correspondence, b| {
                (b.wrote, a.own.key(), a.other.key()).cmp(&(a.wrote, b.own.key(), b.other.key()))
            });
            found.truncate(max);
        }
        found
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
}
