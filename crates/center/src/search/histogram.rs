//! When it happened: matches in buckets of time, by outcome.

use serde::{Deserialize, Serialize};
use store::Filter;
use store::contract::Page;
use types::{Caller, OutcomeKind, Permission, Timestamp};

use super::{SearchRequest, Span};
use crate::{Center, CenterError, permit};

/// Most buckets of one histogram: a week by the hour.
pub const BUCKETS_MAX: usize = 168;

/// Matches by time and outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// When the first bucket begins.
    pub from: Timestamp,
    /// When the last one ends.
    pub to: Timestamp,
    /// The length of a bucket, in milliseconds.
    pub bucket_ms: u64,
    /// How many buckets there are.
    pub buckets: usize,
    /// Matches by outcome; only outcomes that occur.
    pub series: Vec<Series>,
    /// Spans that could not be read.
    pub missing: Vec<Span>,
}

/// The matches of one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// An outcome, or for steps that end nothing a state: what `is:` takes.
    pub key: String,
    /// Matches per bucket, oldest first.
    pub counts: Vec<u64>,
    /// Their sum.
    pub sum: u64,
}

/// Lengths a bucket may have, in seconds: those a person can read off an axis.
const LENGTHS_S: [u64; 17] = [
    1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    604_800,
];

/// The shortest readable bucket of which `buckets_max` cover `span_ms`.
fn bucket_length_ms(span_ms: u64, buckets_max: usize) -> u64 {
    let fits = |length_s: &&u64| span_ms.div_ceil(**length_s * 1_000) <= buckets_max as u64;
    let week_ms = 604_800_000;
    let more = span_ms.div_ceil(week_ms).div_ceil(buckets_max.max(1) as u64).max(1) * week_ms;
    LENGTHS_S.iter().find(fits).map_or(more, |length_s| length_s * 1_000)
}

impl Center {
    /// Matches by time and outcome, in at most `buckets_max` buckets (0 for
    /// 60, at most [`BUCKETS_MAX`]).
    ///
    /// # Errors
    ///
    /// As [`Center::search`].
    pub fn histogram(
        &self,
        caller: &Caller,
        request: &SearchRequest,
        buckets_max: usize,
    ) -> Result<Histogram, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let scope = self.scope(request)?;
        let now = scope.moment.now;
        let start = scope.times.start.max(now.before(self.parts.metadata_kept));
        let end = scope.times.end.min(now).max(start);
        let span_ms = u64::try_from(end.since(start).as_millis()).unwrap_or(u64::MAX);
        let buckets_max = if buckets_max == 0 { 60 } else { buckets_max.min(BUCKETS_MAX) };
        let bucket_ms = bucket_length_ms(span_ms.max(1), buckets_max);
        let buckets = usize::try_from(span_ms.div_ceil(bucket_ms)).unwrap_or(buckets_max).max(1);
        let at = |bucket: usize| {
            start + std::time::Duration::from_millis(bucket_ms.saturating_mul(bucket as u64))
        };
        let mut series = Vec::new();
        for kind in OutcomeKind::ALL {
            let filter = Filter::All(vec![Filter::Outcome(kind), scope.filter.clone()]);
            let mut counts = Vec::new();
            for bucket in 0..buckets {
                let page = Page { after: None, rows_max: 1, count_max: usize::MAX };
                let times = at(bucket)..at(bucket + 1).min(end);
                let found = self.parts.log.search(&filter, times, page)?;
                counts.push(u64::try_from(found.count).unwrap_or(u64::MAX));
            }
            let sum = counts.iter().sum();
            if sum > 0 {
                series.push(Series { key: kind.slug().to_owned(), counts, sum });
            }
        }
        let missing = Vec::new();
        Ok(Histogram { from: start, to: at(buckets), bucket_ms, buckets, series, missing })
    }
}
