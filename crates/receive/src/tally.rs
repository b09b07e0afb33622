//! The conservation sum: attempts in, outcomes out.

use std::sync::atomic::{AtomicU64, Ordering};

use types::OutcomeKind;

/// Counts since start. The difference of opened and ended is what is open
/// now; if it stays above zero with no connection open, something was lost.
#[derive(Debug, Default)]
pub struct Tally {
    sessions: AtomicU64,
    opened: AtomicU64,
    unrecorded: AtomicU64,
    ended: [AtomicU64; 4],
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TallySnapshot {
    /// Connections taken.
    pub sessions: u64,
    /// Attempts opened: one per RCPT, one per connection until its first RCPT.
    pub opened: u64,
    /// Attempts ended, by outcome in the order of [`OutcomeKind::ALL`].
    pub ended: [u64; 4],
    /// Attempts whose event could not be stored; each was answered with 4xx.
    pub unrecorded: u64,
}

impl TallySnapshot {
    /// Attempts that have no end yet.
    pub fn open(&self) -> u64 {
        let ended: u64 = self.ended.iter().sum();
        self.opened.saturating_sub(ended + self.unrecorded)
    }
}

impl Tally {
    pub(crate) fn session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, kind: OutcomeKind) {
        if let Some(count) = self.ended.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn unrecorded(&self, attempts: u64) {
        self.unrecorded.fetch_add(attempts, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn snapshot(&self) -> TallySnapshot {
        TallySnapshot {
            sessions: self.sessions.load(Ordering::Relaxed),
            opened: self.opened.load(Ordering::Relaxed),
            ended: self.ended.each_ref().map(|count| count.load(Ordering::Relaxed)),
            unrecorded: self.unrecorded.load(Ordering::Relaxed),
        }
    }
}
