//! An accepted message while it is ours: its envelope and where each of its
//! recipients stands. The content is kept apart, octet for octet.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{
    ClientFacts, EventId, ForwardPath, LifeLineId, MessageFacts, QueueId, ReversePath, SessionId,
    Subject, Timestamp,
};

/// One message that we said 250 to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its identifier; the Received field and `queue` commands show it.
    pub id: QueueId,
    /// When 250 became possible.
    pub arrived: Timestamp,
    /// Where failures are reported to.
    pub reverse_path: Arc<ReversePath>,
    /// Whether the envelope or header needs SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// Whether the client declared BODY=8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// The trace fields that go before the content, CRLF at each line end.
    pub trace: String,
    /// Octets of the content, without the trace fields.
    pub content_octets: u64,
    /// Parts of the content that nobody is given: fields that claim to be
    /// ours. In order, none touching another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The session it came in; of a bounce, that of the failed message.
    pub session: SessionId,
    /// The client it came from.
    pub client: Arc<ClientFacts>,
    /// What is known of its content.
    pub facts: Arc<MessageFacts>,
    /// Whether we wrote it ourselves (a bounce or a warning).
    pub notice: bool,
    /// Its recipients, in the order of RCPT.
    pub recipients: Vec<QueuedRecipient>,
}

/// A part of a content, from its first octet to before its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Where it begins.
    pub from: u64,
    /// Where what is behind it begins.
    pub to: u64,
}

/// One recipient of a queued message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// RCPT TO.
    pub path: ForwardPath,
    /// The attempt event that follow-ups refer to.
    pub event: EventId,
    /// Its life-line.
    pub life_line: LifeLineId,
    /// Where it stands.
    pub state: RecipientState,
}

/// Where a recipient of a queued message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientState {
    /// Waiting for a try at the next hop.
    Waiting {
        /// Tries made so far.
        attempts: u32,
        /// When the next is due.
        due: Timestamp,
        /// Whether the sender was told of the delay.
        warned: bool,
    },
    /// Kept back until somebody releases it.
    Held {
        /// Tries made before it was held.
        attempts: u32,
    },
    /// Gone: delivered, bounced or deleted.
    Done,
}

impl QueuedMessage {
    /// The subject of a follow-up event about the recipient `path`.
    pub fn subject(&self, path: &ForwardPath) -> Subject {
        Subject {
            client: Arc::clone(&self.client),
            reverse_path: Some(Arc::clone(&self.reverse_path)),
            recipient: Some(path.clone()),
            declared_size: None,
            message: Some(Arc::clone(&self.facts)),
        }
    }

    /// Octets that are given to a next hop, without the trace fields.
    pub fn octets_given(&self) -> u64 {
        let left_out = self.left_out.iter().map(|part| part.to.saturating_sub(part.from));
        self.content_octets.saturating_sub(left_out.sum())
    }

    /// What is given of `piece`, which stands at `at` in the content.
    pub fn given(&self, at: u64, piece: Bytes) -> Bytes {
        given(&self.left_out, at, piece)
    }

    /// Whether nothing is left to do for any recipient.
    pub fn is_done(&self) -> bool {
        self.recipients.iter().all(|r| r.state == RecipientState::Done)
    }

    /// When the next try is due, if any recipient waits.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.recipients
            .iter()
            .filter_map(|recipient| match recipient.state {
                RecipientState::Waiting { due, .. } => Some(due),
                RecipientState::Held { .. } | RecipientState::Done => None,
            })
            .min()
    }
}

/// What remains of `piece`, which stands at `at` in a content, without the
/// parts that are left out of it.
pub fn given(left_out: &[LeftOut], at: u64, piece: Bytes) -> Bytes {
    let end = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
    let mut touched = left_out.iter().filter(|part| part.from < end && part.to > at).peekable();
    if touched.peek().is_none() {
        return piece;
    }
    let within = |place: u64| {
        usize::try_from(place.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len())
    };
    let mut kept = Vec::with_capacity(piece.len());
    let mut from = 0;
    for part in touched {
        kept.extend_from_slice(piece.get(from..within(part.from)).unwrap_or_default());
        from = within(part.to);
    }
    kept.extend_from_slice(piece.get(from..).unwrap_or_default());
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_missing_however_the_content_is_cut_into_pieces() {
        let content = b"0123456789abcdef";
        let left_out = [LeftOut { from: 2, to: 5 }, LeftOut { from: 9, to: 10 }];
        for size in 1..=content.len() {
            let mut given_octets = Vec::new();
            for (number, piece) in content.chunks(size).enumerate() {
                let piece = Bytes::copy_from_slice(piece);
                let at = u64::try_from(number * size).unwrap();
                given_octets.extend_from_slice(&given(&left_out, at, piece));
            }
            assert_eq!(given_octets, b"015678abcdef", "pieces of {size}");
        }
    }
}
