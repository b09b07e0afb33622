//! Content of messages that wait longer than the journal keeps them,
//! compressed, in files that are written once.
//!
//! A pack is written whole by a checkpoint, flushed, and only then do the
//! journal segments go that had the content before. It is removed when its
//! last message is done. Each frame is a record of the journal's form whose
//! payload is a zstd frame; a pack's number, shifted, takes the place of the
//! journal position, so that no frame is taken for one of another pack.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::reader::PIECE_OCTETS_MAX;
use crate::contract::StoreError;
use crate::disk::{Disk, DiskFile};
use crate::journal::io_error;
use crate::journal::record::{self, Kind};

/// Text of mail gains little from higher levels, which cost far more.
const ZSTD_LEVEL: i32 = 1;
/// Packs are smaller than 2 to the power of this.
const POSITION_BITS: u32 = 40;

/// One compressed piece in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Where its record starts in the file.
    pub offset: u64,
    /// Octets of its record's payload, compressed.
    pub packed_octets: u32,
    /// Octets of content in it.
    pub octets: u32,
}

/// Writes one pack.
#[derive(Debug)]
pub(crate) struct PackWriter {
    file: std::sync::Arc<dyn DiskFile>,
    number: u64,
    offset: u64,
    /// Content gathered until it is worth a frame.
    gathered: Vec<u8>,
    frames: Vec<Frame>,
}

impl PackWriter {
    pub(crate) fn create(disk: &dyn Disk, folder: &Path, number: u64) -> Result<Self, StoreError> {
        let file = disk.create(&path(folder, number), 0).map_err(writing)?;
        Ok(PackWriter { file, number, offset: 0, gathered: Vec::new(), frames: Vec::new() })
    }

    /// Adds octets to the message that is being written.
    pub(crate) fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        self.gathered.extend_from_slice(octets);
        if self.gathered.len() >= PIECE_OCTETS_MAX { self.write_frame() } else { Ok(()) }
    }

    /// Ends the message and returns where it is.
    pub(crate) fn end_message(&mut self) -> Result<Vec<Frame>, StoreError> {
        if !self.gathered.is_empty() {
            self.write_frame()?;
        }
        Ok(std::mem::take(&mut self.frames))
    }

    /// Makes the pack durable.
    pub(crate) fn finish(self, disk: &dyn Disk, folder: &Path) -> Result<(), StoreError> {
        self.file.sync_data().map_err(writing)?;
        disk.sync_folder(folder).map_err(writing)
    }

    fn write_frame(&mut self) -> Result<(), StoreError> {
        let mut buffer = Vec::new();
        let start = record::begin(&mut buffer);
        let packed = zstd::bulk::compress(&self.gathered, ZSTD_LEVEL).map_err(writing)?;
        buffer.extend_from_slice(&packed);
        record::finish(&mut buffer, start, Kind::Content);
        record::place(&mut buffer, position(self.number, self.offset));
        self.file.write_at(self.offset, &buffer).map_err(writing)?;
        self.frames.push(Frame {
            offset: self.offset,
            packed_octets: u32::try_from(packed.len()).unwrap_or(u32::MAX),
            octets: u32::try_from(self.gathered.len()).unwrap_or(u32::MAX),
        });
        self.offset += buffer.len() as u64;
        self.gathered.clear();
        Ok(())
    }
}

/// Reads and unpacks one frame.
pub(crate) fn read_frame(
    file: &dyn DiskFile,
    number: u64,
    frame: &Frame,
) -> Result<Bytes, StoreError> {
    let damaged = || StoreError::Damaged(format!("{} at {}", name(number), frame.offset));
    let mut octets = vec![0; record::octets_of(frame.packed_octets as usize)];
    let read = file.read_at(frame.offset, &mut octets);
    octets.truncate(read.map_err(|error| io_error("reading a pack", error))?);
    let record = record::decode(&octets, position(number, frame.offset)).ok_or_else(damaged)?;
    let content = zstd::bulk::decompress(record.payload, frame.octets as usize);
    let content = content.map_err(|_| damaged())?;
    if content.len() == frame.octets as usize { Ok(content.into()) } else { Err(damaged()) }
}

/// The file of pack `number`.
pub(crate) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(name(number))
}

/// The number in a pack's name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".pack")?.parse().ok()
}

fn name(number: u64) -> String {
    format!("{number:016}.pack")
}

fn position(number: u64, offset: u64) -> u64 {
    (number << POSITION_BITS) | offset
}

fn writing(error: std::io::Error) -> StoreError {
    io_error("writing a pack", error)
}
