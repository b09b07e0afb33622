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
    /// # Errors
    /// A file cannot be removed; its rows are no longer found all the same.
    /// Or what is to stay cannot be written: then its segment stays whole.
    pub fn drop_before(
        &self,
        before: Timestamp,
        queued: &HashSet<LifeLineId>,
    ) -> Result<u64, StoreError> {
        let _one_at_a_time = self.housekeep();
        let segments = Arc::clone(&self.read().segments);
        let is_old = |segment: &&Arc<Segment>| segment.name.newest < before.as_millis();
        let mut dropped = 0;
        for old in segments.iter().filter(is_old) {
            let staying = rows_of(old, queued);
            if staying.len() == old.rows() {
                continue;
            }
            let carried = seal::carry(self.disk.as_ref(), &self.folder, old, &staying)?;
            dropped += old.name.rows - carried.as_ref().map_or(0, |carried| carried.name.rows);
            {
                let mut rows = self.write();
                let kept = Arc::make_mut(&mut rows.segments);
                kept.retain(|segment| !Arc::ptr_eq(segment, old));
                kept.extend(carried);
            }
            self.remove(Path::new(&old.name.to_string()))?;
        }
        self.drop_damaged(before)?;
        Ok(dropped)
    }

    fn drop_damaged(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut files = Vec::new();
        self.write().damaged.retain(|damaged| {
            let old = damaged.span.end <= before;
            files.extend(old.then(|| damaged.file.clone()));
            !old
        });
        files.iter().try_for_each(|file| self.remove(Path::new(file)))
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
