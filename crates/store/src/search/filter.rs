//! Which rows are wanted.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use ipnet::IpNet;
use types::{AddressSet, EventId, LifeLineId, OutcomeKind, Reason, SessionId, Timestamp};

use super::column::{Column, NumberColumn, TextColumn, WordColumn};
use super::pattern::Pattern;

/// Which events are wanted, over the columns of the segments.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Every event, follow-ups included.
    Everything,
    /// All of them; empty means everything.
    All(Vec<Filter>),
    /// At least one of them; empty means nothing.
    Any(Vec<Filter>),
    /// What it does not match.
    Not(Box<Filter>),
    /// Attempts, not follow-ups.
    IsAttempt,
    /// Filed in one of the four queues (see [`types::Event::outcome_kind`]).
    Outcome(OutcomeKind),
    /// A state of the life-line that a follow-up put it into (`delivered`…).
    State(&'static str),
    /// Filed under one of these reasons.
    Reason(Vec<Reason>),
    /// The column has one of these words; an unknown word matches nothing.
    Word(WordColumn, Vec<String>),
    /// The number is there and in this range: `550..=550`, `601..=u64::MAX`.
    Number(NumberColumn, RangeInclusive<u64>),
    /// It happened within this time, the end exclusive: for a time that is one
    /// condition among others. What narrows the whole search is its range.
    Time(Range<Timestamp>),
    /// The client lies in this network.
    Ip(IpNet),
    /// A text column matches; of a group, at least one of its columns.
    Text(TextColumn, TextMatch),
    /// The column is not empty; of a group, at least one of its columns.
    Has(Column),
    /// These events, by their own identifiers; for a selection of rows.
    Ids(Vec<EventId>),
    /// Events of this life-line.
    LifeLine(LifeLineId),
    /// Events of this session.
    Session(SessionId),
    /// Some event of the same life-line matches this, among all from the
    /// start of the searched range on, later ones included.
    ///
    /// `Story(State("delivered"))` are the attempts that were delivered in
    /// the end; `Not(Story(Number(Attempts, 2..=MAX)))` those not retried.
    /// Life-lines are compared by the 60 bits of their references.
    Story(Box<Filter>),
}

/// How a text column is compared; always without case.
#[derive(Clone, Debug, PartialEq)]
pub enum TextMatch {
    /// The whole value.
    Equals(String),
    /// A part of it.
    Contains(String),
    /// Its beginning.
    StartsWith(String),
    /// Its end.
    EndsWith(String),
    /// A pattern with `*`, anchored at both ends.
    Wildcard(String),
    /// The domain of the address, or with `below` any domain under it.
    Domain {
        /// Lower-case A-label form.
        domain: String,
        /// Whether its subdomains are meant too.
        below: bool,
    },
    /// A regular expression found anywhere in a value.
    Regex(Pattern),
    /// The address is in this set, itself or by its domain. A look at a value
    /// costs the same however large the set is.
    Among(Arc<AddressSet>),
}
