//! Which networks, senders and recipients were seen together before: the
//! memory of greylisting.
//!
//! The table is in memory, in parts that are locked apart; every change has
//! its place in the journal before the event of its attempt, and a write takes
//! all that has a place before it along. So whoever finds the event after a
//! crash finds the change too, and the reply was sent after both. The reverse
//! does not hold: with many connections the write of another one can take the
//! change along, and a crash before the event's own leaves a change without
//! an event, for a client that got no answer. A window that nobody came
//! back to leaves the table when its *Sender Failed to Retry* event is
//! recorded, in the same journal record, so a crash can neither lose nor
//! double it.
//!
//! At [`Triplets::entries_max`] entries no new window is opened; the caller
//! is told and lets first contacts pass. Known triplets and open windows go
//! on working, because forgetting them to make room would let a flood of
//! forged senders push out the real ones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use types::event::FollowUp;
use types::finding::{TripletFacts, TripletState};
use types::policy::ClientIdentity;
use types::{
    Event, EventId, EventKind, ForwardPath, LifeLineId, Observed, Outcome, ReversePath, Timestamp,
};

use crate::contract::{ExpiredTriplet, StoreError, TripletAttempt, TripletEntry, TripletSteer};
use crate::journal::{BatchRef, Journal, Written};

mod clients;
mod closed;
mod entry;
mod key;
mod pair;
mod shard;
mod stored;

use clients::Clients;
use closed::Closed;
use entry::seconds;
pub use entry::{Remembered, TripletChange, Window};
pub use key::Key;
use pair::{Pair, Pairs};
use shard::Shard;
pub(crate) use stored::{Cuts, StoredClosed, StoredShard};

/// All triplets.
#[derive(Debug)]
pub(crate) struct Triplets {
    shards: Vec<Mutex<Shard>>,
    pairs: Arc<Pairs>,
    clients: Arc<Clients>,
    /// Locked after a shard, never before one.
    closed: Mutex<Closed>,
    entries: AtomicUsize,
    entries_max: usize,
}

impl Triplets {
    pub(crate) fn new(entries_max: usize) -> Self {
        let (pairs, clients) = (Arc::default(), Arc::default());
        let shards = (0..key::SHARDS).map(|_| Mutex::new(Shard::new(&pairs, &clients))).collect();
        let entries = AtomicUsize::new(0);
        Triplets { shards, pairs, clients, closed: Mutex::default(), entries, entries_max }
    }

    fn shard(&self, key: Key) -> Result<MutexGuard<'_, Shard>, StoreError> {
        let shard = self.shards.get(key.shard()).ok_or(StoreError::Closed)?;
        Ok(lock(shard))
    }

    /// See [`crate::TripletTable::enter`].
    pub(crate) fn enter(
        &self,
        journal: &Journal,
        attempt: &TripletAttempt<'_>,
    ) -> Result<TripletFacts, StoreError> {
        let key = Key::new(attempt.identity, &attempt.client, &attempt.sender, attempt.recipient);
        let mut shard = self.shard(key)?;
        let step = shard.step(key, attempt);
        if shard.grows_by(&step.change) && self.entries.load(Ordering::Relaxed) >= self.entries_max
        {
            return Err(StoreError::TableFull);
        }
        // No write of its own: the event follows at once, and its write, or
        // that of another connection before it, takes this along.
        self.change(journal, &mut shard, step.change, Journal::append_batch_along)?;
        Ok(step.facts)
    }

    /// See [`crate::TripletTable::stands`].
    pub(crate) fn stands(&self, attempt: &TripletAttempt<'_>) -> TripletState {
        let key = Key::new(attempt.identity, &attempt.client, &attempt.sender, attempt.recipient);
        match self.shard(key) {
            Ok(shard) => shard.step(key, attempt).facts.state,
            Err(_) => TripletState::FirstSeen,
        }
    }

    /// See [`crate::TripletTable::pairs_of`].
    pub(crate) fn pairs_of(&self, identity: ClientIdentity, client: &str) -> u32 {
        self.clients.count(identity, client)
    }

    /// Closes the life-lines on which these messages were accepted.
    ///
    /// A change of its own after the commit, written once per triplet: if it
    /// is lost, the next message inside the window joins a line that ended,
    /// which harms nobody and ends with the window. So a failure is no error
    /// of the commit, which stands.
    pub(crate) fn accepted(&self, journal: &Journal, lines: &[AcceptedLine]) {
        for &AcceptedLine { key, life_line, at } in lines {
            let Ok(mut shard) = self.shard(key) else { continue };
            let known = shard.remembered.get(&key);
            if known.is_some_and(|known| known.open_line(at) == Some(life_line)) {
                let change = TripletChange::Accepted { key };
                let _ = self.change(journal, &mut shard, change, Journal::append_batch_along);
            }
        }
    }

    /// Writes a change and applies it, both under the lock of its shard, so
    /// that the order in the journal is the order in the table.
    fn change(
        &self,
        journal: &Journal,
        shard: &mut Shard,
        change: TripletChange,
        append: impl FnOnce(&Journal, &BatchRef<'_>) -> Result<Written, StoreError>,
    ) -> Result<Written, StoreError> {
        // Taken before the append: a checkpoint must see the closed window
        // on the same side of the record as the new one.
        let mut closed = matches!(change, TripletChange::Opened(_)).then(|| lock(&self.closed));
        let batch = BatchRef { triplet: Some(&change), ..BatchRef::default() };
        let written = append(journal, &batch)?;
        let before = shard.len();
        if let (Some(told), Some(closed)) = (shard.apply(change), &mut closed) {
            closed.insert(told);
        }
        self.count(before, shard.len());
        Ok(written)
    }

    fn count(&self, before: usize, after: usize) {
        if after >= before {
            self.entries.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.entries.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// See [`crate::TripletTable::due`].
    pub(crate) fn due(&self, now: Timestamp, max: usize) -> Vec<ExpiredTriplet> {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let before = shard.len();
            // No more than `max` of each, or a long downtime would be worked
            // off in one go.
            for _ in 0..max {
                let Some(window) = shard.take_closed(now) else { break };
                lock(&self.closed).insert(window);
            }
            self.count(before, shard.len());
        }
        lock(&self.closed).hand_out(now, max)
    }

    /// See [`crate::TripletTable::expired`].
    pub(crate) fn expired(
        &self,
        journal: &Journal,
        events: &[Event],
    ) -> Result<Written, StoreError> {
        let firsts: Vec<EventId> = events.iter().filter_map(expiry_of).collect();
        let mut closed = lock(&self.closed);
        let known = firsts.iter().filter_map(|&first| Some((closed.get(first)?.key(), first)));
        let expired: Vec<(Key, EventId)> = known.collect();
        let batch = BatchRef { events, expired: &expired, ..BatchRef::default() };
        match journal.append_batch(&batch) {
            Ok(written) => {
                expired.iter().for_each(|&(_, first)| closed.remove(first));
                Ok(written)
            }
            Err(error) => {
                firsts.iter().for_each(|&first| closed.give_back(first));
                Err(error)
            }
        }
    }

    /// See [`crate::TripletTable::close_silently`].
    pub(crate) fn close_silently(
        &self,
        journal: &Journal,
        sender: &ReversePath,
        recipient: &ForwardPath,
    ) -> Result<(), StoreError> {
        for key in self.pairs.keys(Pair::new(sender.key(), recipient.key())) {
            let mut shard = self.shard(key)?;
            let open = shard.windows.get(&key);
            if open.is_some_and(|window| pair::is_of(window, sender.key(), recipient.key())) {
                let change = TripletChange::Forgotten { key };
                self.change(journal, &mut shard, change, Journal::append_batch)?;
            }
        }
        Ok(())
    }

    /// See [`crate::TripletTable::take_as_returned`].
    pub(crate) fn take_as_returned(
        &self,
        journal: &Journal,
        facts: &TripletFacts,
        recipient: &ForwardPath,
        at: Timestamp,
        remember: Duration,
    ) -> Result<(), StoreError> {
        let key = Key::new(facts.identity, &facts.client, &facts.sender, recipient);
        let mut shard = self.shard(key)?;
        if shard.windows.contains_key(&key) {
            let change = TripletChange::Passed { key, at, remember_s: seconds(remember) };
            self.change(journal, &mut shard, change, Journal::append_batch_along)?;
        }
        Ok(())
    }

    /// See [`crate::TripletTable::list`].
    pub(crate) fn list(&self, text: &str, max: usize) -> Vec<TripletEntry> {
        let text = text.to_lowercase();
        let wanted = |part: &str| text.is_empty() || part.to_lowercase().contains(&text);
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            let windows = shard.windows.values();
            let windows = windows.filter(|window| {
                wanted(&window.client)
                    || wanted(&window.sender)
                    || wanted(window.recipient.as_str())
            });
            found.extend(windows.map(|window| TripletEntry {
                facts: TripletFacts {
                    let_in: window.steered,
                    ..window.facts(window.state(), window.attempts)
                },
                recipient: window.recipient.clone(),
                last_used: window.last_used,
            }));
            let known = shard.remembered.values().filter(|known| {
                let (client, sender, recipient) = known.parts();
                wanted(client) || wanted(sender) || wanted(recipient)
            });
            found.extend(known.map(|known| TripletEntry {
                facts: known.facts(known.life_line.unwrap_or(UNKNOWN_LINE)),
                recipient: known.recipient(),
                last_used: known.last_used,
            }));
            newest_first(&mut found, max);
        }
        found
    }

    /// See [`crate::TripletTable::steer`].
    pub(crate) fn steer(
        &self,
        journal: &Journal,
        entries: &[TripletEntry],
        what: TripletSteer,
    ) -> Result<usize, StoreError> {
        let mut steered = 0;
        for TripletEntry { facts, recipient, .. } in entries {
            let key = Key::new(facts.identity, &facts.client, &facts.sender, recipient);
            let mut shard = self.shard(key)?;
            let (open, known) =
                (shard.windows.contains_key(&key), shard.remembered.contains_key(&key));
            let change = match what {
                TripletSteer::Pass if open => TripletChange::Steered { key },
                TripletSteer::Forget if open || known => TripletChange::Forgotten { key },
                TripletSteer::Pass | TripletSteer::Forget => continue,
            };
            self.change(journal, &mut shard, change, Journal::append_batch)?;
            steered += 1;
        }
        Ok(steered)
    }

    /// See [`crate::TripletTable::size`].
    pub(crate) fn size(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(open, known), shard| {
            let shard = lock(shard);
            (open + shard.windows.len(), known + shard.remembered.len())
        })
    }

    /// Drops what was not used for so long that it counts as never seen.
    pub(crate) fn forget(&self, now: Timestamp) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let before = shard.len();
            shard.forget(now);
            self.count(before, shard.len());
        }
    }
}

/// A life-line on which a message was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptedLine {
    key: Key,
    life_line: LifeLineId,
    /// When the attempt began.
    at: Timestamp,
}

impl AcceptedLine {
    /// That of an attempt whose message was taken over, by us or by a server
    /// that asked, if it was looked up in the table.
    pub(crate) fn of(event: &Event) -> Option<AcceptedLine> {
        let EventKind::Attempt(
            Outcome::Accepted { .. } | Outcome::Held { .. } | Outcome::Passed { .. },
        ) = &event.kind
        else {
            return None;
        };
        let recipient = event.subject.recipient.as_ref()?;
        let facts = event.record.evidence.findings().iter().find_map(|finding| {
            match &finding.observed {
                Observed::Triplet(facts) => Some(facts),
                _ => None,
            }
        })?;
        let key = Key::new(facts.identity, &facts.client, &facts.sender, recipient);
        Some(AcceptedLine { key, life_line: event.life_line, at: event.started })
    }
}

/// The life-line of a triplet that was written before it was kept: the nil
/// UUID, which no life-line has.
const UNKNOWN_LINE: LifeLineId = LifeLineId::from_bytes([0; 16]);

/// The first attempt whose window an event says has expired.
fn expiry_of(event: &Event) -> Option<EventId> {
    match &event.kind {
        EventKind::FollowUp { of, what: FollowUp::GreylistExpired { .. } } => Some(*of),
        _ => None,
    }
}

fn newest_first(entries: &mut Vec<TripletEntry>, max: usize) {
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.last_used));
    entries.truncate(max);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
