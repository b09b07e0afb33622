//! When any of many validities holds, as spans that do not touch: one look-up
//! says so, however many policies there were for a quarter of an hour.

use std::ops::Range;

use types::Timestamp;
use types::policy::Validity;

/// Spans of time, in order and apart.
#[derive(Debug, Default)]
pub(crate) struct Spans(Vec<Range<Timestamp>>);

const BEGIN: Timestamp = Timestamp::from_millis(i64::MIN);
const END: Timestamp = Timestamp::from_millis(i64::MAX);

impl Spans {
    /// The times that at least one of them covers.
    pub(crate) fn of(validities: impl Iterator<Item = Validity>) -> Self {
        let span = |one: Validity| one.from.unwrap_or(BEGIN)..one.until.unwrap_or(END);
        let mut spans: Vec<_> = validities.map(span).filter(|span| !span.is_empty()).collect();
        spans.sort_by_key(|span| span.start);
        spans.dedup_by(|next, before| {
            let touches = next.start <= before.end;
            if touches {
                before.end = before.end.max(next.end);
            }
            touches
        });
        Spans(spans)
    }

    /// Whether `at` lies in one of them.
    pub(crate) fn covers(&self, at: Timestamp) -> bool {
        let place = self.0.partition_point(|span| span.end <= at);
        self.0.get(place).is_some_and(|span| span.contains(&at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_what_the_validities_cover() {
        let at = Timestamp::from_millis;
        let all: [(Option<i64>, Option<i64>); 6] = [
            (Some(30), Some(40)),
            (Some(10), Some(20)),
            (Some(12), Some(15)),
            (Some(20), Some(25)),
            (Some(60), None),
            (Some(9), Some(9)),
        ];
        let validity = |(from, until): (Option<i64>, Option<i64>)| Validity {
            from: from.map(at),
            until: until.map(at),
        };
        for taken in 0..=all.len() {
            let validities = || all[..taken].iter().copied().map(validity);
            let spans = Spans::of(validities());
            for time in 0..80 {
                let covered = validities().any(|validity| validity.covers(at(time)));
                assert_eq!(spans.covers(at(time)), covered, "{taken} at {time}");
            }
        }
        assert_eq!(Spans::of(all.map(validity).into_iter()).0.len(), 3);
        assert!(Spans::of([Validity::default()].into_iter()).covers(at(-5)));
    }
}
