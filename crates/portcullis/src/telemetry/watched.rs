//! What looks at every event: the log, the metrics, the counts of what each
//! policy decided, and what learns of clients. The store tells of an event once it is stored, so
//! whoever writes events knows nothing of this, and none is written past it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use center::metrics::MetricsFromEvents;
use checks::Checks;
use store::EventWatcher;
use store::state::HitNote;
use types::{
    Consulted, Event, Outcome, OutcomeKind, PolicyId, PolicyRef, PolicyType, Reason, Timestamp,
};

use super::log::Log;

/// What looks at every event.
pub struct Watchers {
    log: Arc<Log>,
    metrics: Arc<MetricsFromEvents>,
    hits: Mutex<Hits>,
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
    /// last; whoever cannot store it gives it back.
    pub fn take_hits(&self) -> Vec<HitNote> {
        let hits = std::mem::take(&mut *self.hits());
        hits.into_iter().map(|(id, (count, last))| HitNote { id, count, last }).collect()
    }

    /// Takes counts back that could not be stored, beside those that came
    /// meanwhile.
    pub fn give_back_hits(&self, notes: Vec<HitNote>) {
        let mut hits = self.hits();
        notes.into_iter().for_each(|note| add(&mut hits, note));
    }

    fn hits(&self) -> MutexGuard<'_, Hits> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often each decided, and when last.
type Hits = HashMap<PolicyId, (u64, Timestamp)>;

fn add(hits: &mut Hits, HitNote { id, count, last }: HitNote) {
    let (sum, newest) = hits.entry(id).or_insert((0, last));
    *sum += count;
    *newest = (*newest).max(last);
}

impl EventWatcher for Watchers {
    fn happened(&self, events: &[Arc<Event>]) {
        for event in events {
            self.metrics.observe(event);
            if let Some(checks) = self.learns.get().and_then(Weak::upgrade) {
                checks.learn(event);
            }
            for id in deciders(event.outcome(), &event.record.consulted) {
                add(&mut self.hits(), HitNote { id, count: 1, last: event.at });
            }
        }
        self.log.events(events);
    }
}

/// The policies and managed senders that decided an attempt: the one of the
/// decision, those that permitted or expected it, those by which it taught who
/// may answer, and those that applied and said that nothing is to be done.
fn deciders<'e>(
    outcome: Option<&Outcome>,
    consulted: &'e [Consulted],
) -> impl Iterator<Item = PolicyId> + use<'e> {
    let decided = outcome.and_then(|outcome| outcome.decision()).and_then(|d| d.policy);
    let permitted = outcome.is_some_and(|outcome| {
        matches!(outcome.reason(), Reason::AcceptedPermitted | Reason::AcceptedAutoAllowed)
    });
    let is_accepted = outcome.is_some_and(|outcome| outcome.kind() == OutcomeKind::Accepted);
    let permits = consulted
        .iter()
        .filter(move |one| {
            let expected = is_accepted && one.kind == PolicyType::ExpectedMail;
            let taught = one.kind == PolicyType::AutoAllowCreation;
            permitted || expected || taught || one.no_action
        })
        .filter_map(|one| one.winner);
    decided.into_iter().chain(permits).filter_map(|policy| match policy {
        PolicyRef::Policy { id, .. } | PolicyRef::ManagedSender { id } => Some(id),
        PolicyRef::Base(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use types::{CheckName, Decision, QueueId};

    use super::*;

    fn hits(outcome: Outcome, kind: PolicyType, no_action: bool) -> Vec<u64> {
        let winner = Some(PolicyRef::Policy { id: PolicyId(5), version: 1 });
        let (losers, observing) = Default::default();
        let consulted =
            [Consulted { kind, winner, no_action, losers, observing, permitted_list: None }];
        deciders(Some(&outcome), &consulted).map(|id| id.0).collect()
    }

    #[test]
    fn a_policy_that_applied_and_said_no_action_has_a_hit() {
        let accepted = |reason| Outcome::Accepted { queue: QueueId::from_bytes([1; 16]), reason };
        let plain = || accepted(Reason::Accepted);
        assert_eq!(hits(plain(), PolicyType::Greylisting, true), [5]);
        assert_eq!(hits(plain(), PolicyType::Greylisting, false), [0; 0]);
        assert_eq!(hits(plain(), PolicyType::ExpectedMail, true), [5], "once");
        assert_eq!(hits(accepted(Reason::AcceptedPermitted), PolicyType::Greylisting, false), [5]);
        // It is asked where a mail could teach, so that it decided either way.
        assert_eq!(hits(plain(), PolicyType::AutoAllowCreation, false), [5]);
        assert_eq!(hits(plain(), PolicyType::AutoAllowCreation, true), [5]);
        let by = PolicyRef::Policy { id: PolicyId(7), version: 1 };
        let refused = Decision::new(Reason::SizeExceeded, CheckName::Size).by(by);
        let refused = hits(Outcome::Rejected(refused), PolicyType::Greylisting, true);
        assert_eq!(refused, [7, 5], "what refused it, and what had let it past before");
    }
}
