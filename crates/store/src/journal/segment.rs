//! One file of the journal: a header of 64 octets, then records.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};

/// Octets of a segment's header; the first record follows.
pub(super) const HEADER_OCTETS: u64 = 64;
/// The first eight octets of every segment.
const MAGIC: &[u8; 8] = b"PCJOURNL";
/// Raised when the layout of segments or records changes.
const FORMAT: u32 = 1;

/// A segment file that is part of the journal.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: Arc<dyn DiskFile>,
    /// Its name is this number; numbers are never used twice.
    pub(super) number: u64,
    /// Position of its first octet.
    pub(super) base: u64,
    /// Octets of the file, all of them preallocated.
    pub(super) octets: u64,
}

impl Segment {
    /// Position of the first octet after it.
    pub(super) fn end(&self) -> u64 {
        self.base + self.octets
    }

    /// Position of its first record.
    pub(super) fn first(&self) -> u64 {
        self.base + HEADER_OCTETS
    }
}

/// The name of segment `number`.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:016}.journal")
}

/// The number in a segment's name.
pub(super) fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".journal")?.parse().ok()
}

/// Writes the header, which makes the file part of the journal, and flushes it.
pub(super) fn write_header(file: &dyn DiskFile, number: u64, base: u64) -> io::Result<()> {
    let mut header = Vec::with_capacity(HEADER_OCTETS as usize);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&number.to_le_bytes());
    header.extend_from_slice(&base.to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    header.resize(HEADER_OCTETS as usize, 0);
    file.write_at(0, &header)?;
    file.sync_data()
}

/// Opens a file as segment `number`; nothing if its header is not that of
/// this segment: a file that was being prepared when the machine went down.
pub(super) fn open(disk: &dyn Disk, path: &Path, number: u64) -> io::Result<Option<Segment>> {
    let file = disk.open(path)?;
    let octets = file.octets()?;
    let mut header = [0; HEADER_OCTETS as usize];
    if octets <= HEADER_OCTETS || file.read_at(0, &mut header)? < header.len() {
        return Ok(None);
    }
    Ok(read_header(&header, number).map(|base| Segment { file, number, base, octets }))
}

fn read_header(header: &[u8], number: u64) -> Option<u64> {
    let (checked, rest) = header.split_at_checked(28)?;
    let crc = u32::from_le_bytes(*rest.first_chunk()?);
    let rest = checked.strip_prefix(MAGIC)?;
    let (format, rest) = rest.split_first_chunk::<4>()?;
    let (found, rest) = rest.split_first_chunk::<8>()?;
    let base = u64::from_le_bytes(*rest.first_chunk()?);
    let ours = crc == crc32fast::hash(checked)
        && u32::from_le_bytes(*format) == FORMAT
        && u64::from_le_bytes(*found) == number;
    ours.then_some(base)
}
