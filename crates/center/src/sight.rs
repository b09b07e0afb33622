//! The memory of events as one caller sees it: the one place where their
//! limits are laid over every question.
//!
//! A question goes to [`Seen`], never to the event log itself, which nothing
//! else in this crate can reach: rows, counts, facets, histograms, exports,
//! deep links and the live tail are answered from the same rows. Whoever is
//! limited to some domains or groups sees what concerns recipients there, and
//! what people there send out; whoever may not see subjects gets events
//! without them, and finds nothing by them.

use std::borrow::Cow;
use std::ops::{ControlFlow, Deref};
use std::sync::Arc;

use store::events::ScannedRow;
use store::search::{
    Column, Count, Direction, EventSearch, FacetBy, Filter, FollowPosition, Followed, FoundRows,
    Order, Query, RowsPage, Scanned, Tallied, TallyPlan, TextColumn, TextMatch,
};
use store::{EventLog, QueuedMessage, QueuedRecipient, StoreError};
use types::policy::DomainPattern;
use types::{
    Caller, Event, EventId, ForwardPath, LifeLineId, Limited, Permission, Permissions, PolicyRef,
    Reference, Sight, Timestamp,
};

use crate::{Center, CenterError};

/// The event log. Only [`Memory::seen_by`] leads to what is in it; the two
/// other ways are for the house itself.
#[derive(Clone)]
pub(crate) struct Memory {
    log: Arc<dyn EventLog>,
    search: Arc<dyn EventSearch>,
}

impl Memory {
    pub(crate) fn new(log: Arc<dyn EventLog>, search: Arc<dyn EventSearch>) -> Self {
        Memory { log, search }
    }

    /// The log for what the house does itself or asks as a whole: the sum of
    /// conservation, retention, the public page of a refusal.
    pub(crate) fn of_house(&self) -> &dyn EventLog {
        &*self.log
    }

    /// The search for what is asked of the house as a whole: a replay, which
    /// needs a permission that nobody has who is limited, and what came for
    /// all alerts, whose filters have the limits of their owners over them.
    pub(crate) fn search_of_house(&self) -> &dyn EventSearch {
        &*self.search
    }

    fn seen_by(&self, caller: &Caller) -> SeenEvents {
        let subjects = caller.may(Permission::SeeSubjects);
        let limit = limit(&caller.sight);
        SeenEvents { memory: self.clone(), sight: caller.sight.clone(), limit, subjects }
    }
}

/// The message center as one caller sees it.
pub(crate) struct Seen<'a> {
    center: &'a Center,
    /// What happened, as far as it concerns them.
    pub(crate) events: SeenEvents,
    /// What else they may see.
    may: Permissions,
}

impl Seen<'_> {
    /// Whether they may see what this is, beyond its number. The settings
    /// have a name only.
    pub(crate) fn sees_object(&self, of: PolicyRef) -> bool {
        match of {
            PolicyRef::Policy { .. } => self.may.has(Permission::SeePolicies),
            PolicyRef::ManagedSender { .. } => self.may.has(Permission::SeeSenders),
            PolicyRef::Base(_) => true,
        }
    }
}

impl Deref for Seen<'_> {
    type Target = Center;

    fn deref(&self) -> &Center {
        self.center
    }
}

impl Center {
    /// What this caller sees.
    pub(crate) fn seen_by(&self, caller: &Caller) -> Seen<'_> {
        Seen { center: self, events: self.memory.seen_by(caller), may: caller.permissions }
    }
}

/// Whether a caller sees a recipient of a queued message: one of their own, or
/// any of a message that one of their own sends out.
pub(crate) fn sees_queued(
    sight: &Sight,
    message: &QueuedMessage,
    recipient: &QueuedRecipient,
) -> bool {
    let direction = message.client.client.direction;
    sight.sees_path(&recipient.path) || sight.sees_sent(direction, Some(&message.reverse_path))
}

/// Refuses to touch what belongs to a recipient whom the caller does not see.
pub(crate) fn permit_recipient(
    caller: &Caller,
    recipient: &ForwardPath,
) -> Result<(), CenterError> {
    match caller.sight.sees_path(recipient) {
        true => Ok(()),
        false => Err(CenterError::OutOfSight {
            recipient: crate::presentable_within(recipient.as_str(), 300),
            limits: names(&caller.sight),
        }),
    }
}

/// The domains and groups of a limit, for people.
fn names(sight: &Sight) -> String {
    let domains = sight.domains().iter().map(ToString::to_string);
    let groups = sight.groups().iter().map(|name| format!("the group {name:?}"));
    domains.chain(groups).collect::<Vec<String>>().join(", ")
}

/// The events one caller sees.
#[derive(Clone)]
pub(crate) struct SeenEvents {
    memory: Memory,
    sight: Sight,
    /// The same as a filter; nothing where all is seen.
    limit: Option<Filter>,
    /// Whether they see subjects.
    subjects: bool,
}

impl SeenEvents {
    /// Whose mail is seen.
    pub(crate) fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Whether subjects are seen.
    pub(crate) fn subjects(&self) -> bool {
        self.subjects
    }

    /// One event.
    pub(crate) fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let found = self.memory.log.event(id)?;
        Ok(found.filter(|event| self.sight.sees(event)).map(|event| self.shown(event)))
    }

    /// As [`EventLog::by_reference`].
    pub(crate) fn by_reference(&self, reference: Reference) -> Result<Vec<Event>, StoreError> {
        Ok(self.kept(self.memory.log.by_reference(reference)?))
    }

    /// As [`EventLog::life_line`].
    pub(crate) fn life_line(&self, id: LifeLineId) -> Result<Vec<Event>, StoreError> {
        Ok(self.kept(self.memory.log.life_line(id)?))
    }

    /// As [`EventSearch::rows`].
    pub(crate) fn rows(
        &self,
        query: &Query<'_>,
        order: Order,
        page: &RowsPage,
    ) -> Result<FoundRows, StoreError> {
        let filter = self.over(query.filter);
        let found = self.memory.search.rows(&asked(query, &filter), order, page)?;
        Ok(FoundRows { events: self.kept(found.events), ..found })
    }

    /// As [`EventSearch::count`].
    pub(crate) fn count(&self, query: &Query<'_>, exact_max: u64) -> Result<Count, StoreError> {
        let filter = self.over(query.filter);
        self.memory.search.count(&asked(query, &filter), exact_max)
    }

    /// As [`EventSearch::tally`].
    pub(crate) fn tally(&self, query: &Query<'_>, plan: &TallyPlan) -> Result<Tallied, StoreError> {
        let filter = self.over(query.filter);
        let shown = |by: &&FacetBy| self.subjects || **by != FacetBy::Text(TextColumn::Subject);
        let facets = plan.facets.iter().filter(shown).cloned().collect();
        let plan = TallyPlan { facets, ..plan.clone() };
        self.memory.search.tally(&asked(query, &filter), &plan)
    }

    /// As [`EventSearch::scan`]. The rows have their subjects: whoever reads
    /// columns asks [`SeenEvents::subjects`] first.
    pub(crate) fn scan(
        &self,
        query: &Query<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&ScannedRow<'_>) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        let filter = self.over(query.filter);
        self.memory.search.scan(&asked(query, &filter), direction, visit)
    }

    /// As [`EventSearch::follow`].
    pub(crate) fn follow(
        &self,
        filter: &Filter,
        after: &FollowPosition,
        rows_max: usize,
    ) -> Result<Followed, StoreError> {
        let filter = self.over(filter);
        let found = self.memory.search.follow(&filter, after, rows_max)?;
        Ok(Followed { events: self.kept(found.events), ..found })
    }

    /// As [`EventSearch::now_at`].
    pub(crate) fn now_at(&self) -> FollowPosition {
        self.memory.search.now_at()
    }

    /// As [`EventSearch::oldest`], of everybody's events: since when there is
    /// a memory at all.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.memory.search.oldest()
    }

    /// A filter with the limits over it.
    pub(crate) fn over<'f>(&self, filter: &'f Filter) -> Cow<'f, Filter> {
        let filter = match self.subjects {
            true => Cow::Borrowed(filter),
            false => Cow::Owned(without_subjects(filter)),
        };
        match &self.limit {
            None => filter,
            Some(limit) => Cow::Owned(Filter::All(vec![limit.clone(), filter.into_owned()])),
        }
    }

    fn kept(&self, mut events: Vec<Event>) -> Vec<Event> {
        events.retain(|event| self.sight.sees(event));
        events.into_iter().map(|event| self.shown(event)).collect()
    }

    /// An event as they may see it.
    fn shown(&self, mut event: Event) -> Event {
        if !self.subjects
            && let Some(message) = event.subject.message.as_mut()
            && message.subject.is_some()
        {
            Arc::make_mut(message).subject = None;
        }
        event
    }
}

fn asked<'f>(query: &Query<'_>, filter: &'f Filter) -> Query<'f> {
    Query { filter, times: query.times.clone(), stop: query.stop.clone() }
}

/// Events of recipients in these domains and groups, and outbound ones of
/// senders there: as [`Sight::sees`] has it.
fn limit(sight: &Sight) -> Option<Filter> {
    let limited = sight.limited()?;
    let outbound = TextMatch::Equals(types::Direction::Outbound.slug().to_owned());
    let outbound = Filter::Text(TextColumn::Direction, outbound);
    let sent = Filter::All(vec![outbound, theirs(limited, TextColumn::From)]);
    Some(Filter::Any(vec![theirs(limited, TextColumn::To), sent]))
}

/// An address of these domains and groups in this column. All members are one
/// condition, which costs the same however many they are.
fn theirs(limited: &Limited, column: TextColumn) -> Filter {
    let domains = limited.limit().domains().iter().map(|pattern| of_domain(pattern, column));
    let among = TextMatch::Among(Arc::clone(limited.members()));
    let members = Filter::Text(column, among);
    let groups = (!limited.limit().groups().is_empty()).then_some(members);
    Filter::Any(domains.chain(groups).collect())
}

fn of_domain(pattern: &DomainPattern, column: TextColumn) -> Filter {
    let is = |below| {
        let domain = pattern.domain.as_str().to_owned();
        Filter::Text(column, TextMatch::Domain { domain, below })
    };
    match pattern.below {
        false => is(false),
        // The search counts the domain itself to what is below it; a pattern
        // does not.
        true => Filter::All(vec![is(true), Filter::Not(Box::new(is(false)))]),
    }
}

/// Whether a filter looks into subjects, among other texts or alone.
pub(crate) fn reads_subjects(filter: &Filter) -> bool {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => filters.iter().any(reads_subjects),
        Filter::Not(filter) | Filter::Story(filter) => reads_subjects(filter),
        Filter::Text(column, _) | Filter::Has(Column::Text(column)) => reads_subject(*column),
        _ => false,
    }
}

/// The same filter with nothing found by a subject.
fn without_subjects(filter: &Filter) -> Filter {
    let each = |filters: &[Filter]| filters.iter().map(without_subjects).collect();
    let parts = |column: TextColumn| {
        column.parts().iter().copied().filter(|part| *part != TextColumn::Subject)
    };
    match filter {
        Filter::All(filters) => Filter::All(each(filters)),
        Filter::Any(filters) => Filter::Any(each(filters)),
        Filter::Not(filter) => Filter::Not(Box::new(without_subjects(filter))),
        Filter::Story(filter) => Filter::Story(Box::new(without_subjects(filter))),
        Filter::Text(column, how) if reads_subject(*column) => {
            Filter::Any(parts(*column).map(|part| Filter::Text(part, how.clone())).collect())
        }
        Filter::Has(Column::Text(column)) if reads_subject(*column) => {
            Filter::Any(parts(*column).map(|part| Filter::Has(Column::Text(part))).collect())
        }
        other => other.clone(),
    }
}

fn reads_subject(column: TextColumn) -> bool {
    column.parts().contains(&TextColumn::Subject)
}

/// Whether a filter asks for subjects and nothing else: then its answer would
/// be nothing at all, without a word why.
pub(crate) fn asks_for_subjects(filter: &Filter) -> bool {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => filters.iter().any(asks_for_subjects),
        Filter::Not(filter) | Filter::Story(filter) => asks_for_subjects(filter),
        Filter::Text(TextColumn::Subject, _) | Filter::Has(Column::Text(TextColumn::Subject)) => {
            true
        }
        _ => false,
    }
}
