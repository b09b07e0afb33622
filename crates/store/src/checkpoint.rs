//! Queue, triplets and who wrote to whom in one file, so that the journal
//! before it can go.
//!
//! A checkpoint is written beside the old one, flushed, and becomes the
//! checkpoint by its name; only then is anything let go that only the old
//! one needed. A crash at any point finds one or the other, and the journal
//! that belongs to it. Its parts are cut at positions of their own, so
//! nobody waits for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::{Position, StoreError};
use crate::correspondence::{Correspondences, PairCuts, StoredPairs};
use crate::disk::{Disk, DiskFile};
use crate::journal::batch::to_message_pack;
use crate::journal::record::{self, Kind};
use crate::journal::{Journal, io_error};
use crate::queue::{Queue, StoredMessage, StoredQueue};
use crate::triplets::{Cuts, StoredClosed, StoredShard, Triplets};

/// Raised when the parts, or the division of the tables, change. What is older
/// and can still be read begins with [`OLDEST_FORMAT`]: 1 had not yet who
/// wrote to whom.
const FORMAT: u32 = 2;
const OLDEST_FORMAT: u32 = 1;
/// The first format with who wrote to whom.
const CORRESPONDENCES_FROM: u32 = 2;
/// Messages in one part.
const MESSAGES_PER_PART: usize = 1_000;
/// Checkpoints are smaller than 2 to the power of this.
const POSITION_BITS: u32 = 40;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// The first part.
    Head {
        format: u32,
        /// Events before this are in sealed segments.
        events_from: u64,
    },
    Queue(StoredQueue),
    Triplets(StoredShard),
    ClosedWindows(StoredClosed),
    Correspondences(StoredPairs),
    /// The last part.
    End,
}

/// What a checkpoint says about the journal.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Its number; 0 if there is none.
    pub(crate) number: u64,
    pub(crate) events_from: u64,
    pub(crate) queue_cut: u64,
    pub(crate) cuts: Cuts,
    pub(crate) pair_cuts: PairCuts,
    /// What could not be read, in words for an operator.
    pub(crate) damage: Vec<String>,
}

impl Loaded {
    /// The first record that has to be read again.
    pub(crate) fn journal_from(&self) -> Position {
        self.without_pairs_from().min(self.pair_cuts.first())
    }

    fn without_pairs_from(&self) -> Position {
        self.cuts.first().min(Position(self.queue_cut)).min(Position(self.events_from))
    }
}

/// The tables in memory that the journal makes.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'a> {
    pub(crate) queue: &'a Queue,
    pub(crate) triplets: &'a Triplets,
    pub(crate) correspondences: &'a Correspondences,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(
        queue: &'a Queue,
        triplets: &'a Triplets,
        correspondences: &'a Correspondences,
    ) -> Self {
        Tables { queue, triplets, correspondences }
    }
}

/// Writes checkpoint `number` and returns the first position of the journal
/// that is still needed with it.
pub(crate) fn write(
    disk: &dyn Disk,
    folder: &Path,
    number: u64,
    events_from: Position,
    (journal, tables): (&Journal, Tables<'_>),
) -> Result<Position, StoreError> {
    let path = path(folder, number);
    let being_made = path.with_extension("new");
    let file = disk.create(&being_made, 0).map_err(writing)?;
    let mut parts = Writer { file, number, offset: 0 };
    parts.write(&Part::Head { format: FORMAT, events_from: events_from.0 })?;
    let (queue_cut, messages) = tables.queue.store(journal);
    for messages in messages.chunks(MESSAGES_PER_PART) {
        let stored = |(message, place): &(Arc<_>, _)| StoredMessage {
            message: crate::QueuedMessage::clone(message),
            place: Clone::clone(place),
        };
        let messages = messages.iter().map(stored).collect();
        parts.write(&Part::Queue(StoredQueue { cut: queue_cut, messages }))?;
    }
    if messages.is_empty() {
        parts.write(&Part::Queue(StoredQueue { cut: queue_cut, messages: Vec::new() }))?;
    }
    let mut needed = events_from.0.min(queue_cut);
    for shard in (0..).map_while(|shard| tables.triplets.store_shard(journal, shard)) {
        needed = needed.min(shard.cut);
        parts.write(&Part::Triplets(shard))?;
    }
    let closed = tables.triplets.store_closed(journal);
    needed = needed.min(closed.cut);
    parts.write(&Part::ClosedWindows(closed))?;
    let stored = |shard| tables.correspondences.store_shard(journal, shard);
    for pairs in (0..).map_while(stored) {
        needed = needed.min(pairs.cut);
        parts.write(&Part::Correspondences(pairs))?;
    }
    parts.write(&Part::End)?;
    parts.file.sync_data().map_err(writing)?;
    // What the parts contain may be written and not flushed; once the journal
    // before them is not read any more, it must not be newer than the journal.
    journal.flush()?;
    disk.rename(&being_made, &path).map_err(writing)?;
    disk.sync_folder(folder).map_err(writing)?;
    Ok(Position(needed))
}

/// Removes what is older than checkpoint `number`, and what is half made.
pub(crate) fn remove_others(disk: &dyn Disk, folder: &Path, number: u64) -> std::io::Result<()> {
    for name in disk.list(folder)? {
        if number_of(&name) != Some(number) {
            disk.remove(&folder.join(name))?;
        }
    }
    Ok(())
}

/// Fills the tables from the newest checkpoint, if there is one.
pub(crate) fn load(
    disk: &dyn Disk,
    folder: &Path,
    tables: Tables<'_>,
) -> Result<Loaded, StoreError> {
    let reading = |error| io_error("reading the checkpoint", error);
    let names = disk.list(folder).map_err(reading)?;
    let mut loaded = Loaded::default();
    let Some(number) = names.iter().filter_map(|name| number_of(name)).max() else {
        return Ok(loaded);
    };
    loaded.number = number;
    let octets = disk.read(&path(folder, number)).map_err(reading)?;
    let mut ended = false;
    let mut found_format = FORMAT;
    let mut damage = Vec::new();
    read_parts(&octets, number, &mut damage, &mut |part| match part {
        Part::Head { format, events_from } => {
            loaded.events_from = events_from;
            found_format = format;
        }
        Part::Queue(stored) => {
            loaded.queue_cut = stored.cut;
            for StoredMessage { message, place } in stored.messages {
                tables.queue.restore(message, place);
            }
        }
        Part::Triplets(shard) => tables.triplets.load_shard(shard, &mut loaded.cuts),
        Part::ClosedWindows(closed) => tables.triplets.load_closed(closed, &mut loaded.cuts),
        Part::Correspondences(pairs) => {
            tables.correspondences.load_shard(pairs, &mut loaded.pair_cuts);
        }
        Part::End => ended = true,
    });
    loaded.damage = damage;
    if !(OLDEST_FORMAT..=FORMAT).contains(&found_format) {
        let error = std::io::Error::other(format!("it has the unknown format {found_format}"));
        return Err(reading(error));
    }
    if found_format < CORRESPONDENCES_FROM {
        loaded.pair_cuts = PairCuts::all_at(loaded.without_pairs_from());
    }
    if !ended {
        loaded.damage.push(format!("checkpoint {number} cannot be read to its end"));
    }
    Ok(loaded)
}

/// Hands every whole part to `visit`; damaged ones are skipped and told.
fn read_parts(octets: &[u8], number: u64, damage: &mut Vec<String>, visit: &mut dyn FnMut(Part)) {
    let mut offset = 0;
    let mut skipped = 0;
    while let Some(rest) = octets.get(offset..).filter(|rest| !rest.is_empty()) {
        let record = record::decode(rest, position(number, offset as u64));
        let Some(record) = record else {
            offset += record::ALIGNMENT;
            skipped += record::ALIGNMENT;
            continue;
        };
        match rmp_serde::from_slice(record.payload) {
            Ok(part) => visit(part),
            Err(error) => damage.push(format!("a part of checkpoint {number}: {error}")),
        }
        offset += record.octets;
    }
    if skipped > 0 {
        damage.push(format!("checkpoint {number}: {skipped} octets cannot be read"));
    }
}

/// Reads `octets` as a checkpoint and as a part of one; for fuzzing.
pub(crate) fn read_any(octets: &[u8]) -> usize {
    let mut parts = usize::from(rmp_serde::from_slice::<Part>(octets).is_ok());
    read_parts(octets, 1, &mut Vec::new(), &mut |_| parts += 1);
    parts
}

struct Writer {
    file: Arc<dyn DiskFile>,
    number: u64,
    offset: u64,
}

impl Writer {
    fn write(&mut self, part: &Part) -> Result<(), StoreError> {
        let mut buffer = Vec::new();
        let start = record::begin(&mut buffer);
        to_message_pack(part, &mut buffer)?;
        record::finish(&mut buffer, start, Kind::Part);
        record::place(&mut buffer, position(self.number, self.offset));
        self.file.write_at(self.offset, &buffer).map_err(writing)?;
        self.offset += buffer.len() as u64;
        Ok(())
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}.checkpoint"))
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".checkpoint")?.parse().ok()
}

fn position(number: u64, offset: u64) -> u64 {
    (number << POSITION_BITS) | offset
}

fn writing(error: std::io::Error) -> StoreError {
    io_error("writing the checkpoint", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimulatedDisk;

    /// A checkpoint of the version before there was auto allow: the journal
    /// before its cuts is gone, and must not be asked for.
    #[test]
    fn a_checkpoint_without_correspondences_needs_no_journal_for_them() {
        let disk = SimulatedDisk::new();
        let folder = Path::new("/data");
        disk.create_folder(folder).unwrap();
        let file = disk.create(&path(folder, 7), 0).unwrap();
        let mut parts = Writer { file, number: 7, offset: 0 };
        let cut = 4_096;
        parts.write(&Part::Head { format: 1, events_from: cut }).unwrap();
        parts.write(&Part::Queue(StoredQueue { cut, messages: Vec::new() })).unwrap();
        for number in 0..64 {
            let stored = StoredShard { number, cut, windows: Vec::new(), remembered: Vec::new() };
            parts.write(&Part::Triplets(stored)).unwrap();
        }
        parts.write(&Part::ClosedWindows(StoredClosed { cut, windows: Vec::new() })).unwrap();
        parts.write(&Part::End).unwrap();
        let (queue, triplets) = (Queue::default(), Triplets::new(10));
        let correspondences = Correspondences::new(10);
        let tables = Tables::new(&queue, &triplets, &correspondences);
        let loaded = load(&disk, folder, tables).unwrap();
        assert_eq!((loaded.number, loaded.damage.len()), (7, 0));
        assert_eq!(loaded.journal_from(), Position(cut));
    }
}
