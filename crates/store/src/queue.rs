//! Messages that we said 250 to, until their last recipient is done.
//!
//! The queue is in memory, ordered by when the next try is due; every change
//! is in the journal. A message can be leased only once its commit record is
//! flushed: delivering what a power cut takes back would send it twice.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use types::{Event, LifeLineId, QueueId, Timestamp};

use crate::contract::{Position, QueueDepth, QueueStep, StoreError};
use crate::journal::{Accept, BatchRef, Journal, SettleRef, Written};
use crate::message::{QueuedMessage, RecipientState};
use crate::spool::{Content, Piece, Place};

/// All queued messages.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By id, which begins with the time of arrival (RFC 9562 section 5.7).
    messages: BTreeMap<QueueId, Queued>,
    /// Messages that may be leased, by the time they are due.
    due: BTreeSet<(Timestamp, QueueId)>,
    /// Messages that wait for the next hop, by their arrival; not those that
    /// are held, which wait for a person.
    waiting: BTreeSet<(Timestamp, QueueId)>,
    /// Messages that we wrote ourselves: few, and asked for by people, who must
    /// not have all others looked through for them.
    notices: BTreeSet<QueueId>,
    /// Messages whose commit record is not flushed yet, oldest first.
    unflushed: VecDeque<(Position, QueueId)>,
    /// Contents to let go once the record that says so is flushed.
    done: VecDeque<(Position, QueueId, Place)>,
}

#[derive(Debug)]
struct Queued {
    message: Arc<QueuedMessage>,
    content: Content,
    leased: bool,
    /// The commit record is flushed.
    durable: bool,
}

/// What becomes of the lease of a message whose recipients take a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeaseAfter {
    /// Its holder is done.
    Ended,
    /// Somebody else took the step; its holder goes on.
    AsBefore,
}

/// A message with the place of its content, in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredMessage {
    pub(crate) message: QueuedMessage,
    pub(crate) place: Place,
}

/// Some messages of the queue, in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredQueue {
    /// Changes before this are in it.
    pub(crate) cut: u64,
    pub(crate) messages: Vec<StoredMessage>,
}

/// Tells whoever waits, and the next who comes if nobody does.
fn tell(changed: &Notify) {
    changed.notify_waiters();
    changed.notify_one();
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the commit records in `buffer` and enters the message, under
    /// one lock, so that the order in the journal is that of the queue.
    /// `content` is told where the records are and says where the content is.
    pub(crate) fn accept(
        &self,
        journal: &Journal,
        buffer: &mut Vec<u8>,
        message: QueuedMessage,
        content: impl FnOnce(Written, Vec<u8>) -> Content,
    ) -> Result<Position, StoreError> {
        let mut state = self.state();
        let written = journal.append(buffer)?;
        let content = content(written, std::mem::take(buffer));
        let id = message.id;
        state.insert(Arc::new(message), content, false);
        state.unflushed.push_back((written.end, id));
        Ok(written.end)
    }

    /// See [`crate::MessageQueue::lease_due`].
    pub(crate) fn lease_due(
        &self,
        flushed: Position,
        now: Timestamp,
        max: usize,
    ) -> Vec<Arc<QueuedMessage>> {
        let mut state = self.state();
        state.note_flushed(flushed);
        let mut leased = Vec::new();
        while leased.len() < max {
            let Some(&(due, id)) = state.due.first().filter(|(due, _)| *due <= now) else { break };
            state.due.remove(&(due, id));
            if let Some(queued) = state.messages.get_mut(&id) {
                queued.leased = true;
                leased.push(Arc::clone(&queued.message));
            }
        }
        leased
    }

    /// See [`crate::MessageQueue::settle`].
    pub(crate) fn settle(
        &self,
        journal: &Journal,
        id: QueueId,
        steps: &[QueueStep],
        events: &[Event],
    ) -> Result<Written, StoreError> {
        self.record(journal, id, (steps, LeaseAfter::Ended), events)
    }

    /// See [`crate::MessageQueue::intervene`].
    pub(crate) fn intervene(
        &self,
        journal: &Journal,
        id: QueueId,
        steps: &[QueueStep],
        events: &[Event],
    ) -> Result<Written, StoreError> {
        self.record(journal, id, (steps, LeaseAfter::AsBefore), events)
    }

    /// Writes steps and events down and applies the steps, under one lock.
    fn record(
        &self,
        journal: &Journal,
        id: QueueId,
        (steps, lease): (&[QueueStep], LeaseAfter),
        events: &[Event],
    ) -> Result<Written, StoreError> {
        let mut state = self.state();
        let written = if steps.is_empty() && events.is_empty() {
            let flushed = journal.flushed_to();
            Written { start: flushed.0, end: flushed }
        } else {
            let settle = (!steps.is_empty()).then_some(SettleRef { id, steps });
            let batch = BatchRef { events, settle, ..BatchRef::default() };
            // On an error the lease stays: who holds it knows what came of
            // it, and tries to settle again.
            journal.append_batch(&batch)?
        };
        state.apply(id, steps, lease, written.end);
        drop(state);
        tell(&self.changed);
        Ok(written)
    }

    /// See [`crate::MessageQueue::next_due`].
    pub(crate) fn next_due(&self, flushed: Position) -> Option<Timestamp> {
        let mut state = self.state();
        state.note_flushed(flushed);
        state.due.first().map(|(due, _)| *due)
    }

    /// Waits until something was added or changed; may wake without.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What was committed before `durable` can be leased.
    pub(crate) fn flushed(&self, durable: Position) {
        let mut state = self.state();
        let waited = state.unflushed.len();
        state.note_flushed(durable);
        if state.unflushed.len() < waited {
            drop(state);
            tell(&self.changed);
        }
    }

    /// See [`crate::MessageQueue::message`].
    pub(crate) fn message(&self, id: QueueId) -> Option<Arc<QueuedMessage>> {
        self.state().messages.get(&id).map(|queued| Arc::clone(&queued.message))
    }

    /// See [`crate::MessageQueue::is_leased`].
    pub(crate) fn is_leased(&self, id: QueueId) -> bool {
        self.state().messages.get(&id).is_some_and(|queued| queued.leased)
    }

    /// See [`crate::MessageQueue::list`].
    pub(crate) fn list(&self, after: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let state = self.state();
        let rest = state.messages.range((from, Unbounded)).take(max);
        rest.map(|(_, queued)| Arc::clone(&queued.message)).collect()
    }

    /// See [`crate::MessageQueue::notices`].
    pub(crate) fn notices(&self, after: Option<QueueId>, max: usize) -> Vec<Arc<QueuedMessage>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let state = self.state();
        let rest = state.notices.range((from, Unbounded)).take(max);
        let found = rest.filter_map(|id| state.messages.get(id));
        found.map(|queued| Arc::clone(&queued.message)).collect()
    }

    /// See [`crate::MessageQueue::notice_count`].
    pub(crate) fn notice_count(&self) -> usize {
        self.state().notices.len()
    }

    /// See [`crate::MessageQueue::depth`].
    pub(crate) fn depth(&self) -> QueueDepth {
        let state = self.state();
        let waiting = state.waiting.len();
        QueueDepth {
            waiting,
            held: state.messages.len().saturating_sub(waiting),
            oldest_waiting: state.waiting.first().map(|(arrived, _)| *arrived),
        }
    }

    /// The life-lines of all recipients that have not left.
    pub(crate) fn life_lines(&self) -> HashSet<LifeLineId> {
        let state = self.state();
        let recipients = state.messages.values().flat_map(|queued| &queued.message.recipients);
        let here = recipients.filter(|recipient| recipient.state != RecipientState::Done);
        here.map(|recipient| recipient.life_line).collect()
    }

    /// Where the content of a message is.
    pub(crate) fn content(&self, id: QueueId) -> Option<Content> {
        self.state().messages.get(&id).map(|queued| queued.content.clone())
    }

    /// Contents that nobody needs any more, now that `flushed` is durable.
    pub(crate) fn take_done(&self, flushed: Position) -> Vec<(QueueId, Place)> {
        let mut state = self.state();
        let mut done = Vec::new();
        while let Some((_, id, place)) = state.done.pop_front_if(|(at, ..)| *at <= flushed) {
            done.push((id, place));
        }
        done
    }

    /// Messages whose content needs the journal before `before`.
    pub(crate) fn in_journal_before(&self, before: Position) -> Vec<QueueId> {
        let old = |place: &Place| place.needs_journal_from().is_some_and(|at| at < before.0);
        let state = self.state();
        state.messages.iter().filter(|(_, q)| old(&q.content.place)).map(|(id, _)| *id).collect()
    }

    /// The first journal position that a message's content needs, contents
    /// included that wait for their last record to be flushed.
    pub(crate) fn needs_journal_from(&self) -> Option<u64> {
        let state = self.state();
        let queued = state.messages.values().map(|queued| &queued.content.place);
        let places = queued.chain(state.done.iter().map(|(_, _, place)| place));
        places.filter_map(Place::needs_journal_from).min()
    }

    /// Notes that a content was moved; false if the message is done.
    pub(crate) fn moved(&self, id: QueueId, place: Place) -> bool {
        let mut state = self.state();
        let queued = state.messages.get_mut(&id);
        queued.map(|queued| queued.content.place = place).is_some()
    }

    /// The queue as it is now.
    pub(crate) fn store(&self, journal: &Journal) -> (u64, Vec<(Arc<QueuedMessage>, Place)>) {
        let state = self.state();
        let messages = state.messages.values();
        let messages = messages.map(|q| (Arc::clone(&q.message), q.content.place.clone()));
        (journal.end().0, messages.collect())
    }

    /// Enters a message found after a start.
    pub(crate) fn restore(&self, message: QueuedMessage, place: Place) {
        self.state().insert(Arc::new(message), Content { place, kept: None }, true);
    }

    /// Applies a settlement found after a start.
    pub(crate) fn replay_settle(&self, id: QueueId, steps: &[QueueStep]) {
        self.state().apply(id, steps, LeaseAfter::Ended, Position(0));
    }

    /// Takes out a message whose content is lost.
    pub(crate) fn lose(&self, id: QueueId) {
        self.state().remove(id);
    }

    /// All messages with their places.
    pub(crate) fn places(&self) -> Vec<(QueueId, Place)> {
        let state = self.state();
        state.messages.iter().map(|(id, queued)| (*id, queued.content.place.clone())).collect()
    }
}

impl State {
    fn insert(&mut self, message: Arc<QueuedMessage>, content: Content, durable: bool) {
        let id = message.id;
        self.remove(id);
        if message.notice {
            self.notices.insert(id);
        }
        if let Some(due) = message.next_due() {
            self.waiting.insert((message.arrived, id));
            if durable {
                self.due.insert((due, id));
            }
        }
        self.messages.insert(id, Queued { message, content, leased: false, durable });
    }

    fn remove(&mut self, id: QueueId) -> Option<Queued> {
        let queued = self.messages.remove(&id)?;
        self.notices.remove(&id);
        self.waiting.remove(&(queued.message.arrived, id));
        if let Some(due) = queued.message.next_due() {
            self.due.remove(&(due, id));
        }
        Some(queued)
    }

    /// Makes messages available whose commit is durable.
    fn note_flushed(&mut self, flushed: Position) {
        while let Some((_, id)) = self.unflushed.pop_front_if(|(at, _)| *at <= flushed) {
            let Some(queued) = self.messages.get_mut(&id) else { continue };
            queued.durable = true;
            if let (false, Some(due)) = (queued.leased, queued.message.next_due()) {
                self.due.insert((due, id));
            }
        }
    }

    /// Applies steps.
    fn apply(&mut self, id: QueueId, steps: &[QueueStep], lease: LeaseAfter, position: Position) {
        let Some(queued) = self.messages.get_mut(&id) else { return };
        if let Some(due) = queued.message.next_due() {
            self.due.remove(&(due, id));
        }
        queued.leased &= lease == LeaseAfter::AsBefore;
        if !steps.is_empty() {
            step(Arc::make_mut(&mut queued.message), steps);
            // Memory is for the first delivery; who waits is read from disk.
            queued.content.kept = None;
        }
        if queued.message.is_done() {
            if let Some(queued) = self.remove(id) {
                self.done.push_back((position, id, queued.content.place));
            }
        } else {
            self.note_due(id);
        }
    }

    /// Enters where a message waits after its recipients took a step.
    fn note_due(&mut self, id: QueueId) {
        let Some(queued) = self.messages.get(&id) else { return };
        let waits = (queued.message.arrived, id);
        match queued.message.next_due() {
            Some(due) => {
                self.waiting.insert(waits);
                if queued.durable && !queued.leased {
                    self.due.insert((due, id));
                }
            }
            None => drop(self.waiting.remove(&waits)),
        }
    }
}

/// Sets the states of recipients. What is done stays done: a delivery that
/// was under way must not bring back what a person deleted meanwhile.
fn step(message: &mut QueuedMessage, steps: &[QueueStep]) {
    for QueueStep { recipient, state } in steps {
        let found = message.recipients.iter_mut().find(|r| r.event == *recipient);
        if let Some(found) = found.filter(|found| found.state != RecipientState::Done) {
            found.state = *state;
        }
    }
}

impl Accept {
    /// Where the content is, given the position of the commit record.
    pub(crate) fn place(&self, commit: u64) -> Place {
        if self.own_file {
            return Place::OwnFile;
        }
        let mut pieces = self.pieces.clone();
        pieces.extend(last_piece(commit, self.last_octets));
        Place::Journal(pieces)
    }
}

/// The piece that was written together with, and right before, a commit
/// record at `commit`.
pub(crate) fn last_piece(commit: u64, octets: u32) -> Option<Piece> {
    let payload = octets as usize + crate::spool::PIECE_HEADER_OCTETS as usize;
    let record = crate::journal::record::octets_of(payload) as u64;
    let at = commit.checked_sub(record)?;
    (octets > 0).then_some(Piece { at, octets })
}
