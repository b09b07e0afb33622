//! A distribution of spans in fixed buckets, counted without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

use types::Micros;

/// Upper ends of the buckets, in microseconds; a last bucket has no end.
const ENDS_US: [u64; 14] = [
    10,
    50,
    100,
    500,
    1_000,
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
];

/// Counts spans.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; ENDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// A distribution at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramValue {
    /// Upper end in seconds, and how many spans were at most as long.
    pub at_most: Vec<(f64, u64)>,
    /// All spans.
    pub count: u64,
    /// Their sum in seconds.
    pub sum_s: f64,
}

impl Histogram {
    /// Counts one span.
    pub fn count(&self, took: Micros) {
        let micros = u64::from(took.0);
        let place = ENDS_US.iter().position(|&end| micros <= end).unwrap_or(ENDS_US.len());
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// The distribution now. Count and buckets agree with each other; the sum
    /// may be one span ahead.
    pub fn value(&self) -> HistogramValue {
        let mut count = 0;
        let mut running = Vec::with_capacity(self.buckets.len());
        for bucket in &self.buckets {
            count += bucket.load(Ordering::Relaxed);
            running.push(count);
        }
        let seconds = |micros: u64| micros as f64 / 1_000_000.0;
        HistogramValue {
            at_most: ENDS_US.iter().map(|&end| seconds(end)).zip(running).collect(),
            count,
            sum_s: seconds(self.sum_us.load(Ordering::Relaxed)),
        }
    }
}
