//! Sums over matching rows: bars of a histogram and the most frequent values.

use std::ops::Range;
use std::time::Duration;

use types::{OutcomeKind, Timestamp};

use super::column::{NumberColumn, TextColumn, WordColumn};

/// What is to be summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyPlan {
    /// The bars, if any are wanted.
    pub histogram: Option<Histogram>,
    /// The most frequent values of these.
    pub facets: Vec<FacetBy>,
    /// Values of each facet that are returned.
    pub values_max: usize,
    /// Matching rows that facets look at. If more match, they look at an even
    /// sample of about so many and scale up; bars are always exact.
    pub facet_rows_max: u64,
}

/// Matching rows that facets look at unless told otherwise.
pub const FACET_ROWS_MAX: u64 = 100_000;

impl Default for TallyPlan {
    fn default() -> Self {
        TallyPlan {
            histogram: None,
            facets: Vec::new(),
            values_max: 10,
            facet_rows_max: FACET_ROWS_MAX,
        }
    }
}

/// How time is cut into bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Where a bar begins; others follow at multiples of the width, before
    /// and after it.
    pub origin: Timestamp,
    /// The width of a bar, at least a millisecond. At most 10,000 bars are
    /// made; a wider range makes them wider, by whole multiples.
    pub width: Duration,
}

/// What the values of a facet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FacetBy {
    /// The values of a text column, in the form in which they are compared;
    /// of an address in two spellings, the first. Groups have none.
    Text(TextColumn),
    /// The domains of the addresses in a text column.
    Domain(TextColumn),
    /// The words of a column.
    Word(WordColumn),
    /// The numbers of a column.
    Number(NumberColumn),
    /// The client's address.
    Ip,
    /// The client's network: /24 of IPv4, /64 of IPv6.
    Network,
}

/// The sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tallied {
    /// Rows that match.
    pub rows: u64,
    /// Of them by outcome, in the order of [`OutcomeKind::ALL`].
    pub outcomes: [u64; OutcomeKind::ALL.len()],
    /// The bars that are not empty, oldest first.
    pub bars: Vec<HistogramBar>,
    /// The width of the bars.
    pub bar_width: Duration,
    /// The facets, in the order of the plan.
    pub facets: Vec<Facet>,
    /// Rows the facets looked at; fewer than `rows` if they are a sample.
    pub facet_rows: u64,
    /// Whether [`super::Query::stop`] ended it: sums over the newest part.
    pub stopped: bool,
    /// Spans that could not be read and are in no sum.
    pub missing: Vec<Range<Timestamp>>,
}

/// One bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramBar {
    /// When it begins.
    pub from: Timestamp,
    /// Rows by outcome, in the order of [`OutcomeKind::ALL`].
    pub outcomes: [u64; OutcomeKind::ALL.len()],
    /// Rows without an outcome: steps of a life-line.
    pub others: u64,
}

/// The most frequent values of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// Of what.
    pub by: FacetBy,
    /// Values and in how many rows each is, most frequent first, then by
    /// value. A row with several values counts for each.
    pub values: Vec<(String, u64)>,
    /// Different values seen.
    pub distinct: u64,
    /// Rows with no value.
    pub empty: u64,
    /// Whether the numbers are scaled up from a sample.
    pub sampled: bool,
}
