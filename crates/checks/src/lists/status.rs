//! How lists are, for people and monitoring.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::{Domain, ListAnswer, ListFailure, Timestamp};

use super::guard::Suspicion;
use super::{List, ListSource};

/// What can come of a question, in the order of [`ListStatus::answers`].
pub const LIST_RESULTS: [&str; 6] =
    ["listed", "not_listed", "error_answer", "suspended", "failed", "left_alone"];

/// A list refuses us no more once it has answered so many questions in a row:
/// of several resolvers often one alone is refused.
const ANSWERS_IN_A_ROW: u32 = 16;
/// And not before so long after it last refused.
const TOLD_FOR: Duration = Duration::from_secs(600);

/// One list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListStatus {
    /// Its name.
    pub name: Domain,
    /// Why and since when it is not believed.
    pub suspended: Option<(Suspicion, Timestamp)>,
    /// Questions since the start, by [`LIST_RESULTS`].
    pub answers: [u64; LIST_RESULTS.len()],
    /// Whether the last question was answered; nothing before the first.
    pub answered: Option<bool>,
    /// How it refuses us, if it does.
    pub refusing: Option<Refusing>,
    /// Whether it is asked with a key.
    pub has_key: bool,
    /// Of a file: its entries and the seconds since it was read; nothing if
    /// it was not.
    pub file: Option<Option<(usize, u64)>>,
    /// Whether its file could not be used when it was last looked at; what was
    /// read of it before counts on.
    pub broken: bool,
}

/// How a list refuses to answer us: with addresses that are no listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusing {
    /// The last of them.
    pub answer: Ipv4Addr,
    /// How many there were.
    pub count: u64,
    /// When the first came.
    pub since: Timestamp,
    /// When the last came.
    pub last: Timestamp,
    /// Until when the list is not asked, if it is left alone.
    pub left_alone_until: Option<Timestamp>,
}

/// What was counted of one list.
#[derive(Debug, Default)]
pub(super) struct Counts {
    answers: [AtomicU64; LIST_RESULTS.len()],
    /// Nought before the first question, then one for an answer, two for none.
    last: AtomicU64,
    refusals: Mutex<Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    now: Option<Refusing>,
    /// Questions answered since the last of them.
    answered_since: u32,
}

impl Refusals {
    fn note(&mut self, answer: &ListAnswer, at: Timestamp) {
        match (answer, &mut self.now) {
            (ListAnswer::Failed(ListFailure::ErrorAnswer(answer)), now) => {
                let first = Refusing {
                    answer: *answer,
                    count: 0,
                    since: at,
                    last: at,
                    left_alone_until: None,
                };
                let refusing = now.get_or_insert(first);
                *refusing = Refusing { answer: *answer, last: at, ..*refusing };
                refusing.count += 1;
                self.answered_since = 0;
            }
            (ListAnswer::Listed { .. } | ListAnswer::NotListed, Some(refusing)) => {
                self.answered_since = self.answered_since.saturating_add(1);
                let long_ago = at.since(refusing.last) >= TOLD_FOR;
                if long_ago && self.answered_since >= ANSWERS_IN_A_ROW {
                    self.now = None;
                }
            }
            _ => {}
        }
    }
}

impl Counts {
    pub(super) fn count(&self, answer: &ListAnswer, at: Timestamp) {
        let (place, last) = match answer {
            ListAnswer::NotAsked => return,
            ListAnswer::Listed { .. } => (0, 1),
            ListAnswer::NotListed => (1, 1),
            ListAnswer::Failed(ListFailure::ErrorAnswer(_)) => (2, 2),
            ListAnswer::Failed(ListFailure::Suspended) => (3, 2),
            ListAnswer::Failed(ListFailure::LeftAlone(_)) => (5, 2),
            ListAnswer::Failed(_) => (4, 2),
        };
        if let Some(count) = self.answers.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.last.store(last, Ordering::Relaxed);
        self.refusals().note(answer, at);
    }

    /// How the list refuses us, if it does.
    pub(super) fn refusing(&self) -> Option<Refusing> {
        self.refusals().now
    }

    fn refusals(&self) -> std::sync::MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn of(list: &List, now: Timestamp) -> ListStatus {
    let counts = &list.counts;
    let suspended = list.guards.iter().find_map(|guard| guard.suspended());
    ListStatus {
        name: list.settings.name.clone(),
        suspended,
        answers: std::array::from_fn(|place| {
            counts.answers.get(place).map_or(0, |count| count.load(Ordering::Relaxed))
        }),
        answered: match counts.last.load(Ordering::Relaxed) {
            0 => None,
            last => Some(last == 1),
        },
        has_key: list.settings.zone_key.is_some(),
        refusing: counts
            .refusing()
            .map(|one| Refusing { left_alone_until: list.pause.until(now), ..one }),
        broken: list.broken.load(Ordering::Relaxed),
        file: matches!(list.settings.source, ListSource::File { .. }).then(|| {
            let content = list.content()?;
            Some((content.entries.len(), now.since(content.read).as_secs()))
        }),
    }
}
