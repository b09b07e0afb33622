//! Times of rows that come in order, written without asking the calendar
//! again for each: a million rows lie in a few hundred hours.

use jiff::tz::TimeZone;
use types::Timestamp;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Days from the first of Excel's days (1899-12-30) to 1970-01-01.
const EXCEL_EPOCH_DAYS: i64 = 25_569;

/// Turns times into text and spreadsheet dates of one zone.
#[derive(Clone, Debug)]
pub(super) struct ClockText {
    zone: TimeZone,
    /// The hour for which `offset_ms` holds: offsets change at full hours of
    /// UTC or, rarely, at a quarter of one, so it is looked up per quarter.
    quarter: i64,
    offset_ms: i64,
    /// `Z`, or `+01:00`.
    suffix: String,
    /// The day for which `date` holds, days of the zone since 1970.
    day: i64,
    date: String,
}

impl ClockText {
    /// Times of this zone.
    pub(super) fn new(zone: TimeZone) -> Self {
        ClockText {
            zone,
            quarter: i64::MIN,
            offset_ms: 0,
            suffix: "Z".to_owned(),
            day: i64::MIN,
            date: String::new(),
        }
    }

    /// Times of UTC.
    pub(super) fn utc() -> Self {
        ClockText::new(TimeZone::UTC)
    }

    /// Appends `2026-11-21T10:04:15.900+01:00` (RFC 3339).
    pub(super) fn push(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        let local = self.local(time);
        let (day, of_day) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS));
        if day != self.day {
            self.date = Timestamp::from_millis(day * DAY_MS).date();
            self.day = day;
        }
        out.extend_from_slice(self.date.as_bytes());
        let (hour, minute) = (of_day / HOUR_MS, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
        for (before, number) in [(b'T', hour), (b':', minute), (b':', second)] {
            out.extend_from_slice(&[before, digit(number / 10), digit(number)]);
        }
        out.extend_from_slice(&[b'.', digit(milli / 100), digit(milli / 10), digit(milli)]);
        out.extend_from_slice(self.suffix.as_bytes());
    }

    /// Days since the beginning of a spreadsheet's calendar, by the clock on
    /// the wall of the zone: cells know no zones.
    pub(super) fn spreadsheet_days(&mut self, time: Timestamp) -> f64 {
        let local = self.local(time);
        let whole = local.div_euclid(DAY_MS) + EXCEL_EPOCH_DAYS;
        whole as f64 + local.rem_euclid(DAY_MS) as f64 / DAY_MS as f64
    }

    /// Milliseconds on the wall of the zone.
    fn local(&mut self, time: Timestamp) -> i64 {
        let millis = time.as_millis();
        let quarter = millis.div_euclid(HOUR_MS / 4);
        if quarter != self.quarter {
            self.look_up(millis);
            self.quarter = quarter;
        }
        millis.saturating_add(self.offset_ms)
    }

    fn look_up(&mut self, millis: i64) {
        let Ok(time) = jiff::Timestamp::from_millisecond(millis) else { return };
        let offset_s = self.zone.to_offset(time).seconds();
        self.offset_ms = i64::from(offset_s) * 1_000;
        self.suffix = match self.zone == TimeZone::UTC {
            true => "Z".to_owned(),
            false => {
                let sign = if offset_s < 0 { '-' } else { '+' };
                let minutes = offset_s.unsigned_abs() / 60;
                format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        };
    }
}

/// The last decimal digit of a number that is not negative.
fn digit(number: i64) -> u8 {
    b'0' + (number % 10).unsigned_abs() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(clock: &mut ClockText, time: &str) -> String {
        let mut out = Vec::new();
        clock.push(time.parse().unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_as_elsewhere() {
        let mut clock = ClockText::utc();
        for time in [
            "2026-11-21T10:04:15.907Z",
            "2026-11-21T23:59:59.999Z",
            "2026-11-22T00:00:00.000Z",
            "1970-01-01T00:00:00.000Z",
            "2024-02-29T12:30:00.010Z",
        ] {
            assert_eq!(text(&mut clock, time), time);
        }
    }

    #[test]
    fn a_zone_moves_the_wall_and_says_by_how_much() {
        let mut clock = ClockText::new(TimeZone::fixed(jiff::tz::offset(-3)));
        assert_eq!(text(&mut clock, "2026-11-21T01:04:15.907Z"), "2026-11-20T22:04:15.907-03:00");
        let noon = "2026-11-21T15:00:00Z".parse().unwrap();
        assert_eq!(clock.spreadsheet_days(noon), 46_347.5);
    }
}
