//! The store's traits, each delegating to the part that knows.

use std::ops::{ControlFlow, Range};
use std::sync::{Arc, MutexGuard, PoisonError, RwLockReadGuard};
use std::time::Duration;

use types::finding::{TripletFacts, TripletState};
use types::policy::ClientIdentity;
use types::{
    Correspondence, EmailAddress, Event, EventId, ForwardPath, LifeLineId, QueueId, Reference,
    ReversePath, Timestamp,
};

use super::Store;
use crate::contract::{
    Acceptance, ContentReader, ContentWriter, CorrespondenceTable, EventLog, ExpiredTriplet,
    Filter, Found, Later, Learned, MessageQueue, NotLearned, Page, Position, QueueDepth, QueueStep,
    StoreError, Totals, TripletAttempt, TripletEntry, TripletSteer, TripletTable,
};
use crate::journal::{AcceptRef, BatchRef, io_error};
use crate::message::QueuedMessage;
use crate::queue::last_piece;
use crate::spool::{self, Content, Draft, Place};
use crate::triplets::AcceptedLine;

impl EventLog for Store {
    fn content(&self, id: QueueId) -> Box<dyn ContentWriter> {
        Box::new(self.drafts.begin(id, self.ready().err()))
    }

    fn record(&self, events: Vec<Event>) -> Result<Position, StoreError> {
        let _gate = self.gate();
        let written =
            self.journal.append_batch(&BatchRef { events: &events, ..BatchRef::default() })?;
        self.publisher.publish(written.start, events);
        Ok(written.end)
    }

    fn commit(
        &self,
        content: Option<Box<dyn ContentWriter>>,
        acceptance: Acceptance,
    ) -> Later<'_, Result<Position, StoreError>> {
        Box::pin(async move {
            let Acceptance { message, events } = acceptance;
            let lines: Vec<_> = events.iter().filter_map(AcceptedLine::of).collect();
            let committed = match message {
                Some(message) => self.commit_message(message, content.is_some(), events).await,
                None => self.record(events),
            };
            // Only now: a draft that was not taken over is thrown away here.
            drop(content);
            if committed.is_ok() {
                self.triplets.accepted(&self.journal, &lines);
            }
            committed
        })
    }

    fn flushed(&self, position: Position) -> Later<'_, Result<(), StoreError>> {
        Box::pin(self.journal.flushed(position))
    }

    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        self.events.event(id)
    }

    fn by_reference(&self, reference: Reference) -> Result<Vec<Event>, StoreError> {
        self.events.by_reference(reference)
    }

    fn life_line(&self, id: LifeLineId) -> Result<Vec<Event>, StoreError> {
        self.events.life_line(id)
    }

    fn search(
        &self,
        filter: &Filter,
        times: Range<Timestamp>,
        page: Page,
    ) -> Result<Found, StoreError> {
        self.events.search(filter, times, page)
    }

    fn visit(
        &self,
        times: Range<Timestamp>,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.events.visit(times, visit)
    }

    fn totals(&self) -> Totals {
        self.events.totals()
    }

    fn drop_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.events.drop_before(before, &self.queue.life_lines())
    }
}

impl Store {
    pub(super) fn gate(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn commit_message(
        &self,
        message: QueuedMessage,
        has_content: bool,
        events: Vec<Event>,
    ) -> Result<Position, StoreError> {
        if let Some(error) = self.unavailable() {
            return Err(error);
        }
        let id = message.id;
        // A message without a writer is empty. One whose writer had another
        // id must not become so.
        let begun = (!has_content).then(|| self.drafts.begin(id, None));
        let draft = self.drafts.find(id).ok_or(StoreError::Closed)?;
        let (mut buffer, last_octets) = spool::lock(&draft).end(&self.drafts)?;
        self.flush_own_file(&draft).await?;
        let position = {
            let mut draft = spool::lock(&draft);
            let _gate = self.gate();
            self.write_commit(&mut draft, &mut buffer, last_octets, message, events)?
        };
        self.drafts.forget(id);
        drop(begun);
        self.journal.flushed(position).await?;
        // A flush that ended right after the append, before the events were
        // kept to be made known, found nothing of ours.
        self.publisher.flushed(position);
        Ok(position)
    }

    /// A large message must be on the disk before the record that names it.
    async fn flush_own_file(&self, draft: &std::sync::Mutex<Draft>) -> Result<(), StoreError> {
        let file = spool::lock(draft).own_file.as_ref().map(|own| Arc::clone(&own.file));
        let Some(file) = file else { return Ok(()) };
        let (disk, folder) = (Arc::clone(&self.disk), self.options.spool_folder());
        let flush = move || file.sync_data().and_then(|()| disk.sync_folder(&folder));
        let flushed = if self.options.threads {
            tokio::task::spawn_blocking(flush).await.map_err(std::io::Error::other)
        } else {
            Ok(flush())
        };
        flushed.flatten().map_err(|error| io_error("flushing a spool file", error))
    }

    /// Writes the last piece and the commit record with one write.
    fn write_commit(
        &self,
        draft: &mut MutexGuard<'_, Draft>,
        buffer: &mut Vec<u8>,
        last_octets: u32,
        message: QueuedMessage,
        events: Vec<Event>,
    ) -> Result<Position, StoreError> {
        let before_commit = buffer.len() as u64;
        let own_file = draft.own_file.is_some();
        let pieces = &draft.pieces;
        let accept = AcceptRef { message: &message, pieces, last_octets, own_file };
        let batch = BatchRef { events: &events, accept: Some(accept), ..BatchRef::default() };
        batch.encode(buffer)?;
        let mut commit_start = 0;
        let end = self.queue.accept(&self.journal, buffer, message, |written, buffer| {
            commit_start = written.start + before_commit;
            if let Some(piece) = last_piece(commit_start, last_octets) {
                draft.keep(buffer, piece);
            }
            draft.committed = true;
            let place = match own_file {
                true => Place::OwnFile,
                false => Place::Journal(std::mem::take(&mut draft.pieces)),
            };
            Content { place, kept: draft.kept.take().map(Arc::new) }
        })?;
        self.publisher.publish_when_durable(commit_start, events);
        Ok(end)
    }
}

impl MessageQueue for Store {
    fn lease_due(&self, now: Timestamp, max: usize) -> Vec<Arc<QueuedMessage>> {
        self.queue.lease_due(self.journal.flushed_to(), now, max)
    }

    fn read(&self, id: QueueId) -> Result<Box<dyn ContentReader>, StoreError> {
        let content = self.queue.content(id);
        let content = content.ok_or_else(|| StoreError::Damaged(format!("no message {id}")))?;
        Ok(Box::new(self.reader(id, content)?))
    }

    fn settle(
        &self,
        id: QueueId,
        steps: Vec<QueueStep>,
        events: Vec<Event>,
    ) -> Result<Position, StoreError> {
        let _gate = self.gate();
        let written = self.queue.settle(&self.journal, id, &steps, &events)?;
        self.publisher.publish(written.start, events);
        Ok(written.end)
    }

    fn intervene(
        &self,
        id: QueueId,
        steps: Vec<QueueStep>,
        events: Vec<Event>,
    ) -> Result<Position, StoreError> {
        let _gate = self.gate();
        let written = self.queue.intervene(&self.journal, id, &steps, &events)?;
        self.publisher.publish(written.start, events);
        Ok(written.end)
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.queue.next_due(self.journal.flushed_to())
    }

    fn changed(&self) -> Later<'_, ()> {
        Box::pin(self.queue.changed())
    }

    fn message(&self, id: QueueId) -> Option<Arc<QueuedMessage>> {
        self.queue.message(id)
    }

    fn is_leased(&self, id: QueueId) -> bool {
        self.queue.is_leased(id)
    }

    fn list(&self, after: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>> {
        self.queue.list(after, max)
    }

    fn notices(&self, after: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>> {
        self.queue.notices(after, max)
    }

    fn notice_count(&self) -> usize {
        self.queue.notice_count()
    }

    fn depth(&self) -> QueueDepth {
        self.queue.depth()
    }
}

impl CorrespondenceTable for Store {
    fn wrote(&self, pairs: &[Correspondence]) -> Result<Learned, StoreError> {
        self.correspondences.wrote(&self.journal, pairs)
    }

    fn between(
        &self,
        own: &EmailAddress,
        other: &EmailAddress,
        at: Timestamp,
    ) -> Option<Correspondence> {
        self.correspondences.between(own, other, at)
    }

    fn find(
        &self,
        wanted: &dyn Fn(&Correspondence) -> bool,
        at: Timestamp,
        max: usize,
    ) -> Vec<Correspondence> {
        self.correspondences.find(wanted, at, max)
    }

    fn released(&self, pairs: &[Correspondence]) -> Result<(), StoreError> {
        self.correspondences.released(&self.journal, pairs)
    }

    fn forget(&self, pairs: &[Correspondence]) -> Result<usize, StoreError> {
        self.correspondences.forget(&self.journal, pairs)
    }

    fn count(&self) -> usize {
        self.correspondences.len()
    }

    fn room(&self) -> usize {
        self.correspondences.room()
    }

    fn not_learned(&self) -> NotLearned {
        self.correspondences.not_learned()
    }
}

impl TripletTable for Store {
    fn enter(&self, attempt: &TripletAttempt<'_>) -> Result<TripletFacts, StoreError> {
        self.triplets.enter(&self.journal, attempt)
    }

    fn stands(&self, attempt: &TripletAttempt<'_>) -> TripletState {
        self.triplets.stands(attempt)
    }

    fn pairs_of(&self, identity: ClientIdentity, client: &str) -> u32 {
        self.triplets.pairs_of(identity, client)
    }

    fn due(&self, now: Timestamp, max: usize) -> Vec<ExpiredTriplet> {
        self.triplets.due(now, max)
    }

    fn expired(&self, events: Vec<Event>) -> Result<Position, StoreError> {
        let _gate = self.gate();
        let written = self.triplets.expired(&self.journal, &events)?;
        self.publisher.publish(written.start, events);
        Ok(written.end)
    }

    fn close_silently(
        &self,
        sender: &ReversePath,
        recipient: &ForwardPath,
    ) -> Result<(), StoreError> {
        self.triplets.close_silently(&self.journal, sender, recipient)
    }

    fn take_as_returned(
        &self,
        facts: &TripletFacts,
        recipient: &ForwardPath,
        at: Timestamp,
        remember: Duration,
    ) -> Result<(), StoreError> {
        self.triplets.take_as_returned(&self.journal, facts, recipient, at, remember)
    }

    fn list(&self, text: &str, max: usize) -> Vec<TripletEntry> {
        self.triplets.list(text, max)
    }

    fn steer(&self, entries: &[TripletEntry], what: TripletSteer) -> Result<usize, StoreError> {
        self.triplets.steer(&self.journal, entries, what)
    }

    fn size(&self) -> (usize, usize) {
        self.triplets.size()
    }
}
