//! Times as people write them: `last24h`, `yesterday`, `2026-11-21`,
//! `2026-11-21T10:04`, `now-2h`.

use std::ops::Range;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use types::Timestamp;

use super::QueryError;
use super::nearest::nearest;
use super::tree::{Comparison, Text, Value};
use crate::{CenterError, Problem, presentable_within};

/// From when and where the query is asked: what `today` means depends on it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The present.
    pub now: Timestamp,
    /// The zone in which days begin and times without one are meant.
    pub zone: TimeZone,
}

impl Moment {
    /// A moment for which days are those of UTC.
    pub fn utc(now: Timestamp) -> Self {
        Moment { now, zone: TimeZone::UTC }
    }

    /// A moment for which days are those of a zone by its IANA name
    /// (`Europe/Berlin`); of UTC if the name is empty.
    ///
    /// # Errors
    ///
    /// A name nobody knows.
    pub fn in_zone(now: Timestamp, name: &str) -> Result<Self, CenterError> {
        let name = name.trim();
        if name.is_empty() {
            return Ok(Moment::utc(now));
        }
        match TimeZone::get(name) {
            Ok(zone) => Ok(Moment { now, zone }),
            Err(_) => Err(CenterError::Invalid {
                problems: vec![Problem {
                    object: Some("zone".to_owned()),
                    ..Problem::new(format!(
                        "there is no time zone {:?} (try Europe/Berlin)",
                        presentable_within(name, 40)
                    ))
                }],
            }),
        }
    }

    fn of(&self, time: DateTime) -> Option<Timestamp> {
        let zoned = time.to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    }

    /// The midnight at which the week of `at` began here.
    pub(crate) fn monday_before(&self, at: Timestamp) -> Timestamp {
        let monday = || {
            let at = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
            let date = at.to_zoned(self.zone.clone()).date();
            let days = i64::from(date.weekday().to_monday_zero_offset());
            let monday = date.checked_sub(jiff::Span::new().days(days)).ok()?;
            self.of(monday.at(0, 0, 0, 0))
        };
        monday().unwrap_or(Timestamp::EPOCH)
    }

    fn today(&self) -> Option<Date> {
        let now = jiff::Timestamp::from_millisecond(self.now.as_millis()).ok()?;
        Some(now.to_zoned(self.zone.clone()).date())
    }
}

/// From the beginning of our time to the end of the year 9999.
pub(crate) const ALWAYS: Range<Timestamp> =
    Timestamp::EPOCH..Timestamp::from_millis(253_402_300_800_000);

const WORDS: [&str; 5] = ["today", "yesterday", "last24h", "last7d", "now"];

/// What one expression covers.
struct Span {
    start: Timestamp,
    end: Timestamp,
    /// A whole day: as the end of a range it is inside.
    day: bool,
}

/// The instant that one end of a range names: a day, as its midnight.
///
/// # Errors
///
/// A text that is no time.
pub(crate) fn bound(text: &str, moment: &Moment) -> Result<Timestamp, QueryError> {
    let text = Text { text: text.to_owned(), quoted: false, at: 0..text.len() };
    read(&text, moment).map(|span| span.start)
}

/// The range between two ends, each of which may be empty; a day as the end
/// is inside.
///
/// # Errors
///
/// A text that is no time, or an end before the beginning.
pub(crate) fn range_between(
    from: &str,
    to: &str,
    moment: &Moment,
) -> Result<Range<Timestamp>, QueryError> {
    let end = |text: &str| {
        let at = 0..text.len();
        (!text.is_empty()).then(|| Text { text: text.to_owned(), quoted: false, at })
    };
    span(&Value::Range(end(from), end(to)), None, moment)
}

/// What a value of `time:` covers.
pub(super) fn span(
    value: &Value,
    comparison: Option<Comparison>,
    moment: &Moment,
) -> Result<Range<Timestamp>, QueryError> {
    match value {
        Value::One(text) => {
            let found = read(text, moment)?;
            compared(&found, comparison, text)
        }
        Value::Range(from, to) => {
            let start = match from {
                Some(text) => read(text, moment)?.start,
                None => ALWAYS.start,
            };
            let end = match to {
                Some(text) => {
                    Some(read(text, moment)?).map(|to| if to.day { to.end } else { to.start })
                }
                None => None,
            };
            let end = end.unwrap_or(ALWAYS.end);
            match (end <= start, to.as_ref().or(from.as_ref())) {
                (true, Some(text)) => {
                    Err(QueryError::new(text.at.clone(), "the range ends before it begins"))
                }
                _ => Ok(start..end),
            }
        }
    }
}

fn compared(
    span: &Span,
    comparison: Option<Comparison>,
    text: &Text,
) -> Result<Range<Timestamp>, QueryError> {
    Ok(match comparison {
        None | Some(Comparison::Equal) => span.start..span.end,
        Some(Comparison::Greater) => span.end.min(ALWAYS.end)..ALWAYS.end,
        Some(Comparison::GreaterOrEqual) => span.start..ALWAYS.end,
        Some(Comparison::Less) => ALWAYS.start..span.start,
        Some(Comparison::LessOrEqual) => ALWAYS.start..span.end,
        Some(Comparison::Matches) => {
            return Err(QueryError::new(text.at.clone(), "a time cannot be a pattern"));
        }
    })
}

fn read(text: &Text, moment: &Moment) -> Result<Span, QueryError> {
    let word = text.text.trim().to_lowercase();
    let found = relative(&word, moment)
        .or_else(|| day(&word, moment))
        .or_else(|| instant(text.text.trim(), moment));
    found.ok_or_else(|| {
        let message = format!("`{}` is no time (try last24h, today or 2026-11-21)", text.text);
        QueryError::new(text.at.clone(), message)
            .proposing(nearest(&word, WORDS.into_iter()).map(str::to_owned))
    })
}

fn relative(word: &str, moment: &Moment) -> Option<Span> {
    if let Some(length) = word.strip_prefix("last") {
        let start = moment.now.before(duration(length)?);
        return Some(Span { start, end: ALWAYS.end, day: false });
    }
    let rest = word.strip_prefix("now")?;
    let at = match rest.strip_prefix('-') {
        Some(length) => moment.now.before(duration(length)?),
        None if rest.is_empty() => moment.now,
        None => return None,
    };
    Some(Span { start: at, end: at + Duration::from_millis(1), day: false })
}

/// `15m`, `24h`, `7d`, `2w`.
fn duration(text: &str) -> Option<Duration> {
    let unit_s = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let count: u32 = text.get(..text.len() - 1)?.parse().ok()?;
    Some(Duration::from_secs(u64::from(count) * unit_s))
}

fn day(word: &str, moment: &Moment) -> Option<Span> {
    let date = match word {
        "today" => moment.today()?,
        "yesterday" => moment.today()?.yesterday().ok()?,
        _ if word.len() == "2026-11-21".len() => word.parse().ok()?,
        _ => return None,
    };
    let start = moment.of(date.at(0, 0, 0, 0))?;
    let end = moment.of(date.tomorrow().ok()?.at(0, 0, 0, 0))?;
    Some(Span { start, end, day: true })
}

fn instant(text: &str, moment: &Moment) -> Option<Span> {
    let (start, millis) = match text.parse::<Timestamp>() {
        Ok(at) => (at, 1_000),
        Err(_) => {
            // Without a zone jiff would also take a date with an offset and
            // silently drop the offset, so only plain digits get here.
            let plain = text.bytes().all(|b| b.is_ascii_digit() || b"-: tT.".contains(&b));
            let time: DateTime = text.parse().ok().filter(|_| plain)?;
            (moment.of(time)?, if text.matches(':').count() < 2 { 60_000 } else { 1_000 })
        }
    };
    let millis = if text.contains('.') { 1 } else { millis };
    Some(Span { start, end: start + Duration::from_millis(millis), day: false })
}
