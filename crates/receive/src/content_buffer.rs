//! The part of a message that is kept in memory to be examined at its end,
//! under a budget that all connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets that all buffers together may hold.
#[derive(Debug)]
pub(crate) struct ContentBudget {
    left: AtomicUsize,
}

/// Each buffer may hold this much whatever the budget says, so that a header
/// can always be read.
const HEADER_OCTETS: usize = 64 * 1024;
/// The most one buffer holds.
const BUFFER_OCTETS_MAX: usize = 16 * 1024 * 1024;

impl ContentBudget {
    pub(crate) fn new(octets: usize) -> Self {
        ContentBudget { left: AtomicUsize::new(octets) }
    }

    fn take(&self, octets: usize) -> bool {
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(octets))
            .is_ok()
    }
}

/// The beginning of one message.
#[derive(Debug)]
pub(crate) struct ContentBuffer {
    octets: Vec<u8>,
    whole: bool,
    borrowed: usize,
    budget: Arc<ContentBudget>,
}

impl ContentBuffer {
    pub(crate) fn new(budget: &Arc<ContentBudget>) -> Self {
        ContentBuffer { octets: Vec::new(), whole: true, borrowed: 0, budget: Arc::clone(budget) }
    }

    /// Keeps `piece` as far as there is room.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        if !self.whole {
            return;
        }
        let wanted = self.octets.len() + piece.len();
        if wanted > HEADER_OCTETS + self.borrowed && !self.borrow(wanted) {
            self.whole = false;
        }
        let room = (HEADER_OCTETS + self.borrowed).saturating_sub(self.octets.len());
        self.octets.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    /// Takes more of the budget, doubling, so that a long message asks only a
    /// few times.
    fn borrow(&mut self, wanted: usize) -> bool {
        let target = wanted.next_power_of_two().min(BUFFER_OCTETS_MAX);
        let more = target.saturating_sub(HEADER_OCTETS + self.borrowed);
        if target < wanted || !self.budget.take(more) {
            return false;
        }
        self.borrowed += more;
        true
    }
}

impl checks::Arrived for ContentBuffer {
    fn octets(&self) -> &[u8] {
        &self.octets
    }

    fn is_whole(&self) -> bool {
        self.whole
    }
}

impl Drop for ContentBuffer {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.borrowed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use checks::Arrived;

    use super::*;

    #[test]
    fn a_small_message_is_kept_whole_without_the_budget() {
        let budget = Arc::new(ContentBudget::new(0));
        let mut buffer = ContentBuffer::new(&budget);
        buffer.push(b"Subject: x\r\n");
        buffer.push(b"\r\nbody\r\n");
        assert!(buffer.is_whole());
        assert_eq!(buffer.octets(), b"Subject: x\r\n\r\nbody\r\n");
    }

    #[test]
    fn a_large_message_is_cut_where_the_budget_ends_and_gives_it_back() {
        let budget = Arc::new(ContentBudget::new(HEADER_OCTETS));
        let mut buffer = ContentBuffer::new(&budget);
        for _ in 0..200 {
            buffer.push(&[b'x'; 1024]);
        }
        assert!(!buffer.is_whole());
        assert_eq!(buffer.octets().len(), 2 * HEADER_OCTETS);
        drop(buffer);
        assert!(budget.take(HEADER_OCTETS));
    }
}
