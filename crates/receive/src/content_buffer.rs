//! The part of a message that is kept in memory to be examined at its end,
//! under a budget that all connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use content::{BodyHashes, BodyHashing, HeaderBlock};

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

/// So much of what is kept is hashed without letting others go on (octets).
const HASHED_AT_ONCE_OCTETS: usize = 1024 * 1024;

/// The beginning of one message.
#[derive(Debug)]
pub(crate) struct ContentBuffer {
    octets: Vec<u8>,
    whole: bool,
    /// The hashes of the body, from where the message is no longer kept whole:
    /// its signatures need nothing else of it.
    hashing: Option<Box<BodyHashing>>,
    borrowed: usize,
    budget: Arc<ContentBudget>,
}

impl ContentBuffer {
    pub(crate) fn new(budget: &Arc<ContentBudget>) -> Self {
        ContentBuffer {
            octets: Vec::new(),
            whole: true,
            hashing: None,
            borrowed: 0,
            budget: Arc::clone(budget),
        }
    }

    /// Keeps `piece` as far as there is room.
    pub(crate) async fn push(&mut self, piece: &[u8]) {
        let was_whole = self.whole;
        let kept = self.keep(piece);
        if was_whole && !self.whole {
            self.begin_hashes().await;
        }
        if let (Some(hashing), Some(beyond)) = (&mut self.hashing, piece.get(kept..)) {
            hashing.push(beyond);
        }
    }

    /// Keeps what there is room for and says how much that is.
    fn keep(&mut self, piece: &[u8]) -> usize {
        if !self.whole {
            return 0;
        }
        let wanted = self.octets.len() + piece.len();
        if wanted > HEADER_OCTETS + self.borrowed && !self.borrow(wanted) {
            self.whole = false;
        }
        let room = (HEADER_OCTETS + self.borrowed).saturating_sub(self.octets.len());
        let kept = room.min(piece.len());
        self.octets.extend_from_slice(piece.get(..kept).unwrap_or(piece));
        kept
    }

    /// Catches up on what was kept so far, if the message is signed at all.
    async fn begin_hashes(&mut self) {
        let header = HeaderBlock::of(&self.octets);
        let is_signed = || header.has("DKIM-Signature") || header.has("ARC-Seal");
        if header.body_at().is_none() || !is_signed() {
            return;
        }
        let mut hashing = Box::<BodyHashing>::default();
        for piece in self.octets.chunks(HASHED_AT_ONCE_OCTETS) {
            hashing.push(piece);
            tokio::task::yield_now().await;
        }
        self.hashing = Some(hashing);
    }

    /// Whether memory was too short even for the header, so that nothing can
    /// be said about the message. A header that ends nowhere within what is
    /// searched is another matter: it is the sender's.
    pub(crate) fn lacks_header(&self) -> bool {
        !self.whole
            && self.octets.len() < content::HEADER_OCTETS_MAX
            && HeaderBlock::of(&self.octets).body_at().is_none()
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

    fn body_hashes(&self) -> Option<BodyHashes> {
        self.hashing.as_ref().map(|hashing| hashing.hashes())
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

    #[tokio::test]
    async fn a_small_message_is_kept_whole_without_the_budget() {
        let budget = Arc::new(ContentBudget::new(0));
        let mut buffer = ContentBuffer::new(&budget);
        buffer.push(b"Subject: x\r\n").await;
        buffer.push(b"\r\nbody\r\n").await;
        assert!(buffer.is_whole() && !buffer.lacks_header());
        assert_eq!(buffer.octets(), b"Subject: x\r\n\r\nbody\r\n");
        assert_eq!(buffer.body_hashes(), None);
    }

    #[tokio::test]
    async fn a_large_message_is_cut_where_the_budget_ends_and_gives_it_back() {
        let budget = Arc::new(ContentBudget::new(HEADER_OCTETS));
        let mut buffer = ContentBuffer::new(&budget);
        for _ in 0..200 {
            buffer.push(&[b'x'; 1024]).await;
        }
        assert!(!buffer.is_whole() && buffer.lacks_header());
        assert_eq!(buffer.octets().len(), 2 * HEADER_OCTETS);
        drop(buffer);
        assert!(budget.take(HEADER_OCTETS));
    }

    #[tokio::test]
    async fn the_body_of_a_signed_message_is_hashed_though_it_is_not_kept() {
        for (field, budget_octets) in
            [("DKIM-Signature", 0), ("DKIM-Signature", 200_000), ("ARC-Seal", 0), ("X", 0)]
        {
            let header = format!("{field}: v=1\r\nSubject: x\r\n\r\n");
            let message = [header.as_bytes(), &b"all \t of it\r\n".repeat(40_000)].concat();
            let mut all = BodyHashing::default();
            all.push(&message);
            let budget = Arc::new(ContentBudget::new(budget_octets));
            let mut buffer = ContentBuffer::new(&budget);
            for piece in message.chunks(5_001) {
                buffer.push(piece).await;
            }
            assert!(!buffer.is_whole() && !buffer.lacks_header());
            assert!(buffer.octets().len() < message.len());
            let expected = (field != "X").then(|| all.hashes());
            assert_eq!(buffer.body_hashes(), expected, "{field}, {budget_octets}");
        }
    }
}
