//! Going through many chunks and segments on several processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::unit::Unit;
use crate::search::Stop;

/// Most threads of one search: enough for a small machine, and few enough
/// that searches leave something to the mail.
const WORKERS_MAX: usize = 4;
/// Rows that are looked at before others are asked to help; starting a
/// thread costs as much as looking at some thousand rows.
const ALONE_ROWS: usize = 200_000;

/// Calls `work` for every unit, beginning in the order of `units`, until it
/// says stop. Returns the number of units that were begun.
///
/// The first units are done alone, so that a search that ends soon starts no
/// thread; then all processors take the next unit each.
pub(super) fn walk<'a>(
    units: &'a [Unit],
    stop: &Stop,
    work: impl Fn(&'a Unit) -> Go + Sync,
) -> usize {
    let next = AtomicUsize::new(0);
    let over = AtomicUsize::new(usize::MAX);
    let take = |most: usize| {
        let mut rows = 0;
        while rows < most {
            if stop.is_over() {
                return false;
            }
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(place) else { return false };
            if place >= over.load(Ordering::Relaxed) {
                return false;
            }
            rows += unit.rows();
            if work(unit) == Go::Enough {
                over.fetch_min(place, Ordering::Relaxed);
                return false;
            }
        }
        true
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
    let most = if workers > 1 { ALONE_ROWS } else { usize::MAX };
    if take(most) {
        thread::scope(|scope| {
            for _ in 1..workers {
                let helper = thread::Builder::new().name("search".to_owned());
                // Without a helper it takes longer, that is all.
                let _ = helper.spawn_scoped(scope, || take(usize::MAX));
            }
            take(usize::MAX);
        });
    }
    next.into_inner().min(units.len())
}

/// Whether to go on with the next unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    On,
    /// No unit that was not begun yet is needed.
    Enough,
}
