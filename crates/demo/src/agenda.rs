//! What is to happen when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use types::Timestamp;

use crate::errand::Errand;

/// An errand under way, with the next of its tries.
#[derive(Debug)]
pub(crate) struct Planned {
    /// When its first try was.
    pub(crate) began: Timestamp,
    /// Which try comes next.
    pub(crate) turn: usize,
    pub(crate) errand: Errand,
}

impl Planned {
    /// When the next try is due; nothing if there is none.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.errand.tries.get(self.turn).map(|next| self.began + next.after)
    }
}

/// Errands by the time of their next try, first come first among equals.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    entered: u64,
}

#[derive(Debug)]
struct Entry {
    key: (Timestamp, u64),
    planned: Planned,
}

impl Agenda {
    /// Enters an errand; one without a further try is forgotten.
    pub(crate) fn enter(&mut self, planned: Planned) {
        if let Some(at) = planned.due() {
            self.entered += 1;
            self.entries.push(Reverse(Entry { key: (at, self.entered), planned }));
        }
    }

    /// When the next try is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.entries.peek().map(|Reverse(entry)| entry.key.0)
    }

    /// Takes the errand whose try is next.
    pub(crate) fn take(&mut self) -> Option<Planned> {
        self.entries.pop().map(|Reverse(entry)| entry.planned)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Source;

    #[test]
    fn tries_are_taken_in_order_and_an_errand_without_one_is_forgotten() {
        let mut source = Source::new(1, None);
        let mut agenda = Agenda::default();
        for began in [50, 10, 30, 10] {
            let began = Timestamp::from_millis(began);
            agenda.enter(Planned { began, turn: 0, errand: source.next() });
        }
        agenda.enter(Planned { began: Timestamp::EPOCH, turn: 99, errand: source.next() });
        assert_eq!(agenda.next_due(), Some(Timestamp::from_millis(10)));
        let taken: Vec<i64> =
            std::iter::from_fn(|| agenda.take()).map(|planned| planned.began.as_millis()).collect();
        assert_eq!(taken, [10, 10, 30, 50]);
    }
}
