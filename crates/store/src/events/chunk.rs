//! Rows in memory: the newest chunk grows, full ones are only read.

use std::ops::Range;
use std::sync::Arc;

use types::Event;

use super::columns::{Columns, RowKey, part};
use super::segment::{IndexedBy, count};
use crate::contract::{Position, Totals};
use crate::search::WordColumn;

/// Rows after which a chunk is full. The newest chunk is searched under its
/// lock, so this bounds how long a push can wait: some ten microseconds.
pub(super) const CHUNK_ROWS: usize = 1024;

/// Rows in the order in which they were pushed.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    pub(super) columns: Columns,
    pub(super) events: Vec<Arc<Event>>,
    /// References as numbers: of the events and of their life-lines.
    own: Vec<u64>,
    life_lines: Vec<u64>,
    /// The lowest and the highest journal position.
    pub(super) positions: Option<(Position, Position)>,
    pub(super) totals: Totals,
    newest: RowKey,
    /// How many events had come before its first.
    first: u64,
}

impl Chunk {
    /// An empty one, for what comes after so many events.
    pub(super) fn starting_at(first: u64) -> Chunk {
        Chunk { first, ..Chunk::default() }
    }

    /// Its events, counted in the order of arrival.
    pub(super) fn arrived(&self) -> Range<u64> {
        self.first..self.first + self.rows() as u64
    }

    /// What came with and after the event of this number, to be searched; it
    /// is not to be sealed.
    pub(super) fn after(&self, number: u64) -> Chunk {
        let first = number.clamp(self.first, self.arrived().end);
        let start = usize::try_from(first - self.first).unwrap_or(usize::MAX);
        let rest = start..self.rows();
        let columns = self.columns.part(&rest);
        let newest = {
            let view = columns.view();
            (0..columns.len()).map(|row| view.key(row)).max().unwrap_or_default()
        };
        Chunk {
            columns,
            events: part(&self.events, &rest),
            own: part(&self.own, &rest),
            life_lines: part(&self.life_lines, &rest),
            newest,
            first,
            ..Chunk::default()
        }
    }
    pub(super) fn push(&mut self, position: Position, event: Arc<Event>) {
        self.own.push(event.id.reference().as_u64());
        self.life_lines.push(event.life_line.reference().as_u64());
        self.columns.push(&event);
        let (first, last) = self.positions.unwrap_or((position, position));
        self.positions = Some((first.min(position), last.max(position)));
        let key = (event.at.as_millis(), *event.id.as_bytes());
        self.newest = if self.rows() == 1 { key } else { self.newest.max(key) };
        let codes = &self.columns.codes;
        let last_code = |field: WordColumn| codes.get(field as usize).and_then(|c| c.last());
        let code = |field| last_code(field).copied().unwrap_or(0);
        count(&mut self.totals, code(WordColumn::Kind), code(WordColumn::Outcome));
        self.events.push(event);
    }

    /// Rows.
    pub(super) fn rows(&self) -> usize {
        self.columns.len()
    }

    /// The key of its newest row.
    pub(super) fn newest(&self) -> RowKey {
        self.newest
    }

    /// The rows whose event or life-line has this reference.
    pub(super) fn rows_of(&self, by: IndexedBy, reference: u64) -> impl Iterator<Item = usize> {
        let numbers = match by {
            IndexedBy::Own => &self.own,
            IndexedBy::LifeLine => &self.life_lines,
        };
        let rows = numbers.iter().enumerate();
        rows.filter(move |(_, number)| **number == reference).map(|(row, _)| row)
    }
}
