//! What we ourselves have learned of clients: from every attempt that ends,
//! and from what people do with its mail. It is kept in memory, and learned
//! again from the stored events at a start.

mod ledger;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use types::{
    CheckName, Client, Direction, Event, Observed, PutOff, Reason, ReputationFacts, ReputationMark,
    Timestamp,
};

use crate::lists::is_public;
use crate::places::Places;
use ledger::Ledger;

/// The reputation of all clients.
#[derive(Default)]
pub struct Reputation {
    ledger: Mutex<Ledger>,
}

/// One client with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reputed {
    /// Its address; the first of an IPv6 network.
    pub ip: IpAddr,
    /// What is known.
    pub facts: ReputationFacts,
}

impl Reputation {
    /// Learns what an event says of its client, in the autonomous system in
    /// which it was then.
    pub fn learn(&self, event: &Event, places: &Places) {
        let Client { ip, direction, .. } = event.subject.client.client;
        // What our own servers send says nothing of a stranger.
        if direction == Direction::Outbound {
            return;
        }
        if let Some(mark) = ReputationMark::of(event).filter(|_| is_public(ip.to_canonical())) {
            let place = event.record.evidence.latest(CheckName::Place);
            let system = place.map_or_else(|| places.system(ip), system_in);
            self.ledger().mark(ip, system, mark, event.at);
        }
        if let Some(put_off) = put_off(event) {
            self.put_off(ip, put_off);
        }
    }

    /// Notes that mail of a client was put off for its score.
    pub fn put_off(&self, ip: IpAddr, put_off: PutOff) {
        self.ledger().put_off(ip, put_off);
    }

    /// Marks a client. One whose address means something else to others is
    /// not marked: behind it there may be everybody.
    pub fn mark(&self, ip: IpAddr, mark: ReputationMark, at: Timestamp, places: &Places) {
        if is_public(ip.to_canonical()) {
            let system = places.system(ip);
            self.ledger().mark(ip, system, mark, at);
        }
    }

    /// What is known of a client.
    pub fn facts(&self, ip: IpAddr, now: Timestamp, places: &Places) -> ReputationFacts {
        self.facts_within(ip, places.system(ip), now)
    }

    /// The same where its autonomous system is known.
    pub(crate) fn facts_within(
        &self,
        ip: IpAddr,
        system: Option<u32>,
        now: Timestamp,
    ) -> ReputationFacts {
        self.ledger().facts(ip, system, now)
    }

    /// Forgets what a client did itself; false if there was nothing.
    pub fn reset(&self, ip: IpAddr) -> bool {
        self.ledger().reset(ip)
    }

    /// The worst clients, at most `count`, the worst first.
    pub fn worst(&self, count: usize, now: Timestamp, places: &Places) -> Vec<Reputed> {
        // Sessions wait for the ledger, so it is not held while all are compared.
        let clients = self.ledger().clients();
        let worst = clients.worst(count, now);
        let told = worst.into_iter().map(|ip| Reputed { ip, facts: self.facts(ip, now, places) });
        let mut told: Vec<Reputed> = told.collect();
        told.sort_by_key(|one| std::cmp::Reverse(one.facts.score));
        told
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The autonomous system that a place is in, if that is known.
pub(crate) fn system_in(place: &Observed) -> Option<u32> {
    match place {
        Observed::Place(facts) => facts.network,
        _ => None,
    }
}

/// That mail was put off for the score of its client, and what it was.
fn put_off(event: &Event) -> Option<PutOff> {
    event.outcome().filter(|outcome| outcome.reason() == Reason::ReputationTemporary)?;
    match event.record.evidence.latest(CheckName::Reputation) {
        Some(Observed::Reputation(facts)) => Some(PutOff { at: event.started, score: facts.score }),
        _ => None,
    }
}
