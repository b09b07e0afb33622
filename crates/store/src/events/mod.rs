//! The memory of events: the newest in memory, older ones in sealed,
//! immutable columnar segments.
//!
//! An event is pushed once its journal record is written and can be found at
//! once. Rows stay in memory until their hour is over or many have gathered;
//! then they become a segment file that is never changed, only merged with
//! its neighbours and dropped as a whole. A search scans columns, newest
//! first, and stops at its page: no index per row is kept, because one would
//! cost more than the SMTP session that made the event (see
//! docs/decisions). This module knows neither journal nor query language.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

use types::{Event, EventId, LifeLineId, Reference, Timestamp};

use crate::contract::{Filter, Found, Page, Position, StoreError, Totals};

/// All events that are kept, findable.
#[derive(Debug)]
pub struct EventIndex {}

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

impl EventIndex {
    /// Opens the segments in `folder`, which is made if it is not there.
    ///
    /// Damaged segments are left out and listed by [`EventIndex::damaged`].
    ///
    /// # Errors
    /// The folder cannot be made or listed.
    pub fn open(folder: &Path) -> Result<EventIndex, StoreError> {
        let _ = folder;
        Err(StoreError::Closed)
    }

    /// Makes an event findable. Never waits for a search or for the disk.
    ///
    /// `position` is that of its journal record. After a restart the journal
    /// is replayed through this method from its oldest record on: an event
    /// that is in a segment already is recognised and left out.
    pub fn push(&self, position: Position, event: Arc<Event>) {
        let _ = (position, event);
    }

    /// The lowest journal position that is still needed to rebuild what is
    /// only in memory; nothing if all is sealed. Records before it may go.
    pub fn needed_from(&self) -> Option<Position> {
        None
    }

    /// One event.
    pub fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let _ = id;
        Ok(None)
    }

    /// Events with this reference, of their own or of their life-line,
    /// newest first.
    pub fn by_reference(&self, reference: Reference) -> Result<Vec<Event>, StoreError> {
        let _ = reference;
        Ok(Vec::new())
    }

    /// All events of a life-line, oldest first.
    pub fn life_line(&self, id: LifeLineId) -> Result<Vec<Event>, StoreError> {
        let _ = id;
        Ok(Vec::new())
    }

    /// Events that match, newest first, within `times`.
    pub fn search(
        &self,
        filter: &Filter,
        times: Range<Timestamp>,
        page: Page,
    ) -> Result<Found, StoreError> {
        let _ = (filter, times, page);
        Ok(Found::default())
    }

    /// Hands every event of `times` to `visit`, oldest first, until it says
    /// stop.
    pub fn visit(
        &self,
        times: Range<Timestamp>,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let _ = (times, visit);
        Ok(())
    }

    /// Events by outcome, in memory and in all segments kept.
    pub fn totals(&self) -> Totals {
        Totals::default()
    }

    /// Writes rows in memory as segments. Called every second or so by the
    /// store's housekeeping; on an error the rows stay in memory.
    pub fn seal(&self, what: SealWhat, now: Timestamp) -> Result<Sealed, StoreError> {
        let _ = (what, now);
        Ok(Sealed::default())
    }

    /// Merges small neighbouring segments of hours and days that are over.
    /// Returns the number of files that went; called every few minutes.
    pub fn merge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let _ = now;
        Ok(0)
    }

    /// Drops segments whose newest row is older than `before`, damaged ones
    /// included. Returns the rows dropped.
    pub fn drop_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        let _ = before;
        Ok(0)
    }

    /// Segments that could not be read.
    pub fn damaged(&self) -> Vec<DamagedSegment> {
        Vec::new()
    }
}
