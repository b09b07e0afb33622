//! One page of rows: what is shown first, before anything is counted.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::{Caller, Event, EventKind, FollowUp, OutcomeKind, Permission, Timestamp};

use super::{Cursor, Row, Scope, SearchRequest, Span};
use crate::daily_log::LogFile;
use crate::query::Open;
use crate::sight::Seen;
use crate::views::View;
use crate::{Center, CenterError, permit};

/// Most rows of one page.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// Rows of a page unless told otherwise.
const PAGE_ROWS: usize = 50;
/// Most daily logs named for a span beyond the retention.
const LOGS_MAX: usize = 14;
/// So much may go by while a request is answered.
const MOMENT: Duration = Duration::from_secs(60);

/// One page of rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SearchPage {
    /// The rows, in the order that was asked for.
    pub rows: Vec<Row>,
    /// Where the next page begins; nothing if this is the last.
    pub next: Option<Cursor>,
    /// Where the page before ends; nothing if this is the first.
    pub previous: Option<Cursor>,
    /// Rows before the first of this page.
    pub position: usize,
    /// Whether the query named one object (an id, a reference), and the rows
    /// are it: open it.
    pub opened: bool,
    /// The span that was searched, in absolute times.
    pub span: Span,
    /// When the search was made: everything answered before is in it.
    pub as_of: Timestamp,
    /// Spans that could not be read: the rows of these are missing.
    pub missing: Vec<Span>,
    /// Whether the search took too long and was ended: there may be rows
    /// beyond these, from [`SearchPage::next`] on.
    #[serde(default)]
    pub stopped: bool,
    /// What of the span is older than what is kept.
    pub beyond: Option<BeyondRetention>,
}

/// A span that reaches further back than events are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BeyondRetention {
    /// Events are kept from here on.
    pub kept_from: Timestamp,
    /// For how many days they are kept.
    pub kept_days: u64,
    /// Whether all of the span is older, so that nothing of it can be found.
    #[serde(default)]
    pub wholly: bool,
    /// Daily logs of the days before, newest first, at most fourteen; none
    /// for a caller who may not read them.
    pub logs: Vec<LogFile>,
}

impl Center {
    /// One page of rows.
    ///
    /// # Errors
    ///
    /// A query or time that cannot be understood, with its place; see [`CenterError`].
    pub fn search(
        &self,
        caller: &Caller,
        request: &SearchRequest,
    ) -> Result<SearchPage, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let as_of = self.parts.clock.now();
        let seen = self.seen_by(caller);
        let scope = seen.scope(request)?;
        let span = Span::from(scope.times.clone());
        let page = SearchPage { span, as_of, ..SearchPage::default() };
        if let Some(events) = seen.opened(&scope)?.filter(|_| request.cursor.is_none()) {
            let rows = events.iter().map(Row::of).collect();
            return Ok(SearchPage { rows, opened: true, ..page });
        }
        let rows_max = match request.rows_max {
            0 => PAGE_ROWS,
            wanted => wanted.min(PAGE_ROWS_MAX),
        };
        let found = seen.found(&scope, request, rows_max)?;
        let mut rows: Vec<Row> = found.events.iter().map(Row::of).collect();
        seen.tell_what_became(&mut rows)?;
        seen.tell_returns(&found.events, &mut rows)?;
        if request.view == View::Queue {
            seen.tell_queue(&found.events, &mut rows)?;
        }
        Ok(SearchPage {
            rows,
            next: found.next,
            previous: found.previous,
            position: found.position,
            stopped: found.stopped,
            missing: found.missing.into_iter().map(Span::from).collect(),
            beyond: seen.beyond(caller, &scope)?,
            ..page
        })
    }
}

impl Seen<'_> {
    /// One page of events, and where the next begins.
    pub(crate) fn events_of(
        &self,
        request: &SearchRequest,
    ) -> Result<(Vec<Event>, Option<Cursor>), CenterError> {
        let scope = self.scope(request)?;
        let rows_max = request.rows_max.clamp(1, PAGE_ROWS_MAX);
        let found = self.found(&scope, request, rows_max)?;
        Ok((found.events, found.next))
    }

    fn opened(&self, scope: &Scope) -> Result<Option<Vec<Event>>, CenterError> {
        let events = match scope.open {
            None => return Ok(None),
            Some(Open::Event(id)) => self.events.event(id)?.into_iter().collect(),
            Some(Open::Reference(reference)) => self.events.by_reference(reference)?,
        };
        Ok(Some(events).filter(|events| !events.is_empty()))
    }

    /// Says of messages that were taken over what has become of them since.
    fn tell_what_became(&self, rows: &mut [Row]) -> Result<(), CenterError> {
        let taken =
            |row: &&mut Row| matches!(row.outcome, Some(OutcomeKind::Accepted | OutcomeKind::Held));
        for row in rows.iter_mut().filter(taken) {
            let story = self.events.life_line(row.life)?;
            let of_this = |event: &&Event| matches!(&event.kind, EventKind::FollowUp { of, .. } if *of == row.id);
            let state = |event: &Event| event.follow_up().and_then(FollowUp::state);
            let last = story
                .iter()
                .rev()
                .filter(of_this)
                .find_map(|event| Some((state(event)?, event.at)));
            row.became = last.map(|(state, _)| state.to_owned());
            row.became_at = last.map(|(_, at)| at);
        }
        Ok(())
    }

    /// What of a bounded span is older than what is kept.
    pub(crate) fn beyond(
        &self,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Option<BeyondRetention>, CenterError> {
        let kept_from = self.parts.clock.now().before(self.parts.metadata_kept);
        let from = scope.times.start;
        // `now-7d` was read a moment before this, and is not older for that.
        if from == crate::query::ALWAYS.start || from + MOMENT >= kept_from {
            return Ok(None);
        }
        let wholly = scope.times.end <= kept_from;
        let until = scope.times.end.min(kept_from) + Duration::from_secs(86_400);
        let (first, last) = (from.date(), until.date());
        let mut logs = match caller.may(Permission::DailyLogs) {
            true => self.daily_logs(caller)?,
            false => Vec::new(),
        };
        logs.retain(|log| log.day >= first && log.day < last);
        logs.truncate(LOGS_MAX);
        let kept_days = self.parts.metadata_kept.as_secs() / 86_400;
        Ok(Some(BeyondRetention { kept_from, kept_days, wholly, logs }))
    }
}
