//! The search language: what people type into the search box, on the command
//! line and into `?q=` becomes a filter over the columns of the event log.
//!
//! Text → pieces ([`token`]) → tree ([`tree`]) → [`store::Filter`]
//! ([`compile`]). One table, [`fields`], has every field; parser, help and
//! documentation come from it. Errors say where they are and what to write
//! instead; an unknown field never silently becomes text.

mod address;
mod bare;
pub mod compile;
pub mod edit;
pub mod fields;
pub mod five;
mod nearest;
mod number;
mod parser;
pub(crate) mod term;
mod token;
pub mod tree;
mod when;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use types::Reference;

pub use compile::{NothingPresent, Open, Present, RowsAre, Search};
pub use fields::{FIELDS, Field};
pub use parser::parse;
pub use tree::Query;
pub use when::Moment;
pub(crate) use when::{ALWAYS, bound, range_between};

/// Longest query, in octets.
pub const QUERY_OCTETS_MAX: usize = 4_000;
/// Deepest nesting of parentheses.
pub const DEPTH_MAX: usize = 32;
/// Most values and words in one query.
pub const VALUES_MAX: usize = 500;

/// What is wrong with a query, where, and what to write instead.
#[derive(
    Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, schemars::JsonSchema,
)]
#[error("{message}")]
pub struct QueryError {
    /// Octets of the query that are meant; empty at the end of the query.
    pub at: Range<usize>,
    /// What is wrong, with a proposal where there is one.
    pub message: String,
    /// What would be right in place of the octets, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// What else is wrong with the same query, in the order of its text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<QueryError>,
}

/// Most mistakes told of one query; a person mends the first few.
const ERRORS_MAX: usize = 8;

impl QueryError {
    pub(crate) fn new(at: Range<usize>, message: impl fmt::Display) -> Self {
        QueryError { at, message: message.to_string(), proposal: None, others: Vec::new() }
    }

    pub(crate) fn proposing(self, proposal: Option<String>) -> Self {
        let message = match &proposal {
            Some(better) => format!("{}, did you mean `{better}`?", self.message),
            None => self.message,
        };
        QueryError { message, proposal, ..self }
    }

    /// The mistakes of one query as one error; nothing if there are none.
    pub(crate) fn first_of(mut errors: Vec<QueryError>) -> Option<Self> {
        errors.sort_by_key(|error| (error.at.start, error.at.end));
        errors.dedup();
        errors.truncate(ERRORS_MAX);
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        Some(QueryError { others: errors.collect(), ..first })
    }

    /// This mistake and the others, in the order of the text.
    pub fn all(&self) -> impl Iterator<Item = &QueryError> {
        std::iter::once(self).chain(&self.others)
    }

    /// Where it is in characters rather than octets: position and length.
    pub fn place_in(&self, query: &str) -> (usize, usize) {
        let before = query.get(..self.at.start).unwrap_or(query).chars().count();
        (before, query.get(self.at.clone()).map_or(0, |text| text.chars().count()))
    }

    /// The query with the proposal in place of what is wrong, if there is one.
    pub fn mended(&self, query: &str) -> Option<String> {
        let before = query.get(..self.at.start)?;
        let behind = query.get(self.at.end..)?;
        Some(format!("{before}{}{behind}", self.proposal.as_ref()?))
    }

    /// The query with a line of carets below the place, for terminals.
    pub fn pointing_into(&self, query: &str) -> String {
        let before = query.get(..self.at.start).unwrap_or(query).chars().count();
        let below = query.get(self.at.clone()).map_or(1, |text| text.chars().count()).max(1);
        let query = crate::presentable(query);
        format!("{query}\n{}{}\n{}", " ".repeat(before), "^".repeat(below), self.message)
    }
}

/// Parses and compiles in one step, for a list of attempts.
///
/// # Errors
///
/// What is wrong with the text.
pub fn search(text: &str, moment: &Moment) -> Result<Search, QueryError> {
    compile::compile(&parse(text)?, RowsAre::Attempts, moment, &NothingPresent)
}

/// The reference in a pasted reply (`… [ref 7K2M4QX9B0TA]`) or in the address
/// of its explanation (`https://gate.corp.example/r/7K2M4QX9B0TA`).
fn pasted_reference(text: &str) -> Option<Reference> {
    let text = text.trim();
    let after = match text.find("[ref ") {
        Some(at) => text.get(at + "[ref ".len()..)?,
        None if text.starts_with("https://") || text.starts_with("http://") => {
            text.get(text.find("/r/")? + "/r/".len()..)?
        }
        None => return None,
    };
    after.get(..12)?.parse().ok()
}

#[cfg(test)]
mod tests;
