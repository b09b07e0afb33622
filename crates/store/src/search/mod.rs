//! What can be asked of the memory of events: filters, pages in any order,
//! counts, tallies, scans and following along.
//!
//! Everything here is a plain value or a trait; how it is answered is the
//! business of [`crate::events`]. No part of it reads a clock: whoever asks
//! brings a [`Stop`] that says when the answer is no longer wanted.
//!
//! **Life-lines.** What later events make of an attempt (delivered, never
//! retried) is not written into its row, because rows never change. It is
//! asked with [`Filter::Story`]: whether *some* event of the same life-line
//! matches. What was known at the attempt itself has columns:
//! [`NumberColumn::Attempts`], [`NumberColumn::Wait`], [`WordColumn::Triplet`].

mod column;
mod filter;
mod follow;
mod parts;
mod pattern;
mod rows;
mod tally;

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use types::{EventId, Timestamp};

pub use column::{Column, NumberColumn, TextColumn, VALUE_SEPARATOR, WordColumn};
pub use filter::{Filter, TextMatch};
pub use follow::{Arrival, FollowPosition, Followed, PositionError};
pub use parts::{EventPart, EventParts};
pub(crate) use pattern::{LANES, Lanes, LanesPlan, Required};
pub use pattern::{Pattern, PatternError};
pub use rows::{Count, Cursor, Exactness, FoundRows, Order, RowsPage, SortValue};
pub use tally::{FACET_ROWS_MAX, Facet, FacetBy, Histogram, HistogramBar, Tallied, TallyPlan};

use crate::contract::StoreError;
use crate::events::ScannedRow;

/// Reading the memory of events. All of it works on what was there when it
/// was called; nothing waits for a writer or makes one wait for long.
///
/// Every answer names the spans of time that could not be read (a damaged
/// segment file); the rest is complete all the same.
pub trait EventSearch: Send + Sync {
    /// One page of the rows that match, in the order asked for.
    ///
    /// By time it stops as soon as the page is full. By another column it
    /// looks at every match of the range, in memory for one page.
    ///
    /// # Errors
    /// [`StoreError::Closed`] only; damage is reported in the answer.
    fn rows(
        &self,
        query: &Query<'_>,
        order: Order,
        page: &RowsPage,
    ) -> Result<FoundRows, StoreError>;

    /// How many rows match: exact up to `exact_max`, estimated beyond.
    ///
    /// # Errors
    /// As [`EventSearch::rows`].
    fn count(&self, query: &Query<'_>, exact_max: u64) -> Result<Count, StoreError>;

    /// Sums over all rows that match, in one pass.
    ///
    /// # Errors
    /// As [`EventSearch::rows`].
    fn tally(&self, query: &Query<'_>, plan: &TallyPlan) -> Result<Tallied, StoreError>;

    /// Hands every row that matches to `visit`, by time, until it breaks off:
    /// for exports, in constant memory. The rows are those that were there
    /// when the scan began.
    ///
    /// # Errors
    /// As [`EventSearch::rows`].
    fn scan(
        &self,
        query: &Query<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&ScannedRow<'_>) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError>;

    /// The attempts of `times` as parts that threads read side by side, by
    /// time; what is written later is not in them.
    ///
    /// # Errors
    /// As [`EventSearch::rows`].
    fn parts(&self, times: &Range<Timestamp>) -> Result<EventParts, StoreError>;

    /// The events that came after `after` and match, in the order in which
    /// they came; at most `rows_max` are looked at in one call.
    ///
    /// # Errors
    /// As [`EventSearch::rows`].
    fn follow(
        &self,
        filter: &Filter,
        after: &FollowPosition,
        rows_max: usize,
    ) -> Result<Followed, StoreError>;

    /// Hands what came after `after` and matches one of `filters` to `visit`,
    /// until it breaks off: the place of the filter, and the time and the
    /// identifier of the event, for each filter by time. Returns how far it
    /// was looked `now`; `after` if it was broken off.
    ///
    /// Only columns are read and no event is decoded, so what comes costs what
    /// the filters need. What was handed over before may be again. See
    /// [`Arrival::end`] for what is passed over.
    ///
    /// # Errors
    /// As [`EventSearch::rows`].
    fn follow_each(
        &self,
        filters: &[Filter],
        after: &Arrival,
        now: Timestamp,
        visit: &mut dyn FnMut(usize, Timestamp, EventId) -> ControlFlow<()>,
    ) -> Result<Arrival, StoreError>;

    /// How much has come until `now`, to follow from.
    fn arrived(&self, now: Timestamp) -> Arrival;

    /// The position of the newest event there is, to follow from.
    fn now_at(&self) -> FollowPosition;

    /// The time of the oldest row that is kept; nothing if there is none.
    fn oldest(&self) -> Option<Timestamp>;
}

/// What is looked for, when, and how long.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// Which rows.
    pub filter: &'a Filter,
    /// Within which time; the end is exclusive.
    pub times: Range<Timestamp>,
    /// When to give up.
    pub stop: Stop,
}

/// Says when an answer is no longer wanted: a time limit, a reader who left.
///
/// It is asked every few thousand rows, from several threads; what was found
/// until then is returned, and the answer says that it was stopped.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// Never gives up.
    pub fn never() -> Self {
        Stop(None)
    }

    /// Gives up once `over` says so.
    pub fn when(over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Stop(Some(Arc::new(over)))
    }

    /// Whether to give up now.
    pub fn is_over(&self) -> bool {
        self.0.as_ref().is_some_and(|over| over())
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Stop::when(..)" } else { "Stop::never()" })
    }
}

/// Which end of time comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Newest first.
    #[default]
    Descending,
    /// Oldest first.
    Ascending,
}

/// How a scan ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Rows handed out.
    pub rows: u64,
    /// Whether [`Query::stop`] or the visitor ended it.
    pub stopped: bool,
    /// Spans that could not be read.
    pub missing: Vec<Range<Timestamp>>,
}
