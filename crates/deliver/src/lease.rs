//! A leased message and what has come of its recipients so far.
//!
//! Its next hops work on it at the same time, each through a [`Job`]. Whoever
//! ends last writes everything down in one journal record. A lease that is
//! dropped unsettled (the order to stop, a panic) is given back with what is
//! certain by then, so that nothing that was delivered is sent again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{QueueStep, QueuedMessage, RecipientState, StoreError};
use types::event::{DeliveryStep, SCHEMA};
use types::{Event, EventKind, FollowUp};

use crate::bounce;
use crate::settlement::{Settlement, settle};
use crate::shared::Shared;
use crate::status::count;
use crate::tried::{Answer, Came};

/// How long to wait before writing again to a store that could not.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long a message waits whose delivery ended in a panic of ours.
const AFTER_PANIC: Duration = Duration::from_secs(300);

/// A leased message.
pub(crate) struct Lease {
    pub(crate) message: Arc<QueuedMessage>,
    shared: Arc<Shared>,
    came: Mutex<Vec<(usize, Came)>>,
    settled: bool,
}

/// The part of a leased message that one next hop works on.
pub(crate) struct Job {
    pub(crate) lease: Arc<Lease>,
    /// Its recipients, by place in the message.
    pub(crate) places: Vec<usize>,
}

impl Job {
    /// Ends the job. The last one of a message writes down what came of it.
    pub(crate) async fn end(self, came: Vec<(usize, Came)>) {
        self.lease.add(came);
        if let Some(lease) = Arc::into_inner(self.lease) {
            lease.conclude().await;
        }
    }

    /// Ends the job with the same for all of its recipients.
    pub(crate) async fn end_all(self, came: Came) {
        let came = self.places.iter().map(|&place| (place, came.clone())).collect();
        self.end(came).await;
    }
}

impl Lease {
    pub(crate) fn new(shared: &Arc<Shared>, message: Arc<QueuedMessage>) -> Self {
        shared.lease_begins();
        let came = Mutex::new(Vec::with_capacity(message.recipients.len()));
        Lease { message, shared: Arc::clone(shared), came, settled: false }
    }

    /// Keeps what came of some recipients.
    pub(crate) fn add(&self, came: Vec<(usize, Came)>) {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).extend(came);
    }

    /// Settles what is known: tells the sender where that is due and writes
    /// everything down.
    pub(crate) async fn conclude(mut self) {
        let mut settlements = self.settlements(|_| true);
        if settlements.iter().any(|settlement| settlement.notice.is_some()) {
            bounce::tell(&self.shared, &self.message, &mut settlements).await;
        }
        self.count(&settlements);
        while let Err(error) = self.write(&settlements) {
            // The message stays leased, so it is not sent again meanwhile;
            // with the lease limit, a store that fails for long ends delivery.
            if matches!(error, StoreError::Closed) || self.shared.is_stopping() {
                break;
            }
            self.shared.parts.clock.sleep(WRITE_AGAIN_AFTER).await;
        }
        self.settled = true;
    }

    fn settlements(&self, which: impl Fn(&Came) -> bool) -> Vec<Settlement> {
        let settings = self.shared.settings();
        let now = self.shared.parts.clock.now();
        let came = std::mem::take(&mut *self.came.lock().unwrap_or_else(PoisonError::into_inner));
        came.into_iter()
            .filter(|(_, came)| which(came))
            .filter_map(|(place, came)| settle(&self.message, place, came, &settings.schedule, now))
            .collect()
    }

    /// One journal record: new states and events.
    fn write(&self, settlements: &[Settlement]) -> Result<(), StoreError> {
        let id = self.message.id;
        let current = self.shared.parts.queue.message(id);
        let mut steps = Vec::with_capacity(settlements.len());
        let mut events = Vec::with_capacity(settlements.len());
        for settlement in settlements {
            let place = settlement.place;
            let Some(recipient) = self.message.recipients.get(place) else { continue };
            // Somebody may have held or deleted it meanwhile. That stands,
            // unless it is gone anyway.
            let meanwhile = current
                .as_ref()
                .and_then(|message| message.recipients.get(place))
                .is_some_and(|other| other.state != recipient.state);
            if !meanwhile || settlement.state == RecipientState::Done {
                steps.push(QueueStep { recipient: recipient.event, state: settlement.state });
            }
            for what in [&settlement.follow_up, &settlement.told].into_iter().flatten() {
                events.push(self.event(place, what.clone()));
            }
        }
        let events = events.into_iter().flatten().collect();
        self.shared.parts.queue.settle(id, steps, events).map(|_| ())
    }

    /// The follow-up event of the recipient at `place`.
    fn event(&self, place: usize, what: FollowUp) -> Option<Event> {
        let recipient = self.message.recipients.get(place)?;
        let at = self.shared.parts.clock.now();
        Some(Event {
            schema: SCHEMA,
            id: self.shared.event_id(),
            at,
            started: at,
            node: self.shared.parts.node.clone(),
            session: self.message.session,
            life_line: recipient.life_line,
            subject: self.message.subject(&recipient.path),
            kind: EventKind::FollowUp { of: recipient.event, what },
            record: types::event::Record::default(),
        })
    }

    fn count(&self, settlements: &[Settlement]) {
        let counters = &self.shared.counters;
        for what in settlements.iter().flat_map(|s| [&s.follow_up, &s.told]).flatten() {
            match what.delivery().map(|(step, _)| step) {
                Some(DeliveryStep::Delivered) => count(&counters.delivered),
                Some(DeliveryStep::Deferred) => count(&counters.deferred),
                Some(DeliveryStep::Rejected) => count(&counters.rejected),
                Some(DeliveryStep::Expired) => count(&counters.expired),
                None if matches!(what, FollowUp::BounceSuppressed { .. }) => {
                    count(&counters.bounces_suppressed);
                }
                None => {}
            }
        }
    }
}

impl Lease {
    /// What can be written down without waiting for anything: what was
    /// delivered. A refused recipient needs a notice; it is refused again.
    fn certain(&self) -> Vec<Settlement> {
        let mut certain = self.settlements(
            |came| matches!(came, Came::Tried(tried) if matches!(tried.answer, Answer::Took(_))),
        );
        if std::thread::panicking() {
            // A message that we fail at must not come back at once.
            let due = self.shared.parts.clock.now() + AFTER_PANIC;
            for (place, recipient) in self.message.recipients.iter().enumerate() {
                let known = certain.iter().any(|settlement| settlement.place == place);
                if let (false, RecipientState::Waiting { attempts, warned, .. }) =
                    (known, recipient.state)
                {
                    let state = RecipientState::Waiting { attempts, due, warned };
                    certain.push(Settlement::silent(place, state));
                }
            }
        }
        certain
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.settled {
            let certain = self.certain();
            self.count(&certain);
            // If this fails too, the message is sent again after a restart.
            let _ = self.write(&certain);
        }
        self.shared.lease_ends();
    }
}
