//! Going on in the next segment, and making durable what is written.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Appender, Shared, io_error, record, segment};
use crate::contract::StoreError;

impl Shared {
    pub(super) fn appender(&self) -> MutexGuard<'_, Appender> {
        self.appender.lock().unwrap_or_else(PoisonError::into_inner)
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
            (Arc::clone(&appender.active), std::mem::take(&mut appender.left), appender.position)
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
            self.flushed.fetch_max(position, Ordering::AcqRel);
            (self.after_flush)();
        }
        Ok(())
    }
}
