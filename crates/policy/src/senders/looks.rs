//! Until when the entries of a recipient look at authentication: what has ended
//! costs nobody a look-up, and nothing has to be compiled anew for that.

use std::collections::BTreeMap;

use types::Timestamp;
use types::lists::SenderAction;

use super::{Facts, Named};
use crate::patterns::Basis;

/// Until when some entries look at authentication, at least one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LooksUntil {
    /// The last that looks at signatures.
    signatures: Timestamp,
    /// The last that counts for authenticated mail alone.
    proof: Timestamp,
}

/// An end before which there is no time.
const NEVER: Timestamp = Timestamp::from_millis(i64::MIN);
/// The end of what does not end.
const ALWAYS: Timestamp = Timestamp::from_millis(i64::MAX);

impl Default for LooksUntil {
    fn default() -> Self {
        LooksUntil { signatures: NEVER, proof: NEVER }
    }
}

impl LooksUntil {
    /// Of one entry. One that is disabled is found, and costs nobody a look.
    pub(super) fn of(named: Named<'_>, facts: Facts) -> Self {
        if facts.action == SenderAction::Disabled {
            return LooksUntil::default();
        }
        let until = facts.valid_until.unwrap_or(ALWAYS);
        let if_it = |looks: bool| if looks { until } else { NEVER };
        LooksUntil {
            signatures: if_it(named.basis == Basis::Signature),
            proof: if_it(facts.authenticated_only),
        }
    }

    /// Adds those of other entries.
    pub(super) fn add(&mut self, others: LooksUntil) {
        self.signatures = self.signatures.max(others.signatures);
        self.proof = self.proof.max(others.proof);
    }

    /// Whether an entry looks at signatures at `at`.
    pub(super) fn has_signatures(self, at: Timestamp) -> bool {
        at < self.signatures
    }

    /// Whether an entry counts for authenticated mail alone at `at`.
    pub(super) fn wants_proof(self, at: Timestamp) -> bool {
        at < self.proof
    }
}

/// The ends of entries that come and go.
#[derive(Clone, Debug, Default)]
pub(super) struct LooksEnds {
    signatures: Ends,
    proof: Ends,
}

impl LooksEnds {
    pub(super) fn add(&mut self, one: LooksUntil) {
        self.signatures.add(one.signatures);
        self.proof.add(one.proof);
    }

    /// Takes one away that was added.
    pub(super) fn remove(&mut self, one: LooksUntil) {
        self.signatures.remove(one.signatures);
        self.proof.remove(one.proof);
    }

    /// The last of all.
    pub(super) fn last(&self) -> LooksUntil {
        LooksUntil { signatures: self.signatures.last(), proof: self.proof.last() }
    }
}

/// How many entries end when.
#[derive(Clone, Debug, Default)]
struct Ends(BTreeMap<Timestamp, usize>);

impl Ends {
    fn add(&mut self, end: Timestamp) {
        if end != NEVER {
            *self.0.entry(end).or_default() += 1;
        }
    }

    fn remove(&mut self, end: Timestamp) {
        if let Some(count) = self.0.get_mut(&end) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&end);
            }
        }
    }

    fn last(&self) -> Timestamp {
        self.0.last_key_value().map_or(NEVER, |(end, _)| *end)
    }
}
