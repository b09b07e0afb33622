//! Events as octets: MessagePack with field names, compressed in blocks of
//! neighbours.
//!
//! In blocks, because one event alone is too short to compress well, and
//! preparing a compressor costs more than the event; small ones, because the
//! rows of a page may lie far apart and each costs a block to read.

use std::sync::Arc;

use types::Event;
use zstd::bulk::Compressor;
use zstd::zstd_safe::DCtx;

use super::name::SegmentName;
use crate::contract::StoreError;

/// Octets of events after which a block ends: some thirty refusals, which
/// are read back in as many microseconds.
const BLOCK_OCTETS: usize = 32 * 1024;
/// Level of zstd. Sealing costs every attempt, so it must be cheap.
const LEVEL: i32 = 1;
/// Longest block that is believed when a stored length says so: it ends with
/// the event that fills it.
const BLOCK_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Turns events into blocks.
pub(super) struct RecordWriter {
    compressor: Compressor<'static>,
    plain: Vec<u8>,
    block: Vec<u8>,
}

impl RecordWriter {
    pub(super) fn new() -> Result<Self, StoreError> {
        let compressor = Compressor::new(LEVEL).map_err(unwritable)?;
        Ok(RecordWriter { compressor, plain: Vec::new(), block: Vec::new() })
    }

    /// Adds an event to the block, and says where in it the event begins.
    pub(super) fn append(&mut self, event: &Event) -> Result<u32, StoreError> {
        let start = u32::try_from(self.plain.len()).map_err(|_| too_long())?;
        rmp_serde::encode::write_named(&mut self.plain, event).map_err(|error| {
            StoreError::Damaged(format!("an event that cannot be written: {error}"))
        })?;
        Ok(start)
    }

    /// Whether the block should end here.
    pub(super) fn is_full(&self) -> bool {
        self.plain.len() >= BLOCK_OCTETS
    }

    /// Octets of the block so far, before compression.
    pub(super) fn octets(&self) -> usize {
        self.plain.len()
    }

    /// Ends the block and begins the next.
    pub(super) fn end_block(&mut self) -> Result<&[u8], StoreError> {
        self.block.resize(zstd::zstd_safe::compress_bound(self.plain.len()), 0);
        let written = self.compressor.compress_to_buffer(&self.plain, &mut self.block);
        self.plain.clear();
        self.block.truncate(written.map_err(unwritable)?);
        Ok(&self.block)
    }
}

fn unwritable(error: std::io::Error) -> StoreError {
    StoreError::Io { doing: "compressing events", error: Arc::new(error) }
}

fn too_long() -> StoreError {
    StoreError::Damaged("events that are too long".to_owned())
}

/// Which block: a segment, and the row that has it.
pub(super) type BlockName = (SegmentName, u32);

/// Turns blocks back into events; one per search, because neighbours are
/// mostly asked for together and the last block is kept.
#[derive(Default)]
pub(super) struct RecordReader {
    context: DCtx<'static>,
    last: Option<BlockName>,
    plain: Vec<u8>,
}

impl RecordReader {
    /// The event that begins at `start` of `block`; nothing if it is damaged.
    pub(super) fn read(&mut self, name: BlockName, block: &[u8], start: u32) -> Option<Event> {
        if self.last != Some(name) {
            self.last = None;
            self.decompress(block)?;
            self.last = Some(name);
        }
        rmp_serde::from_slice(self.plain.get(start as usize..)?).ok()
    }

    fn decompress(&mut self, block: &[u8]) -> Option<()> {
        let octets = zstd::zstd_safe::get_frame_content_size(block).ok().flatten()?;
        if octets > BLOCK_OCTETS_MAX {
            return None;
        }
        self.plain.clear();
        self.plain.reserve(usize::try_from(octets).ok()?);
        self.context.decompress(&mut self.plain, block).ok()?;
        Some(())
    }
}
