//! The columns of the event memory, growing or borrowed.
//!
//! The same columns exist twice: growing in memory ([`Columns`]) and mapped
//! from a sealed segment. A [`View`] borrows either, and a search knows
//! nothing else.

use std::borrow::Cow;
use std::ops::Range;

use types::Event;

use super::fields::{
    SPELLING_SEPARATOR, TakeValue, VALUE_SEPARATOR, WideField, fold_into, ip_octets, is_separator,
};
use crate::search::{NumberColumn, TextColumn, WordColumn};

/// Number of text columns that are stored.
pub(super) const TEXTS: usize = TextColumn::STORED.len();
/// Number of columns of words.
pub(super) const WORDS: usize = WordColumn::ALL.len();
/// Number of columns of numbers.
pub(super) const NUMBERS: usize = NumberColumn::ALL.len();

/// Texts one after the other, with the offset of each end.
#[derive(Clone, Debug)]
pub(super) struct TextArena {
    pub(super) octets: Vec<u8>,
    pub(super) offsets: Vec<i32>,
}

impl Default for TextArena {
    fn default() -> Self {
        TextArena { octets: Vec::new(), offsets: vec![0] }
    }
}

impl TextArena {
    /// Ends the cell that was appended to `octets`.
    ///
    /// Offsets are 32 bits wide, as Arrow has them; segments are cut long
    /// before that ([`super::segment::SEGMENT_OCTETS_MAX`]).
    pub(super) fn end_cell(&mut self) {
        self.offsets.push(i32::try_from(self.octets.len()).unwrap_or(i32::MAX));
    }

    pub(super) fn push(&mut self, cell: &[u8]) {
        self.octets.extend_from_slice(cell);
        self.end_cell();
    }

    /// The cells `cells` alone.
    fn part(&self, cells: &Range<usize>) -> TextArena {
        let view = self.view();
        let octets = part(&self.octets, &(view.start(cells.start)..view.start(cells.end)));
        let ends = self.offsets.get(cells.start..=cells.end).unwrap_or(&[0]);
        let first = ends.first().copied().unwrap_or(0);
        TextArena { octets, offsets: ends.iter().map(|end| end - first).collect() }
    }

    pub(super) fn view(&self) -> TextView<'_> {
        TextView { octets: &self.octets, offsets: &self.offsets, keys: None }
    }
}

/// Writes one cell in both forms: folded for comparison, and as it was
/// written, which is dropped where the folded form is the same.
struct CellWriter<'a> {
    folded: &'a mut TextArena,
    written: &'a mut TextArena,
    is_first: bool,
    differs: bool,
}

impl TakeValue for CellWriter<'_> {
    fn value(&mut self, written: &str) {
        if !self.is_first {
            self.folded.octets.push(VALUE_SEPARATOR);
            self.written.octets.push(VALUE_SEPARATOR);
        }
        self.is_first = false;
        let start = self.folded.octets.len();
        fold_into(&mut self.folded.octets, written);
        self.differs |= self.folded.octets.get(start..) != Some(written.as_bytes());
        let start = self.written.octets.len();
        self.written.octets.extend_from_slice(written.as_bytes());
        for octet in self.written.octets.get_mut(start..).unwrap_or_default() {
            if is_separator(*octet) {
                *octet = b' ';
            }
        }
    }

    fn spelling(&mut self, other: &str) {
        self.folded.octets.push(SPELLING_SEPARATOR);
        fold_into(&mut self.folded.octets, other);
    }
}

/// A text column, wherever it lies. One that a segment was written without
/// has neither octets nor offsets, and every cell of it is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextView<'a> {
    pub(super) octets: &'a [u8],
    /// One more than there are cells.
    pub(super) offsets: &'a [i32],
    /// Which cell is that of a row, if not each row has its own.
    pub(super) keys: Option<&'a [u16]>,
}

impl<'a> TextView<'a> {
    /// Whether no row has a text.
    pub(super) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Where cell `cell` starts; the end of the column for the cell after the last.
    pub(super) fn start(&self, cell: usize) -> usize {
        self.offsets.get(cell).and_then(|&offset| usize::try_from(offset).ok()).unwrap_or(0)
    }

    /// Cells.
    pub(super) fn cells(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// One cell.
    pub(super) fn at(&self, cell: usize) -> &'a [u8] {
        self.octets.get(self.start(cell)..self.start(cell + 1)).unwrap_or_default()
    }

    /// The cell of one row.
    pub(super) fn cell(&self, row: usize) -> &'a [u8] {
        match self.keys {
            None => self.at(row),
            Some(keys) => keys.get(row).map_or(&[], |&key| self.at(usize::from(key))),
        }
    }
}

/// A column of codes, with what its codes mean in the present legend.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeView<'a> {
    /// One per row; empty if the segment was written without the column.
    pub(super) codes: &'a [u8],
    /// The present code of each stored one.
    pub(super) meaning: &'a [u8; 256],
}

impl CodeView<'_> {
    /// The present code of a row.
    pub(super) fn code(&self, row: usize) -> u8 {
        let stored = self.codes.get(row).copied().unwrap_or(0);
        self.meaning.get(usize::from(stored)).copied().unwrap_or(0)
    }
}

/// Each code means itself: rows written by this very program.
pub(super) const SAME_MEANING: [u8; 256] = {
    let mut meaning = [0; 256];
    let mut code = 0;
    while code < 256 {
        #[expect(clippy::indexing_slicing, reason = "constant, bounded by the loop")]
        {
            meaning[code] = code as u8;
        }
        code += 1;
    }
    meaning
};

/// Rows in memory, one vector per column.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub(super) time: Vec<i64>,
    pub(super) wide: [Vec<[u8; 16]>; WideField::ALL.len()],
    pub(super) codes: [Vec<u8>; WORDS],
    pub(super) numbers: [Vec<u32>; NUMBERS],
    /// For comparison.
    pub(super) texts: [TextArena; TEXTS],
    /// As written, where that is something else.
    pub(super) written: [TextArena; TEXTS],
}

impl Columns {
    /// Adds the row of `event`.
    pub(super) fn push(&mut self, event: &Event) {
        self.time.push(event.at.as_millis());
        let wide = [
            *event.id.as_bytes(),
            *event.life_line.as_bytes(),
            *event.session.as_bytes(),
            ip_octets(event.subject.client.client.ip),
        ];
        for (column, octets) in self.wide.iter_mut().zip(wide) {
            column.push(octets);
        }
        for (column, field) in self.codes.iter_mut().zip(WordColumn::ALL) {
            column.push(field.code(event));
        }
        for (column, field) in self.numbers.iter_mut().zip(NumberColumn::ALL) {
            column.push(field.number(event));
        }
        let texts = self.texts.iter_mut().zip(&mut self.written);
        for ((folded, written), field) in texts.zip(TextColumn::STORED) {
            let start = written.octets.len();
            let mut cell = CellWriter { folded, written, is_first: true, differs: false };
            field.values(event, &mut cell);
            if !cell.differs {
                cell.written.octets.truncate(start);
            }
            folded.end_cell();
            written.end_cell();
        }
    }

    /// Adds row `row` of `view`, which may be of another program version.
    pub(super) fn copy(&mut self, view: &View<'_>, row: usize) {
        self.time.push(view.time.get(row).copied().unwrap_or(0));
        for (column, from) in self.wide.iter_mut().zip(view.wide) {
            column.push(from.get(row).copied().unwrap_or_default());
        }
        for (column, from) in self.codes.iter_mut().zip(view.codes) {
            column.push(from.code(row));
        }
        for (column, from) in self.numbers.iter_mut().zip(view.numbers) {
            column.push(from.get(row).copied().unwrap_or(0));
        }
        for (column, from) in self.texts.iter_mut().zip(view.texts) {
            column.push(from.cell(row));
        }
        for (column, from) in self.written.iter_mut().zip(view.written) {
            column.push(from.cell(row));
        }
    }

    /// The rows `rows` alone.
    pub(super) fn part(&self, rows: &Range<usize>) -> Columns {
        Columns {
            time: part(&self.time, rows),
            wide: self.wide.each_ref().map(|column| part(column, rows)),
            codes: self.codes.each_ref().map(|column| part(column, rows)),
            numbers: self.numbers.each_ref().map(|column| part(column, rows)),
            texts: self.texts.each_ref().map(|column| column.part(rows)),
            written: self.written.each_ref().map(|column| column.part(rows)),
        }
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.time.len()
    }

    /// Octets of text.
    pub(super) fn text_octets(&self) -> usize {
        self.texts.iter().chain(&self.written).map(|text| text.octets.len()).sum()
    }

    /// The columns, borrowed.
    pub(super) fn view(&self) -> View<'_> {
        View {
            time: &self.time,
            wide: self.wide.each_ref().map(Vec::as_slice),
            codes: self.codes.each_ref().map(|codes| CodeView { codes, meaning: &SAME_MEANING }),
            numbers: self.numbers.each_ref().map(Vec::as_slice),
            texts: self.texts.each_ref().map(TextArena::view),
            written: self.written.each_ref().map(TextArena::view),
        }
    }
}

/// Borrowed columns. A column that a segment was written without is empty.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) time: &'a [i64],
    pub(super) wide: [&'a [[u8; 16]]; WideField::ALL.len()],
    pub(super) codes: [CodeView<'a>; WORDS],
    pub(super) numbers: [&'a [u32]; NUMBERS],
    pub(super) texts: [TextView<'a>; TEXTS],
    pub(super) written: [TextView<'a>; TEXTS],
}

impl<'a> View<'a> {
    /// Rows.
    pub(super) fn rows(&self) -> usize {
        self.time.len()
    }

    /// One column of identifiers.
    pub(super) fn wide(&self, field: WideField) -> &'a [[u8; 16]] {
        self.wide.get(field as usize).copied().unwrap_or_default()
    }

    /// One column of codes.
    pub(super) fn codes(&self, field: WordColumn) -> CodeView<'a> {
        let none = CodeView { codes: &[], meaning: &SAME_MEANING };
        self.codes.get(field as usize).copied().unwrap_or(none)
    }

    /// One column of numbers.
    pub(super) fn numbers(&self, field: NumberColumn) -> &'a [u32] {
        self.numbers.get(field as usize).copied().unwrap_or_default()
    }

    /// One column of texts; empty for a group.
    pub(super) fn text(&self, field: TextColumn) -> TextView<'a> {
        self.texts.get(field as usize).copied().unwrap_or_default()
    }

    /// The text of a row as it was written, its values separated by
    /// [`crate::search::VALUE_SEPARATOR`].
    pub(super) fn written(&self, field: TextColumn, row: usize) -> Cow<'a, str> {
        let written = self.written.get(field as usize).copied().unwrap_or_default().cell(row);
        if !written.is_empty() {
            return text_of(written);
        }
        let folded = self.text(field).cell(row);
        if memchr::memchr(SPELLING_SEPARATOR, folded).is_none() {
            return text_of(folded);
        }
        let values = folded.split(|&octet| octet == VALUE_SEPARATOR).map(first_spelling);
        Cow::Owned(text_of(&values.collect::<Vec<_>>().join(&VALUE_SEPARATOR)).into_owned())
    }

    /// By what rows are ordered everywhere: time, then identifier.
    pub(super) fn key(&self, row: usize) -> RowKey {
        let time = self.time.get(row).copied().unwrap_or(i64::MIN);
        (time, self.wide(WideField::Id).get(row).copied().unwrap_or_default())
    }
}

/// Part of a column.
pub(super) fn part<T: Clone>(column: &[T], rows: &Range<usize>) -> Vec<T> {
    column.get(rows.clone()).unwrap_or_default().to_vec()
}

/// A cell as text. Cells are written from text; damage is shown as such.
/// What is valid, which all is, is checked many octets at a time.
fn text_of(cell: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(cell).map_or_else(|_| String::from_utf8_lossy(cell), Cow::Borrowed)
}

/// A value without its other spelling.
pub(super) fn first_spelling(value: &[u8]) -> &[u8] {
    value.split(|&octet| octet == SPELLING_SEPARATOR).next().unwrap_or_default()
}

/// Time in milliseconds, then identifier.
pub(super) type RowKey = (i64, [u8; 16]);
