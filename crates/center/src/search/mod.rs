//! Finding attempts: rows, counts, histogram, facets, completion, hints.
//!
//! Each service answers alone, from the same [`SearchRequest`], so that rows
//! can be shown before anything is counted.

mod completion;
mod count;
mod cursor;
mod facets;
mod hints;
mod histogram;
mod page;
mod request;
mod row;

use std::ops::Range;

use store::Filter;
use types::{OutcomeKind, Timestamp};

use crate::query::{self, Moment, Open};
use crate::{Center, CenterError, Problem};

pub use completion::{Completion, CompletionItem};
pub use count::{Count, ViewCount};
pub use cursor::Cursor;
pub use facets::{Facet, FacetKey, FacetValue};
pub use hints::Hint;
pub use histogram::{BUCKETS_MAX, Histogram, Series};
pub use page::{BeyondRetention, PAGE_ROWS_MAX, SearchPage};
pub use request::{SearchRequest, Sort, Span};
pub use row::Row;
pub(crate) use row::{label_of, mailbox};

/// A request, understood.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Which events, the view included.
    pub(crate) filter: Filter,
    /// Within which time: that of the request and that of the query.
    pub(crate) times: Range<Timestamp>,
    /// What the query names as a whole.
    pub(crate) open: Option<Open>,
    /// When and where it was asked.
    pub(crate) moment: Moment,
}

impl Center {
    /// Understands a request.
    pub(crate) fn scope(&self, request: &SearchRequest) -> Result<Scope, CenterError> {
        let moment = self.moment_in(&request.zone)?;
        let range = range(request, &moment)?;
        let search = query::search(&request.query, &moment)?;
        let start = search.times.start.max(range.start);
        let times = start..search.times.end.min(range.end).max(start);
        let filter = match request.view.filter() {
            Some(view) if search.filter == Filter::Everything => view,
            Some(view) => Filter::All(vec![view, search.filter]),
            None => filed(search.filter, search.names_state),
        };
        Ok(Scope { filter, times, open: search.open, moment })
    }

    /// The present, in a zone by its IANA name; UTC if it is empty.
    pub(crate) fn moment_in(&self, zone: &str) -> Result<Moment, CenterError> {
        Moment::in_zone(self.parts.clock.now(), zone)
    }
}

/// The range of the request, without what the query says of time.
fn range(request: &SearchRequest, moment: &Moment) -> Result<Range<Timestamp>, CenterError> {
    let mut problems = Vec::new();
    let mut read = |object: &str, text: &str, open: Timestamp| match text.trim() {
        "" => open,
        text => query::bound(text, moment).unwrap_or_else(|error| {
            problems
                .push(Problem { object: Some(object.to_owned()), ..Problem::new(error.message) });
            open
        }),
    };
    let from = read("from", &request.from, query::ALWAYS.start);
    let to = read("to", &request.to, query::ALWAYS.end);
    match problems.is_empty() {
        true => Ok(from..to.max(from)),
        false => Err(CenterError::Invalid { problems }),
    }
}

/// Adds to a query what lists leave out: steps that end nothing.
fn filed(filter: Filter, names_state: bool) -> Filter {
    if names_state {
        return filter;
    }
    let queues = OutcomeKind::ALL.into_iter().map(Filter::Outcome).collect();
    match filter {
        Filter::Everything => Filter::Any(queues),
        filter => Filter::All(vec![Filter::Any(queues), filter]),
    }
}
