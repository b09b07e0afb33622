//! What looks at every event: the log, the metrics, the counts of what each
//! policy decided, and what learns of clients. The store tells of an event once it is stored, so
//! whoever writes events knows nothing of this, and none is written past it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use center::metrics::MetricsFromEvents;
use checks::Checks;
use store::EventWatcher;
use store::state::HitNote;
use types::{Event, OutcomeKind, PolicyId, PolicyRef, PolicyType, Reason, Timestamp};

use super::log::Log;

/// What looks at every event.
pub struct Watchers {
    log: Arc<Log>,
    metrics: Arc<MetricsFromEvents>,
    hits: Mutex<HashMap<PolicyId, (u64, Timestamp)>>,
    /// What learns of clients, once it is there. Not kept alive from here: it
    /// has the store, and the store has its watchers.
    learns: OnceLock<Weak<Checks>>,
}

impl Watchers {
    /// Watchers that log and count.
    pub fn new(log: Arc<Log>, metrics: Arc<MetricsFromEvents>) -> Arc<Watchers> {
        let (hits, learns) = Default::default();
        Arc::new(Watchers { log, metrics, hits, learns })
    }

    /// Has `checks` learn from every event from now on; the first one stays.
    pub fn teach(&self, checks: &Arc<Checks>) {
        let _kept = self.learns.set(Arc::downgrade(checks));
    }

    /// The numbers that events are counted in.
    pub fn metrics(&self) -> &MetricsFromEvents {
        &self.metrics
    }

    /// How often each policy and managed sender decided since this was asked
    /// last.
    pub fn take_hits(&self) -> Vec<HitNote> {
        let hits = std::mem::take(&mut *self.hits.lock().unwrap_or_else(PoisonError::into_inner));
        hits.into_iter().map(|(id, (count, last))| HitNote { id, count, last }).collect()
    }
}

impl EventWatcher for Watchers {
    fn happened(&self, events: &[Arc<Event>]) {
        for event in events {
            self.metrics.observe(event);
            if let Some(checks) = self.learns.get().and_then(Weak::upgrade) {
                checks.learn(event);
            }
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
/// decision, or those that permitted or expected it.
fn deciders(event: &Event) -> impl Iterator<Item = PolicyId> + '_ {
    let outcome = event.outcome();
    let decided = outcome.and_then(|outcome| outcome.decision()).and_then(|d| d.policy);
    let permitted = outcome.is_some_and(|outcome| {
        matches!(outcome.reason(), Reason::AcceptedPermitted | Reason::AcceptedAutoAllowed)
    });
    let is_accepted = event.outcome_kind() == Some(OutcomeKind::Accepted);
    let consulted = event.record.consulted.iter();
    let permits = consulted
        .filter(move |one| permitted || (is_accepted && one.kind == PolicyType::ExpectedMail))
        .filter_map(|one| one.winner);
    decided.into_iter().chain(permits).filter_map(|policy| match policy {
        PolicyRef::Policy { id, .. } | PolicyRef::ManagedSender { id } => Some(id),
        PolicyRef::Base(_) => None,
    })
}
