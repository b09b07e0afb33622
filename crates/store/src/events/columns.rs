//! The columns of the event memory, growing or borrowed.
//!
//! The same columns exist twice: growing in memory ([`Columns`]) and mapped
//! from a sealed segment. A [`View`] borrows either, and a search knows
//! nothing else.

use types::Event;

use super::fields::{CodeField, TextField, VALUE_SEPARATOR, WideField, fold_into, ip_octets};

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

    fn push_values(&mut self, field: TextField, event: &Event) {
        let mut first = true;
        let octets = &mut self.octets;
        field.values(event, &mut |value| {
            if !first {
                octets.push(VALUE_SEPARATOR);
            }
            first = false;
            fold_into(octets, value);
        });
        self.end_cell();
    }

    fn view(&self) -> TextView<'_> {
        TextView { octets: &self.octets, offsets: &self.offsets }
    }
}

/// A text column, wherever it lies.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextView<'a> {
    pub(super) octets: &'a [u8],
    /// One more than there are rows.
    pub(super) offsets: &'a [i32],
}

impl<'a> TextView<'a> {
    /// Where row `row` starts; the end of the column for the row after the last.
    pub(super) fn start(&self, row: usize) -> usize {
        self.offsets.get(row).and_then(|&offset| usize::try_from(offset).ok()).unwrap_or(0)
    }

    /// The cell of one row.
    pub(super) fn cell(&self, row: usize) -> &'a [u8] {
        self.octets.get(self.start(row)..self.start(row + 1)).unwrap_or_default()
    }
}

/// A column of codes, with what its codes mean in the present legend.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeView<'a> {
    pub(super) codes: &'a [u8],
    /// The present code of each stored one.
    pub(super) meaning: &'a [u8; 256],
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
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) time: Vec<i64>,
    pub(super) wide: [Vec<[u8; 16]>; WideField::ALL.len()],
    pub(super) codes: [Vec<u8>; CodeField::ALL.len()],
    pub(super) texts: [TextArena; TextField::ALL.len()],
    /// The reply code, 0 for none.
    pub(super) reply_code: Vec<u16>,
    /// Octets of the message, else the declared ones, else 0.
    pub(super) size: Vec<u64>,
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
        for (column, field) in self.codes.iter_mut().zip(CodeField::ALL) {
            column.push(field.code(event));
        }
        for (column, field) in self.texts.iter_mut().zip(TextField::ALL) {
            column.push_values(field, event);
        }
        self.reply_code.push(event.record.reply.as_ref().map_or(0, |reply| reply.code));
        let received = event.subject.message.as_ref().map(|message| message.size_octets);
        self.size.push(received.or(event.subject.declared_size).unwrap_or(0));
    }

    /// Adds row `row` of `view`, which may be of another program version.
    pub(super) fn copy(&mut self, view: &View<'_>, row: usize) {
        self.time.push(view.time.get(row).copied().unwrap_or(0));
        for (column, from) in self.wide.iter_mut().zip(view.wide) {
            column.push(from.get(row).copied().unwrap_or_default());
        }
        for (column, from) in self.codes.iter_mut().zip(view.codes) {
            let code = from.codes.get(row).copied().unwrap_or(0);
            column.push(from.meaning.get(usize::from(code)).copied().unwrap_or(0));
        }
        for (column, from) in self.texts.iter_mut().zip(view.texts) {
            column.octets.extend_from_slice(from.cell(row));
            column.end_cell();
        }
        self.reply_code.push(view.reply_code.get(row).copied().unwrap_or(0));
        self.size.push(view.size.get(row).copied().unwrap_or(0));
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.time.len()
    }

    /// Octets of text.
    pub(super) fn text_octets(&self) -> usize {
        self.texts.iter().map(|text| text.octets.len()).sum()
    }

    /// The columns, borrowed.
    pub(super) fn view(&self) -> View<'_> {
        View {
            time: &self.time,
            wide: self.wide.each_ref().map(Vec::as_slice),
            codes: self.codes.each_ref().map(|codes| CodeView { codes, meaning: &SAME_MEANING }),
            texts: self.texts.each_ref().map(TextArena::view),
            reply_code: &self.reply_code,
            size: &self.size,
        }
    }
}

/// Borrowed columns.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) time: &'a [i64],
    pub(super) wide: [&'a [[u8; 16]]; WideField::ALL.len()],
    pub(super) codes: [CodeView<'a>; CodeField::ALL.len()],
    pub(super) texts: [TextView<'a>; TextField::ALL.len()],
    pub(super) reply_code: &'a [u16],
    pub(super) size: &'a [u64],
}

impl<'a> View<'a> {
    /// One column of identifiers.
    pub(super) fn wide(&self, field: WideField) -> &'a [[u8; 16]] {
        self.wide.get(field as usize).copied().unwrap_or_default()
    }

    /// One column of codes.
    pub(super) fn codes(&self, field: CodeField) -> CodeView<'a> {
        let none = CodeView { codes: &[], meaning: &SAME_MEANING };
        self.codes.get(field as usize).copied().unwrap_or(none)
    }

    /// One column of texts.
    pub(super) fn text(&self, field: TextField) -> TextView<'a> {
        self.texts.get(field as usize).copied().unwrap_or_default()
    }

    /// By what rows are ordered everywhere: time, then identifier.
    pub(super) fn key(&self, row: usize) -> RowKey {
        let time = self.time.get(row).copied().unwrap_or(i64::MIN);
        (time, self.wide(WideField::Id).get(row).copied().unwrap_or_default())
    }
}

/// Time in milliseconds, then identifier.
pub(super) type RowKey = (i64, [u8; 16]);
