//! The one file sequence that everything is written to first.
//!
//! The journal is a row of segment files of fixed size, filled with zeros
//! before they are used, because overwriting inside a file flushes many
//! times faster than growing one. An append is one positioned write in the
//! caller, so it survives the death of the process at once; a flush is
//! shared by all who wait and makes it survive a power cut. Segments that a
//! checkpoint has made needless are used again.
//!
//! The journal knows positions and octets; what a [`Batch`] means is known
//! by those who apply it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

use crate::contract::{Position, StoreError};
use crate::disk::Disk;

pub mod batch;
mod flush;
mod opening;
mod preparing;
pub mod record;
mod scan;
mod segment;
mod writing;

pub use batch::{Accept, AcceptRef, Batch, BatchRef, Settle, SettleRef};
use segment::Segment;
use writing::When;

/// What is told of each flush.
pub(crate) type AfterFlush = Box<dyn Fn(Position) + Send + Sync>;

/// How the journal is laid out and when it flushes.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Where the segments are.
    pub folder: PathBuf,
    /// Octets of a new segment; at least [`SEGMENT_OCTETS_MIN`].
    pub segment_octets: u64,
    /// Longest time until something written is flushed although nobody waits.
    pub flush_interval: Duration,
    /// Whether threads flush and prepare segments. Without them both happen
    /// in the caller, which a repeatable simulation needs.
    pub threads: bool,
}

/// The smallest segment: a commit record with a hundred events must fit.
pub const SEGMENT_OCTETS_MIN: u64 = 1 << 20;

/// Largest encoding buffer that a thread keeps.
const BUFFER_OCTETS_MAX: usize = 256 * 1024;

/// The journal of one data folder.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    appender: Mutex<Appender>,
    /// Held during a flush: a second one must not call durable what the
    /// first has taken over and not yet synced.
    flushing: Mutex<()>,
    /// Everything before this survives a power cut.
    flushed: AtomicU64,
    /// Set while something is written that no flush has been asked for.
    unflushed: AtomicBool,
    /// All segments that hold records, by the position of their first octet.
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    waiting: flush::Waiting,
    preparing: preparing::Preparing,
    /// Called after each flush with what is durable now, before anybody else
    /// learns of it.
    after_flush: AfterFlush,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("options", &self.options).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Appender {
    active: Arc<Segment>,
    /// Where the next record goes.
    position: u64,
    /// Records before `position` that are still to be written, see
    /// [`Journal::append_along`].
    along: Vec<u8>,
    /// Segments that were left since the last flush.
    left: Vec<Arc<Segment>>,
    /// Why nothing can be written any more.
    failed: Option<StoreError>,
}

/// Where a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its first octet.
    pub start: u64,
    /// The position to wait for.
    pub end: Position,
}

/// A record in the journal that stays readable while this is held, even if
/// its segment is dropped meanwhile.
#[derive(Clone, Debug)]
pub struct Pinned {
    segment: Arc<Segment>,
    position: u64,
    payload_octets: u32,
}

impl Journal {
    /// Appends the records in `buffer`, which are complete but for their
    /// position, with one write. On return they survive `kill -9`.
    ///
    /// # Errors
    /// [`StoreError::Full`] if no segment could be made: the next call tries
    /// again. Any other error ends all writing until the next start, because
    /// nobody knows what is on the disk.
    pub fn append(&self, buffer: &mut [u8]) -> Result<Written, StoreError> {
        self.shared.append(buffer, When::Now)
    }

    /// Appends the records in `buffer` as soon as others are written: with
    /// the next [append](Self::append), or with the next flush at the latest.
    /// For what is of no use without a record that follows at once, such as
    /// the triplet of an attempt whose event follows. The order of records is
    /// that of the calls, and a write leaves none before it out; but which
    /// write it is nobody promises: with many callers it can be another's.
    ///
    /// # Errors
    /// As [`Journal::append`]; nothing is appended then.
    pub fn append_along(&self, buffer: &mut [u8]) -> Result<Written, StoreError> {
        self.shared.append(buffer, When::Along)
    }

    /// Appends one batch. The buffer is the thread's own and used again:
    /// this is what every refusal pays for.
    pub fn append_batch(&self, batch: &BatchRef<'_>) -> Result<Written, StoreError> {
        self.append_encoded(batch, When::Now)
    }

    /// Appends one batch as [`Journal::append_along`] does.
    pub fn append_batch_along(&self, batch: &BatchRef<'_>) -> Result<Written, StoreError> {
        self.append_encoded(batch, When::Along)
    }

    fn append_encoded(&self, batch: &BatchRef<'_>, when: When) -> Result<Written, StoreError> {
        thread_local! {
            static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            batch.encode(buffer)?;
            let written = self.shared.append(buffer, when);
            if buffer.capacity() > BUFFER_OCTETS_MAX {
                *buffer = Vec::new();
            }
            written
        })
    }

    /// Waits until everything up to `position` survives a power cut.
    pub async fn flushed(&self, position: Position) -> Result<(), StoreError> {
        if self.flushed_to() >= position {
            return Ok(());
        }
        if !self.shared.options.threads {
            return self.shared.flush_now();
        }
        let asked = self.shared.waiting.ask();
        asked.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Flushes in the caller.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.shared.flush_now()
    }

    /// Everything before this survives a power cut.
    pub fn flushed_to(&self) -> Position {
        Position(self.shared.flushed.load(Ordering::Acquire))
    }

    /// Where the next record will be written, at the earliest.
    pub fn end(&self) -> Position {
        Position(self.shared.appender().position)
    }

    /// Why nothing can be written any more, if that is so.
    pub fn failed(&self) -> Option<StoreError> {
        self.shared.appender().failed.clone()
    }

    /// The start of the segment that `position` lies in.
    pub fn segment_start(&self, position: Position) -> Position {
        let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        let start = segments.range(..=position.0).next_back().map_or(0, |(base, _)| *base);
        Position(start)
    }

    /// Segments in use.
    pub fn segments(&self) -> usize {
        self.shared.segments.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Holds on to a record of `payload_octets` at `position`.
    pub fn pin(&self, position: u64, payload_octets: u32) -> Option<Pinned> {
        let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        let (_, segment) = segments.range(..=position).next_back()?;
        let segment = Arc::clone(segment);
        (position < segment.end()).then_some(Pinned { segment, position, payload_octets })
    }

    /// Lets go of segments that end at or before `before`. One is kept to be
    /// used again, unless somebody still reads it.
    pub fn recycle(&self, before: Position) -> Result<(), StoreError> {
        let active = Arc::clone(&self.shared.appender().active);
        let mut gone = Vec::new();
        {
            let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
            let old = |s: &Arc<Segment>| s.end() <= before.0 && s.base < active.base;
            segments.retain(|_, segment| {
                let old = old(segment);
                if old {
                    gone.push(Arc::clone(segment));
                }
                !old
            });
        }
        for segment in gone {
            self.shared
                .let_go(segment)
                .map_err(|error| io_error("recycling the journal", error))?;
        }
        Ok(())
    }

    /// Tells the preparing thread that space may be back.
    pub fn retry_preparing(&self) {
        self.shared.ask_to_prepare();
    }

    /// Flushes and ends the threads; everything after this is refused.
    pub fn close(&self) -> Result<(), StoreError> {
        let flushed = self.shared.flush_now();
        self.shared.appender().failed.get_or_insert(StoreError::Closed);
        self.shared.waiting.stop();
        self.shared.preparing.stop();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has nothing left to do.
            drop(thread.join());
        }
        flushed
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // What was written survives without this, and nobody waits.
        drop(self.close());
    }
}

impl Pinned {
    /// The payload of the record.
    pub fn read(&self) -> Result<Bytes, StoreError> {
        let mut octets = vec![0; record::octets_of(self.payload_octets as usize)];
        let read = self.segment.file.read_at(self.position - self.segment.base, &mut octets);
        let read = read.map_err(|error| io_error("reading the journal", error))?;
        let start = record::HEADER_OCTETS;
        match octets.get(..read).and_then(|octets| record::decode(octets, self.position)) {
            Some(record) if record.payload.len() == self.payload_octets as usize => {
                let end = start + record.payload.len();
                Ok(Bytes::from(octets).slice(start..end))
            }
            _ => Err(StoreError::Damaged(format!("journal at position {}", self.position))),
        }
    }
}

/// Reads `octets` in every way in which stored octets are read, whether they
/// make sense or not, and says how many records they were: a plain function
/// for fuzzing.
pub fn read_any(octets: &[u8]) -> usize {
    let mut records = 0;
    let mut rest = octets;
    while let Some(record) = record::decode(rest, (octets.len() - rest.len()) as u64) {
        records += usize::from(Batch::decode(record.payload).is_some());
        rest = rest.get(record.octets..).unwrap_or(&[]);
    }
    // Past the checks, as if somebody had made them fit.
    records += usize::from(Batch::decode(octets).is_some());
    records + crate::checkpoint::read_any(octets)
}

/// Sorts an error of the operating system.
pub(crate) fn io_error(doing: &'static str, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Io { doing, error: Arc::new(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn anything_can_be_read(octets: Vec<u8>) {
            read_any(&octets);
        }

        #[test]
        fn a_damaged_batch_is_read_or_refused(
            at: proptest::sample::Index,
            octet: u8,
            cut: proptest::sample::Index,
        ) {
            let key = crate::triplets::Key::new(
                types::policy::ClientIdentity::Network,
                "192.0.2.0/24",
                "ann@sender.example",
                &types::ForwardPath::Postmaster,
            );
            let change = crate::triplets::TripletChange::Steered { key };
            let expired = [(key, types::EventId::from_bytes([7; 16]))];
            let batch =
                BatchRef { triplet: Some(&change), expired: &expired, ..BatchRef::default() };
            let mut buffer = Vec::new();
            batch.encode(&mut buffer).unwrap();
            let mut payload = buffer.split_off(record::HEADER_OCTETS);
            assert_eq!(Batch::decode(&payload).unwrap().expired, expired);
            let at = at.index(payload.len());
            payload[at] = octet;
            payload.truncate(cut.index(payload.len()) + 1);
            read_any(&payload);
        }
    }
}
