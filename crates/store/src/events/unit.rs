//! Rows that belong together, wherever they are: in memory or sealed.

use std::ops::Range;
use std::sync::Arc;

use types::{Event, Timestamp};

use super::bits::Bits;
use super::chunk::Chunk;
use super::columns::{RowKey, View};
use super::fields::WideField;
use super::record::RecordReader;
use super::segment::{IndexedBy, Segment};

/// A chunk in memory, or a segment.
#[derive(Clone, Debug)]
pub(super) enum Unit {
    /// Rows in the order in which they came.
    Memory(Arc<Chunk>),
    /// Rows in the order of their keys.
    Sealed(Arc<Segment>),
}

/// Where the event of a row is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Memory(Arc<Event>),
    Sealed(Arc<Segment>, usize),
}

impl Place {
    /// The event; nothing if its record is damaged.
    pub(super) fn event(&self, reader: &mut RecordReader) -> Option<Event> {
        match self {
            Place::Memory(event) => Some(Event::clone(event)),
            Place::Sealed(segment, row) => segment.event(*row, reader),
        }
    }
}

impl Unit {
    /// Rows.
    pub(super) fn rows(&self) -> usize {
        match self {
            Unit::Memory(chunk) => chunk.rows(),
            Unit::Sealed(segment) => segment.rows(),
        }
    }

    /// Its columns.
    pub(super) fn view(&self) -> View<'_> {
        match self {
            Unit::Memory(chunk) => chunk.columns.view(),
            Unit::Sealed(segment) => segment.view(),
        }
    }

    /// The key of its newest row.
    pub(super) fn newest(&self) -> RowKey {
        match self {
            Unit::Memory(chunk) => chunk.newest(),
            Unit::Sealed(segment) => segment.newest(),
        }
    }

    /// The key of its oldest row.
    pub(super) fn oldest(&self) -> RowKey {
        match self {
            Unit::Memory(chunk) => {
                let ids = chunk.columns.wide.get(WideField::Id as usize);
                let ids = ids.map(Vec::as_slice).unwrap_or_default();
                chunk.columns.time.iter().copied().zip(ids.iter().copied()).min()
            }
            Unit::Sealed(segment) => Some(segment.key(0)),
        }
        .unwrap_or_default()
    }

    /// Where the event of a row is.
    pub(super) fn place(&self, row: usize) -> Option<Place> {
        match self {
            Unit::Memory(chunk) => chunk.events.get(row).map(|e| Place::Memory(Arc::clone(e))),
            Unit::Sealed(segment) => Some(Place::Sealed(Arc::clone(segment), row)),
        }
    }

    /// Rows whose event or life-line has this reference.
    pub(super) fn find(&self, by: IndexedBy, reference: u64) -> Vec<(RowKey, Place)> {
        match self {
            Unit::Memory(chunk) => find_in(chunk, by, reference),
            Unit::Sealed(segment) => segment
                .rows_of(by, reference)
                .map(|row| (segment.key(row), Place::Sealed(Arc::clone(segment), row)))
                .collect(),
        }
    }

    /// The rows that can lie inside `window`, to be narrowed by [`Unit::among`].
    pub(super) fn inside(&self, view: &View<'_>, window: Window) -> Range<usize> {
        match self {
            Unit::Memory(_) => 0..view.rows(),
            Unit::Sealed(_) => window.rows(view),
        }
    }

    /// Which of `rows` rows from `start` lie inside `window`, given that they
    /// are of [`Unit::inside`].
    pub(super) fn among(&self, view: &View<'_>, window: Window, start: usize, rows: usize) -> Bits {
        match self {
            Unit::Sealed(_) => Bits::first(rows),
            Unit::Memory(_) => {
                let mut among = Bits::none();
                let inside = |row: &usize| window.has(view.key(start + row));
                (0..rows).filter(inside).for_each(|row| among.set(row));
                among
            }
        }
    }
}

/// Rows of a chunk by reference.
pub(super) fn find_in(chunk: &Chunk, by: IndexedBy, reference: u64) -> Vec<(RowKey, Place)> {
    let view = chunk.columns.view();
    let place = |row: usize| chunk.events.get(row).map(|event| Place::Memory(Arc::clone(event)));
    chunk.rows_of(by, reference).filter_map(|row| Some((view.key(row), place(row)?))).collect()
}

/// Which keys are looked at: from a key on, and before one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Inclusive.
    pub(super) from: RowKey,
    /// Exclusive.
    pub(super) end: RowKey,
}

impl Window {
    /// The keys of `times`.
    pub(super) fn new(times: &Range<Timestamp>) -> Self {
        let (from, end) = (times.start.as_millis(), times.end.as_millis());
        Window { from: (from, [0; 16]), end: (end, [0; 16]) }
    }

    /// Of these, the keys before `key`.
    #[must_use]
    pub(super) fn before(self, key: RowKey) -> Self {
        Window { end: self.end.min(key), ..self }
    }

    /// Of these, the keys after `key`.
    #[must_use]
    pub(super) fn after(self, key: RowKey) -> Self {
        Window { from: self.from.max(next_key(key)), ..self }
    }

    /// Whether a key lies inside.
    pub(super) fn has(self, key: RowKey) -> bool {
        key >= self.from && key < self.end
    }

    /// Whether anything of a unit can lie inside.
    pub(super) fn touches(self, unit: &Unit) -> bool {
        unit.rows() > 0 && unit.newest() >= self.from && unit.oldest() < self.end
    }

    /// The rows inside, of a view that is in order.
    fn rows(self, view: &View<'_>) -> Range<usize> {
        let first_from = |key: RowKey| {
            let (mut low, mut high) = (0, view.rows());
            while low < high {
                let middle = low.midpoint(high);
                if view.key(middle) < key {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            low
        };
        let from = first_from(self.from);
        from..first_from(self.end).max(from)
    }
}

/// The least key after `key`.
pub(super) fn next_key((at, id): RowKey) -> RowKey {
    match u128::from_be_bytes(id).checked_add(1) {
        Some(next) => (at, next.to_be_bytes()),
        None => (at.saturating_add(1), [0; 16]),
    }
}

/// The greatest key before `key`.
pub(super) fn key_before((at, id): RowKey) -> RowKey {
    match u128::from_be_bytes(id).checked_sub(1) {
        Some(before) => (at, before.to_be_bytes()),
        None => (at.saturating_sub(1), [u8::MAX; 16]),
    }
}
