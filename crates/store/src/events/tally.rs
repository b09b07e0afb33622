//! Sums over all rows that match: outcomes, bars, the most frequent values.
//!
//! One pass finds the matching rows, sums outcomes and bars exactly, and
//! keeps which rows they were (one bit each). A second pass over these bits
//! counts the values of facets; it looks at an even sample of blocks if very
//! many rows match, and says so.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::{OutcomeKind, Timestamp};

use super::bits::{BLOCK_ROWS, Bits};
use super::columns::View;
use super::facet::Counting;
use super::filter::{Prepared, Test};
use super::unit::{Unit, Window};
use super::walk::{Go, walk};
use crate::search::{Histogram, HistogramBar, Stop, Tallied, TallyPlan, WordColumn};

/// Most bars of a histogram.
const BARS_MAX: i64 = 10_000;

/// Sums up the rows of `units` inside `window` that match.
pub(super) fn tally(
    units: &[Unit],
    test: &Test,
    window: Window,
    plan: &TallyPlan,
    stop: &Stop,
) -> Tallied {
    let bars = plan.histogram.map(|histogram| Bars::new(histogram, units, window));
    let keep = !plan.facets.is_empty();
    let sums = Mutex::new((Sums::default(), Vec::new()));
    walk(units, stop, |unit| {
        let mut sums_of_unit = Sums::default();
        let matching = sums_of_unit.unit(unit, test, window, bars.as_ref(), keep, stop);
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.0.add(sums_of_unit);
        if !matching.is_empty() {
            sums.1.push((unit, matching));
        }
        Go::On
    });
    let (sums, mut matching) = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    matching.sort_by_key(|(unit, _)| std::cmp::Reverse(unit.newest()));
    let mut tallied = sums.into_tallied(bars.as_ref());
    count_values(&matching, plan, stop, &mut tallied);
    tallied.stopped = stop.is_over();
    tallied
}

/// How time is cut into bars, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Bars {
    origin: i64,
    width: i64,
}

impl Bars {
    fn new(histogram: Histogram, units: &[Unit], window: Window) -> Self {
        let oldest = units.iter().map(|unit| unit.oldest().0).min().unwrap_or(0);
        let newest = units.iter().map(|unit| unit.newest().0).max().unwrap_or(0);
        let from = window.from.0.max(oldest);
        let span = window.end.0.min(newest.saturating_add(1)).saturating_sub(from).max(0);
        let width = i64::try_from(histogram.width.as_millis()).unwrap_or(i64::MAX).max(1);
        let times = span / width / BARS_MAX + 1;
        Bars { origin: histogram.origin.as_millis(), width: width.saturating_mul(times) }
    }

    fn place(&self, time: i64) -> i64 {
        time.saturating_sub(self.origin).div_euclid(self.width)
    }

    /// The times of the bar with this place.
    fn span(&self, place: i64) -> Range<i64> {
        let start = self.origin.saturating_add(place.saturating_mul(self.width));
        start..start.saturating_add(self.width)
    }
}

/// Rows by outcome code; code 0 are those without.
type ByOutcome = [u64; OutcomeKind::ALL.len() + 1];

#[derive(Default)]
struct Sums {
    all: ByOutcome,
    bars: BTreeMap<i64, ByOutcome>,
}

/// The matching rows of one block.
struct Matching {
    start: usize,
    rows: Bits,
}

impl Sums {
    /// Adds the matching rows of `unit`, and returns which they are if they
    /// are to be kept.
    fn unit(
        &mut self,
        unit: &Unit,
        test: &Test,
        window: Window,
        bars: Option<&Bars>,
        keep: bool,
        stop: &Stop,
    ) -> Vec<Matching> {
        let view = unit.view();
        let test = test.prepare(&view);
        let mut kept = Vec::new();
        if matches!(test, Prepared::Always(false)) {
            return kept;
        }
        let mut rows = unit.inside(&view, window);
        while !rows.is_empty() && !stop.is_over() {
            let size = BLOCK_ROWS.min(rows.len());
            let among = unit.among(&view, window, rows.start, size);
            let Some(found) = test.matching_whole(rows.start, size, &among, stop) else { break };
            if !found.is_empty() {
                self.block(&view, rows.start, &found, bars);
                if keep {
                    kept.push(Matching { start: rows.start, rows: found });
                }
            }
            rows.start += size;
        }
        kept
    }

    fn block(&mut self, view: &View<'_>, start: usize, found: &Bits, bars: Option<&Bars>) {
        let outcomes = view.codes(WordColumn::Outcome);
        let outcome = |row: usize| usize::from(outcomes.code(row));
        let Some(bars) = bars else {
            found.rows().for_each(|row| add_one(&mut self.all, outcome(start + row)));
            return;
        };
        // Neighbours are mostly in the same bar, so the map is seldom asked.
        let mut span = 0..0;
        let mut of_bar = ByOutcome::default();
        for row in found.rows() {
            let time = view.time.get(start + row).copied().unwrap_or(0);
            if !span.contains(&time) {
                self.end_bar(bars, &span, of_bar);
                of_bar = ByOutcome::default();
                span = bars.span(bars.place(time));
            }
            add_one(&mut of_bar, outcome(start + row));
        }
        self.end_bar(bars, &span, of_bar);
    }

    fn end_bar(&mut self, bars: &Bars, span: &Range<i64>, of_bar: ByOutcome) {
        if !span.is_empty() {
            add(self.bars.entry(bars.place(span.start)).or_default(), of_bar);
            add(&mut self.all, of_bar);
        }
    }

    fn add(&mut self, other: Sums) {
        add(&mut self.all, other.all);
        for (place, of_bar) in other.bars {
            add(self.bars.entry(place).or_default(), of_bar);
        }
    }

    fn into_tallied(self, bars: Option<&Bars>) -> Tallied {
        let split = |[others, outcomes @ ..]: ByOutcome| (outcomes, others);
        let made = bars.map(|bars| {
            let bar = |(place, counts): (i64, ByOutcome)| {
                let (outcomes, others) = split(counts);
                let from = Timestamp::from_millis(bars.span(place).start);
                HistogramBar { from, outcomes, others }
            };
            self.bars.into_iter().map(bar).collect()
        });
        let (outcomes, others) = split(self.all);
        Tallied {
            rows: outcomes.iter().sum::<u64>() + others,
            outcomes,
            bars: made.unwrap_or_default(),
            bar_width: bars.map_or(Duration::ZERO, |bars| {
                Duration::from_millis(u64::try_from(bars.width).unwrap_or(0))
            }),
            ..Tallied::default()
        }
    }
}

fn add_one(counts: &mut ByOutcome, code: usize) {
    if let Some(count) = counts.get_mut(code) {
        *count += 1;
    }
}

fn add(counts: &mut ByOutcome, others: ByOutcome) {
    counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
}

/// Counts the values of the facets over `matching`.
fn count_values(
    matching: &[(&Unit, Vec<Matching>)],
    plan: &TallyPlan,
    stop: &Stop,
    tallied: &mut Tallied,
) {
    let step = tallied.rows.div_ceil(plan.facet_rows_max.max(1)).max(1);
    let mut facets: Vec<Counting> = plan.facets.iter().map(|by| Counting::new(*by)).collect();
    let mut block = 0;
    for (unit, blocks) in matching {
        let view = unit.view();
        let mut some = Vec::new();
        for matching in blocks {
            if block % step == 0 {
                tallied.facet_rows += matching.rows.count() as u64;
                some.push((matching.start, &matching.rows));
            }
            block += 1;
        }
        if stop.is_over() {
            break;
        }
        facets.iter_mut().for_each(|facet| facet.unit(&view, &some));
    }
    let sample = (tallied.rows, tallied.facet_rows);
    tallied.facets = facets.into_iter().map(|f| f.finish(plan.values_max, sample)).collect();
}
