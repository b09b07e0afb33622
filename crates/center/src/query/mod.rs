//! The search language: what people type into the search box, on the command
//! line and into `?q=` becomes a filter over the columns of the event log.
//!
//! Text → pieces ([`token`]) → tree ([`tree`]) → [`store::Filter`]
//! ([`compile`]). One table, [`fields`], has every field; parser, help and
//! documentation come from it. Errors say where they are and what to write
//! instead; an unknown field never silently becomes text.

pub mod compile;
pub mod edit;
pub mod fields;
pub mod five;
mod nearest;
mod parser;
mod token;
pub mod tree;
mod when;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use compile::{Open, Search};
pub use fields::{FIELDS, Field};
pub use parser::parse;
pub use tree::Query;
pub use when::Moment;
pub(crate) use when::{ALWAYS, bound};

/// Longest query, in octets.
pub const QUERY_OCTETS_MAX: usize = 4_000;
/// Deepest nesting of parentheses.
pub const DEPTH_MAX: usize = 32;
/// Most values and words in one query.
pub const VALUES_MAX: usize = 500;

/// What is wrong with a query, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Octets of the query that are meant; empty at the end of the query.
    pub at: Range<usize>,
    /// What is wrong, with a proposal where there is one.
    pub message: String,
    /// What would be right in place of the octets, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
}

impl QueryError {
    pub(crate) fn new(at: Range<usize>, message: impl fmt::Display) -> Self {
        QueryError { at, message: message.to_string(), proposal: None }
    }

    pub(crate) fn proposing(self, proposal: Option<String>) -> Self {
        let message = match &proposal {
            Some(better) => format!("{}, did you mean `{better}`?", self.message),
            None => self.message,
        };
        QueryError { message, proposal, ..self }
    }

    /// The query with a line of carets below the place, for terminals.
    pub fn pointing_into(&self, query: &str) -> String {
        let before = query.get(..self.at.start).unwrap_or(query).chars().count();
        let below = query.get(self.at.clone()).map_or(1, |text| text.chars().count()).max(1);
        let query = crate::presentable(query);
        format!("{query}\n{}{}\n{}", " ".repeat(before), "^".repeat(below), self.message)
    }
}

/// Parses and compiles in one step.
///
/// # Errors
///
/// The first thing that is wrong with the text.
pub fn search(text: &str, moment: &Moment) -> Result<Search, QueryError> {
    compile::compile(&parse(text)?, moment)
}

#[cfg(test)]
mod tests;
