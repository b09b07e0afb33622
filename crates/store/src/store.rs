//! The embedded store: one process, one data folder.
//!
//! It ties journal, spool, queue, triplets and events together and keeps the
//! order that nothing may change: content as it arrives, one commit record,
//! one flush, and only then 250. Time is always an argument.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use types::Timestamp;

use crate::checkpoint;
use crate::contract::{ContentReader, EventWatcher, Position, StoreError};
use crate::correspondence::Correspondences;
use crate::disk::Disk;
use crate::events::{EventIndex, SealWhat};
use crate::journal::{Journal, io_error};
use crate::options::StoreOptions;
use crate::queue::Queue;
use crate::spool::pack::{self, PackWriter};
use crate::spool::{Content, Drafts, PIECE_HEADER_OCTETS, Place, Reader, Source, own_file_path};
use crate::triplets::Triplets;

mod opening;
mod publishing;
mod searching;
mod traits;

use publishing::Publisher;

/// The embedded store. Its traits are [`crate::EventLog`],
/// [`crate::EventSearch`], [`crate::MessageQueue`] and [`crate::TripletTable`].
///
/// Whoever drops it without [`Store::close`] loses nothing: the next start
/// reads a little more of the journal.
#[derive(Debug)]
pub struct Store {
    disk: Arc<dyn Disk>,
    options: StoreOptions,
    journal: Arc<Journal>,
    events: Arc<EventIndex>,
    publisher: Arc<Publisher>,
    queue: Arc<Queue>,
    triplets: Triplets,
    correspondences: Correspondences,
    drafts: Arc<Drafts>,
    /// Held for reading from before an event is written until it can be
    /// found or waits to be published. Whoever has it for writing knows that
    /// all written events are in the index or with the publisher.
    gate: RwLock<()>,
    /// The disk has less free space than the reserve.
    low: AtomicBool,
    /// The data folder was removed or moved: what is still written into its
    /// open files would be found by no later start.
    gone: AtomicBool,
    housekeeping: Mutex<Housekeeping>,
}

/// What [`Store::maintain`] remembers from one call to the next.
#[derive(Debug)]
struct Housekeeping {
    checkpoint_number: u64,
    checkpoint_at: Timestamp,
    /// End of the journal at the last checkpoint.
    checkpoint_end: Position,
    /// Messages that are still in each pack.
    packs: HashMap<u64, usize>,
}

/// What opening found, in words for an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Journal records that were read again.
    pub records: u64,
    /// Messages in the queue.
    pub messages: usize,
    /// Triplets waiting for a retry, and triplets remembered.
    pub triplets: (usize, usize),
    /// What could not be read and what that means, one sentence each.
    pub damage: Vec<String>,
}

impl Store {
    /// Whether messages can be taken now: what `/readyz` asks.
    ///
    /// # Errors
    /// [`StoreError::Full`] below the reserve of free space,
    /// [`StoreError::Gone`] without the data folder, or why nothing can be
    /// written any more.
    pub fn ready(&self) -> Result<(), StoreError> {
        if let Some(error) = self.journal.failed() {
            return Err(error);
        }
        self.unavailable().map_or(Ok(()), Err)
    }

    /// Why no message may be taken, though it could perhaps be written.
    fn unavailable(&self) -> Option<StoreError> {
        if self.gone.load(Ordering::Relaxed) {
            return Some(StoreError::Gone);
        }
        self.low.load(Ordering::Relaxed).then_some(StoreError::Full)
    }

    /// Does what is due: looks at the free space, lets go of what is done,
    /// seals events, makes checkpoints and ends retention. Blocks for disk
    /// operations; to be called about once a second, from one thread.
    ///
    /// # Errors
    /// What could not be done; it is tried again at the next call, and
    /// nothing is lost by it.
    pub fn maintain(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut housekeeping = self.housekeeping();
        self.look_at_disk();
        if self.gone.load(Ordering::Relaxed) {
            // Whatever is there now is not ours to write to.
            return Err(StoreError::Gone);
        }
        self.journal.retry_preparing();
        self.let_go_of_done(&mut housekeeping)?;
        self.events.seal(SealWhat::Due, now)?;
        let interval_over =
            now.since(housekeeping.checkpoint_at) >= self.options.checkpoint_interval;
        let grown = self.journal.end().0 - housekeeping.checkpoint_end.0;
        let too_long = self.journal.segments() > self.options.segments_max
            && grown > self.options.segment_octets;
        if too_long {
            self.events.seal(SealWhat::All, now)?;
        }
        if interval_over {
            self.triplets.forget(now);
            self.correspondences.drop_old(now);
            self.events.merge(now)?;
            if let Some(retention) = self.options.retention {
                self.events.drop_before(now - retention, &self.queue.life_lines())?;
            }
        }
        if interval_over || too_long {
            self.checkpoint(&mut housekeeping, now)?;
        }
        Ok(())
    }

    /// Seals all events and makes a checkpoint now, whatever is due.
    pub fn checkpoint_now(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut housekeeping = self.housekeeping();
        self.let_go_of_done(&mut housekeeping)?;
        self.events.seal(SealWhat::All, now)?;
        self.checkpoint(&mut housekeeping, now)
    }

    /// Makes everything durable and quick to open, ends the threads and gives
    /// the data folder up. Whatever is asked of the store after that is
    /// answered with [`StoreError::Closed`].
    pub fn close(&self, now: Timestamp) -> Result<(), StoreError> {
        let checkpoint = self.checkpoint_now(now);
        let closed = self.journal.close();
        self.drafts.give_up_folder();
        closed.and(checkpoint)
    }

    /// Tells `watcher` of every event that becomes known from now on; to be
    /// called once, before anything is written.
    pub fn watch(&self, watcher: Arc<dyn EventWatcher>) {
        self.publisher.watch(watcher);
    }

    /// The data folder.
    pub fn folder(&self) -> &std::path::Path {
        &self.options.folder
    }

    fn housekeeping(&self) -> MutexGuard<'_, Housekeeping> {
        self.housekeeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at_disk(&self) {
        self.gone.store(!self.drafts.has_folder(), Ordering::Relaxed);
        // A disk that cannot even say how full it is shows that soon enough.
        if let Ok(free) = self.disk.free_octets(&self.options.folder) {
            self.low.store(free < self.options.reserve_octets, Ordering::Relaxed);
        }
    }

    /// Removes content whose last recipient is durably done.
    fn let_go_of_done(&self, housekeeping: &mut Housekeeping) -> Result<(), StoreError> {
        let folder = self.options.spool_folder();
        for (id, place) in self.queue.take_done(self.journal.flushed_to()) {
            let gone = match place {
                Place::Journal(_) => None,
                Place::OwnFile => Some(own_file_path(&folder, id)),
                Place::Pack { number, .. } => {
                    let live = housekeeping.packs.entry(number).or_default();
                    *live = live.saturating_sub(1);
                    (*live == 0).then(|| {
                        housekeeping.packs.remove(&number);
                        pack::path(&folder, number)
                    })
                }
            };
            if let Some(path) = gone {
                self.disk.remove(&path).map_err(|e| io_error("removing a spool file", e))?;
            }
        }
        Ok(())
    }

    fn checkpoint(
        &self,
        housekeeping: &mut Housekeeping,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let number = housekeeping.checkpoint_number + 1;
        // With the gate closed for a moment, all events before this are with
        // the publisher or in the index, which know what is only in memory.
        let end = {
            let _all_findable = self.gate.write().unwrap_or_else(PoisonError::into_inner);
            self.journal.end()
        };
        let unpublished = self.publisher.waits_from();
        let needed = [unpublished, self.events.needed_from()];
        let events_from = needed.into_iter().flatten().fold(end, Position::min);
        // Taken even if what follows fails: the number of a pack or of a
        // checkpoint that was begun is not used again.
        housekeeping.checkpoint_number = number;
        self.repack(housekeeping, number, self.journal.segment_start(events_from))?;
        let folder = self.options.checkpoint_folder();
        let tables = checkpoint::Tables::new(&self.queue, &self.triplets, &self.correspondences);
        let needed =
            checkpoint::write(&*self.disk, &folder, number, events_from, (&self.journal, tables))?;
        housekeeping.checkpoint_at = now;
        housekeeping.checkpoint_end = end;
        // Drafts first: a commit enters its message before it forgets the
        // draft, so one of the two has the pieces.
        let contents = [self.drafts.needs_journal_from(), self.queue.needs_journal_from()];
        let needed = contents.into_iter().flatten().fold(needed.0, u64::min);
        self.journal.recycle(Position(needed))?;
        checkpoint::remove_others(&*self.disk, &folder, number)
            .map_err(|error| io_error("removing an old checkpoint", error))
    }

    /// Moves content that lies in the journal before `before` into a pack.
    fn repack(
        &self,
        housekeeping: &mut Housekeeping,
        number: u64,
        before: Position,
    ) -> Result<(), StoreError> {
        let waiting = self.queue.in_journal_before(before);
        if waiting.is_empty() {
            return Ok(());
        }
        let folder = self.options.spool_folder();
        let mut pack = PackWriter::create(&*self.disk, &folder, number)?;
        let mut moved = Vec::new();
        for id in waiting {
            // It may be done meanwhile; a damaged one stays where it is, to
            // be told when it is read.
            let Some(content) = self.queue.content(id) else { continue };
            let Ok(mut reader) = self.reader(id, content) else { continue };
            if copy(&mut reader, &mut pack)? {
                moved.push((id, pack.end_message()?));
            } else {
                pack.end_message()?;
            }
        }
        pack.finish(&*self.disk, &folder)?;
        housekeeping.packs.insert(number, 0);
        for (id, frames) in moved {
            if self.queue.moved(id, Place::Pack { number, frames }) {
                *housekeeping.packs.entry(number).or_default() += 1;
            }
        }
        if housekeeping.packs.get(&number) == Some(&0) {
            housekeeping.packs.remove(&number);
            let removed = self.disk.remove(&pack::path(&folder, number));
            removed.map_err(|error| io_error("removing an empty pack", error))?;
        }
        Ok(())
    }

    fn reader(&self, id: types::QueueId, content: Content) -> Result<Reader, StoreError> {
        if let Some(kept) = content.kept {
            return Ok(Reader::new(Source::Memory(kept)));
        }
        let folder = self.options.spool_folder();
        let open =
            |path| self.disk.open(path).map_err(|error| io_error("opening a spool file", error));
        let source = match content.place {
            Place::Journal(pieces) => {
                let pins = pieces.iter().map(|piece| {
                    let payload = piece.octets.saturating_add(PIECE_HEADER_OCTETS);
                    self.journal.pin(piece.at, payload).ok_or_else(|| {
                        StoreError::Damaged(format!("journal at position {}", piece.at))
                    })
                });
                Source::Journal(pins.collect::<Result<_, _>>()?)
            }
            Place::OwnFile => Source::OwnFile(open(&own_file_path(&folder, id))?),
            Place::Pack { number, frames } => {
                Source::Pack { file: open(&pack::path(&folder, number))?, number, frames }
            }
        };
        Ok(Reader::new(source))
    }
}

/// Copies a message; false if it cannot be read.
fn copy(reader: &mut Reader, pack: &mut PackWriter) -> Result<bool, StoreError> {
    loop {
        match reader.next_piece() {
            Ok(piece) if piece.is_empty() => return Ok(true),
            Ok(piece) => pack.write(&piece)?,
            Err(_) => return Ok(false),
        }
    }
}
