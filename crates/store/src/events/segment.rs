//! A sealed segment: a mapped Arrow file whose columns are read where they lie.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, root_as_footer};
use arrow_schema::ArrowError;
use types::Event;

use super::columns::{CodeView, NUMBERS, RowKey, TEXTS, TextView, View, WORDS};
use super::fields::{ATTEMPT, WideField};
use super::name::SegmentName;
use super::record::RecordReader;
use super::schema::{self, key};
use crate::contract::Totals;
use crate::disk::Disk;
use crate::search::{NumberColumn, TextColumn, WordColumn};

/// Most rows of one segment.
pub(super) const SEGMENT_ROWS_MAX: usize = 131_072;
/// Octets of text and records at which a segment is cut: what sealing and
/// merging hold in memory, and far below what 32-bit offsets can reach.
pub(super) const SEGMENT_OCTETS_MAX: usize = 192 * 1024 * 1024;
/// The octets after an Arrow file's footer: its length and the magic word.
const TRAILER_OCTETS: usize = 10;

/// One sealed segment. Dropping it unmaps the file.
pub(super) struct Segment {
    pub(super) name: SegmentName,
    /// Names of the segments it was merged from.
    pub(super) replaces: Vec<String>,
    pub(super) totals: Totals,
    time: ScalarBuffer<i64>,
    wide: [FixedSizeBinaryArray; WideField::ALL.len()],
    codes: [Codes; WORDS],
    numbers: [ScalarBuffer<u32>; NUMBERS],
    texts: [Texts; TEXTS],
    written: [Texts; TEXTS],
    blocks: BinaryArray,
    record_blocks: ScalarBuffer<u32>,
    record_starts: ScalarBuffer<u32>,
    indexes: [Index; schema::INDEXES.len()],
    octets: OnceLock<usize>,
}

/// A column of texts; nothing if the segment was written without it.
type Texts = Option<TextParts>;

/// The cells of a column of texts, and which of them is that of each row if
/// not each row has its own.
struct TextParts {
    cells: StringArray,
    keys: Option<ScalarBuffer<u16>>,
}

/// A column of codes and their meaning in this program. Empty if the segment
/// was written without it.
struct Codes {
    codes: ScalarBuffer<u8>,
    meaning: [u8; 256],
}

/// Numbers in ascending order and the row of each.
struct Index {
    numbers: ScalarBuffer<u64>,
    rows: ScalarBuffer<u32>,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segment({})", self.name)
    }
}

/// What identifiers are looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexedBy {
    /// The reference of the event.
    Own,
    /// The reference of its life-line.
    LifeLine,
}

impl Segment {
    /// Maps and checks the file of this name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn open(
        disk: &dyn Disk,
        folder: &Path,
        name: SegmentName,
    ) -> Result<Segment, String> {
        let octets = disk.map(&folder.join(name.to_string())).map_err(|error| error.to_string())?;
        if crc32fast::hash(&octets) != name.crc {
            return Err("its checksum is wrong".to_owned());
        }
        let batch = decode(Buffer::from(octets)).map_err(|error| error.to_string())?;
        if batch.num_rows() as u64 != name.rows {
            return Err("it has not the rows its name says".to_owned());
        }
        Segment::of(name, &batch).ok_or_else(|| "its columns are not the expected ones".to_owned())
    }

    /// Takes the columns out of `batch`; nothing if one is not there or of
    /// another type.
    fn of(name: SegmentName, batch: &RecordBatch) -> Option<Segment> {
        let schema = batch.schema();
        let metadata = schema.metadata();
        if metadata.get(key::FORMAT).map(String::as_str) != Some(schema::FORMAT) {
            return None;
        }
        let words = |key| metadata.get(key).map_or("", String::as_str).split(' ');
        let column = |name: &str| batch.column_by_name(name);
        let numbers = |name: &str| Some(column(name)?.as_primitive_opt::<UInt64Type>()?.values());
        let codes = WordColumn::ALL.map(|word| Codes::of(word, column(word.name())));
        let indexes = schema::INDEXES.map(|(of, rows)| {
            let rows = column(rows)?.as_primitive_opt::<UInt32Type>()?.values().clone();
            Some(Index { numbers: numbers(of)?.clone(), rows })
        });
        let short = |name: &str| Some(column(name)?.as_primitive_opt::<UInt32Type>()?.values());
        let codes = all(codes)?;
        Some(Segment {
            name,
            replaces: words(key::REPLACES).filter(|w| !w.is_empty()).map(str::to_owned).collect(),
            totals: totals(&codes),
            time: column(schema::TIME)?
                .as_primitive_opt::<TimestampMillisecondType>()?
                .values()
                .clone(),
            wide: all(
                WideField::ALL.map(|wide| column(wide.name())?.as_fixed_size_binary_opt().cloned())
            )?,
            codes,
            numbers: all(NumberColumn::ALL.map(|number| numbers_of(column(number.name()))))?,
            texts: all(TextColumn::STORED.map(|text| texts_of(column(text.name()))))?,
            written: all(TextColumn::STORED.map(|text| texts_of(column(&schema::written(text)))))?,
            blocks: column(schema::BLOCK)?.as_binary_opt().cloned()?,
            record_blocks: short(schema::RECORD_BLOCK)?.clone(),
            record_starts: short(schema::RECORD_START)?.clone(),
            indexes: all(indexes)?,
            octets: OnceLock::new(),
        })
    }

    /// Rows.
    pub(super) fn rows(&self) -> usize {
        self.time.len()
    }

    /// Octets of text and records, for the limit of a merged segment: with
    /// the text of every row, as merging holds it in memory. Counted when it
    /// is first asked for.
    pub(super) fn octets(&self) -> usize {
        *self.octets.get_or_init(|| {
            let texts = self.texts.iter().chain(&self.written).flatten();
            texts.map(TextParts::octets).sum::<usize>() + self.blocks.value_data().len()
        })
    }

    /// The columns, borrowed.
    pub(super) fn view(&self) -> View<'_> {
        View {
            time: &self.time,
            wide: self.wide.each_ref().map(|column| column.value_data().as_chunks().0),
            codes: self
                .codes
                .each_ref()
                .map(|column| CodeView { codes: &column.codes, meaning: &column.meaning }),
            numbers: self.numbers.each_ref().map(|column| &column[..]),
            texts: self.texts.each_ref().map(view_of),
            written: self.written.each_ref().map(view_of),
        }
    }

    /// Where the event of a row is: the row that has its block, the block,
    /// and where in it the event begins.
    pub(super) fn record(&self, row: usize) -> Option<(u32, &[u8], u32)> {
        let at = *self.record_blocks.get(row)?;
        let block = ((at as usize) < self.blocks.len()).then(|| self.blocks.value(at as usize))?;
        Some((at, block, *self.record_starts.get(row)?))
    }

    /// The event of a row; nothing if its record is damaged.
    pub(super) fn event(&self, row: usize, reader: &mut RecordReader) -> Option<Event> {
        let (at, block, start) = self.record(row)?;
        reader.read((self.name, at), block, start)
    }

    /// The rows whose event or life-line has this reference.
    pub(super) fn rows_of(&self, by: IndexedBy, reference: u64) -> impl Iterator<Item = usize> {
        let place = match by {
            IndexedBy::Own => 0,
            IndexedBy::LifeLine => 1,
        };
        self.indexes.get(place).into_iter().flat_map(move |index| {
            let from = index.numbers.partition_point(|&number| number < reference);
            let numbers = index.numbers.iter().skip(from);
            let rows = index.rows.iter().skip(from);
            numbers
                .zip(rows)
                .take_while(move |(number, _)| **number == reference)
                .map(|(_, row)| *row as usize)
        })
    }

    /// The key of a row.
    pub(super) fn key(&self, row: usize) -> RowKey {
        let [ids, ..] = &self.wide;
        let id = ids.value_data().as_chunks().0.get(row).copied().unwrap_or_default();
        (self.time.get(row).copied().unwrap_or(i64::MIN), id)
    }

    /// The key of its newest row.
    pub(super) fn newest(&self) -> RowKey {
        self.key(self.rows().saturating_sub(1))
    }
}

impl Codes {
    /// A column of words, with the meaning each has in this program's tables;
    /// a word that is in them no more means nothing. Nothing if the column is
    /// of another type.
    fn of(field: WordColumn, column: Option<&ArrayRef>) -> Option<Codes> {
        let mut meaning = [0; 256];
        let Some(column) = column else {
            return Some(Codes { codes: ScalarBuffer::from(Vec::new()), meaning });
        };
        let words = column.as_dictionary_opt::<UInt8Type>()?;
        let stored = words.values().as_string_opt::<i32>()?;
        for (place, word) in meaning.iter_mut().zip(stored.iter()) {
            *place = word.map_or(0, |word| field.code_of(word));
        }
        Some(Codes { codes: words.keys().values().clone(), meaning })
    }

    fn meanings(&self) -> impl Iterator<Item = u8> {
        self.codes.iter().map(|&code| self.meaning.get(usize::from(code)).copied().unwrap_or(0))
    }
}

/// A column of texts in either form. Nothing if it is of another type.
fn texts_of(column: Option<&ArrayRef>) -> Option<Texts> {
    let Some(column) = column else { return Some(None) };
    if let Some(cells) = column.as_string_opt::<i32>() {
        return Some(Some(TextParts { cells: cells.clone(), keys: None }));
    }
    let words = column.as_dictionary_opt::<UInt16Type>()?;
    let cells = words.values().as_string_opt::<i32>()?.clone();
    Some(Some(TextParts { cells, keys: Some(words.keys().values().clone()) }))
}

fn view_of(texts: &Texts) -> TextView<'_> {
    texts.as_ref().map_or_else(TextView::default, |texts| TextView {
        octets: texts.cells.value_data(),
        offsets: texts.cells.value_offsets(),
        keys: texts.keys.as_deref(),
    })
}

/// A column of numbers of any width; none if the segment was written without
/// it. Nothing if it is of another type.
fn numbers_of(column: Option<&ArrayRef>) -> Option<ScalarBuffer<u32>> {
    let Some(column) = column else { return Some(ScalarBuffer::from(Vec::new())) };
    if let Some(numbers) = column.as_primitive_opt::<UInt32Type>() {
        return Some(numbers.values().clone());
    }
    if let Some(numbers) = column.as_primitive_opt::<UInt16Type>() {
        return Some(numbers.values().iter().map(|&number| u32::from(number)).collect());
    }
    let numbers = column.as_primitive_opt::<UInt64Type>()?.values();
    Some(numbers.iter().map(|&number| u32::try_from(number).unwrap_or(u32::MAX)).collect())
}

impl TextParts {
    /// Octets that all rows have, each with a text of its own. A mean would
    /// not do: the longest text of a legend may be that of most rows.
    fn octets(&self) -> usize {
        let Some(keys) = &self.keys else { return self.cells.value_data().len() };
        let mut rows = vec![0; self.cells.len()];
        for &key in keys.iter() {
            if let Some(rows) = rows.get_mut(usize::from(key)) {
                *rows += 1;
            }
        }
        let lengths = self.cells.offsets().lengths();
        lengths.zip(rows).map(|(octets, rows): (usize, usize)| octets.saturating_mul(rows)).sum()
    }
}

/// Nothing if any is missing.
fn all<T, const N: usize>(columns: [Option<T>; N]) -> Option<[T; N]> {
    let columns: Option<Vec<T>> = columns.into_iter().collect();
    columns?.try_into().ok()
}

fn totals(codes: &[Codes; WORDS]) -> Totals {
    let mut totals = Totals::default();
    let [kinds, outcomes, ..] = codes;
    for (kind, outcome) in kinds.meanings().zip(outcomes.meanings()) {
        count(&mut totals, kind, outcome);
    }
    totals
}

/// Adds one row to the totals.
pub(super) fn count(totals: &mut Totals, kind: u8, outcome: u8) {
    if kind != ATTEMPT {
        totals.follow_ups += 1;
    } else if let Some(place) = usize::from(outcome).checked_sub(1)
        && let Some(attempts) = totals.attempts.get_mut(place)
    {
        *attempts += 1;
    }
}

/// The one record batch of an Arrow file, without copying its columns.
fn decode(file: Buffer) -> Result<RecordBatch, ArrowError> {
    let damaged = |what: &str| ArrowError::ParseError(what.to_owned());
    let trailer_start =
        file.len().checked_sub(TRAILER_OCTETS).ok_or_else(|| damaged("it is too short"))?;
    let trailer = file.get(trailer_start..).and_then(|end| end.try_into().ok());
    let footer_octets = read_footer_length(trailer.ok_or_else(|| damaged("it is too short"))?)?;
    let footer = trailer_start
        .checked_sub(footer_octets)
        .and_then(|start| file.get(start..trailer_start))
        .ok_or_else(|| damaged("its footer is cut off"))?;
    let footer = root_as_footer(footer).map_err(|error| damaged(&error.to_string()))?;
    let layout = footer.schema().ok_or_else(|| damaged("it has no schema"))?;
    let mut decoder = FileDecoder::new(Arc::new(try_fb_to_schema(layout)?), footer.version());
    let body = |block: &Block| -> Result<Buffer, ArrowError> {
        let octets = block.bodyLength().checked_add(i64::from(block.metaDataLength()));
        let octets = octets.and_then(|octets| usize::try_from(octets).ok());
        let start = usize::try_from(block.offset()).ok();
        match (start, octets) {
            (Some(start), Some(octets))
                if start.checked_add(octets).is_some_and(|end| end <= file.len()) =>
            {
                Ok(file.slice_with_length(start, octets))
            }
            _ => Err(damaged("a block lies outside of it")),
        }
    };
    for block in footer.dictionaries().iter().flatten() {
        decoder.read_dictionary(block, &body(block)?)?;
    }
    let block = footer.recordBatches().and_then(|batches| batches.iter().next());
    let block = block.ok_or_else(|| damaged("it has no rows"))?;
    decoder
        .read_record_batch(block, &body(block)?)?
        .ok_or_else(|| damaged("its block is no batch of rows"))
}
