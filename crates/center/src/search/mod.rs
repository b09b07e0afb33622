//! Finding attempts: rows, counts, histogram, facets, completion, hints.
//!
//! Each service answers alone, from the same [`SearchRequest`], so that rows
//! can be shown before anything is counted.

mod beside;
mod completion;
mod count;
mod cursor;
mod facets;
mod hints;
mod histogram;
mod page;
mod paging;
mod request;
mod row;
mod scope;

pub use beside::Beside;
pub use completion::{Completion, CompletionItem};
pub use count::{Count, ViewCount};
pub use cursor::Cursor;
pub use facets::{Facet, FacetKey, FacetValue};
pub use hints::Hint;
pub use histogram::{BUCKETS_MAX, Histogram, Series};
pub use page::{BeyondRetention, PAGE_ROWS_MAX, SearchPage};
pub use request::{SearchRequest, Sort, Span};
pub use row::Row;
pub(crate) use row::{label_of, mailbox, outbound, place};
pub(crate) use scope::Scope;

#[cfg(test)]
mod tests;
