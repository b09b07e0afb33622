//! When it happened: matches in buckets of time, by outcome.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::search::TallyPlan;
use types::{Caller, OutcomeKind, Permission, Timestamp};

use super::{Scope, SearchRequest, Span};
use crate::query::Moment;
use crate::sight::Seen;
use crate::views::View;
use crate::{Center, CenterError, permit};

/// Most buckets of one histogram: a week by the hour.
pub const BUCKETS_MAX: usize = 168;
/// Buckets unless told otherwise.
const BUCKETS: usize = 60;

/// Matches by time and outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// Whether counting took too long and was ended: the oldest buckets lack
    /// something.
    #[serde(default)]
    pub stopped: bool,
    /// Spans that could not be read.
    pub missing: Vec<Span>,
}

/// The matches of one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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

/// The shortest readable bucket of which `buckets_max` cover `span_ms`,
/// wherever the first begins.
fn bucket_length_ms(span_ms: u64, buckets_max: usize) -> u64 {
    let most = u64::try_from(buckets_max.max(2)).unwrap_or(u64::MAX) - 1;
    let fits = |length_s: &&u64| span_ms.div_ceil(**length_s * 1_000) <= most;
    let more = span_ms.div_ceil(WEEK_MS).div_ceil(most).max(1) * WEEK_MS;
    LENGTHS_S.iter().find(fits).map_or(more, |length_s| length_s * 1_000)
}

/// A week, from Monday on, in milliseconds.
const WEEK_MS: u64 = 604_800_000;

/// The buckets that cover a span.
struct Buckets {
    from: Timestamp,
    length_ms: u64,
    count: usize,
}

impl Buckets {
    fn over(span: &Range<Timestamp>, buckets_max: usize, moment: &Moment) -> Self {
        let span_ms = millis(span.end.since(span.start)).max(1);
        let length_ms = bucket_length_ms(span_ms, buckets_max);
        let origin = moment.monday_before(span.start);
        let into_bucket = millis(span.start.since(origin)) % length_ms;
        let from = span.start.before(Duration::from_millis(into_bucket));
        let covered_ms = millis(span.end.since(from)).max(1);
        let count = usize::try_from(covered_ms.div_ceil(length_ms)).unwrap_or(usize::MAX);
        Buckets { from, length_ms, count: count.min(BUCKETS_MAX + 1) }
    }

    /// In which bucket a time lies.
    fn place(&self, at: Timestamp) -> Option<usize> {
        let place = usize::try_from(millis(at.since(self.from)) / self.length_ms).ok()?;
        (at >= self.from && place < self.count).then_some(place)
    }

    fn to(&self) -> Timestamp {
        let covered_ms = self.length_ms.saturating_mul(self.count as u64);
        self.from + Duration::from_millis(covered_ms)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Center {
    /// Matches by time and outcome, in at most `buckets_max` buckets (0 for
    /// 60, at most [`BUCKETS_MAX`]). Buckets begin at full hours, midnights
    /// and Mondays of the caller's zone.
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
        let seen = self.seen_by(caller);
        let scope = seen.scope(request)?;
        let buckets_max = if buckets_max == 0 { BUCKETS } else { buckets_max.min(BUCKETS_MAX) };
        let buckets = Buckets::over(&seen.closed(&scope), buckets_max, &scope.moment);
        let plan = TallyPlan {
            histogram: Some(store::search::Histogram {
                origin: buckets.from,
                width: Duration::from_millis(buckets.length_ms),
            }),
            ..TallyPlan::default()
        };
        let tallied = seen.events.tally(&scope.query(self.patience()), &plan)?;
        let keys = keys(request.view);
        let mut series: Vec<Series> = keys
            .iter()
            .map(|key| Series { key: (*key).to_owned(), counts: vec![0; buckets.count], sum: 0 })
            .collect();
        for bar in &tallied.bars {
            let Some(place) = buckets.place(bar.from) else { continue };
            for (series, count) in
                series.iter_mut().zip(bar.outcomes.into_iter().chain([bar.others]))
            {
                series.sum += count;
                if let Some(sum) = series.counts.get_mut(place) {
                    *sum += count;
                }
            }
        }
        series.retain(|series| series.sum > 0);
        Ok(Histogram {
            from: buckets.from,
            to: buckets.to(),
            bucket_ms: buckets.length_ms,
            buckets: buckets.count,
            series,
            stopped: tallied.stopped,
            missing: tallied.missing.into_iter().map(Span::from).collect(),
        })
    }
}

impl Seen<'_> {
    /// The span of a scope without open ends: from the oldest event on, until
    /// now.
    pub(crate) fn closed(&self, scope: &Scope) -> Range<Timestamp> {
        let now = scope.moment.now;
        let oldest = self.events.oldest().unwrap_or(now);
        let start = match scope.times.start == crate::query::ALWAYS.start {
            true => oldest.min(now),
            false => scope.times.start,
        };
        start..scope.times.end.min(now).max(start)
    }
}

/// What the rows of a list are counted as: the four outcomes in their order,
/// then rows without one.
fn keys(view: View) -> [&'static str; 5] {
    let [accepted, held, deferred, rejected] = OutcomeKind::ALL.map(OutcomeKind::slug);
    match view {
        View::Bounced => [accepted, held, deferred, "bounced", "bounced"],
        View::Queue => ["queued", held, deferred, rejected, "queued"],
        _ => [accepted, held, deferred, rejected, "delivered"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn buckets_have_readable_lengths_and_cover_the_span() {
        let zone = "Europe/Berlin";
        for (from, to, max, length_s) in [
            ("2026-11-21T09:04:00Z", "2026-11-21T10:04:00Z", 60, 120),
            ("2026-11-20T10:04:00Z", "2026-11-21T10:04:00Z", 60, 1_800),
            ("2026-11-14T10:04:00Z", "2026-11-21T10:04:00Z", 168, 7_200),
            ("2026-11-14T10:04:00Z", "2026-11-21T10:04:00Z", 60, 10_800),
            ("2026-01-01T00:00:00Z", "2026-11-21T10:04:00Z", 60, 604_800),
            ("2016-01-01T00:00:00Z", "2026-11-21T10:04:00Z", 60, 604_800 * 10),
            ("2026-11-21T10:04:00Z", "2026-11-21T10:04:00Z", 60, 1),
        ] {
            let span = at(from)..at(to);
            let moment = Moment::in_zone(span.end, zone).unwrap();
            let buckets = Buckets::over(&span, max, &moment);
            assert_eq!(buckets.length_ms, length_s * 1_000, "{from}");
            assert!(buckets.from <= span.start && buckets.to() >= span.end, "{from}");
            assert!(buckets.count <= max && buckets.count > 0, "{from}: {}", buckets.count);
        }
    }

    #[test]
    fn a_day_begins_at_midnight_where_the_caller_is() {
        let span = at("2026-10-01T10:00:00Z")..at("2026-11-21T10:00:00Z");
        let moment = Moment::in_zone(span.end, "Asia/Kolkata").unwrap();
        let buckets = Buckets::over(&span, 60, &moment);
        assert_eq!((buckets.length_ms, buckets.from), (86_400_000, at("2026-09-30T18:30:00Z")));
        assert_eq!(buckets.place(span.start), Some(0));
        assert_eq!(buckets.place(span.start.before(Duration::from_secs(86_400))), None);
    }
}
