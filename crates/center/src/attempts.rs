//! One attempt or life-line by its name, and the story it tells.

use serde::{Deserialize, Serialize};
use types::{Caller, Event, EventId, LifeLineId, OutcomeKind, Permission, Reference, Timestamp};

use crate::explain::{Explanation, life_line::Story};
use crate::search::{Cursor, Row, SearchRequest, Span};
use crate::views::View;
use crate::{Center, CenterError, permit, presentable_within};

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct TraceRequest {
    /// The query; empty for everything.
    pub query: String,
    /// Only this queue, beside what the query says.
    pub outcome: Option<OutcomeKind>,
    /// Most rows to return; 0 for 50, at most 1,000.
    pub rows_max: usize,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// One page of attempts.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AttemptPage {
    /// The rows, newest first.
    pub rows: Vec<Row>,
    /// Matches counted.
    pub count: usize,
    /// Whether there are more than were counted.
    pub more_than_counted: bool,
    /// Where the next page begins; nothing if this is the last.
    pub next: Option<Cursor>,
    /// Spans that could not be read.
    pub missing: Vec<(Timestamp, Timestamp)>,
    /// When the search was made: everything answered before is in it.
    pub as_of: Timestamp,
}

impl Center {
    /// Searches. A query that names no outcome or state finds what is filed
    /// in one of the four queues, not the steps on the way.
    ///
    /// # Errors
    ///
    /// A query that cannot be understood, with the place; see [`CenterError`].
    pub fn trace(
        &self,
        caller: &Caller,
        request: &TraceRequest,
    ) -> Result<AttemptPage, CenterError> {
        let view = match request.outcome {
            None => View::All,
            Some(OutcomeKind::Accepted) => View::Accepted,
            Some(OutcomeKind::Held) => View::Held,
            Some(OutcomeKind::Deferred) => View::Deferred,
            Some(OutcomeKind::Rejected) => View::Rejected,
        };
        let request = SearchRequest {
            query: request.query.clone(),
            view,
            cursor: request.after.clone(),
            rows_max: request.rows_max,
            ..SearchRequest::default()
        };
        let page = self.search(caller, &request)?;
        let (count, more_than_counted) = match page.opened {
            true => (page.rows.len(), false),
            false => {
                let count = self.count(caller, &request)?;
                (usize::try_from(count.count).unwrap_or(usize::MAX), !count.exact)
            }
        };
        let closed = |span: &Span| Some((span.from?, span.to?));
        Ok(AttemptPage {
            rows: page.rows,
            count,
            more_than_counted,
            next: page.next,
            missing: page.missing.iter().filter_map(closed).collect(),
            as_of: page.as_of,
        })
    }

    /// The full explanation of one attempt, by its id or by the reference a
    /// reply quoted.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn why(&self, caller: &Caller, named: &str) -> Result<Explanation, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let event = self.named(named)?;
        let mut explanation = self.explained(&event)?;
        self.tell_if_queued(&event, &mut explanation)?;
        Ok(explanation)
    }

    /// The stored event itself, as it was written.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn event(&self, caller: &Caller, named: &str) -> Result<Event, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        self.named(named)
    }

    /// A life-line by its id, its reference, or the reference of one of its
    /// attempts.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn life(&self, caller: &Caller, named: &str) -> Result<Story, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let mut events = match named.parse::<LifeLineId>() {
            Ok(id) => self.parts.log.life_line(id)?,
            Err(_) => Vec::new(),
        };
        if events.is_empty() {
            events = self.parts.log.life_line(self.named(named)?.life_line)?;
        }
        self.told(events)
    }

    /// The event of this id or reference. A life-line has a reference too,
    /// so of several the one whose own it is is meant.
    fn named(&self, named: &str) -> Result<Event, CenterError> {
        let named = named.trim();
        let missing =
            || CenterError::NotFound(format!("attempt {:?}", presentable_within(named, 60)));
        if let Ok(id) = named.parse::<EventId>() {
            return self.parts.log.event(id)?.ok_or_else(missing);
        }
        let reference: Reference = named.parse().map_err(|_| missing())?;
        let mut events = self.parts.log.by_reference(reference)?;
        let own = events.iter().position(|event| event.reference() == reference);
        if events.is_empty() {
            return Err(missing());
        }
        Ok(events.swap_remove(own.unwrap_or(0)))
    }
}
