//! Turning rows in memory into segments, and small segments into larger ones.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use types::Timestamp;

use super::chunk::Chunk;
use super::columns::{RowKey, View};
use super::name::SegmentName;
use super::record::{RecordReader, RecordWriter};
use super::segment::{SEGMENT_OCTETS_MAX, SEGMENT_ROWS_MAX, Segment};
use super::write::{Block, SegmentBuilder};
use crate::contract::{Position, StoreError};
use crate::disk::Disk;

/// A chunk with its columns borrowed: once, because there are dozens of them
/// and many rows.
#[derive(Clone, Copy)]
struct Source<'a> {
    chunk: &'a Chunk,
    view: &'a View<'a>,
}

/// Writes the rows of `chunks` as segments, in order. On an error none of
/// them is left.
pub(super) fn write(
    disk: &dyn Disk,
    folder: &Path,
    chunks: &[Arc<Chunk>],
) -> Result<Vec<Arc<Segment>>, StoreError> {
    let views: Vec<View<'_>> = chunks.iter().map(|chunk| chunk.columns.view()).collect();
    let mut rows: Vec<(RowKey, Source<'_>, usize)> = Vec::new();
    for (chunk, view) in chunks.iter().zip(&views) {
        rows.extend((0..chunk.rows()).map(|row| (view.key(row), Source { chunk, view }, row)));
    }
    rows.sort_unstable_by_key(|(key, ..)| *key);
    let mut written = Vec::new();
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        match write_one(disk, folder, rest, positions(chunks)) {
            Ok((segment, taken)) => {
                written.push(segment);
                rest = rest.get(taken..).unwrap_or_default();
            }
            Err(error) => {
                remove(disk, folder, written.iter().map(|segment| segment.name));
                return Err(error);
            }
        }
    }
    Ok(written)
}

fn positions(chunks: &[Arc<Chunk>]) -> (Position, Position) {
    let each = || chunks.iter().filter_map(|chunk| chunk.positions);
    let first = each().map(|(first, _)| first).min().unwrap_or_default();
    (first, each().map(|(_, last)| last).max().unwrap_or_default())
}

/// Writes as many of `rows` as a segment may have, and says how many.
fn write_one(
    disk: &dyn Disk,
    folder: &Path,
    rows: &[(RowKey, Source<'_>, usize)],
    (first, last): (Position, Position),
) -> Result<(Arc<Segment>, usize), StoreError> {
    let rows = rows.get(..rows.len().min(SEGMENT_ROWS_MAX)).unwrap_or_default();
    let mut records = RecordWriter::new()?;
    let mut builder = SegmentBuilder::default();
    builder.covers(first, last);
    for (left, (_, source, row)) in (0..rows.len()).rev().zip(rows) {
        let missing = || StoreError::Damaged("a row in memory without its event".to_owned());
        let start = records.append(source.chunk.events.get(*row).ok_or_else(missing)?)?;
        let over = left == 0 || builder.octets() + records.octets() > SEGMENT_OCTETS_MAX;
        let block = match over || records.is_full() {
            true => Block::Here(records.end_block()?),
            false => Block::Follows,
        };
        builder.add(source.view, *row, start, block)?;
        if over {
            break;
        }
    }
    let taken = builder.rows();
    Ok((finish(disk, folder, builder)?, taken))
}

/// Writes and opens a segment.
fn finish(
    disk: &dyn Disk,
    folder: &Path,
    builder: SegmentBuilder,
) -> Result<Arc<Segment>, StoreError> {
    let name = builder.finish(disk, folder)?;
    Segment::open(disk, folder, name).map(Arc::new).map_err(|what| {
        remove(disk, folder, [name]);
        StoreError::Damaged(format!("{name}: {what}"))
    })
}

/// Removes files. One that stays behind is no loss: it is removed at the next
/// start if it was merged, and by retention otherwise.
pub(super) fn remove(disk: &dyn Disk, folder: &Path, names: impl IntoIterator<Item = SegmentName>) {
    for name in names {
        let _ = disk.remove(&folder.join(name.to_string()));
    }
}

/// Groups of neighbouring segments that are better one: of an hour that is
/// over, later of a day that is over, as long as the whole is not too large.
pub(super) fn mergeable(segments: &[Arc<Segment>], now: Timestamp) -> Vec<Vec<Arc<Segment>>> {
    let mut ordered: Vec<_> = segments.to_vec();
    ordered.sort_by_key(|segment| segment.newest());
    let mut groups: Vec<Vec<Arc<Segment>>> = Vec::new();
    let mut last_bucket = None;
    for segment in ordered {
        let bucket = bucket(&segment, now);
        match groups.last_mut() {
            Some(group) if bucket.is_some() && bucket == last_bucket && fits(group, &segment) => {
                group.push(segment);
            }
            _ => groups.push(vec![segment]),
        }
        last_bucket = bucket;
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// Whether a segment can join a group. Rows are asked first: a full segment
/// need not count its octets.
fn fits(group: &[Arc<Segment>], segment: &Segment) -> bool {
    let sum = |size: fn(&Segment) -> usize| {
        group.iter().map(|segment| size(segment)).sum::<usize>() + size(segment)
    };
    sum(Segment::rows) <= SEGMENT_ROWS_MAX && sum(Segment::octets) <= SEGMENT_OCTETS_MAX
}

/// The hour or day a segment may be merged within; nothing while its hour lasts.
fn bucket(segment: &Segment, now: Timestamp) -> Option<Timestamp> {
    let newest = Timestamp::from_millis(segment.name.newest);
    if newest < now.day_start() {
        Some(newest.day_start())
    } else {
        (newest < now.hour_start()).then(|| newest.hour_start())
    }
}

/// Writes one segment with the rows of all of `group`. Blocks of events are
/// taken over as they are, each with the first of its rows.
pub(super) fn merge(
    disk: &dyn Disk,
    folder: &Path,
    group: &[Arc<Segment>],
) -> Result<Arc<Segment>, StoreError> {
    let mut builder = SegmentBuilder::default();
    let views: Vec<View<'_>> = group.iter().map(|segment| segment.view()).collect();
    let mut rows: Vec<(RowKey, &Segment, &View<'_>, usize)> = Vec::new();
    for (segment, view) in group.iter().zip(&views) {
        builder.replaces(&segment.name);
        rows.extend((0..segment.rows()).map(|row| (view.key(row), segment.as_ref(), view, row)));
    }
    rows.sort_unstable_by_key(|(key, ..)| *key);
    let mut stored: HashMap<(u32, u32), u32> = HashMap::new();
    for (_, segment, view, row) in rows {
        let missing = || StoreError::Damaged(segment.name.to_string());
        let (at, octets, start) = segment.record(row).ok_or_else(missing)?;
        let name = (segment.name.crc, at);
        let block = stored.get(&name).map_or(Block::Here(octets), |&row| Block::Stored(row));
        let row = builder.add(view, row, start, block)?;
        stored.entry(name).or_insert(row);
    }
    finish(disk, folder, builder)
}

/// Writes one segment with these rows of `old`, in whose place it comes;
/// nothing if there are none. Events are compressed anew: a block taken over
/// would keep its other events, which are to go.
pub(super) fn carry(
    disk: &dyn Disk,
    folder: &Path,
    old: &Segment,
    rows: &[usize],
) -> Result<Option<Arc<Segment>>, StoreError> {
    let mut reader = RecordReader::default();
    // A record that is damaged can be shown to nobody.
    let read = |&row: &usize| Some((row, old.event(row, &mut reader)?));
    let events: Vec<(usize, types::Event)> = rows.iter().filter_map(read).collect();
    if events.is_empty() {
        return Ok(None);
    }
    let view = old.view();
    let mut records = RecordWriter::new()?;
    let mut builder = SegmentBuilder::default();
    builder.replaces(&old.name);
    for (left, (row, event)) in (0..events.len()).rev().zip(&events) {
        let start = records.append(event)?;
        let block = match left == 0 || records.is_full() {
            true => Block::Here(records.end_block()?),
            false => Block::Follows,
        };
        builder.add(&view, *row, start, block)?;
    }
    finish(disk, folder, builder).map(Some)
}
