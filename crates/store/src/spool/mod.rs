//! The content of messages, octet for octet, from the first piece that
//! arrives until the message has left us.
//!
//! Usual messages lie in the journal as they came, so that they are durable
//! with the same flush as their commit record; large ones get a [file of
//! their own](own_file_path); and what is still queued when its journal
//! segment is wanted back moves into a [pack](pack). While memory allows, the
//! octets are kept too, so that the usual message is never read back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::QueueId;

mod draft;
pub mod pack;
mod reader;

pub(crate) use draft::{Draft, Drafts, lock};
pub(crate) use reader::{Reader, Source};

/// Octets before the content in a content record: the queue id.
pub const PIECE_HEADER_OCTETS: u32 = 16;

/// One piece of a message in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Where its record starts.
    pub at: u64,
    /// Octets of content in it.
    pub octets: u32,
}

/// Where the content of a message is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In these records of the journal.
    Journal(Vec<Piece>),
    /// In a file of its own.
    OwnFile,
    /// In a pack.
    Pack {
        /// Which one.
        number: u64,
        /// Its frames there, in order.
        frames: Vec<pack::Frame>,
    },
}

impl Place {
    /// The first journal position that is needed to read it.
    pub(crate) fn needs_journal_from(&self) -> Option<u64> {
        match self {
            Place::Journal(pieces) => pieces.iter().map(|piece| piece.at).min(),
            Place::OwnFile | Place::Pack { .. } => None,
        }
    }
}

/// A message's content: where it is, and its octets if they are kept.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) place: Place,
    pub(crate) kept: Option<Arc<Kept>>,
}

/// Content held in memory, counted against a budget.
#[derive(Debug)]
pub(crate) struct Kept {
    pieces: Vec<Bytes>,
    octets: u64,
    budget: Arc<Budget>,
}

/// How much content may be in memory.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicU64,
    octets_max: u64,
}

impl Budget {
    pub(crate) fn new(octets_max: u64) -> Arc<Budget> {
        Arc::new(Budget { used: AtomicU64::new(0), octets_max })
    }
}

impl Kept {
    pub(crate) fn new(budget: &Arc<Budget>) -> Kept {
        Kept { pieces: Vec::new(), octets: 0, budget: Arc::clone(budget) }
    }

    /// Keeps a piece whose allocation takes `octets`; false if the budget
    /// does not allow it, and then nothing of the message may be kept.
    pub(crate) fn push(&mut self, piece: Bytes, octets: usize) -> bool {
        let octets = octets as u64;
        let before = self.budget.used.fetch_add(octets, Ordering::Relaxed);
        self.octets += octets;
        self.pieces.push(piece);
        before + octets <= self.budget.octets_max
    }

    pub(crate) fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

/// The file of a large message.
pub fn own_file_path(folder: &Path, id: QueueId) -> PathBuf {
    folder.join(format!("{id}.message"))
}

/// The message that a file of the spool belongs to.
pub(crate) fn own_file_id(name: &str) -> Option<QueueId> {
    name.strip_suffix(".message")?.parse().ok()
}
