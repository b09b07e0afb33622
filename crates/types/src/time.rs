//! Points in time and measured spans as plain values.
//!
//! Nothing here reads a clock: only `world::clock` does. Time is an argument
//! everywhere else, so that twelve hours pass in a test in no time at all.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, UTC, in whole milliseconds since 1970-01-01.
///
/// Shown and parsed as RFC 3339 with three decimals: `2026-11-21T10:04:15.900Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Milliseconds in one UTC day; UTC as used here has no leap seconds.
const DAY_MS: i64 = 86_400_000;
/// Milliseconds in one hour.
const HOUR_MS: i64 = 3_600_000;

impl Timestamp {
    /// The first instant of 1970.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// A point in time from milliseconds since 1970-01-01 UTC.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later, because a
    /// stepped clock must never make a wait negative.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `self` moved back by `span`.
    pub fn before(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(millis(span)))
    }

    /// The midnight (UTC) at or before `self`.
    pub fn day_start(self) -> Timestamp {
        Timestamp(self.0.div_euclid(DAY_MS) * DAY_MS)
    }

    /// The full hour (UTC) at or before `self`.
    pub fn hour_start(self) -> Timestamp {
        Timestamp(self.0.div_euclid(HOUR_MS) * HOUR_MS)
    }

    /// The calendar day in UTC, `2026-11-21`.
    pub fn date(self) -> String {
        let mut text = self.to_string();
        text.truncate(10);
        text
    }

    fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }

    /// `Sat, 21 Nov 2026 10:04:15 +0000`, as header fields want it
    /// (RFC 5322 section 3.3).
    pub fn to_rfc5322(self) -> String {
        self.jiff().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Duration) -> Timestamp {
        self.before(span)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.jiff())
    }
}

/// The text is not a point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time: {0:?} (expected RFC 3339, such as 2026-11-21T10:04:15.900Z)")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>()
            .map(|time| Timestamp(time.as_millisecond()))
            .map_err(|_| TimestampError(text.chars().take(60).collect()))
    }
}

impl Serialize for Timestamp {
    /// Text for people, a number in stored records, where it is written once
    /// per attempt and compared often.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Timestamp)
        }
    }
}

/// A span as people say it, in its two largest units: `40 ms`, `22 s`,
/// `4 min 7 s`, `11 h 58 min`, `6 d 18 h`. The one place where spans become
/// words.
pub fn spoken(span: Duration) -> String {
    let (millis, seconds) = (span.as_millis(), span.as_secs());
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match seconds {
        0 if millis == 0 => "0 s".to_owned(),
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// How long something still takes, as people say it: rounded up to whole
/// seconds, and from ten minutes on to whole minutes, as nobody waits for the
/// seconds then.
pub fn awaited(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    let coarse = if seconds < 600 { seconds } else { seconds.div_ceil(60) * 60 };
    spoken(Duration::from_secs(coarse))
}

/// A measured span in whole microseconds, at most 71 minutes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
pub struct Micros(pub u32);

impl Micros {
    /// As people say it: `40 µs`, `1.3 ms`, `2 s`.
    pub fn spoken(self) -> String {
        match self.0 {
            micros @ 0..1_000 => format!("{micros} \u{b5}s"),
            micros @ 1_000..1_000_000 => {
                format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
            }
            micros => spoken(Duration::from_micros(micros.into())),
        }
    }
}

impl From<Duration> for Micros {
    fn from(span: Duration) -> Self {
        Micros(u32::try_from(span.as_micros()).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_with_milliseconds_and_read_back() {
        let time: Timestamp = "2026-11-21T10:04:15.9Z".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-21T10:04:15.900Z");
        assert_eq!(time.date(), "2026-11-21");
        assert_eq!(time.day_start().to_string(), "2026-11-21T00:00:00.000Z");
        assert_eq!(time.hour_start().to_string(), "2026-11-21T10:00:00.000Z");
        assert_eq!(time.to_rfc5322(), "Sat, 21 Nov 2026 10:04:15 +0000");
    }

    #[test]
    fn what_is_waited_for_is_rounded_up() {
        for (millis, text) in [
            (1, "1 s"),
            (59_001, "1 min"),
            (599_000, "9 min 59 s"),
            (600_001, "11 min"),
            (7_199_000, "2 h"),
        ] {
            assert_eq!(awaited(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        for (millis, text) in [
            (0, "0 s"),
            (40, "40 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (247_000, "4 min 7 s"),
            (43_080_000, "11 h 58 min"),
            (43_200_000, "12 h"),
            (583_308_000, "6 d 18 h"),
        ] {
            assert_eq!(spoken(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_clock_that_stepped_back_makes_no_negative_wait() {
        let early = Timestamp::from_millis(1_000);
        assert_eq!(early.since(Timestamp::from_millis(5_000)), Duration::ZERO);
    }
}
