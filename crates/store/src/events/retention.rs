//! Ending retention: segments that are old go as a whole. What belongs to a
//! message that is still in the queue is carried over into a small segment of
//! its own, so that whoever decides about it finds it and reads why it is
//! there (decision 25).

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use types::{LifeLineId, Timestamp};

use super::fields::WideField;
use super::segment::Segment;
use super::{EventIndex, seal};
use crate::contract::StoreError;

impl EventIndex {
    /// Drops segments whose newest row is older than `before`, damaged ones
    /// included, but for the life-lines of `queued`. Returns the rows dropped.
    ///
    /// What can go as a whole goes first, and nothing that fails keeps the
    /// others: on a full disk nothing can be carried over, and only what goes
    /// makes room.
    ///
    /// # Errors
    /// The first of these. A file cannot be removed; its rows are no longer
    /// found all the same. Or what is to stay cannot be written: then its
    /// segment stays whole.
    pub fn drop_before(
        &self,
        before: Timestamp,
        queued: &HashSet<LifeLineId>,
    ) -> Result<u64, StoreError> {
        let _one_at_a_time = self.housekeep();
        let segments = Arc::clone(&self.read().segments);
        let is_old = |segment: &&Arc<Segment>| segment.name.newest < before.as_millis();
        let old = segments.iter().filter(is_old).map(|old| (old, rows_of(old, queued)));
        let (whole, parted): (Vec<_>, Vec<_>) = old.partition(|(_, staying)| staying.is_empty());
        let parted = parted.into_iter().filter(|(old, staying)| staying.len() < old.rows());
        let (mut dropped, mut failed) = (0, None);
        for (old, staying) in whole.into_iter().chain(parted) {
            match self.drop_but(old, &staying) {
                Ok(rows) => dropped += rows,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let damaged = self.drop_damaged(before);
        failed.map_or(damaged, Err).map(|()| dropped)
    }

    /// Drops a segment but for these rows; gives how many went.
    fn drop_but(&self, old: &Arc<Segment>, staying: &[usize]) -> Result<u64, StoreError> {
        let carried = seal::carry(self.disk.as_ref(), &self.folder, old, staying)?;
        let dropped = old.name.rows - carried.as_ref().map_or(0, |carried| carried.name.rows);
        {
            let mut rows = self.write();
            let kept = Arc::make_mut(&mut rows.segments);
            kept.retain(|segment| !Arc::ptr_eq(segment, old));
            kept.extend(carried);
        }
        self.remove(Path::new(&old.name.to_string()))?;
        Ok(dropped)
    }

    fn drop_damaged(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut files = Vec::new();
        self.write().damaged.retain(|damaged| {
            let old = damaged.span.end <= before;
            files.extend(old.then(|| damaged.file.clone()));
            !old
        });
        let removed = files.iter().map(|file| self.remove(Path::new(file)));
        // All of them, and not those up to the first that fails.
        removed.fold(Ok(()), Result::and)
    }

    fn remove(&self, file: &Path) -> Result<(), StoreError> {
        self.disk.remove(&self.folder.join(file)).map_err(|error| StoreError::Io {
            doing: "removing an event segment",
            error: Arc::new(error),
        })
    }
}

/// The rows of a segment that belong to one of these life-lines.
fn rows_of(segment: &Segment, queued: &HashSet<LifeLineId>) -> Vec<usize> {
    if queued.is_empty() {
        return Vec::new();
    }
    let view = segment.view();
    let lives = view.wide.get(WideField::LifeLine as usize).copied().unwrap_or_default();
    let is_queued = |id: &[u8; 16]| queued.contains(&LifeLineId::from_bytes(*id));
    let rows = lives.iter().enumerate().filter(|(_, id)| is_queued(id));
    rows.map(|(row, _)| row).collect()
}
