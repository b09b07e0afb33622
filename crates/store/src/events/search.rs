//! Going through rows: newest first and stopping at the page, oldest first
//! for exports, or straight to a reference.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use types::{Event, Timestamp};

use super::bits::{BLOCK_ROWS, Bits};
use super::chunk::Chunk;
use super::columns::{RowKey, View};
use super::filter::Test;
use super::record::RecordReader;
use super::segment::{IndexedBy, Segment};
use crate::contract::{Page, StoreError};

/// Rows that belong together: a full chunk in memory, or a segment.
#[derive(Clone, Debug)]
pub(super) enum Unit {
    Memory(Arc<Chunk>),
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
    /// The key of its newest row.
    pub(super) fn newest(&self) -> RowKey {
        match self {
            Unit::Memory(chunk) => chunk.newest(),
            Unit::Sealed(segment) => segment.newest(),
        }
    }

    /// Rows whose event or life-line has this reference.
    pub(super) fn find(&self, by: IndexedBy, reference: u64) -> Vec<(RowKey, Place)> {
        match self {
            Unit::Memory(chunk) => find_in(chunk, by, reference),
            Unit::Sealed(segment) => {
                let rows = segment.rows_of(by, reference);
                let view = segment.view();
                rows.map(|row| (view.key(row), Place::Sealed(Arc::clone(segment), row))).collect()
            }
        }
    }

    /// Its rows inside `window`, in order.
    fn ascending(self, window: Window) -> Box<dyn Iterator<Item = (RowKey, Place)>> {
        match self {
            Unit::Memory(chunk) => Box::new(ascending_in(&chunk, window).into_iter()),
            Unit::Sealed(segment) => {
                let rows = window.rows(&segment.view());
                Box::new(rows.map(move |row| {
                    (segment.view().key(row), Place::Sealed(Arc::clone(&segment), row))
                }))
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

/// Rows of a chunk inside `window`, in order.
pub(super) fn ascending_in(chunk: &Chunk, window: Window) -> Vec<(RowKey, Place)> {
    let view = chunk.columns.view();
    let mut rows: Vec<_> = chunk
        .events
        .iter()
        .enumerate()
        .map(|(row, event)| (view.key(row), Place::Memory(Arc::clone(event))))
        .filter(|(key, _)| window.has(*key))
        .collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}

/// Which keys are looked at: from a time on, and before a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: i64,
    end: RowKey,
}

impl Window {
    /// The keys of `times`; of a later page, only those before its start.
    pub(super) fn new(times: &Range<Timestamp>, page: Option<&Page>) -> Self {
        let end = (times.end.as_millis(), [0; 16]);
        let after = page.and_then(|page| page.after);
        let end = after.map_or(end, |(at, id)| end.min((at.as_millis(), *id.as_bytes())));
        Window { from: times.start.as_millis(), end }
    }

    fn has(self, key: RowKey) -> bool {
        key.0 >= self.from && key < self.end
    }

    /// The rows inside, of a view that is in order.
    fn rows(self, view: &View<'_>) -> Range<usize> {
        let from = view.time.partition_point(|&time| time < self.from);
        let (mut low, mut high) = (from, view.time.len());
        while low < high {
            let middle = low.midpoint(high);
            if view.key(middle) < self.end {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        from..low
    }
}

/// Gathers the page of a search.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    test: &'a Test,
    window: Window,
    rows_max: usize,
    /// Matches after which nobody wants to know of more.
    enough: usize,
    /// The newest matches so far, newest first.
    rows: Vec<(RowKey, Place)>,
    matches: usize,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(test: &'a Test, window: Window, page: &Page) -> Self {
        let enough = page.count_max.max(page.rows_max);
        let rows_max = page.rows_max;
        Gathering { test, window, rows_max, enough, rows: Vec::new(), matches: 0 }
    }

    /// Looks through `units`, newest first, as far as needed.
    pub(super) fn look_through(&mut self, mut units: Vec<Unit>) {
        units.sort_by_key(|unit| Reverse(unit.newest()));
        for unit in units {
            let newest = unit.newest();
            if newest.0 < self.window.from || self.is_done(newest) {
                return;
            }
            match unit {
                Unit::Memory(chunk) => self.chunk(&chunk),
                Unit::Sealed(segment) => self.segment(&segment),
            }
        }
    }

    /// Whether no row at or before `key` can change the answer.
    fn is_done(&self, key: RowKey) -> bool {
        let page_is_full = self.rows.len() >= self.rows_max;
        let is_older = self.rows.last().is_none_or(|(last, _)| key < *last);
        self.matches > self.enough && page_is_full && is_older
    }

    /// Looks through rows in memory, which are in no order.
    pub(super) fn chunk(&mut self, chunk: &Chunk) {
        let view = chunk.columns.view();
        let rows = chunk.rows();
        let mut start = 0;
        while start < rows {
            let block = BLOCK_ROWS.min(rows - start);
            let mut among = Bits::none();
            let inside = |row: &usize| self.window.has(view.key(start + row));
            (0..block).filter(inside).for_each(|row| among.set(row));
            let found = self.test.matching(&view, start, block, &among);
            self.matches += found.count();
            for row in found.rows() {
                if let Some(event) = chunk.events.get(start + row) {
                    self.take(view.key(start + row), || Place::Memory(Arc::clone(event)));
                }
            }
            start += block;
        }
    }

    fn segment(&mut self, segment: &Arc<Segment>) {
        let view = segment.view();
        let Range { start: first, mut end } = self.window.rows(&view);
        while end > first && !self.is_done(view.key(end - 1)) {
            let start = first.max(end.saturating_sub(BLOCK_ROWS));
            let among = Bits::first(end - start);
            let found = self.test.matching(&view, start, end - start, &among);
            self.matches += found.count();
            for row in found.rows_descending() {
                let row = start + row;
                if !self.take(view.key(row), || Place::Sealed(Arc::clone(segment), row)) {
                    break;
                }
            }
            end = start;
        }
    }

    /// Puts a match into the page if it is new enough, and says so.
    fn take(&mut self, key: RowKey, place: impl FnOnce() -> Place) -> bool {
        let at = self.rows.partition_point(|(other, _)| *other > key);
        if at >= self.rows_max {
            return false;
        }
        self.rows.insert(at, (key, place()));
        self.rows.truncate(self.rows_max);
        true
    }

    /// The page, the number of matches counted, and whether there are more.
    pub(super) fn finish(self) -> (Vec<(RowKey, Place)>, usize, bool) {
        let more = self.matches > self.enough;
        (self.rows, self.matches.min(self.enough), more)
    }
}

/// Hands out the rows of `units` and of `newest` in order of their keys.
pub(super) fn in_order(
    units: Vec<Unit>,
    newest: Vec<(RowKey, Place)>,
    window: Window,
    visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut sources: Vec<Box<dyn Iterator<Item = (RowKey, Place)>>> =
        units.into_iter().map(|unit| unit.ascending(window)).collect();
    sources.push(Box::new(newest.into_iter()));
    let mut heads: Vec<Option<(RowKey, Place)>> = sources.iter_mut().map(Iterator::next).collect();
    let mut order: BinaryHeap<Reverse<(RowKey, usize)>> = heads
        .iter()
        .enumerate()
        .filter_map(|(source, head)| Some(Reverse((head.as_ref()?.0, source))))
        .collect();
    let mut reader = RecordReader::default();
    while let Some(Reverse((_, source))) = order.pop() {
        let next = sources.get_mut(source).and_then(Iterator::next);
        if let Some((key, _)) = &next {
            order.push(Reverse((*key, source)));
        }
        let head = heads.get_mut(source).and_then(|head| std::mem::replace(head, next));
        // A record that cannot be read is left out; the segment's checksum
        // was right when it was opened, so this is a failing disk.
        if let Some(event) = head.and_then(|(_, place)| place.event(&mut reader))
            && visit(event).is_break()
        {
            break;
        }
    }
    Ok(())
}
