//! Writing segments: rows gathered in order, then one file that appears
//! under its final name only when it is whole and durable.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{UInt8Type, UInt16Type};
use arrow_array::{
    ArrayRef, BinaryArray, DictionaryArray, FixedSizeBinaryArray, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType};
use types::EventId;

use super::columns::{Columns, RowKey, TextArena, View};
use super::fields::WideField;
use super::name::{SegmentName, UNFINISHED};
use super::schema::{self, key};
use crate::contract::{Position, StoreError};
use crate::disk::Disk;
use crate::search::{TextColumn, WordColumn};

/// Where the block of a row's event is.
pub(super) enum Block<'a> {
    /// With the next row that brings one.
    Follows,
    /// In the cell of this row: its octets.
    Here(&'a [u8]),
    /// In the cell of the row of this number.
    Stored(u32),
}

/// Stands for the row of a block that is still to come.
const OPEN: u32 = u32::MAX;

/// The rows of a segment to be.
#[derive(Default)]
pub(super) struct SegmentBuilder {
    columns: Columns,
    /// Blocks of events, each in the cell of one row; other cells are empty.
    blocks: TextArena,
    record_blocks: Vec<u32>,
    record_starts: Vec<u32>,
    replaces: Vec<String>,
    positions: Option<(Position, Position)>,
}

impl SegmentBuilder {
    /// Says that the segment takes the place of the file `name`.
    pub(super) fn replaces(&mut self, name: &SegmentName) {
        self.replaces.push(name.to_string());
        self.covers(name.first, name.last);
    }

    /// Says that it has rows of these journal positions.
    pub(super) fn covers(&mut self, first: Position, last: Position) {
        let (from, to) = self.positions.unwrap_or((first, last));
        self.positions = Some((from.min(first), to.max(last)));
    }

    /// Adds row `row` of `view`, whose event begins at `start` of `block`.
    /// Rows must come in the order of their keys. Returns its number.
    pub(super) fn add(
        &mut self,
        view: &View<'_>,
        row: usize,
        start: u32,
        block: Block<'_>,
    ) -> Result<u32, StoreError> {
        let number = u32::try_from(self.rows()).map_err(|_| too_many())?;
        let at = match block {
            Block::Follows => OPEN,
            Block::Stored(at) => at,
            Block::Here(octets) => {
                self.blocks.octets.extend_from_slice(octets);
                let before = self.record_blocks.iter_mut().rev();
                before.take_while(|at| **at == OPEN).for_each(|at| *at = number);
                number
            }
        };
        self.blocks.end_cell();
        self.record_blocks.push(at);
        self.record_starts.push(start);
        self.columns.copy(view, row);
        Ok(number)
    }

    /// Octets of the parts that grow with what senders write.
    pub(super) fn octets(&self) -> usize {
        self.columns.text_octets() + self.blocks.octets.len()
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> usize {
        self.columns.len()
    }

    fn ends(&self) -> Option<(RowKey, RowKey)> {
        let view = self.columns.view();
        let last = self.rows().checked_sub(1)?;
        Some((view.key(0), view.key(last)))
    }

    /// Writes the file and returns its name. On an error nothing is left
    /// under a segment's name.
    pub(super) fn finish(self, disk: &dyn Disk, folder: &Path) -> Result<SegmentName, StoreError> {
        let rows = self.rows() as u64;
        let ((oldest, _), (newest, _)) = self.ends().unwrap_or_default();
        let (first, last) = self.positions.unwrap_or_default();
        let octets = self.encode().map_err(|error| {
            StoreError::Damaged(format!("an event segment that cannot be written: {error}"))
        })?;
        let crc = crc32fast::hash(&octets);
        let name = SegmentName { oldest, newest, first, last, rows, crc };
        place(disk, folder, &name.to_string(), &octets)?;
        Ok(name)
    }

    fn encode(self) -> Result<Vec<u8>, ArrowError> {
        let metadata = HashMap::from([
            (key::FORMAT.to_owned(), schema::FORMAT.to_owned()),
            (key::REPLACES.to_owned(), self.replaces.join(" ")),
        ]);
        let rows = self.rows();
        let mut texts = Vec::new();
        let Columns { time, wide, codes, numbers, texts: folded, written } = self.columns;
        let folded = TextColumn::STORED.map(|text| text.name().to_owned()).into_iter().zip(folded);
        let written = TextColumn::STORED.map(schema::written).into_iter().zip(written);
        let mut text_arrays: Vec<ArrayRef> = Vec::new();
        for (name, text) in folded.chain(written).filter(|(_, text)| !text.octets.is_empty()) {
            let (kind, array) = encoded(text, rows)?;
            texts.push((name, kind));
            text_arrays.push(array);
        }
        let schema = Arc::new(schema::schema(metadata, texts));
        let ids =
            |field: WideField| wide.get(field as usize).map(Vec::as_slice).unwrap_or_default();
        let number = |id: &[u8; 16]| EventId::from_bytes(*id).reference().as_u64();
        let indexes = [WideField::Id, WideField::LifeLine]
            .map(|field| sorted_with_rows(ids(field).iter().map(number)));
        let time = TimestampMillisecondArray::from(time).with_timezone("UTC");
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(time)];
        for ids in wide {
            let octets = Buffer::from_vec(ids.into_flattened());
            arrays.push(Arc::new(FixedSizeBinaryArray::try_new(16, octets, None)?));
        }
        for (field, codes) in WordColumn::ALL.into_iter().zip(codes) {
            let legend = Arc::new(StringArray::from(field.legend()));
            let words = DictionaryArray::<UInt8Type>::try_new(UInt8Array::from(codes), legend)?;
            arrays.push(Arc::new(words));
        }
        arrays.extend(numbers.map(|numbers| Arc::new(UInt32Array::from(numbers)) as ArrayRef));
        arrays.extend(text_arrays);
        let (offsets, octets) = buffers(self.blocks);
        arrays.push(Arc::new(BinaryArray::try_new(offsets, octets, None)?));
        arrays.push(Arc::new(UInt32Array::from(self.record_blocks)));
        arrays.push(Arc::new(UInt32Array::from(self.record_starts)));
        for (numbers, rows) in indexes {
            arrays.push(Arc::new(UInt64Array::from(numbers)));
            arrays.push(Arc::new(UInt32Array::from(rows)));
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
        let mut writer = FileWriter::try_new(Vec::new(), &schema)?;
        writer.write(&batch)?;
        writer.finish()?;
        writer.into_inner()
    }
}

/// Fewest rows of a segment whose texts are worth a legend.
const LEGEND_ROWS_MIN: usize = 256;

/// A text column as an array: as words if many rows have the same.
fn encoded(text: TextArena, rows: usize) -> Result<(DataType, ArrayRef), ArrowError> {
    if let Some((keys, legend)) = legend(&text, rows) {
        let (offsets, octets) = buffers(legend);
        let legend = Arc::new(StringArray::try_new(offsets, octets, None)?);
        let words = DictionaryArray::<UInt16Type>::try_new(UInt16Array::from(keys), legend)?;
        return Ok((schema::words(DataType::UInt16), Arc::new(words)));
    }
    let (offsets, octets) = buffers(text);
    Ok((DataType::Utf8, Arc::new(StringArray::try_new(offsets, octets, None)?)))
}

/// Every different text once, and which of them each row has. Nothing if
/// more than a quarter of the rows have a text of their own: then a search
/// gains nothing, and looking up each text costs the sealing.
fn legend(text: &TextArena, rows: usize) -> Option<(Vec<u16>, TextArena)> {
    if rows < LEGEND_ROWS_MIN {
        return None;
    }
    let view = text.view();
    let mut legend = TextArena::default();
    let mut places: HashMap<&[u8], u16> = HashMap::new();
    let mut keys = Vec::with_capacity(rows);
    let mut last: Option<(&[u8], u16)> = None;
    for row in 0..rows {
        let cell = view.cell(row);
        let key = match last {
            Some((same, key)) if same == cell => key,
            _ => match places.get(cell) {
                Some(&key) => key,
                None => {
                    if places.len() > (row / 4).max(LEGEND_ROWS_MIN) {
                        return None;
                    }
                    let key = u16::try_from(places.len()).ok()?;
                    legend.push(cell);
                    places.insert(cell, key);
                    key
                }
            },
        };
        last = Some((cell, key));
        keys.push(key);
    }
    Some((keys, legend))
}

fn too_many() -> StoreError {
    StoreError::Damaged("an event segment with too many rows".to_owned())
}

fn buffers(text: TextArena) -> (OffsetBuffer<i32>, Buffer) {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(text.offsets));
    (offsets, Buffer::from_vec(text.octets))
}

/// Numbers in ascending order, and the row of each.
fn sorted_with_rows(numbers: impl Iterator<Item = u64>) -> (Vec<u64>, Vec<u32>) {
    let mut pairs: Vec<(u64, u32)> = numbers.zip(0..).collect();
    pairs.sort_unstable();
    pairs.into_iter().unzip()
}

/// Writes a file so that it is there whole or not at all, even after a power cut.
fn place(disk: &dyn Disk, folder: &Path, name: &str, octets: &[u8]) -> Result<(), StoreError> {
    let unfinished = folder.join(format!("{name}{UNFINISHED}"));
    let write = || {
        let file = disk.create(&unfinished, 0)?;
        file.write_at(0, octets)?;
        file.sync_data()?;
        disk.rename(&unfinished, &folder.join(name))?;
        disk.sync_folder(folder)
    };
    write().map_err(|error| {
        // What is left is removed at the next start too; that it cannot be
        // removed now is no second failure.
        let _ = disk.remove(&unfinished);
        StoreError::Io { doing: "writing an event segment", error: Arc::new(error) }
    })
}
