//! What is asked for: one request from which rows, counts, histogram,
//! facets, completion and exports are all answered, so that they agree.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use store::search::{Column, Direction, Order};
use types::Timestamp;

use super::cursor::Cursor;
use crate::CenterError;
use crate::query::fields::ColumnName;
use crate::views::View;

/// What a list shows; the parameters of its address, field by field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SearchRequest {
    /// The query, in the search language; empty for everything.
    pub query: String,
    /// Which of the built-in lists.
    pub view: View,
    /// From when, inclusive: `now-24h`, `yesterday`, a date, RFC 3339; empty
    /// for as far back as there is.
    pub from: String,
    /// Until when, exclusive, in the same words; empty for no end.
    pub to: String,
    /// The caller's time zone by its IANA name (`Europe/Berlin`); empty for
    /// UTC. Days and times without a zone are meant in it.
    pub zone: String,
    /// The order of the rows.
    pub sort: Sort,
    /// The columns somebody chose; empty for those of the view. They change
    /// no answer, but travel with saved views, exports and links.
    pub columns: Vec<ColumnName>,
    /// Where a page before or after this one ended.
    pub cursor: Option<Cursor>,
    /// Most rows of a page; 0 for 50, at most [`PAGE_ROWS_MAX`](super::PAGE_ROWS_MAX).
    pub rows_max: usize,
}

/// The order of rows, written `-time` or `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By which column; one that is sortable.
    pub column: ColumnName,
    /// Largest or newest first.
    pub descending: bool,
}

impl Sort {
    /// The order, as the event log knows it.
    pub(crate) fn order(self) -> Order {
        let by = self.column.column().sort.unwrap_or(Column::Time);
        let direction = match self.descending {
            true => Direction::Descending,
            false => Direction::Ascending,
        };
        Order { by, direction }
    }
}

impl Default for Sort {
    /// Newest first.
    fn default() -> Self {
        Sort { column: ColumnName::TIME, descending: true }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(f, "{sign}{}", self.column)
    }
}

impl FromStr for Sort {
    type Err = CenterError;
    fn from_str(text: &str) -> Result<Self, CenterError> {
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let column: ColumnName = name.parse()?;
        match column.column().sort {
            Some(_) => Ok(Sort { column, descending }),
            None => Err(CenterError::invalid(format!("a list cannot be sorted by `{column}`"))),
        }
    }
}

impl Serialize for Sort {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sort {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A span of time, the end exclusive; an end that is missing is open.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Span {
    /// From when.
    pub from: Option<Timestamp>,
    /// Until when.
    pub to: Option<Timestamp>,
}

impl From<Range<Timestamp>> for Span {
    fn from(times: Range<Timestamp>) -> Self {
        let always = crate::query::ALWAYS;
        Span {
            from: Some(times.start).filter(|&from| from > always.start),
            to: Some(times.end).filter(|&to| to < always.end),
        }
    }
}
