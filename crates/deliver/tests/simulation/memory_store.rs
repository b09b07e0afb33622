//! Queue and log in memory, with the promises of the store's contract that
//! delivery relies on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use store::contract::{
    ContentReader, ContentWriter, EventLog, Filter, Found, Later, Page, Position, Totals,
};
use store::state::{StoredTransportPolicy, TransportPolicyState};
use store::{Acceptance, MessageQueue, QueueDepth, QueueStep, QueuedMessage, StoreError};
use tokio::sync::Notify;
use types::{Event, EventId, LifeLineId, QueueId, Reference, Timestamp};

/// Policies of other domains, by domain.
#[derive(Default)]
pub(crate) struct MemoryPolicies(Mutex<BTreeMap<String, StoredTransportPolicy>>);

impl TransportPolicyState for MemoryPolicies {
    fn transport_policies(&self) -> Result<Vec<StoredTransportPolicy>, StoreError> {
        Ok(self.0.lock().unwrap().values().cloned().collect())
    }

    fn keep_transport_policies(
        &self,
        kept: &[StoredTransportPolicy],
        forgotten: &[String],
    ) -> Result<(), StoreError> {
        let mut policies = self.0.lock().unwrap();
        forgotten.iter().for_each(|domain| drop(policies.remove(domain)));
        policies.extend(kept.iter().map(|one| (one.domain.clone(), one.clone())));
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct MemoryStore {
    state: Mutex<State>,
    changed: Notify,
    pub(crate) full: AtomicBool,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<QueueId, Arc<QueuedMessage>>,
    content: HashMap<QueueId, Bytes>,
    leased: HashSet<QueueId>,
    events: Vec<Event>,
    settled: usize,
}

impl MemoryStore {
    pub(crate) fn put(&self, message: QueuedMessage, content: &[u8]) {
        let mut state = self.state.lock().unwrap();
        state.content.insert(message.id, Bytes::copy_from_slice(content));
        state.messages.insert(message.id, Arc::new(message));
        drop(state);
        self.changed.notify_one();
    }

    /// Somebody changes a message by hand.
    pub(crate) fn change(&self, id: QueueId, change: impl FnOnce(&mut QueuedMessage)) {
        let mut state = self.state.lock().unwrap();
        change(Arc::make_mut(state.messages.get_mut(&id).unwrap()));
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.state.lock().unwrap().events.clone()
    }

    pub(crate) fn content_of(&self, id: QueueId) -> Bytes {
        self.state.lock().unwrap().content[&id].clone()
    }

    pub(crate) fn leased(&self) -> usize {
        self.state.lock().unwrap().leased.len()
    }

    pub(crate) fn settled(&self) -> usize {
        self.state.lock().unwrap().settled
    }

    fn check_space(&self) -> Result<(), StoreError> {
        if self.full.load(Ordering::Relaxed) { Err(StoreError::Full) } else { Ok(()) }
    }
}

impl State {
    /// New states and events. Under the lock in which a lease ends, or the
    /// message could be leased again as it was.
    fn apply(&mut self, id: QueueId, steps: Vec<QueueStep>, events: Vec<Event>) {
        self.events.extend(events);
        let message = Arc::make_mut(self.messages.get_mut(&id).unwrap());
        for step in steps {
            let recipient =
                message.recipients.iter_mut().find(|r| r.event == step.recipient).unwrap();
            recipient.state = step.state;
        }
        if message.is_done() {
            self.messages.remove(&id);
        }
    }
}

struct Writer(QueueId, Vec<u8>, Arc<Mutex<HashMap<QueueId, Vec<u8>>>>);

impl ContentWriter for Writer {
    fn write<'a>(&'a mut self, octets: &'a [u8]) -> Later<'a, Result<(), StoreError>> {
        self.1.extend_from_slice(octets);
        self.2.lock().unwrap().insert(self.0, self.1.clone());
        Box::pin(async { Ok(()) })
    }

    fn octets(&self) -> u64 {
        self.1.len() as u64
    }
}

struct Reader(Bytes);

impl ContentReader for Reader {
    fn next_piece(&mut self) -> Result<Bytes, StoreError> {
        Ok(self.0.split_to(self.0.len().min(256 * 1024)))
    }
}

impl MessageQueue for MemoryStore {
    fn lease_due(&self, now: Timestamp, max: usize) -> Vec<Arc<QueuedMessage>> {
        let state = &mut *self.state.lock().unwrap();
        let due: Vec<_> = state
            .messages
            .values()
            .filter(|m| m.next_due().is_some_and(|due| due <= now))
            .filter(|m| !state.leased.contains(&m.id))
            .take(max)
            .cloned()
            .collect();
        state.leased.extend(due.iter().map(|m| m.id));
        due
    }

    fn read(&self, id: QueueId) -> Result<Box<dyn ContentReader>, StoreError> {
        Ok(Box::new(Reader(self.content_of(id))))
    }

    fn settle(
        &self,
        id: QueueId,
        steps: Vec<QueueStep>,
        events: Vec<Event>,
    ) -> Result<Position, StoreError> {
        self.check_space()?;
        let mut state = self.state.lock().unwrap();
        assert!(state.leased.remove(&id), "settled without a lease");
        state.settled += 1;
        state.apply(id, steps, events);
        drop(state);
        self.changed.notify_one();
        Ok(Position(0))
    }

    fn intervene(
        &self,
        id: QueueId,
        steps: Vec<QueueStep>,
        events: Vec<Event>,
    ) -> Result<Position, StoreError> {
        self.state.lock().unwrap().apply(id, steps, events);
        self.changed.notify_one();
        Ok(Position(0))
    }

    fn is_leased(&self, id: QueueId) -> bool {
        self.state.lock().unwrap().leased.contains(&id)
    }

    fn next_due(&self) -> Option<Timestamp> {
        let state = self.state.lock().unwrap();
        let free = state.messages.values().filter(|m| !state.leased.contains(&m.id));
        free.filter_map(|m| m.next_due()).min()
    }

    fn changed(&self) -> Later<'_, ()> {
        Box::pin(self.changed.notified())
    }

    fn message(&self, id: QueueId) -> Option<Arc<QueuedMessage>> {
        self.state.lock().unwrap().messages.get(&id).cloned()
    }

    fn list(&self, _: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>> {
        self.state.lock().unwrap().messages.values().take(max).cloned().collect()
    }

    fn notices(&self, _: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>> {
        let state = self.state.lock().unwrap();
        state.messages.values().filter(|message| message.notice).take(max).cloned().collect()
    }

    fn notice_count(&self) -> usize {
        self.notices(None, usize::MAX).len()
    }

    fn depth(&self) -> QueueDepth {
        let state = self.state.lock().unwrap();
        let oldest_waiting = state.messages.values().map(|m| m.arrived).min();
        QueueDepth { waiting: state.messages.len(), held: 0, oldest_waiting }
    }
}

/// The log shares the queue of a [`MemoryStore`].
pub(crate) struct MemoryLog {
    pub(crate) store: Arc<MemoryStore>,
    written: Arc<Mutex<HashMap<QueueId, Vec<u8>>>>,
}

impl MemoryLog {
    pub(crate) fn new(store: Arc<MemoryStore>) -> Self {
        MemoryLog { store, written: Arc::default() }
    }
}

impl EventLog for MemoryLog {
    fn content(&self, id: QueueId) -> Box<dyn ContentWriter> {
        Box::new(Writer(id, Vec::new(), Arc::clone(&self.written)))
    }

    fn record(&self, _: Vec<Event>) -> Result<Position, StoreError> {
        unimplemented!("delivery records through the queue")
    }

    fn commit(
        &self,
        content: Option<Box<dyn ContentWriter>>,
        acceptance: Acceptance,
    ) -> Later<'_, Result<Position, StoreError>> {
        Box::pin(async move {
            self.store.check_space()?;
            let message = acceptance.message.expect("a notice");
            assert_eq!(content.expect("its content").octets(), message.content_octets);
            let octets = self.written.lock().unwrap().remove(&message.id).unwrap();
            self.store.put(message, &octets);
            Ok(Position(0))
        })
    }

    fn flushed(&self, _: Position) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn event(&self, _: EventId) -> Result<Option<Event>, StoreError> {
        Ok(None)
    }

    fn by_reference(&self, _: Reference) -> Result<Vec<Event>, StoreError> {
        Ok(Vec::new())
    }

    fn life_line(&self, _: LifeLineId) -> Result<Vec<Event>, StoreError> {
        Ok(Vec::new())
    }

    fn search(&self, _: &Filter, _: Range<Timestamp>, _: Page) -> Result<Found, StoreError> {
        Ok(Found::default())
    }

    fn visit(
        &self,
        _: Range<Timestamp>,
        _: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn totals(&self) -> Totals {
        Totals::default()
    }

    fn drop_before(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }
}
