//! What the table knows of one triplet, and the changes it can go through.
//! Everything here is plain data that is written to the journal and read back.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::finding::{TripletFacts, TripletState};
use types::policy::ClientIdentity;
use types::{EventId, ForwardPath, LifeLineId, SessionId, Subject, Timestamp};

use super::key::Key;
use crate::contract::{ExpiredTriplet, TripletAttempt};

/// A first attempt that waits for a retry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// How the client is identified.
    pub identity: ClientIdentity,
    /// The client part of the key.
    pub client: Arc<str>,
    /// The sender part of the key.
    pub sender: Arc<str>,
    /// The recipient.
    pub recipient: ForwardPath,
    /// When the first attempt was.
    pub first_seen: Timestamp,
    /// Its event.
    pub first_event: EventId,
    /// The life-line it opened.
    pub life_line: LifeLineId,
    /// Its session.
    pub session: SessionId,
    /// The last instant at which a retry passes.
    pub closes: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// The last of them.
    pub last_used: Timestamp,
    /// Whether an administrator lets the next attempt pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steered: bool,
    /// Who sent what to whom at the first attempt.
    pub subject: Subject,
}

impl Window {
    pub(super) fn open(attempt: &TripletAttempt<'_>) -> Window {
        Window {
            identity: attempt.identity,
            client: Arc::clone(&attempt.client),
            sender: Arc::clone(&attempt.sender),
            recipient: attempt.recipient.clone(),
            first_seen: attempt.at,
            first_event: attempt.event,
            life_line: attempt.life_line,
            session: attempt.session,
            closes: attempt.at + attempt.times.retry_within,
            attempts: 1,
            last_used: attempt.at,
            steered: false,
            subject: attempt.subject.clone(),
        }
    }

    pub(super) fn key(&self) -> Key {
        Key::new(self.identity, &self.client, &self.sender, &self.recipient)
    }

    pub(super) fn facts(&self, state: TripletState, attempts: u32) -> TripletFacts {
        TripletFacts {
            identity: self.identity,
            client: Arc::clone(&self.client),
            sender: Arc::clone(&self.sender),
            state,
            life_line: self.life_line,
            first_seen: self.first_seen,
            first_event: self.first_event,
            attempts,
            let_in: false,
            no_pool: None,
        }
    }

    /// Where the table says it stands between two attempts.
    pub(super) fn state(&self) -> TripletState {
        if self.attempts > 1 { TripletState::TooEarly } else { TripletState::FirstSeen }
    }

    pub(super) fn expired(&self) -> ExpiredTriplet {
        ExpiredTriplet {
            facts: self.facts(self.state(), self.attempts),
            closed: self.closes,
            session: self.session,
            subject: self.subject.clone(),
        }
    }
}

/// A triplet that has passed. There can be millions, so it has no more than
/// a list for people shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// How the client is identified.
    pub identity: ClientIdentity,
    /// Client, sender and recipient, one allocation, separated by NUL.
    pub parts: Box<str>,
    /// When its window was opened.
    pub first_seen: Timestamp,
    /// The event that opened it.
    pub first_event: EventId,
    /// The last attempt.
    pub last_used: Timestamp,
    /// Seconds it is remembered after that.
    pub remember_s: u32,
    /// Attempts since the first.
    pub attempts: u32,
    /// The life-line that the first attempt opened; absent from entries that
    /// were written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_line: Option<LifeLineId>,
    /// Seconds after the first attempt within which an attempt still belongs
    /// to the life-line; 0 once a message on it was accepted. Seconds and no
    /// point in time, because a table of millions counts octets.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line_open_s: u32,
}

impl Remembered {
    /// What is kept of a window that passed at `at`.
    pub(super) fn of(window: &Window, at: Timestamp, remember_s: u32) -> Remembered {
        let Window { client, sender, recipient, .. } = window;
        Remembered {
            identity: window.identity,
            parts: format!("{client}\0{sender}\0{}", recipient.as_str()).into(),
            first_seen: window.first_seen,
            first_event: window.first_event,
            last_used: window.last_used.max(at),
            remember_s,
            attempts: window.attempts.saturating_add(1),
            life_line: Some(window.life_line),
            line_open_s: seconds(window.closes.since(window.first_seen)),
        }
    }

    /// The life-line that an attempt at `at` joins: a retry may pass and its
    /// message still fail, by our own fault or a lost connection, and then
    /// the next retry is the same message. It ends by acceptance, or with the
    /// window that its first attempt opened.
    pub(super) fn open_line(&self, at: Timestamp) -> Option<LifeLineId> {
        let open = Duration::from_secs(self.line_open_s.into());
        let joins = self.line_open_s > 0 && at.since(self.first_seen) <= open;
        self.life_line.filter(|_| joins)
    }

    /// Client, sender and recipient.
    pub(super) fn parts(&self) -> (&str, &str, &str) {
        let (client, rest) = self.parts.split_once('\0').unwrap_or((&self.parts, ""));
        let (sender, recipient) = rest.split_once('\0').unwrap_or((rest, ""));
        (client, sender, recipient)
    }

    pub(super) fn recipient(&self) -> ForwardPath {
        let (_, _, recipient) = self.parts();
        recipient.parse().map_or(ForwardPath::Postmaster, ForwardPath::Address)
    }

    pub(super) fn key(&self) -> Key {
        let (client, sender, _) = self.parts();
        Key::new(self.identity, client, sender, &self.recipient())
    }

    /// Whether it was used so long ago that it counts as never seen.
    pub(super) fn is_forgotten(&self, at: Timestamp, remember: Duration) -> bool {
        at.since(self.last_used) > remember
    }

    /// The facts at an attempt that belongs to `life_line`, or for a list.
    pub(super) fn facts(&self, life_line: LifeLineId) -> TripletFacts {
        let (client, sender, _) = self.parts();
        TripletFacts {
            identity: self.identity,
            client: client.into(),
            sender: sender.into(),
            state: TripletState::Known,
            life_line,
            first_seen: self.first_seen,
            first_event: self.first_event,
            attempts: self.attempts,
            let_in: false,
            no_pool: None,
        }
    }
}

/// One change of one triplet, as the journal has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripletChange {
    /// A first attempt opened a window; an older one of the key is closed.
    Opened(Box<Window>),
    /// A retry came too early.
    Retried {
        /// Whose.
        key: Key,
        /// When.
        at: Timestamp,
    },
    /// A retry passed, or an administrator's decision let it.
    Passed {
        /// Whose.
        key: Key,
        /// When.
        at: Timestamp,
        /// Seconds to remember it.
        remember_s: u32,
    },
    /// A remembered triplet was used again.
    Used {
        /// Whose.
        key: Key,
        /// When.
        at: Timestamp,
        /// Seconds to remember it from then on.
        remember_s: u32,
    },
    /// A message on the life-line of a triplet that passed was accepted: what
    /// comes next is another one.
    Accepted {
        /// Whose.
        key: Key,
    },
    /// The next attempt passes.
    Steered {
        /// Whose.
        key: Key,
    },
    /// As if it had never been seen.
    Forgotten {
        /// Whose.
        key: Key,
    },
}

impl TripletChange {
    pub(super) fn key(&self) -> Key {
        match self {
            TripletChange::Opened(window) => window.key(),
            TripletChange::Retried { key, .. }
            | TripletChange::Passed { key, .. }
            | TripletChange::Used { key, .. }
            | TripletChange::Accepted { key }
            | TripletChange::Steered { key }
            | TripletChange::Forgotten { key } => *key,
        }
    }
}

/// Whether to leave a number out; serde hands over references.
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A span in whole seconds, rounded up.
pub(super) fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}
