//! Writing records, going on in the next segment, and making durable what is
//! written.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Appender, Shared, Written, io_error, record, segment};
use crate::contract::{Position, StoreError};

/// When a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Before the call returns.
    Now,
    /// With others.
    Along,
}

/// Octets that may wait to be written along, and up to which a record is
/// copied to be written with them.
const ALONG_OCTETS_MAX: usize = 16 * 1024;

impl Shared {
    pub(super) fn appender(&self) -> MutexGuard<'_, Appender> {
        self.appender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the records in `buffer`, which lack their position.
    pub(super) fn append(
        self: &Arc<Self>,
        buffer: &mut [u8],
        when: When,
    ) -> Result<Written, StoreError> {
        let mut appender = self.appender();
        if let Some(error) = &appender.failed {
            return Err(error.clone());
        }
        let octets = buffer.len() as u64;
        if appender.position + octets > appender.active.end() {
            self.turn_over(&mut appender, octets)?;
        }
        let start = appender.position;
        record::place(buffer, start);
        let fits = appender.along.len() + buffer.len() <= ALONG_OCTETS_MAX;
        match when {
            When::Along if fits => appender.along.extend_from_slice(buffer),
            When::Now if fits && !appender.along.is_empty() => appender.write_with_along(buffer)?,
            When::Now | When::Along => {
                appender.write_along()?;
                appender.write(start, buffer)?;
            }
        }
        appender.position = start + octets;
        let end = Position(appender.position);
        drop(appender);
        if self.options.threads && !self.unflushed.swap(true, Ordering::SeqCst) {
            self.waiting.written();
        }
        Ok(Written { start, end })
    }

    /// Makes the next segment the active one.
    pub(super) fn turn_over(
        self: &Arc<Self>,
        appender: &mut Appender,
        octets: u64,
    ) -> Result<(), StoreError> {
        if octets + segment::HEADER_OCTETS > self.options.segment_octets {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "larger than a segment");
            return Err(io_error("writing a journal record", error));
        }
        appender.write_along()?;
        let next = self.take_next(appender.active.number + 1, appender.active.end())?;
        self.mark_end(appender);
        self.segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(next.base, Arc::clone(&next));
        appender.position = next.first();
        let left = std::mem::replace(&mut appender.active, next);
        appender.left.push(left);
        self.ask_to_prepare_after(&appender.active);
        Ok(())
    }

    /// Writes an end record if there is room for one, so that a reader knows
    /// the rest from a damaged tail. Its loss only makes that reader wary.
    fn mark_end(&self, appender: &Appender) {
        let mut end = Vec::new();
        let start = record::begin(&mut end);
        record::finish(&mut end, start, record::Kind::End);
        if appender.position + end.len() as u64 <= appender.active.end() {
            record::place(&mut end, appender.position);
            let offset = appender.position - appender.active.base;
            drop(appender.active.file.write_at(offset, &end));
        }
    }

    /// Flushes what is written now.
    pub(super) fn flush_now(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let (active, left, position) = {
            let mut appender = self.appender();
            match &appender.failed {
                Some(StoreError::Closed) | None => {}
                Some(error) => return Err(error.clone()),
            }
            let position = match appender.write_along() {
                Ok(()) => appender.position,
                // Nobody waits for what goes along; who waits wrote before it.
                Err(StoreError::Full) => appender.position - appender.along.len() as u64,
                Err(error) => return Err(error),
            };
            (Arc::clone(&appender.active), std::mem::take(&mut appender.left), position)
        };
        if self.flushed.load(Ordering::Acquire) < position {
            let mut synced = left.iter().chain([&active]).map(|s| s.file.sync_data());
            if let Some(error) = synced.find_map(Result::err) {
                // What a failed sync has written is unknown, and asking
                // again would be answered with a lie: stop here. Even a full
                // disk cannot be waited for at this point.
                let error = match io_error("flushing the journal", error) {
                    StoreError::Full => StoreError::Closed,
                    error => error,
                };
                self.appender().failed = Some(error.clone());
                return Err(error);
            }
            (self.after_flush)(Position(position));
            self.flushed.fetch_max(position, Ordering::AcqRel);
        }
        Ok(())
    }
}

impl Appender {
    /// Writes what was to be written along with other records.
    fn write_along(&mut self) -> Result<(), StoreError> {
        if self.along.is_empty() {
            return Ok(());
        }
        let along = std::mem::take(&mut self.along);
        let written = self.write(self.position - along.len() as u64, &along);
        self.along = along;
        written?;
        self.along.clear();
        Ok(())
    }

    /// Writes that and `records`, which follow it, at once.
    fn write_with_along(&mut self, records: &[u8]) -> Result<(), StoreError> {
        let waiting = self.along.len();
        self.along.extend_from_slice(records);
        let mut along = std::mem::take(&mut self.along);
        let written = self.write(self.position - waiting as u64, &along);
        // What failed is not lost: it goes with the next that succeeds.
        along.truncate(if written.is_ok() { 0 } else { waiting });
        self.along = along;
        written
    }

    /// Writes `octets` at `position` of the active segment.
    fn write(&mut self, position: u64, octets: &[u8]) -> Result<(), StoreError> {
        let written = self.active.file.write_at(position - self.active.base, octets);
        let error = match written {
            Ok(()) => return Ok(()),
            Err(error) => io_error("writing the journal", error),
        };
        if !matches!(error, StoreError::Full) {
            self.failed = Some(error.clone());
        }
        Err(error)
    }
}
