//! The memory of events: the newest in memory, older ones in sealed,
//! immutable columnar segments.
//!
//! An event is pushed once its journal record is written, that of an
//! acceptance once it is durable, and can be found at once. Rows stay in memory until their hour is over or many have gathered;
//! then they become a segment file that is never changed, only merged with
//! its neighbours and dropped as a whole. A search scans columns, newest
//! first, and stops at its page: no index per row is kept but that of
//! references, because one would cost more than the SMTP session that made
//! the event. This module knows neither journal nor query language.

mod arrival;
mod asking;
mod bits;
mod chunk;
mod columns;
mod count;
mod facet;
mod fields;
mod filter;
mod follow;
mod name;
mod open;
mod order;
mod page;
mod parts;
mod record;
mod retention;
mod scan;
mod schema;
mod seal;
mod segment;
mod story;
mod tally;
#[cfg(test)]
mod tests;
mod text;
mod unit;
mod walk;
mod write;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use types::{Event, EventId, LifeLineId, Reference, Timestamp};

use crate::contract::{Position, StoreError, Totals};
use crate::disk::Disk;
use arrival::Sealings;
use chunk::{CHUNK_ROWS, Chunk};
use columns::RowKey;
#[cfg(test)]
pub(crate) use fields::fold_into;
use follow::Recent;
pub(crate) use order::place_of;
use record::RecordReader;
pub use scan::ScannedRow;
use segment::{IndexedBy, Segment};
use unit::{Place, Unit};

/// Rows in full chunks that make sealing due before their hour is over: what
/// a busy hour may hold in memory, some 60 MB.
const FULL_ROWS_MAX: usize = 32_768;

/// All events that are kept, findable.
pub struct EventIndex {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    rows: RwLock<Rows>,
    /// One sealing, merging or dropping at a time.
    housekeeping: Mutex<()>,
}

/// Where all rows are. Locked only for a push or to take a look at what
/// there is; scans go over shared, unchanging parts.
struct Rows {
    newest: Chunk,
    full: Vec<Arc<Chunk>>,
    segments: Arc<Vec<Arc<Segment>>>,
    damaged: Vec<DamagedSegment>,
    /// The highest journal position with a row in a segment.
    sealed_to: Option<Position>,
    /// The last events in the order in which they came.
    recent: Recent,
    /// What became of the chunks that were sealed last.
    sealings: Sealings,
}

/// What [`EventIndex::seal`] wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Rows that are now in segments and were not before.
    pub rows: u64,
    /// Segment files written.
    pub segments: u64,
}

/// Which rows [`EventIndex::seal`] is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealWhat {
    /// What is due: rows of hours that are over, and everything that is full
    /// once many rows are in memory. Cheap if nothing is.
    Due,
    /// Everything, before a clean stop, so that the next start replays nothing.
    All,
}

/// A segment that could not be read and is left out of every search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedSegment {
    /// The name of its file.
    pub file: String,
    /// The span of time its rows were in.
    pub span: Range<Timestamp>,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Debug for EventIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventIndex").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl EventIndex {
    /// Opens the segments in `folder`, which is made if it is not there.
    ///
    /// Damaged segments are left out and listed by [`EventIndex::damaged`].
    ///
    /// # Errors
    /// The folder cannot be made or listed.
    pub fn open(disk: Arc<dyn Disk>, folder: impl Into<PathBuf>) -> Result<EventIndex, StoreError> {
        let folder = folder.into();
        let rows = open::open(disk.as_ref(), &folder)
            .map_err(|error| StoreError::Io { doing: "opening the events", error: error.into() })?;
        Ok(EventIndex { disk, folder, rows: RwLock::new(rows), housekeeping: Mutex::new(()) })
    }

    /// Makes an event findable. Never waits for a whole search or for the disk.
    ///
    /// `position` is that of its journal record. After a restart the journal
    /// is replayed through this method from its oldest record on: an event
    /// that is in a segment already is recognised and left out.
    pub fn push(&self, position: Position, event: Arc<Event>) {
        let mut rows = self.write();
        if rows.sealed_to.is_some_and(|sealed| position <= sealed) && rows.has_sealed(event.id) {
            return;
        }
        // A chunk ends with its hour, so that the rows of an hour can be
        // sealed when it is over, however few they are.
        let newest = Timestamp::from_millis(rows.newest.newest().0);
        if rows.newest.rows() > 0 && event.at.hour_start() > newest.hour_start() {
            rows.turn_chunk();
        }
        rows.recent.push(Arc::clone(&event));
        rows.newest.push(position, event);
        if rows.newest.rows() >= CHUNK_ROWS {
            rows.turn_chunk();
        }
    }

    /// The lowest journal position that is still needed to rebuild what is
    /// only in memory; nothing if all is sealed. Records before it may go.
    pub fn needed_from(&self) -> Option<Position> {
        let rows = self.read();
        let full = rows.full.iter().filter_map(|chunk| chunk.positions);
        full.chain(rows.newest.positions).map(|(first, _)| first).min()
    }

    /// One event.
    pub fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let found = self.find(IndexedBy::Own, id.reference());
        let is_wanted = |(key, _): &&(RowKey, Place)| key.1 == *id.as_bytes();
        let Some((_, place)) = found.iter().find(is_wanted) else { return Ok(None) };
        readable(place, &mut RecordReader::default()).map(Some)
    }

    /// Events with this reference, of their own or of their life-line,
    /// newest first.
    pub fn by_reference(&self, reference: Reference) -> Result<Vec<Event>, StoreError> {
        let mut found = self.find(IndexedBy::Own, reference);
        found.extend(self.find(IndexedBy::LifeLine, reference));
        found.sort_unstable_by_key(|(key, _)| std::cmp::Reverse(*key));
        found.dedup_by_key(|(key, _)| *key);
        let mut reader = RecordReader::default();
        found.iter().map(|(_, place)| readable(place, &mut reader)).collect()
    }

    /// All events of a life-line, oldest first.
    pub fn life_line(&self, id: LifeLineId) -> Result<Vec<Event>, StoreError> {
        let mut found = self.find(IndexedBy::LifeLine, id.reference());
        found.sort_unstable_by_key(|(key, _)| *key);
        let mut reader = RecordReader::default();
        let events = found.iter().map(|(_, place)| readable(place, &mut reader));
        // References have 60 of an identifier's 128 bits.
        events.filter(|event| event.as_ref().map_or(true, |e| e.life_line == id)).collect()
    }

    /// Events by outcome, in memory and in all segments kept.
    pub fn totals(&self) -> Totals {
        let rows = self.read();
        let mut sum = rows.newest.totals;
        let full = rows.full.iter().map(|chunk| chunk.totals);
        for part in full.chain(rows.segments.iter().map(|segment| segment.totals)) {
            sum.follow_ups += part.follow_ups;
            sum.attempts.iter_mut().zip(part.attempts).for_each(|(sum, part)| *sum += part);
        }
        sum
    }

    /// Writes rows in memory as segments. Called every second or so by the
    /// store's housekeeping; on an error the rows stay in memory.
    ///
    /// # Errors
    /// The disk is full or fails; nothing was written then.
    pub fn seal(&self, what: SealWhat, now: Timestamp) -> Result<Sealed, StoreError> {
        let _one_at_a_time = self.housekeep();
        let due = self.write().take_due(what, now);
        if due.is_empty() {
            return Ok(Sealed::default());
        }
        let written = seal::write(self.disk.as_ref(), &self.folder, &due)?;
        let sealed = Sealed {
            rows: written.iter().map(|segment| segment.name.rows).sum(),
            segments: written.len() as u64,
        };
        let mut rows = self.write();
        rows.full.retain(|chunk| !due.iter().any(|sealed| Arc::ptr_eq(chunk, sealed)));
        rows.sealed_to = rows.sealed_to.max(written.iter().map(|s| s.name.last).max());
        rows.sealings.push(&due, &written);
        Arc::make_mut(&mut rows.segments).extend(written);
        Ok(sealed)
    }

    /// Merges small neighbouring segments of hours and days that are over.
    /// Returns the number of files that went; called every few minutes.
    ///
    /// # Errors
    /// The disk is full or fails; what was merged before stays merged.
    pub fn merge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let _one_at_a_time = self.housekeep();
        let segments = Arc::clone(&self.read().segments);
        let mut gone = 0;
        for group in seal::mergeable(&segments, now) {
            let merged = seal::merge(self.disk.as_ref(), &self.folder, &group)?;
            {
                let mut rows = self.write();
                let kept = Arc::make_mut(&mut rows.segments);
                kept.retain(|segment| !group.iter().any(|old| Arc::ptr_eq(segment, old)));
                kept.push(merged);
            }
            gone += group.len() as u64;
            seal::remove(self.disk.as_ref(), &self.folder, group.iter().map(|old| old.name));
        }
        Ok(gone)
    }

    /// Segments that could not be read.
    pub fn damaged(&self) -> Vec<DamagedSegment> {
        self.read().damaged.clone()
    }

    fn find(&self, by: IndexedBy, reference: Reference) -> Vec<(RowKey, Place)> {
        let reference = reference.as_u64();
        let (units, mut found) = {
            let rows = self.read();
            (rows.units(), unit::find_in(&rows.newest, by, reference))
        };
        found.extend(units.iter().flat_map(|unit| unit.find(by, reference)));
        found
    }

    // A thread that panics while it holds a lock leaves rows that are whole:
    // every change is one push or one exchange of a list.

    fn read(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rows> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn housekeep(&self) -> std::sync::MutexGuard<'_, ()> {
        self.housekeeping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// Everything but the newest chunk.
    fn units(&self) -> Vec<Unit> {
        let full = self.full.iter().map(|chunk| Unit::Memory(Arc::clone(chunk)));
        full.chain(self.segments.iter().map(|segment| Unit::Sealed(Arc::clone(segment)))).collect()
    }

    fn has_sealed(&self, id: EventId) -> bool {
        let reference = id.reference().as_u64();
        self.segments.iter().any(|segment| {
            let view = segment.view();
            segment.rows_of(IndexedBy::Own, reference).any(|row| view.key(row).1 == *id.as_bytes())
        })
    }

    fn turn_chunk(&mut self) {
        let next = Chunk::starting_at(self.arrived());
        self.full.push(Arc::new(std::mem::replace(&mut self.newest, next)));
    }

    /// How many events have come since the start.
    fn arrived(&self) -> u64 {
        self.newest.arrived().end
    }

    /// The chunks to seal now. They stay where they are until they are sealed.
    fn take_due(&mut self, what: SealWhat, now: Timestamp) -> Vec<Arc<Chunk>> {
        let is_over = |chunk: &Chunk| chunk.newest().0 < now.hour_start().as_millis();
        let all = what == SealWhat::All;
        if self.newest.rows() > 0 && (all || is_over(&self.newest)) {
            self.turn_chunk();
        }
        let full_rows: usize = self.full.iter().map(|chunk| chunk.rows()).sum();
        let all = all || full_rows >= FULL_ROWS_MAX;
        self.full.iter().filter(|chunk| all || is_over(chunk)).cloned().collect()
    }

    /// The damaged spans that a search over `times` should mention.
    fn missing(&self, times: &Range<Timestamp>) -> Vec<Range<Timestamp>> {
        let spans = self.damaged.iter().map(|damaged| damaged.span.clone());
        spans.filter(|span| span.start < times.end && times.start < span.end).collect()
    }
}

fn readable(place: &Place, reader: &mut RecordReader) -> Result<Event, StoreError> {
    place.event(reader).ok_or_else(|| StoreError::Damaged("an event segment".to_owned()))
}
