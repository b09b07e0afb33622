//! Tree to [`Filter`]: what a query as a whole means. What one value of one
//! field means is in [`super::term`], what a word without a field means in
//! [`super::bare`].

use std::ops::Range;

use store::search::Filter;
use types::{EventId, LifeLineId, OutcomeKind, Reference, Timestamp};

use super::QueryError;
use super::bare;
use super::fields::{Field, FieldKind, TimeSide};
use super::term;
use super::tree::{Comparison, Part, Query, Term, Text, Value};
use super::when::{self, Moment};

/// A query, ready for the event log.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Which events.
    pub filter: Filter,
    /// Within which time, the end exclusive.
    pub times: Range<Timestamp>,
    /// What the whole query names, if it is an id or could be a reference.
    /// Twelve letters can also be a word: search for it if nothing is there.
    pub open: Option<Open>,
}

/// Something that is opened rather than searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An event.
    Event(EventId),
    /// What replies quote.
    Reference(Reference),
}

/// What is true at the moment of the question and stands in no event.
pub trait Present {
    /// The attempts of queued messages that wait for the next hop.
    fn queued(&self) -> Vec<EventId>;
    /// The attempts of queued messages that somebody or a policy holds back.
    fn held(&self) -> Vec<EventId>;
    /// The list of held mail: what is held now. Of what is to come, it is what
    /// a policy holds.
    fn held_list(&self) -> Filter {
        Filter::Ids(self.held())
    }
    /// The events with this reference of their own.
    fn referred(&self, reference: Reference) -> Vec<EventId>;
    /// The life-lines of this reference, or of attempts with it.
    fn life_lines(&self, reference: Reference) -> Vec<LifeLineId>;
}

/// Nothing is queued and no reference is known: for looking at a query
/// without asking it.
pub struct NothingPresent;

impl Present for NothingPresent {
    fn queued(&self) -> Vec<EventId> {
        Vec::new()
    }
    fn held(&self) -> Vec<EventId> {
        Vec::new()
    }
    fn held_list(&self) -> Filter {
        Filter::Outcome(OutcomeKind::Held)
    }
    fn referred(&self, _: Reference) -> Vec<EventId> {
        Vec::new()
    }
    fn life_lines(&self, _: Reference) -> Vec<LifeLineId> {
        Vec::new()
    }
}

/// Which rows a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowsAre {
    /// Attempts: what was known at one is in its row.
    #[default]
    Attempts,
    /// Later steps, which know who and what but not how it was decided; that
    /// is looked up in their life-lines.
    LaterSteps,
}

/// Compiles a parsed query.
///
/// # Errors
///
/// Every value its field cannot have.
pub fn compile(
    query: &Query,
    rows: RowsAre,
    moment: &Moment,
    present: &dyn Present,
) -> Result<Search, QueryError> {
    let mut compiler = Compiler { rows, moment, present, times: when::ALWAYS, errors: Vec::new() };
    let mut filters = Vec::new();
    let outermost = match &query.root {
        Some(Part::All(parts)) => parts.as_slice(),
        Some(part) => std::slice::from_ref(part),
        None => &[],
    };
    for part in outermost {
        match part {
            // One span that all must lie in is the range of the search, which
            // then looks at nothing else.
            Part::Term(term)
                if let (FieldKind::Time(side), [value]) =
                    (term.field.kind, term.values.as_slice()) =>
            {
                compiler.narrow(term, value, side);
            }
            part => filters.push(compiler.part(part)),
        }
    }
    let Compiler { times, errors, .. } = compiler;
    if let Some(error) = QueryError::first_of(errors) {
        return Err(error);
    }
    let open = match &query.root {
        Some(Part::Word(word)) => opens(word),
        Some(Part::Term(Term { field: Field { name: "ref", .. }, values, .. })) => {
            match values.as_slice() {
                [Value::One(text)] => opens(text),
                _ => None,
            }
        }
        _ => None,
    };
    let filter = if filters.is_empty() { Filter::Everything } else { all(filters) };
    Ok(Search { filter, times, open })
}

fn opens(word: &Text) -> Option<Open> {
    let event = word.text.parse().ok().map(Open::Event);
    event.or_else(|| word.text.parse().ok().map(Open::Reference)).filter(|_| !word.quoted)
}

struct Compiler<'a> {
    rows: RowsAre,
    moment: &'a Moment,
    present: &'a dyn Present,
    times: Range<Timestamp>,
    errors: Vec<QueryError>,
}

impl Compiler<'_> {
    fn narrow(&mut self, term: &Term, value: &Value, side: TimeSide) {
        match self.span(term, value, side) {
            Ok(span) => {
                let start = self.times.start.max(span.start);
                self.times = start..self.times.end.min(span.end).max(start);
            }
            Err(error) => self.errors.push(error),
        }
    }

    /// What one value of a time covers.
    fn span(
        &self,
        term: &Term,
        value: &Value,
        side: TimeSide,
    ) -> Result<Range<Timestamp>, QueryError> {
        let comparison = match (side, term.comparison) {
            (TimeSide::Within, comparison) => comparison,
            (TimeSide::After, None) => Some(Comparison::GreaterOrEqual),
            (TimeSide::Before, None) => Some(Comparison::Less),
            (TimeSide::After | TimeSide::Before, Some(sign)) => {
                let message = format!("`{}:` needs no `{}`", term.field.name, sign.sign());
                return Err(QueryError::new(term.at.clone(), message));
            }
        };
        when::span(value, comparison, self.moment)
    }

    fn part(&mut self, part: &Part) -> Filter {
        match part {
            Part::Any(parts) => any(self.parts(parts)),
            Part::All(parts) => all(self.parts(parts)),
            Part::Not(part) => Filter::Not(Box::new(self.part(part))),
            Part::Word(word) => bare::word(word),
            Part::Term(term) => self.term(term),
        }
    }

    fn parts(&mut self, parts: &[Part]) -> Vec<Filter> {
        parts.iter().map(|part| self.part(part)).collect()
    }

    fn term(&mut self, term: &Term) -> Filter {
        let mut filters = Vec::new();
        for value in &term.values {
            let filter = match term.field.kind {
                FieldKind::Time(side) => self.span(term, value, side).map(Filter::Time),
                _ => term::value(term, value, self.present),
            };
            let filter = self.kept(filter);
            filters.push(match self.rows == RowsAre::LaterSteps && term.field.kind.of_attempts() {
                true => in_story(filter),
                false => filter,
            });
        }
        any(filters)
    }

    fn kept(&mut self, filter: Result<Filter, QueryError>) -> Filter {
        filter.unwrap_or_else(|error| {
            self.errors.push(error);
            Filter::Everything
        })
    }
}

/// What some event of the life-line matches, condition by condition.
fn in_story(filter: Filter) -> Filter {
    let each = |filters: Vec<Filter>| filters.into_iter().map(in_story).collect();
    match filter {
        Filter::All(filters) => Filter::All(each(filters)),
        Filter::Any(filters) => Filter::Any(each(filters)),
        Filter::Not(filter) => Filter::Not(Box::new(in_story(*filter))),
        story @ Filter::Story(_) => story,
        leaf => Filter::Story(Box::new(leaf)),
    }
}

/// All of them, without a list around a single one.
pub(crate) fn all(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => Filter::All(filters),
    }
}

/// Any of them, without a list around a single one.
pub(crate) fn any(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => Filter::Any(filters),
    }
}
