//! The week's rhythm: when mail comes.

use std::time::Duration;

use types::Timestamp;

/// How busy each hour of a working day is (UTC), relative to the others.
const HOURS: [u32; 24] =
    [8, 6, 5, 5, 6, 9, 18, 40, 75, 95, 100, 96, 80, 84, 92, 90, 82, 66, 44, 32, 26, 20, 15, 11];

/// How much of a working day's mail comes on a Saturday or Sunday, percent.
/// Bots know no weekend, so the rest of the night's level stays.
const WEEKEND_PERCENT: u32 = 30;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY_MS: i64 = 86_400_000;

/// Spreads a number of moments over a span of time.
#[derive(Debug)]
pub(crate) struct Rhythm {
    /// Hours of the span with the weight of all up to their end.
    hours: Vec<(Timestamp, u64)>,
    start: Timestamp,
    end: Timestamp,
}

impl Rhythm {
    /// The rhythm from `start` to `end`.
    pub(crate) fn new(start: Timestamp, end: Timestamp) -> Self {
        let mut hours = Vec::new();
        let (mut at, mut sum) = (start, 0);
        while at < end {
            sum += u64::from(weight(at));
            hours.push((at, sum));
            at = at + HOUR;
        }
        Rhythm { hours, start, end }
    }

    /// The moment at which this fraction (0 to 1) of all has come.
    pub(crate) fn moment(&self, fraction: f64) -> Timestamp {
        let all = self.hours.last().map_or(0, |(_, sum)| *sum);
        #[expect(clippy::cast_precision_loss, reason = "weights of one span are below 2^53")]
        let wanted = fraction.clamp(0.0, 1.0) * all as f64;
        let mut before = 0.0;
        for &(at, sum) in &self.hours {
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            let sum = sum as f64;
            if wanted < sum {
                let part = (wanted - before) / (sum - before);
                return (at + HOUR.mul_f64(part)).min(self.end);
            }
            before = sum;
        }
        self.end.max(self.start)
    }
}

/// How busy the hour at `at` is.
fn weight(at: Timestamp) -> u32 {
    let millis = at.as_millis();
    let hour = usize::try_from(millis.rem_euclid(DAY_MS) / 3_600_000).unwrap_or(0);
    let busy = HOURS.get(hour).copied().unwrap_or(1);
    // 1970-01-01 was a Thursday, so days 2 and 3 are a weekend.
    let weekend = matches!(millis.div_euclid(DAY_MS).rem_euclid(7), 2 | 3);
    if weekend { (busy * WEEKEND_PERCENT / 100).max(5) } else { busy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_mail_comes_by_day_and_on_weekdays_and_moments_are_in_order() {
        let end: Timestamp = "2026-11-21T12:30:00Z".parse().unwrap();
        let start = end - Duration::from_secs(7 * 86_400);
        let rhythm = Rhythm::new(start, end);
        let moments: Vec<Timestamp> =
            (0..10_000).map(|part| rhythm.moment(f64::from(part) / 10_000.0)).collect();
        assert!(moments.is_sorted() && moments[0] == start && moments[9_999] <= end);
        let among = |from: &str, to: &str| {
            let (from, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
            moments.iter().filter(|&&at| at >= from && at < to).count()
        };
        let night = among("2026-11-18T00:00:00Z", "2026-11-18T05:00:00Z");
        let day = among("2026-11-18T08:00:00Z", "2026-11-18T13:00:00Z");
        assert!(day > 8 * night, "{day} {night}");
        let sunday = among("2026-11-15T00:00:00Z", "2026-11-16T00:00:00Z");
        let monday = among("2026-11-16T00:00:00Z", "2026-11-17T00:00:00Z");
        assert!(monday > 2 * sunday, "{monday} {sunday}");
    }
}
