//! The conservation sum: attempts in, outcomes out; and what else sessions
//! count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smtp::CommandCounts;
use types::{OutcomeKind, TlsFacts};

use crate::submission::Proof;

/// Counts since start. The difference of opened and ended is what is open
/// now; if it stays above zero with no connection open, something was lost.
#[derive(Debug, Default)]
pub struct Tally {
    sessions: AtomicU64,
    opened: AtomicU64,
    unrecorded: AtomicU64,
    ended: [AtomicU64; 4],
    tls: [AtomicU64; TLS_VERSIONS.len()],
    tls_verified: [AtomicU64; TLS_VERSIONS.len()],
    commands: Arc<CommandCounts>,
    proofs: [AtomicU64; Proof::RESULTS.len()],
}

/// TLS versions that are told apart, as [`TlsFacts::version`] names them; the
/// last stands for any other.
pub const TLS_VERSIONS: [&str; 3] = ["TLSv1.2", "TLSv1.3", "TLS"];

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
    /// Sessions that were encrypted, in the order of [`TLS_VERSIONS`].
    pub tls: [u64; TLS_VERSIONS.len()],
    /// The same of which the client showed a certificate that counts.
    pub tls_verified: [u64; TLS_VERSIONS.len()],
    /// Names and passwords that clients said, in the order of [`Proof::RESULTS`].
    pub proofs: [u64; Proof::RESULTS.len()],
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

    /// An encrypted session; `verified` says whether the client showed a
    /// certificate that counts.
    pub(crate) fn encrypted(&self, tls: &TlsFacts, verified: bool) {
        let known = TLS_VERSIONS.iter().position(|version| **version == *tls.version);
        let place = known.unwrap_or(TLS_VERSIONS.len() - 1);
        let counts = [self.tls.get(place), self.tls_verified.get(place).filter(|_| verified)];
        for count in counts.into_iter().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn proved(&self, proof: &Proof) {
        if let Some(count) = self.proofs.get(proof.result()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Commands of all sessions, by how they were answered.
    pub fn commands(&self) -> &Arc<CommandCounts> {
        &self.commands
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
            proofs: self.proofs.each_ref().map(|count| count.load(Ordering::Relaxed)),
            // Before all of them, or there could seem to be more verified ones
            // than sessions.
            tls_verified: self.tls_verified.each_ref().map(|count| count.load(Ordering::Relaxed)),
            tls: self.tls.each_ref().map(|count| count.load(Ordering::Relaxed)),
        }
    }
}
