//! Opening the data folder: the last checkpoint, then the journal after it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};

use types::{QueueId, Timestamp};

use super::{Housekeeping, OpenReport, Publisher, Store};
use crate::checkpoint::{self, Loaded, Tables};
use crate::contract::{Position, StoreError};
use crate::correspondence::Correspondences;
use crate::disk::Disk;
use crate::events::EventIndex;
use crate::journal::record::{Kind, Record};
use crate::journal::{Accept, Batch, Journal, JournalOptions, io_error};
use crate::options::StoreOptions;
use crate::queue::Queue;
use crate::spool::{Budget, Drafts, PIECE_HEADER_OCTETS, Piece, Place, own_file_id, pack};
use crate::triplets::Triplets;

impl Store {
    /// Opens the data folder, or makes a new one, and reads back what the
    /// last process left. Blocks while it does.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another instance has the folder;
    /// [`StoreError::Full`] or [`StoreError::Io`] if it cannot be used at
    /// all. Damaged records are no error: see [`OpenReport::damage`].
    pub fn open(
        disk: Arc<dyn Disk>,
        options: StoreOptions,
        now: Timestamp,
    ) -> Result<(Store, OpenReport), StoreError> {
        make_folders(&*disk, &options)?;
        let lock = disk.lock(&options.lock_file());
        let lock = lock.map_err(|error| io_error("locking the data folder", error))?;
        let lock = lock.ok_or(StoreError::InUse)?;
        let queue = Arc::new(Queue::default());
        let (triplets, correspondences) = empty_tables(&options);
        let events = Arc::new(EventIndex::open(Arc::clone(&disk), options.events_folder())?);
        let publisher = Arc::new(Publisher::new(Arc::clone(&events)));
        let folder = options.checkpoint_folder();
        let tables = Tables::new(&queue, &triplets, &correspondences);
        let mut loaded = checkpoint::load(&*disk, &folder, tables)?;
        let mut replay = Replay::new(tables, &events, &loaded);
        let durable = (Arc::clone(&publisher), Arc::clone(&queue));
        let opened = Journal::open(
            Arc::clone(&disk),
            journal_options(&options),
            loaded.journal_from(),
            Box::new(move |position| {
                durable.0.flushed(position);
                durable.1.flushed(position);
            }),
            &mut |position, record| replay.apply(position, record),
        )?;
        let older = std::mem::take(&mut replay.older);
        let mut damage = std::mem::take(&mut replay.damage);
        damage.append(&mut loaded.damage);
        damage.extend(opened.damage);
        damage.extend(events.damaged().iter().map(|segment| {
            format!("event segment {} is left out of searches: {}", segment.file, segment.what)
        }));
        let journal = Arc::new(opened.journal);
        check_older(&journal, &queue, older, &mut damage);
        let packs = check_spool(&*disk, &options, &queue, &mut damage)?;
        let budget = Budget::new(options.content_memory_octets);
        let drafts = Drafts::new(
            (Arc::clone(&disk), lock),
            Arc::clone(&journal),
            options.spool_folder(),
            (options.piece_octets, options.own_file_octets),
            Arc::clone(&budget),
        );
        let report = OpenReport {
            records: opened.records,
            messages: queue.depth().messages(),
            triplets: triplets.size(),
            damage,
        };
        let housekeeping = Housekeeping {
            checkpoint_number: loaded.number,
            checkpoint_at: now,
            checkpoint_end: loaded.journal_from(),
            packs,
        };
        let store = Store {
            disk,
            options,
            journal,
            events,
            publisher,
            queue,
            triplets,
            correspondences,
            drafts: Arc::new(drafts),
            gate: RwLock::new(()),
            low: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            housekeeping: Mutex::new(housekeeping),
        };
        store.look_at_disk();
        Ok((store, report))
    }
}

fn empty_tables(options: &StoreOptions) -> (Triplets, Correspondences) {
    (Triplets::new(options.triplets_max), Correspondences::new(options.correspondences_max))
}

fn make_folders(disk: &dyn Disk, options: &StoreOptions) -> Result<(), StoreError> {
    let folders = [
        options.journal_folder(),
        options.spool_folder(),
        options.checkpoint_folder(),
        options.events_folder(),
    ];
    let making = |error| io_error("making the data folder", error);
    for folder in folders {
        disk.create_folder(&folder).map_err(making)?;
    }
    disk.sync_folder(&options.folder).map_err(making)
}

fn journal_options(options: &StoreOptions) -> JournalOptions {
    JournalOptions {
        folder: options.journal_folder(),
        segment_octets: options.segment_octets,
        flush_interval: options.flush_interval,
        threads: options.threads,
    }
}

/// Applies the journal to what the checkpoint left.
struct Replay<'a> {
    tables: Tables<'a>,
    events: &'a EventIndex,
    loaded: &'a Loaded,
    /// Content records that were seen: position and octets of content.
    pieces: HashMap<u64, u32>,
    /// Pieces of accepted messages that are older than what is read here.
    older: Vec<(QueueId, Vec<Piece>)>,
    damage: Vec<String>,
}

impl<'a> Replay<'a> {
    fn new(tables: Tables<'a>, events: &'a EventIndex, loaded: &'a Loaded) -> Self {
        let (pieces, older, damage) = (HashMap::new(), Vec::new(), Vec::new());
        Replay { tables, events, loaded, pieces, older, damage }
    }

    fn apply(&mut self, position: u64, record: Record<'_>) {
        match record.kind {
            Kind::Content => {
                let payload = u32::try_from(record.payload.len()).unwrap_or(0);
                self.pieces.insert(position, payload.saturating_sub(PIECE_HEADER_OCTETS));
            }
            Kind::Batch => match Batch::decode(record.payload) {
                Some(batch) => self.apply_batch(position, batch),
                None => self.damage.push(format!(
                    "the journal record at position {position} was written by a later version \
                     or is damaged; it was skipped"
                )),
            },
            Kind::End | Kind::Part => {}
        }
    }

    fn apply_batch(&mut self, position: u64, mut batch: Batch) {
        if position >= self.loaded.queue_cut {
            if let Some(accept) = batch.accept.take()
                && !self.accept(position, accept)
            {
                return;
            }
            if let Some(settle) = &batch.settle {
                self.tables.queue.replay_settle(settle.id, &settle.steps);
            }
        }
        self.tables.triplets.replay(position, &mut batch, &self.loaded.cuts);
        self.tables.correspondences.replay(position, &mut batch, &self.loaded.pair_cuts);
        if position >= self.loaded.events_from {
            for event in batch.events {
                self.events.push(Position(position), Arc::new(event));
            }
        }
    }

    /// Enters a message if all of its content is there. A power cut can keep
    /// a commit record and lose a piece before it; then neither was flushed,
    /// nobody said 250, and the whole batch counts as not written.
    fn accept(&mut self, position: u64, accept: Accept) -> bool {
        let place = accept.place(position);
        let from = self.loaded.journal_from().0;
        if let Place::Journal(pieces) = &place {
            let (older, here): (Vec<Piece>, Vec<Piece>) =
                pieces.iter().copied().partition(|piece| piece.at < from);
            let whole = |piece: &Piece| self.pieces.get(&piece.at) == Some(&piece.octets);
            if !here.iter().all(whole) {
                self.damage.push(format!(
                    "message {} was left out because its content is not whole; unless the disk \
                     is damaged it was never acknowledged",
                    accept.message.id
                ));
                return false;
            }
            if !older.is_empty() {
                self.older.push((accept.message.id, older));
            }
        }
        self.tables.queue.restore(accept.message, place);
        true
    }
}

/// Reads the pieces of messages that arrived across a checkpoint.
fn check_older(
    journal: &Journal,
    queue: &Queue,
    older: Vec<(QueueId, Vec<Piece>)>,
    damage: &mut Vec<String>,
) {
    for (id, pieces) in older {
        let readable = |piece: &Piece| {
            let payload = piece.octets.saturating_add(PIECE_HEADER_OCTETS);
            journal.pin(piece.at, payload).is_some_and(|pinned| pinned.read().is_ok())
        };
        if queue.message(id).is_some() && !pieces.iter().all(readable) {
            queue.lose(id);
            damage.push(format!("message {id} is lost: its content in the journal is damaged"));
        }
    }
}

/// Removes files of the spool that no message needs, tells of messages whose
/// file is missing, and counts the messages of each pack.
fn check_spool(
    disk: &dyn Disk,
    options: &StoreOptions,
    queue: &Queue,
    damage: &mut Vec<String>,
) -> Result<HashMap<u64, usize>, StoreError> {
    let folder = options.spool_folder();
    let spool = |error| io_error("reading the spool", error);
    let names: BTreeSet<String> = disk.list(&folder).map_err(spool)?.into_iter().collect();
    let mut packs = HashMap::new();
    let mut needed = HashSet::new();
    for (id, place) in queue.places() {
        let path = match &place {
            Place::Journal(_) => continue,
            Place::OwnFile => crate::spool::own_file_path(&folder, id),
            Place::Pack { number, .. } => pack::path(&folder, *number),
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("").to_owned();
        if !names.contains(&name) {
            queue.lose(id);
            damage.push(format!("message {id} is lost: the file {name} of the spool is missing"));
            continue;
        }
        if let Place::Pack { number, .. } = place {
            *packs.entry(number).or_insert(0) += 1;
        }
        needed.insert(name);
    }
    let ours = |name: &&String| own_file_id(name).is_some() || pack::number_of(name).is_some();
    for name in names.iter().filter(ours).filter(|name| !needed.contains(*name)) {
        disk.remove(&folder.join(name)).map_err(spool)?;
    }
    // What was done in the journal has its file removed with the others.
    queue.take_done(Position(u64::MAX));
    Ok(packs)
}
