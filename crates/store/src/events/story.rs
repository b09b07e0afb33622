//! Whether some event of the same life-line matches: what later events made
//! of an attempt.
//!
//! Rows never change, so the answer is not in them. For a few rows it is
//! looked up through the index of life-lines, row by row; as soon as many
//! rows ask, one pass over all events from the start of the range on gathers
//! the life-lines that match. So a page is shown at once, and a count over
//! millions costs one pass more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::bits::{BLOCK_ROWS, Bits};
use super::columns::View;
use super::fields::WideField;
use super::filter::Test;
use super::segment::IndexedBy;
use super::unit::{Unit, Window};
use super::walk::{Go, walk};
use crate::search::Stop;

/// Rows that are looked up one by one before the life-lines are gathered.
const LOOK_UPS_MAX: usize = 256;

/// The test of a [`crate::search::Filter::Story`].
#[derive(Debug)]
pub(super) struct StoryTest {
    inner: Test,
    units: Vec<Unit>,
    window: Window,
    stop: Stop,
    asked: AtomicUsize,
    lines: OnceLock<Lines>,
}

impl StoryTest {
    /// A test whether some row of `units` inside `window` matches `inner`.
    pub(super) fn new(inner: Test, units: &[Unit], window: Window, stop: &Stop) -> Self {
        let units = units.iter().filter(|unit| window.touches(unit)).cloned().collect();
        StoryTest {
            inner,
            units,
            window,
            stop: stop.clone(),
            asked: AtomicUsize::new(0),
            lines: OnceLock::new(),
        }
    }

    /// Which of the rows `among` belong to such a life-line; `lines` are the
    /// life-lines of the block.
    pub(super) fn matching(&self, lines: &[[u8; 16]], among: &Bits) -> Bits {
        let rows = among.count();
        let mut found = Bits::none();
        let asked = self.asked.fetch_add(rows, Ordering::Relaxed) + rows;
        let known = match asked > LOOK_UPS_MAX {
            true => Some(self.lines.get_or_init(|| self.gather())),
            false => self.lines.get(),
        };
        for row in among.rows() {
            let Some(line) = lines.get(row).map(number) else { continue };
            if known.map_or_else(|| self.look_up(line), |known| known.has(line)) {
                found.set(row);
            }
        }
        found
    }

    fn look_up(&self, line: u64) -> bool {
        self.units.iter().any(|unit| match unit {
            Unit::Memory(chunk) => self.is_in(unit, chunk.rows_of(IndexedBy::LifeLine, line)),
            Unit::Sealed(segment) => self.is_in(unit, segment.rows_of(IndexedBy::LifeLine, line)),
        })
    }

    fn is_in(&self, unit: &Unit, rows: impl Iterator<Item = usize>) -> bool {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return false;
        }
        let view = unit.view();
        rows.any(|row| self.window.has(view.key(row)) && self.inner.is_at(&view, row))
    }

    fn gather(&self) -> Lines {
        let all = Mutex::new(Vec::new());
        walk(&self.units, &self.stop, |unit| {
            let view = unit.view();
            let mut some = Vec::new();
            self.gather_in(unit, &view, &mut some);
            all.lock().unwrap_or_else(PoisonError::into_inner).append(&mut some);
            Go::On
        });
        Lines::new(&all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn gather_in(&self, unit: &Unit, view: &View<'_>, lines: &mut Vec<u64>) {
        let test = self.inner.prepare(view);
        let column = view.wide(WideField::LifeLine);
        let mut rows = unit.inside(view, self.window);
        while !rows.is_empty() && !self.stop.is_over() {
            let block = BLOCK_ROWS.min(rows.len());
            let among = unit.among(view, self.window, rows.start, block);
            let found = test.matching(rows.start, block, &among);
            lines.extend(found.rows().filter_map(|row| column.get(rows.start + row)).map(number));
            rows.start += block;
        }
    }
}

/// The sixty bits of a life-line that its reference is made of; they are
/// random, so they are their own hash.
fn number(line: &[u8; 16]) -> u64 {
    u128::from_be_bytes(*line) as u64 & (u64::MAX >> 4)
}

/// A set of life-lines: open addressing, at most half full.
#[derive(Debug)]
struct Lines {
    slots: Vec<u64>,
    mask: usize,
}

/// No life-line has this number; it has 64 bits.
const FREE: u64 = u64::MAX;

impl Lines {
    fn new(lines: &[u64]) -> Self {
        let size = (lines.len() * 2).next_power_of_two().max(2);
        let mut set = Lines { slots: vec![FREE; size], mask: size - 1 };
        for &line in lines {
            if let Err(free) = set.find(line)
                && let Some(slot) = set.slots.get_mut(free)
            {
                *slot = line;
            }
        }
        set
    }

    fn has(&self, line: u64) -> bool {
        self.find(line).is_ok()
    }

    /// The slot of a life-line, or the free one where it would stand.
    fn find(&self, line: u64) -> Result<usize, usize> {
        let mut place = line as usize & self.mask;
        loop {
            match self.slots.get(place) {
                Some(&slot) if slot == line => return Ok(place),
                Some(&FREE) | None => return Err(place),
                Some(_) => place = (place + 1) & self.mask,
            }
        }
    }
}
