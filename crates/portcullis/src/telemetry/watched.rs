//! The store, watched: whatever is written into it is also counted and
//! logged. Whoever writes events knows nothing of that, and no event can be
//! written past it.
//!
//! The store takes events by value, so they are copied first: half a
//! microsecond each, for which no count and no line is ever wrong.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use center::metrics::MetricsFromEvents;
use store::contract::{
    ContentReader, ExpiredTriplet, Found, Later, Page, Totals, TripletAttempt, TripletEntry,
    TripletSteer,
};
use store::state::HitNote;
use store::{
    Acceptance, ContentWriter, EventLog, Filter, MessageQueue, Position, QueueStep, QueuedMessage,
    StoreError, TripletTable,
};
use types::finding::TripletFacts;
use types::{
    Event, EventId, ForwardPath, LifeLineId, PolicyId, PolicyRef, QueueId, Reason, Reference,
    ReversePath, Timestamp,
};

use super::log::Log;

/// What looks at every event.
pub struct Watchers {
    log: Arc<Log>,
    metrics: Arc<MetricsFromEvents>,
    hits: Mutex<HashMap<PolicyId, (u64, Timestamp)>>,
}

impl Watchers {
    /// Watchers that log and count.
    pub fn new(log: Arc<Log>, metrics: Arc<MetricsFromEvents>) -> Arc<Watchers> {
        Arc::new(Watchers { log, metrics, hits: Mutex::default() })
    }

    /// How often each policy and managed sender decided since this was asked
    /// last.
    pub fn take_hits(&self) -> Vec<HitNote> {
        let hits = std::mem::take(&mut *self.hits.lock().unwrap_or_else(PoisonError::into_inner));
        hits.into_iter().map(|(id, (count, last))| HitNote { id, count, last }).collect()
    }

    /// Looks at events that were stored. What could not be stored did not
    /// happen, as far as counts and log are concerned.
    fn stored(&self, events: &[Event]) {
        for event in events {
            self.metrics.observe(event);
            for id in deciders(event) {
                let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
                let (count, last) = hits.entry(id).or_insert((0, event.at));
                *count += 1;
                *last = (*last).max(event.at);
            }
        }
        self.log.events(events);
    }
}

/// The policies and managed senders that decided an attempt: the one of the
/// decision, or those that permitted it.
fn deciders(event: &Event) -> impl Iterator<Item = PolicyId> + '_ {
    let outcome = event.outcome();
    let decided = outcome.and_then(|outcome| outcome.decision()).and_then(|d| d.policy);
    let permitted = outcome.is_some_and(|outcome| {
        matches!(outcome.reason(), Reason::AcceptedPermitted | Reason::AcceptedAutoAllowed)
    });
    let winners = event.record.consulted.iter().filter_map(|consulted| consulted.winner);
    let permits = winners.filter(move |_| permitted);
    decided.into_iter().chain(permits).filter_map(|policy| match policy {
        PolicyRef::Policy { id, .. } | PolicyRef::ManagedSender { id } => Some(id),
        PolicyRef::Base(_) => None,
    })
}

/// A store of which every event is watched.
pub struct Watched<S> {
    store: Arc<S>,
    watchers: Arc<Watchers>,
}

impl<S> Watched<S> {
    /// Watches a store.
    pub fn new(store: Arc<S>, watchers: Arc<Watchers>) -> Self {
        Watched { store, watchers }
    }
}

impl<S: EventLog> EventLog for Watched<S> {
    fn content(&self, id: QueueId) -> Box<dyn ContentWriter> {
        self.store.content(id)
    }

    fn record(&self, events: Vec<Event>) -> Result<Position, StoreError> {
        let copy = events.clone();
        let position = self.store.record(events)?;
        self.watchers.stored(&copy);
        Ok(position)
    }

    fn commit(
        &self,
        content: Option<Box<dyn ContentWriter>>,
        acceptance: Acceptance,
    ) -> Later<'_, Result<Position, StoreError>> {
        Box::pin(async move {
            let copy = acceptance.events.clone();
            let position = self.store.commit(content, acceptance).await?;
            self.watchers.stored(&copy);
            Ok(position)
        })
    }

    fn flushed(&self, position: Position) -> Later<'_, Result<(), StoreError>> {
        self.store.flushed(position)
    }

    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        self.store.event(id)
    }

    fn by_reference(&self, reference: Reference) -> Result<Vec<Event>, StoreError> {
        self.store.by_reference(reference)
    }

    fn life_line(&self, id: LifeLineId) -> Result<Vec<Event>, StoreError> {
        self.store.life_line(id)
    }

    fn search(
        &self,
        filter: &Filter,
        times: Range<Timestamp>,
        page: Page,
    ) -> Result<Found, StoreError> {
        self.store.search(filter, times, page)
    }

    fn visit(
        &self,
        times: Range<Timestamp>,
        visit: &mut dyn FnMut(Event) -> std::ops::ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.store.visit(times, visit)
    }

    fn totals(&self) -> Totals {
        self.store.totals()
    }

    fn drop_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.store.drop_before(before)
    }
}

impl<S: MessageQueue> MessageQueue for Watched<S> {
    fn lease_due(&self, now: Timestamp, max: usize) -> Vec<Arc<QueuedMessage>> {
        self.store.lease_due(now, max)
    }

    fn read(&self, id: QueueId) -> Result<Box<dyn ContentReader>, StoreError> {
        self.store.read(id)
    }

    fn settle(
        &self,
        id: QueueId,
        steps: Vec<QueueStep>,
        events: Vec<Event>,
    ) -> Result<Position, StoreError> {
        let copy = events.clone();
        let position = self.store.settle(id, steps, events)?;
        self.watchers.stored(&copy);
        Ok(position)
    }

    fn intervene(
        &self,
        id: QueueId,
        steps: Vec<QueueStep>,
        events: Vec<Event>,
    ) -> Result<Position, StoreError> {
        let copy = events.clone();
        let position = self.store.intervene(id, steps, events)?;
        self.watchers.stored(&copy);
        Ok(position)
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.store.next_due()
    }

    fn changed(&self) -> Later<'_, ()> {
        self.store.changed()
    }

    fn message(&self, id: QueueId) -> Option<Arc<QueuedMessage>> {
        self.store.message(id)
    }

    fn list(&self, after: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>> {
        MessageQueue::list(&*self.store, after, max)
    }

    fn depth(&self) -> (usize, Option<Timestamp>) {
        self.store.depth()
    }
}

impl<S: TripletTable> TripletTable for Watched<S> {
    fn enter(&self, attempt: &TripletAttempt<'_>) -> Result<TripletFacts, StoreError> {
        self.store.enter(attempt)
    }

    fn due(&self, now: Timestamp, max: usize) -> Vec<ExpiredTriplet> {
        self.store.due(now, max)
    }

    fn expired(&self, events: Vec<Event>) -> Result<Position, StoreError> {
        let copy = events.clone();
        let position = self.store.expired(events)?;
        self.watchers.stored(&copy);
        Ok(position)
    }

    fn close_silently(
        &self,
        sender: &ReversePath,
        recipient: &ForwardPath,
    ) -> Result<(), StoreError> {
        self.store.close_silently(sender, recipient)
    }

    fn list(&self, text: &str, max: usize) -> Vec<TripletEntry> {
        TripletTable::list(&*self.store, text, max)
    }

    fn steer(&self, entries: &[TripletEntry], what: TripletSteer) -> Result<usize, StoreError> {
        self.store.steer(entries, what)
    }

    fn size(&self) -> (usize, usize) {
        self.store.size()
    }
}
