//! Pages of rows, and counts.

use std::net::IpAddr;
use std::ops::Range;

use types::{Event, EventId, Timestamp};

use super::Direction;
use super::column::Column;

/// By what rows are ordered; within equal values by time, then by identifier,
/// in the same direction. Rows without a value come last in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The column. Of a group of text columns, its first.
    pub by: Column,
    /// Which end comes first.
    pub direction: Direction,
}

impl Order {
    /// Newest first.
    pub const NEWEST: Order = Order { by: Column::Time, direction: Direction::Descending };
    /// Oldest first.
    pub const OLDEST: Order = Order { by: Column::Time, direction: Direction::Ascending };

    /// The place of an event in this order: rows after it follow from there.
    pub fn place_of(self, event: &Event) -> Cursor {
        crate::events::place_of(event, self.by)
    }
}

/// Which page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowsPage {
    /// Only rows that come after this one in the order.
    pub after: Option<Cursor>,
    /// Most rows to return.
    pub rows_max: usize,
}

/// The place of a row in an order: the last row of the page before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The value it is ordered by; nothing if the row lacks it, or if the
    /// order is by time.
    pub value: Option<SortValue>,
    /// When it happened.
    pub at: Timestamp,
    /// Its identifier.
    pub id: EventId,
}

/// A value rows are ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// A number.
    Number(u64),
    /// An address.
    Ip(IpAddr),
    /// A text in the form in which it is compared, or a word.
    Text(String),
}

/// One page of rows.
#[derive(Clone, Debug, Default)]
pub struct FoundRows {
    /// The rows, in order.
    pub events: Vec<Event>,
    /// Where the next page begins; nothing if this is the last. After a stop
    /// in an order by time, from where on to look further.
    pub next: Option<Cursor>,
    /// Whether [`super::Query::stop`] ended the search before its end. The
    /// rows are in order, and by time none is left out before `next`.
    pub stopped: bool,
    /// Spans that could not be read.
    pub missing: Vec<Range<Timestamp>>,
}

/// How many rows match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The number.
    pub rows: u64,
    /// How good it is.
    pub exactness: Exactness,
    /// Spans that could not be read and are not in it.
    pub missing: Vec<Range<Timestamp>>,
}

/// How good a count is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exactness {
    /// Every row was looked at.
    #[default]
    Exact,
    /// Estimated from a sample of the rows, spread evenly over the range.
    Sampled {
        /// Rows that were looked at.
        rows_seen: u64,
        /// Rows in the range.
        rows_in_range: u64,
    },
    /// Stopped before its end: there are at least so many.
    AtLeast,
}
