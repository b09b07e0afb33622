//! The names of segment files: they say enough to know what is missing when
//! the content is damaged.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use types::Timestamp;

use crate::contract::Position;

/// What the name of a segment file says:
/// `events_FROM_TO_FIRST_LAST_ROWS_CRC.arrow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentName {
    /// The oldest row, milliseconds since 1970.
    pub(super) oldest: i64,
    /// The newest row.
    pub(super) newest: i64,
    /// The lowest journal position of a row.
    pub(super) first: Position,
    /// The highest.
    pub(super) last: Position,
    /// Rows.
    pub(super) rows: u64,
    /// CRC-32 of the whole file. It cannot stand inside what it covers, and
    /// nothing may follow the end of an Arrow file.
    pub(super) crc: u32,
}

/// The end of every segment's name.
const SUFFIX: &str = ".arrow";
/// The end of a file that is being written.
pub(super) const UNFINISHED: &str = ".unfinished";

impl SegmentName {
    /// The time its rows lie in.
    pub(super) fn span(&self) -> Range<Timestamp> {
        let end = self.newest.saturating_add(1);
        Timestamp::from_millis(self.oldest)..Timestamp::from_millis(end)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SegmentName { oldest, newest, first, last, rows, crc } = self;
        let (first, last) = (first.0, last.0);
        write!(f, "events_{oldest}_{newest}_{first}_{last}_{rows}_{crc:08x}{SUFFIX}")
    }
}

/// The name is not that of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotASegment;

impl FromStr for SegmentName {
    type Err = NotASegment;

    fn from_str(name: &str) -> Result<Self, NotASegment> {
        let inner = name.strip_prefix("events_").and_then(|rest| rest.strip_suffix(SUFFIX));
        let mut parts = inner.ok_or(NotASegment)?.split('_');
        fn number<T: FromStr>(part: Option<&str>) -> Result<T, NotASegment> {
            part.and_then(|digits| digits.parse().ok()).ok_or(NotASegment)
        }
        let name = SegmentName {
            oldest: number(parts.next())?,
            newest: number(parts.next())?,
            first: Position(number(parts.next())?),
            last: Position(number(parts.next())?),
            rows: number(parts.next())?,
            crc: parts
                .next()
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .ok_or(NotASegment)?,
        };
        if parts.next().is_none() { Ok(name) } else { Err(NotASegment) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_others_are_not() {
        let name = SegmentName {
            oldest: -5,
            newest: 1_795_000_000_000,
            first: Position(1),
            last: Position(77),
            rows: 12,
            crc: 0xa7,
        };
        assert_eq!(name.to_string(), "events_-5_1795000000000_1_77_12_000000a7.arrow");
        assert_eq!(name.to_string().parse(), Ok(name));
        for other in ["events_1_2_3_4_5.arrow", "notes.txt", "events_a_2_3_4_5_00.arrow"] {
            assert_eq!(other.parse::<SegmentName>(), Err(NotASegment), "{other}");
        }
    }
}
