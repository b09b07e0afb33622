//! How many rows match: exact as far as that is cheap, then from a sample.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::bits::BLOCK_ROWS;
use super::filter::{Prepared, Test};
use super::unit::{Unit, Window};
use super::walk::{Go, walk};
use crate::search::{Count, Exactness, Stop};

/// Rows a sample looks at, in blocks spread evenly over what is left.
const SAMPLE_ROWS: usize = 192 * 1024;
/// Rows of one block of the sample: the more blocks, the less it matters
/// that neighbours are alike.
const SAMPLE_BLOCK_ROWS: usize = 1024;
/// A test at most so dear is carried out on every row, however many match.
const CHEAP_COST: usize = 1;

/// What was counted, and the rows that were not looked at.
pub(super) struct Counted<'a> {
    pub(super) matches: u64,
    left: Vec<(&'a Unit, Range<usize>)>,
}

/// Counts the rows of `units` inside `window` that match, until there are
/// more than `enough`.
pub(super) fn count_until<'a>(
    units: &'a [Unit],
    test: &Test,
    window: Window,
    enough: u64,
    stop: &Stop,
) -> Counted<'a> {
    let matches = AtomicU64::new(0);
    let left = Mutex::new(Vec::new());
    let leave = |unit: &'a Unit, rows: Range<usize>| {
        left.lock().unwrap_or_else(PoisonError::into_inner).push((unit, rows));
    };
    let begun = walk(units, stop, |unit| {
        let view = unit.view();
        let mut rows = unit.inside(&view, window);
        let test = test.prepare(&view);
        match (&test, unit) {
            (Prepared::Always(false), _) => return Go::On,
            (Prepared::Always(true), Unit::Sealed(_)) => {
                matches.fetch_add(rows.len() as u64, Ordering::Relaxed);
                return Go::On;
            }
            _ => {}
        }
        while !rows.is_empty() {
            if matches.load(Ordering::Relaxed) > enough || stop.is_over() {
                leave(unit, rows);
                break;
            }
            let size = BLOCK_ROWS.min(rows.len());
            let start = rows.end - size;
            let among = unit.among(&view, window, start, size);
            let Some(found) = test.matching_whole(start, size, &among, stop) else {
                leave(unit, rows);
                break;
            };
            matches.fetch_add(found.count() as u64, Ordering::Relaxed);
            rows.end = start;
        }
        Go::On
    });
    for unit in units.get(begun..).unwrap_or_default() {
        let rows = unit.inside(&unit.view(), window);
        leave(unit, rows);
    }
    let mut left = left.into_inner().unwrap_or_else(PoisonError::into_inner);
    left.retain(|(_, rows)| !rows.is_empty());
    Counted { matches: matches.into_inner(), left }
}

/// Counts exactly up to `exact_max`, and estimates beyond.
pub(super) fn count(
    units: &[Unit],
    test: &Test,
    window: Window,
    exact_max: u64,
    stop: &Stop,
) -> Count {
    let enough = if test.cost() <= CHEAP_COST { u64::MAX } else { exact_max };
    let counted = count_until(units, test, window, enough, stop);
    let rows_left = counted.rows_left();
    if rows_left == 0 {
        return Count { rows: counted.matches, ..Count::default() };
    }
    let sample = Sample::of(&counted.left, SAMPLE_ROWS, SAMPLE_BLOCK_ROWS);
    let (seen, found) = sample.count(test, window, stop);
    if stop.is_over() || seen == 0 {
        let rows = counted.matches + found;
        return Count { rows, exactness: Exactness::AtLeast, ..Count::default() };
    }
    if seen == rows_left {
        return Count { rows: counted.matches + found, ..Count::default() };
    }
    let estimate = u128::from(found) * u128::from(rows_left) / u128::from(seen);
    let rows_in_range = units.iter().map(|unit| unit.inside(&unit.view(), window).len() as u64);
    let rows_in_range = rows_in_range.sum::<u64>();
    let rows_seen = rows_in_range - rows_left + seen;
    Count {
        rows: counted.matches + u64::try_from(estimate).unwrap_or(u64::MAX),
        exactness: Exactness::Sampled { rows_seen, rows_in_range },
        ..Count::default()
    }
}

impl Counted<'_> {
    /// Rows that were not looked at.
    pub(super) fn rows_left(&self) -> u64 {
        self.left.iter().map(|(_, rows)| rows.len() as u64).sum()
    }
}

/// All of `rows`, as blocks.
fn in_blocks(rows: Range<usize>) -> Vec<Range<usize>> {
    rows.clone().step_by(BLOCK_ROWS).map(|at| at..rows.end.min(at + BLOCK_ROWS)).collect()
}

/// Blocks of rows spread evenly over many.
struct Sample<'a> {
    blocks: Vec<(&'a Unit, Vec<Range<usize>>)>,
}

impl<'a> Sample<'a> {
    /// About `rows_max` rows of `left`, in blocks of `block_rows`; all of
    /// them if there are no more.
    fn of(left: &[(&'a Unit, Range<usize>)], rows_max: usize, block_rows: usize) -> Self {
        let rows: usize = left.iter().map(|(_, rows)| rows.len()).sum();
        if rows <= rows_max {
            let all = left.iter().map(|(unit, rows)| (*unit, in_blocks(rows.clone())));
            return Sample { blocks: all.collect() };
        }
        let step = (rows.div_ceil(rows_max) * block_rows).max(block_rows);
        let mut blocks = Vec::new();
        // Where the next block begins, counted from the start of the unit.
        let mut next = 0;
        for (unit, rows) in left {
            let mut of_unit = Vec::new();
            while next < rows.len() {
                let start = rows.start + next;
                of_unit.push(start..rows.end.min(start + block_rows));
                next += step;
            }
            next -= rows.len();
            if !of_unit.is_empty() {
                blocks.push((*unit, of_unit));
            }
        }
        Sample { blocks }
    }

    /// Rows looked at, and how many of them match.
    fn count(&self, test: &Test, window: Window, stop: &Stop) -> (u64, u64) {
        let (mut seen, mut found) = (0, 0);
        for (unit, blocks) in &self.blocks {
            let view = unit.view();
            let test = test.prepare(&view);
            for rows in blocks {
                if stop.is_over() {
                    return (seen, found);
                }
                let among = unit.among(&view, window, rows.start, rows.len());
                let Some(more) = test.matching_whole(rows.start, rows.len(), &among, stop) else {
                    return (seen, found);
                };
                seen += rows.len() as u64;
                found += more.count() as u64;
            }
        }
        (seen, found)
    }
}
