//! Hands out the content of a message, wherever it is.

use std::sync::Arc;

use bytes::Bytes;

use super::pack::{self, Frame};
use super::{Kept, PIECE_HEADER_OCTETS};
use crate::contract::{ContentReader, StoreError};
use crate::disk::DiskFile;
use crate::journal::{Pinned, io_error};

/// Most octets handed out at once.
pub(crate) const PIECE_OCTETS_MAX: usize = 256 * 1024;

/// Reads one message from its first octet to its last.
#[derive(Debug)]
pub(crate) struct Reader {
    source: Source,
    /// Number of the next piece, or the next offset in a file.
    next: usize,
    /// What is left of a piece that was too large to be handed out at once.
    rest: Bytes,
}

#[derive(Debug)]
pub(crate) enum Source {
    Memory(Arc<Kept>),
    Journal(Vec<Pinned>),
    OwnFile(Arc<dyn DiskFile>),
    Pack { file: Arc<dyn DiskFile>, number: u64, frames: Vec<Frame> },
}

impl Reader {
    pub(crate) fn new(source: Source) -> Self {
        Reader { source, next: 0, rest: Bytes::new() }
    }

    /// The next piece as it is stored; empty at the end.
    fn stored_piece(&mut self) -> Result<Bytes, StoreError> {
        let piece = match &self.source {
            Source::Memory(kept) => kept.pieces().get(self.next).cloned(),
            Source::Journal(pinned) => pinned
                .get(self.next)
                .map(|pinned| pinned.read().map(|p| p.slice(PIECE_HEADER_OCTETS as usize..)))
                .transpose()?,
            Source::OwnFile(file) => {
                let mut octets = vec![0; PIECE_OCTETS_MAX];
                let read = file.read_at(self.next as u64, &mut octets);
                octets.truncate(read.map_err(|error| io_error("reading a spool file", error))?);
                self.next += octets.len();
                return Ok(octets.into());
            }
            Source::Pack { file, number, frames } => frames
                .get(self.next)
                .map(|frame| pack::read_frame(&**file, *number, frame))
                .transpose()?,
        };
        self.next += 1;
        Ok(piece.unwrap_or_default())
    }
}

impl ContentReader for Reader {
    fn next_piece(&mut self) -> Result<Bytes, StoreError> {
        if self.rest.is_empty() {
            self.rest = self.stored_piece()?;
        }
        let octets = self.rest.len().min(PIECE_OCTETS_MAX);
        Ok(self.rest.split_to(octets))
    }
}
