//! An accepted message while it is ours: its envelope and where each of its
//! recipients stands. The content is kept apart, octet for octet.

use std::sync::Arc;

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
