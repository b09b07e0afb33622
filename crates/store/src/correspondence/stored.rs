//! The table in a checkpoint, and putting it together again: each part is cut
//! at its own position, as the parts of the triplet table are.

use serde::{Deserialize, Serialize};
use types::Correspondence;

use super::{CorrespondenceChange, Correspondences, SHARDS, key_of, read, shard_of, write};
use crate::contract::Position;
use crate::journal::{Batch, Journal};

/// One part of the table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredPairs {
    /// Which part.
    pub(crate) number: usize,
    /// Changes before this are in it.
    pub(crate) cut: u64,
    pub(crate) pairs: Vec<Correspondence>,
    /// Whose held mail was let go.
    #[serde(default)]
    pub(crate) released: Vec<Correspondence>,
}

/// From where on the journal applies to each part.
#[derive(Debug)]
pub(crate) struct PairCuts(Vec<u64>);

impl Default for PairCuts {
    fn default() -> Self {
        PairCuts(vec![0; SHARDS])
    }
}

impl PairCuts {
    /// The first position that any part needs.
    pub(crate) fn first(&self) -> Position {
        Position(self.0.iter().copied().min().unwrap_or(0))
    }

    /// A checkpoint of a version that had no such table: there is nothing of
    /// it before `position`, and the journal before it is gone.
    pub(crate) fn all_at(position: Position) -> Self {
        PairCuts(vec![position.0; SHARDS])
    }
}

impl Correspondences {
    /// One part as it is now; parts are numbered from 0 to the first `None`.
    pub(crate) fn store_shard(&self, journal: &Journal, number: usize) -> Option<StoredPairs> {
        let shard = read(self.shards.get(number)?);
        let pairs = shard.pairs.values().cloned().collect();
        let released = shard.released.values().cloned().collect();
        Some(StoredPairs { number, cut: journal.end().0, pairs, released })
    }

    pub(crate) fn load_shard(&self, stored: StoredPairs, cuts: &mut PairCuts) {
        let (Some(shard), Some(cut)) =
            (self.shards.get(stored.number), cuts.0.get_mut(stored.number))
        else {
            return;
        };
        *cut = stored.cut;
        let mut shard = write(shard);
        let wrote = stored.pairs.into_iter().map(CorrespondenceChange::Wrote);
        let released = stored.released.into_iter().map(CorrespondenceChange::Released);
        for change in wrote.chain(released) {
            let key = key_of(&change.pair().own, &change.pair().other);
            self.apply(&mut shard, key, change);
        }
    }

    /// Applies what a batch at `position` says of who wrote to whom.
    pub(crate) fn replay(&self, position: u64, batch: &mut Batch, cuts: &PairCuts) {
        let Some(change) = batch.correspondence.take() else { return };
        let key = key_of(&change.pair().own, &change.pair().other);
        let number = shard_of(&key);
        let applies = cuts.0.get(number).is_some_and(|cut| position >= *cut);
        if let (true, Some(shard)) = (applies, self.shards.get(number)) {
            self.apply(&mut write(shard), key, change);
        }
    }
}
