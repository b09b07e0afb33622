//! One page by time: newest or oldest first, stopping when it is full.

use std::cmp::{Ordering, Reverse};
use std::sync::{Mutex, PoisonError};

use super::bits::BLOCK_ROWS;
use super::columns::RowKey;
use super::filter::{Prepared, Test};
use super::unit::{Place, Unit, Window, key_before, next_key};
use super::walk::{Go, walk};
use crate::search::{Direction, Stop};

/// Rows of the first block of a unit; each further one has twice as many.
/// A page of something frequent is full after some hundred rows.
const FIRST_ROWS: usize = 256;

/// The rows of one page.
pub(super) struct TimePage {
    /// In order.
    pub(super) rows: Vec<(RowKey, Place)>,
    /// If it was stopped: before this key (in the order) nothing was left
    /// out, and the rows end there.
    pub(super) stopped_at: Option<RowKey>,
}

/// Gathers the first `rows_max` rows of `units` inside `window`.
pub(super) fn gather(
    mut units: Vec<Unit>,
    test: &Test,
    window: Window,
    direction: Direction,
    rows_max: usize,
    stop: &Stop,
) -> TimePage {
    units.retain(|unit| window.touches(unit));
    match direction {
        Direction::Descending => units.sort_by_key(|unit| Reverse(unit.newest())),
        Direction::Ascending => units.sort_by_key(Unit::oldest),
    }
    let gathering = Gathering {
        test,
        window,
        direction,
        rows_max,
        stop,
        page: Mutex::new(Vec::new()),
        left: Mutex::new(None),
    };
    let begun = walk(&units, stop, |unit| gathering.unit(unit));
    if stop.is_over()
        && let Some(unit) = units.get(begun)
        && !gathering.is_done(gathering.first_of(unit))
    {
        gathering.leave(gathering.first_of(unit));
    }
    gathering.finish()
}

struct Gathering<'a> {
    test: &'a Test,
    window: Window,
    direction: Direction,
    rows_max: usize,
    stop: &'a Stop,
    page: Mutex<Vec<(RowKey, Place)>>,
    /// The first key, in the order, that was not looked at for a stop.
    left: Mutex<Option<RowKey>>,
}

impl Gathering<'_> {
    fn compare(&self, a: RowKey, b: RowKey) -> Ordering {
        match self.direction {
            Direction::Ascending => a.cmp(&b),
            Direction::Descending => b.cmp(&a),
        }
    }

    /// The key of a unit that comes first in the order.
    fn first_of(&self, unit: &Unit) -> RowKey {
        match self.direction {
            Direction::Ascending => unit.oldest().max(self.window.from),
            Direction::Descending => unit.newest().min(key_before(self.window.end)),
        }
    }

    /// Whether no row from `key` on can change the page.
    fn is_done(&self, key: RowKey) -> bool {
        let page = lock(&self.page);
        page.len() >= self.rows_max
            && page.last().is_none_or(|(last, _)| self.compare(*last, key).is_lt())
    }

    fn leave(&self, key: RowKey) {
        let mut left = lock(&self.left);
        *left = Some(match *left {
            Some(other) if self.compare(other, key).is_lt() => other,
            _ => key,
        });
    }

    fn unit(&self, unit: &Unit) -> Go {
        if self.is_done(self.first_of(unit)) {
            return Go::Enough;
        }
        let view = unit.view();
        let test = self.test.prepare(&view);
        if matches!(test, Prepared::Always(false)) {
            return Go::On;
        }
        let mut rows = unit.inside(&view, self.window);
        let is_sealed = matches!(unit, Unit::Sealed(_));
        let mut most = if is_sealed { FIRST_ROWS } else { BLOCK_ROWS };
        while !rows.is_empty() {
            let size = most.min(rows.len());
            let start = match self.direction {
                Direction::Ascending => rows.start,
                Direction::Descending => rows.end - size,
            };
            if self.stop.is_over() {
                self.leave(self.first_in(unit, rows));
                break;
            }
            let among = unit.among(&view, self.window, start, size);
            let Some(found) = test.matching_whole(start, size, &among, self.stop) else {
                self.leave(self.first_in(unit, rows));
                break;
            };
            let keyed = |row: usize| (view.key(start + row), start + row);
            match self.direction {
                Direction::Ascending => self.take(unit, found.rows().map(keyed), is_sealed),
                Direction::Descending => {
                    self.take(unit, found.rows_descending().map(keyed), is_sealed);
                }
            }
            match self.direction {
                Direction::Ascending => rows.start = start + size,
                Direction::Descending => rows.end = start,
            }
            let next = self.first_in(unit, rows.clone());
            if is_sealed && self.is_done(next) {
                break;
            }
            most = (most * 2).min(BLOCK_ROWS);
        }
        Go::On
    }

    /// The key that comes first among `rows`, which are in order if sealed.
    fn first_in(&self, unit: &Unit, rows: std::ops::Range<usize>) -> RowKey {
        match (unit, self.direction) {
            (Unit::Memory(_), _) => self.first_of(unit),
            (Unit::Sealed(segment), Direction::Ascending) => segment.key(rows.start),
            (Unit::Sealed(segment), Direction::Descending) => {
                segment.key(rows.end.saturating_sub(1))
            }
        }
    }

    /// Puts matches into the page where they are early enough. If they come
    /// in order, the first that is too late ends it.
    fn take(&self, unit: &Unit, rows: impl Iterator<Item = (RowKey, usize)>, in_order: bool) {
        let mut page = lock(&self.page);
        for (key, row) in rows {
            let at = page.partition_point(|(other, _)| self.compare(*other, key).is_lt());
            if at < self.rows_max
                && let Some(place) = unit.place(row)
            {
                page.insert(at, (key, place));
                page.truncate(self.rows_max);
            } else if in_order {
                return;
            }
        }
    }

    fn finish(self) -> TimePage {
        let left = *lock(&self.left);
        let mut rows = self.page.into_inner().unwrap_or_else(PoisonError::into_inner);
        let direction = self.direction;
        if let Some(left) = left {
            rows.retain(|(key, _)| match direction {
                Direction::Ascending => *key < left,
                Direction::Descending => *key > left,
            });
        }
        // A page that was full before is not stopped.
        let stopped_at = left.filter(|_| rows.len() < self.rows_max).map(|left| match direction {
            Direction::Ascending => key_before(left),
            Direction::Descending => next_key(left),
        });
        TimePage { rows, stopped_at }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is in them is whole after every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
