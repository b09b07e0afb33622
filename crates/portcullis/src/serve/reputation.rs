//! Joins `center`, which shows and resets what was learned of clients, to
//! `checks`, which learns it.

use std::net::IpAddr;
use std::sync::Arc;

use center::ReputationBook;
use checks::Checks;
use types::{PutOff, ReputationFacts, ReputationMark, Timestamp};

/// What the checks have learned.
pub(super) struct LearnedReputation(pub(super) Arc<Checks>);

impl ReputationBook for LearnedReputation {
    fn facts(&self, ip: IpAddr) -> ReputationFacts {
        self.0.reputation().facts(ip, self.0.now(), self.0.places())
    }

    fn worst(&self, count: usize) -> Vec<(IpAddr, ReputationFacts)> {
        let worst = self.0.reputation().worst(count, self.0.now(), self.0.places());
        worst.into_iter().map(|one| (one.ip, one.facts)).collect()
    }

    fn reset(&self, ip: IpAddr) -> bool {
        self.0.reputation().reset(ip)
    }

    fn mark(&self, ip: IpAddr, mark: ReputationMark, at: Timestamp) {
        self.0.reputation().mark(ip, mark, at, self.0.places());
    }

    fn put_off(&self, ip: IpAddr, put_off: PutOff) {
        self.0.reputation().put_off(ip, put_off);
    }
}
