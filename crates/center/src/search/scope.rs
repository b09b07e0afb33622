//! A request, understood: which events, within which time.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use store::search::{Column, Filter, Query, Stop, WordColumn};
use store::{QueuedRecipient, RecipientState, StoreError};
use types::{Event, EventId, LifeLineId, OutcomeKind, Permission, Reason, Reference, Timestamp};

use super::SearchRequest;
use crate::query::compile::{self, Open, Present, RowsAre};
use crate::query::{self, Moment};
use crate::sight::{Seen, asks_for_subjects};
use crate::views::View;
use crate::{Center, CenterError, Problem};

/// Most messages of the queue that a list of the queue looks at: the oldest.
const QUEUED_MAX: usize = 20_000;
/// After this long a question is answered with what was found until then.
const PATIENCE: Duration = Duration::from_secs(10);

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

impl Scope {
    /// The question to the event log.
    pub(crate) fn query(&self, stop: Stop) -> Query<'_> {
        Query { filter: &self.filter, times: self.times.clone(), stop }
    }
}

impl Seen<'_> {
    /// Understands a request.
    pub(crate) fn scope(&self, request: &SearchRequest) -> Result<Scope, CenterError> {
        let present = QueueNow { seen: self, failed: RefCell::default() };
        let scope = self.scope_in(request, &present)?;
        match present.failed.into_inner() {
            Some(error) => Err(error.into()),
            None => Ok(scope),
        }
    }

    /// Understands a request as a question to each event as it comes: with
    /// the query and the list of the request, and no times.
    pub(crate) fn scope_to_come(&self, request: &SearchRequest) -> Result<Scope, CenterError> {
        let (from, to) = (String::new(), String::new());
        let request = SearchRequest { from, to, cursor: None, ..request.clone() };
        let scope = self.scope_in(&request, &compile::NothingPresent)?;
        if scope.times != query::ALWAYS {
            let text = "an alert looks at what comes; take the time out of the query";
            return Err(CenterError::invalid(text));
        }
        if said_later(&scope.filter) {
            let text = "when a mail comes, nobody knows what will become of it, so this list or \
                        query would never match then; use a list of what happened, such as \
                        Delivered, Bounced or Held, and leave out what is known later";
            return Err(CenterError::invalid(text));
        }
        Ok(scope)
    }

    fn scope_in(
        &self,
        request: &SearchRequest,
        present: &dyn Present,
    ) -> Result<Scope, CenterError> {
        let moment = self.moment_in(&request.zone)?;
        let range = range(request, &moment)?;
        let rows = request.view.rows();
        let query = query::parse(&request.query)?;
        let search = compile::compile(&query, rows, &moment, present)?;
        if !self.events.subjects() && asks_for_subjects(&search.filter) {
            return Err(CenterError::Denied { permission: Permission::SeeSubjects });
        }
        let view = of_view(request.view, present);
        let start = search.times.start.max(range.start);
        let times = start..search.times.end.min(range.end).max(start);
        let filter = match search.filter {
            Filter::Everything => view,
            filter => Filter::All(vec![view, filter]),
        };
        Ok(Scope { filter, times, open: search.open, moment })
    }
}

/// Whether a filter asks for what is not in an event itself: what became of
/// it, or which are in the queue now.
fn said_later(filter: &Filter) -> bool {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => filters.iter().any(said_later),
        Filter::Not(filter) => said_later(filter),
        Filter::Story(_) | Filter::Ids(_) => true,
        _ => false,
    }
}

impl Center {
    /// The present, in a zone by its IANA name; UTC if it is empty.
    pub(crate) fn moment_in(&self, zone: &str) -> Result<Moment, CenterError> {
        Moment::in_zone(self.parts.clock.now(), zone)
    }

    /// Ends a search that takes longer than anybody waits, or that holds up
    /// others: patterns and whole memories are asked for by people, too.
    pub(crate) fn patience(&self) -> Stop {
        let clock = std::sync::Arc::clone(&self.parts.clock);
        let until = clock.elapsed() + PATIENCE;
        Stop::when(move || clock.elapsed() > until)
    }
}

/// The range of the request, without what the query says of time.
fn range(request: &SearchRequest, moment: &Moment) -> Result<Range<Timestamp>, CenterError> {
    let mut problems = Vec::new();
    let mut read = |object: &str, text: &str, open: Timestamp| match text.trim() {
        "" => open,
        text => query::bound(text, moment).unwrap_or_else(|error| {
            let object = Some(object.to_owned());
            problems.push(Problem { object, ..Problem::new(error.message) });
            open
        }),
    };
    let mut from = read("from", &request.from, query::ALWAYS.start);
    let to = read("to", &request.to, query::ALWAYS.end);
    if !problems.is_empty() {
        return Err(CenterError::Invalid { problems });
    }
    // What is in the queue is in the queue, however long ago it came.
    if matches!(request.view, View::Queue | View::Held) {
        from = query::ALWAYS.start;
    }
    Ok(from..to.max(from))
}

/// Which events a built-in list has.
fn of_view(view: View, present: &dyn Present) -> Filter {
    match view {
        View::Rejected => Filter::Outcome(OutcomeKind::Rejected),
        View::Deferred => Filter::Outcome(OutcomeKind::Deferred),
        View::Held => present.held_list(),
        View::Queue => Filter::Ids(present.queued()),
        View::Accepted => Filter::Outcome(OutcomeKind::Accepted),
        View::Delivered => Filter::State("delivered"),
        View::Bounced => Filter::Reason(vec![Reason::DeliveryRejected, Reason::DeliveryExpired]),
        // Whatever ended somehow; steps on the way have no outcome.
        View::All => Filter::Has(Column::Word(WordColumn::Outcome)),
    }
}

impl View {
    /// What its rows are.
    fn rows(self) -> RowsAre {
        match self {
            View::Delivered | View::Bounced => RowsAre::LaterSteps,
            View::Rejected
            | View::Deferred
            | View::Held
            | View::Queue
            | View::Accepted
            | View::All => RowsAre::Attempts,
        }
    }
}

/// The queue and the references, as they are at this moment.
struct QueueNow<'a> {
    seen: &'a Seen<'a>,
    /// Why something could not be looked up.
    failed: RefCell<Option<StoreError>>,
}

impl QueueNow<'_> {
    fn recipients(&self, wanted: impl Fn(&QueuedRecipient) -> bool) -> Vec<EventId> {
        let messages = self.seen.parts.queue.list(None, QUEUED_MAX);
        // A notice has no row of its own: the row it hangs on is that of the
        // message it is about, which waits no more. They are listed for
        // themselves: `Center::queued_notices`.
        let messages = messages.iter().filter(|message| !message.notice);
        let recipients = messages.flat_map(|message| &message.recipients);
        recipients.filter(|recipient| wanted(recipient)).map(|recipient| recipient.event).collect()
    }
}

impl QueueNow<'_> {
    fn events(&self, reference: Reference) -> Vec<Event> {
        self.seen.events.by_reference(reference).unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            Vec::new()
        })
    }
}

impl Present for QueueNow<'_> {
    fn queued(&self) -> Vec<EventId> {
        self.recipients(|recipient| matches!(recipient.state, RecipientState::Waiting { .. }))
    }

    fn held(&self) -> Vec<EventId> {
        self.recipients(|recipient| matches!(recipient.state, RecipientState::Held { .. }))
    }

    fn referred(&self, reference: Reference) -> Vec<EventId> {
        let events = self.events(reference).into_iter();
        events.filter(|event| event.reference() == reference).map(|event| event.id).collect()
    }

    fn life_lines(&self, reference: Reference) -> Vec<LifeLineId> {
        let events = self.events(reference).into_iter();
        let mut lives: Vec<LifeLineId> = events.map(|event| event.life_line).collect();
        lives.sort_unstable();
        lives.dedup();
        lives
    }
}
