//! Reading the journal after a start: every whole record in order, and what
//! could not be read.

use std::ops::Range;

use super::record::{self, ALIGNMENT, Kind, Record};
use super::segment::{HEADER_OCTETS, Segment};

/// What a scan of one segment found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// Position after the last whole record; nothing if there was none.
    pub(super) end: Option<u64>,
    /// Whether the segment was closed because the next was begun.
    pub(super) closed: bool,
    /// Positions before the last whole record that hold no record.
    pub(super) damaged: Vec<Range<u64>>,
    /// What is wrong with the file as a whole, if it could not be read.
    pub(super) unreadable: Option<String>,
}

/// Hands every whole record of `segment` to `visit` with its position.
///
/// After a record that cannot be read the search goes on at every place
/// where one could start: a damaged sector costs what was in it and no more.
pub(super) fn scan(segment: &Segment, visit: &mut dyn FnMut(u64, Record<'_>)) -> Scanned {
    let mut scanned = Scanned::default();
    let mut octets = vec![0; usize::try_from(segment.octets).unwrap_or(0)];
    match segment.file.read_at(0, &mut octets) {
        Ok(read) => octets.truncate(read),
        Err(error) => {
            scanned.unreadable = Some(error.to_string());
            return scanned;
        }
    }
    let mut offset = HEADER_OCTETS as usize;
    let mut damaged_from = None;
    while let Some(rest) = octets.get(offset..).filter(|rest| !rest.is_empty()) {
        let position = segment.base + offset as u64;
        let Some(record) = record::decode(rest, position) else {
            damaged_from.get_or_insert(position);
            offset += ALIGNMENT;
            continue;
        };
        if let Some(from) = damaged_from.take() {
            scanned.damaged.push(from..position);
        }
        offset += record.octets;
        scanned.end = Some(segment.base + offset as u64);
        if record.kind == Kind::End {
            scanned.closed = true;
            break;
        }
        visit(position, record);
    }
    scanned
}
