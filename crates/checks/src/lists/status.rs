//! How lists are, for people and monitoring.

use std::sync::atomic::{AtomicU64, Ordering};

use types::{Domain, ListAnswer, ListFailure, Timestamp};

use super::guard::Suspicion;
use super::{List, ListSource};

/// What can come of a question, in the order of [`ListStatus::answers`].
pub const LIST_RESULTS: [&str; 5] = ["listed", "not_listed", "error_answer", "suspended", "failed"];

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
    /// Of a file: its entries and the seconds since it was read; nothing if
    /// it was not.
    pub file: Option<Option<(usize, u64)>>,
}

/// What was counted of one list.
#[derive(Debug, Default)]
pub(super) struct Counts {
    answers: [AtomicU64; LIST_RESULTS.len()],
    /// Nought before the first question, then one for an answer, two for none.
    last: AtomicU64,
}

impl Counts {
    pub(super) fn count(&self, answer: &ListAnswer) {
        let (place, last) = match answer {
            ListAnswer::NotAsked => return,
            ListAnswer::Listed { .. } => (0, 1),
            ListAnswer::NotListed => (1, 1),
            ListAnswer::Failed(ListFailure::ErrorAnswer(_)) => (2, 2),
            ListAnswer::Failed(ListFailure::Suspended) => (3, 2),
            ListAnswer::Failed(_) => (4, 2),
        };
        if let Some(count) = self.answers.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.last.store(last, Ordering::Relaxed);
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
        file: matches!(list.settings.source, ListSource::File { .. }).then(|| {
            let content = list.content()?;
            Some((content.entries.len(), now.since(content.read).as_secs()))
        }),
    }
}
