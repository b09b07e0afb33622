//! Content that is arriving and not yet committed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use types::QueueId;

use super::{Budget, Kept, PIECE_HEADER_OCTETS, Piece, own_file_path};
use crate::contract::{ContentWriter, Later, StoreError};
use crate::disk::{Disk, DiskFile, DiskLock};
use crate::journal::record::{self, Kind};
use crate::journal::{Journal, io_error};

/// All content that is arriving, by message.
#[derive(Debug)]
pub(crate) struct Drafts {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) folder: PathBuf,
    /// Octets gathered before they are written to the journal.
    pub(crate) piece_octets: usize,
    /// Messages larger than this go to a file of their own.
    pub(crate) own_file_octets: u64,
    pub(crate) budget: Arc<Budget>,
    drafts: Mutex<HashMap<QueueId, Arc<Mutex<Draft>>>>,
    /// The data folder's lock: as long as a writer lives, nobody else may
    /// open the journal it writes to. Given up when the journal is closed,
    /// because writers may be left that can no longer write.
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

/// The content of one message so far.
#[derive(Debug)]
pub(crate) struct Draft {
    id: QueueId,
    octets: u64,
    /// A content record that is being filled; empty if none is begun.
    buffer: Vec<u8>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) kept: Option<Kept>,
    pub(crate) own_file: Option<OwnFile>,
    /// Why it can no longer be committed.
    failed: Option<StoreError>,
    /// Whether a commit has taken it over.
    pub(crate) committed: bool,
}

/// The file of a large message while it is written.
#[derive(Debug)]
pub(crate) struct OwnFile {
    pub(crate) file: Arc<dyn DiskFile>,
    written_octets: u64,
}

/// Octets in a content record before the content itself.
const PREFIX: usize = record::HEADER_OCTETS + PIECE_HEADER_OCTETS as usize;

impl Drafts {
    pub(crate) fn new(
        (disk, lock): (Arc<dyn Disk>, Box<dyn DiskLock>),
        journal: Arc<Journal>,
        folder: PathBuf,
        (piece_octets, own_file_octets): (usize, u64),
        budget: Arc<Budget>,
    ) -> Self {
        let drafts = Mutex::default();
        let lock = Mutex::new(Some(lock));
        Drafts { disk, journal, folder, piece_octets, own_file_octets, budget, drafts, lock }
    }

    /// Whether the data folder is still where it was opened.
    pub(crate) fn has_folder(&self) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.as_ref().is_none_or(|lock| lock.is_in_place())
    }

    /// Lets the next instance have the data folder.
    pub(crate) fn give_up_folder(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn drafts(&self) -> MutexGuard<'_, HashMap<QueueId, Arc<Mutex<Draft>>>> {
        self.drafts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a draft. `refused` says why there can be none now.
    pub(crate) fn begin(self: &Arc<Self>, id: QueueId, refused: Option<StoreError>) -> Writer {
        let draft = Draft {
            id,
            octets: 0,
            buffer: Vec::new(),
            pieces: Vec::new(),
            kept: Some(Kept::new(&self.budget)),
            own_file: None,
            failed: refused,
            committed: false,
        };
        let draft = Arc::new(Mutex::new(draft));
        self.drafts().insert(id, Arc::clone(&draft));
        Writer { drafts: Arc::clone(self), draft, id }
    }

    /// The draft of a message.
    pub(crate) fn find(&self, id: QueueId) -> Option<Arc<Mutex<Draft>>> {
        self.drafts().get(&id).cloned()
    }

    /// Forgets a draft; its journal pieces need no longer be kept for it.
    pub(crate) fn forget(&self, id: QueueId) {
        self.drafts().remove(&id);
    }

    /// The oldest journal position that a draft needs.
    pub(crate) fn needs_journal_from(&self) -> Option<u64> {
        let drafts: Vec<_> = self.drafts().values().cloned().collect();
        drafts.iter().filter_map(|draft| lock(draft).pieces.first().map(|piece| piece.at)).min()
    }
}

pub(crate) fn lock(draft: &Mutex<Draft>) -> MutexGuard<'_, Draft> {
    draft.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Draft {
    fn append(&mut self, drafts: &Drafts, mut octets: &[u8]) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.octets += octets.len() as u64;
        while !octets.is_empty() {
            if self.buffer.is_empty() {
                record::begin(&mut self.buffer);
                self.buffer.extend_from_slice(self.id.as_bytes());
            }
            let room = (PREFIX + drafts.piece_octets).saturating_sub(self.buffer.len());
            let (now, rest) = octets.split_at_checked(room).unwrap_or((octets, &[]));
            self.buffer.extend_from_slice(now);
            octets = rest;
            if !octets.is_empty() || now.len() == room {
                let written = self.write_piece(drafts);
                if let Err(error) = &written {
                    self.failed = Some(error.clone());
                }
                written?;
            }
        }
        Ok(())
    }

    /// Writes the gathered octets where the message is.
    fn write_piece(&mut self, drafts: &Drafts) -> Result<(), StoreError> {
        if self.own_file.is_none() && self.octets > drafts.own_file_octets {
            self.move_to_own_file(drafts)?;
        }
        if let Some(own) = &mut self.own_file {
            let content = self.buffer.get(PREFIX..).unwrap_or(&[]);
            own.write(content)?;
            self.buffer.clear();
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let octets = self.finish_record(&mut buffer);
        let written = drafts.journal.append(&mut buffer)?;
        self.keep(buffer, Piece { at: written.start, octets });
        Ok(())
    }

    fn finish_record(&self, buffer: &mut Vec<u8>) -> u32 {
        let octets = buffer.len().saturating_sub(PREFIX);
        record::finish(buffer, 0, Kind::Content);
        u32::try_from(octets).unwrap_or(u32::MAX)
    }

    /// Notes a piece that is in the journal now, and keeps its octets while
    /// the budget allows.
    pub(crate) fn keep(&mut self, buffer: Vec<u8>, piece: Piece) {
        self.pieces.push(piece);
        if let Some(kept) = &mut self.kept {
            let allocated = buffer.capacity();
            let octets = Bytes::from(buffer).slice(PREFIX..PREFIX + piece.octets as usize);
            if !kept.push(octets, allocated) {
                self.kept = None;
            }
        }
    }

    /// Copies what the journal has into a file of its own and goes on there.
    fn move_to_own_file(&mut self, drafts: &Drafts) -> Result<(), StoreError> {
        let making = |error| io_error("making a spool file", error);
        let path = own_file_path(&drafts.folder, self.id);
        let file = drafts.disk.create(&path, 0).map_err(making)?;
        let mut own = OwnFile { file, written_octets: 0 };
        for piece in &self.pieces {
            let payload = piece.octets + PIECE_HEADER_OCTETS;
            let pinned = drafts.journal.pin(piece.at, payload);
            let pinned = pinned.ok_or_else(|| StoreError::Damaged("journal".to_owned()))?;
            own.write(pinned.read()?.get(PIECE_HEADER_OCTETS as usize..).unwrap_or(&[]))?;
        }
        self.pieces.clear();
        self.kept = None;
        self.own_file = Some(own);
        Ok(())
    }

    /// Ends the content: the last octets go to the own file, or are returned
    /// as a content record for the commit to write along, with their number.
    pub(crate) fn end(&mut self, drafts: &Drafts) -> Result<(Vec<u8>, u32), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.own_file.is_none() && self.octets > drafts.own_file_octets {
            self.move_to_own_file(drafts)?;
        }
        if self.own_file.is_some() && !self.buffer.is_empty() {
            self.write_piece(drafts)?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.is_empty() {
            return Ok((buffer, 0));
        }
        let octets = self.finish_record(&mut buffer);
        Ok((buffer, octets))
    }
}

impl OwnFile {
    fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        let written = self.file.write_at(self.written_octets, octets);
        written.map_err(|error| io_error("writing a spool file", error))?;
        self.written_octets += octets.len() as u64;
        Ok(())
    }
}

/// The writer of one draft.
#[derive(Debug)]
pub(crate) struct Writer {
    drafts: Arc<Drafts>,
    draft: Arc<Mutex<Draft>>,
    id: QueueId,
}

impl ContentWriter for Writer {
    fn write<'a>(&'a mut self, octets: &'a [u8]) -> Later<'a, Result<(), StoreError>> {
        Box::pin(async move { lock(&self.draft).append(&self.drafts, octets) })
    }

    fn octets(&self) -> u64 {
        lock(&self.draft).octets
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let draft = lock(&self.draft);
        if draft.committed {
            return;
        }
        self.drafts.forget(self.id);
        if draft.own_file.is_some() {
            // Should this fail, the next start removes it.
            drop(self.drafts.disk.remove(&own_file_path(&self.drafts.folder, self.id)));
        }
    }
}
