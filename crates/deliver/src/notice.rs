//! What a sender is told, as values. The text of a notice (RFC 3464) is
//! written by whoever implements [`NoticeWriter`]: this crate may not know
//! how a message is made.

use types::{EmailAddress, EnhancedCode, MessageFacts, QueueId, RelayAttempt, Timestamp};

use store::{QueuedMessage, QueuedRecipient};

/// Octets of the failed message that a notice can quote from at most.
pub const ORIGINAL_OCTETS_MAX: usize = 16 * 1024;

/// Which notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// We have given up.
    Failed,
    /// We are still trying.
    Delayed {
        /// Until when.
        retry_until: Timestamp,
    },
}

/// One notice about one message.
#[derive(Debug)]
pub struct Notice<'a> {
    /// The queue identifier of the notice itself.
    pub id: QueueId,
    /// Which notice.
    pub kind: NoticeKind,
    /// When it is written.
    pub at: Timestamp,
    /// Whom it goes to: the reverse-path of the message.
    pub to: &'a EmailAddress,
    /// The message it is about.
    pub message: &'a QueuedMessage,
    /// The beginning of that message with our trace fields, at most
    /// [`ORIGINAL_OCTETS_MAX`]; less if it could not be read.
    pub original: &'a [u8],
    /// The recipients it is about; at least one.
    pub recipients: Vec<NoticeRecipient<'a>>,
}

/// What became of one recipient.
#[derive(Debug)]
pub struct NoticeRecipient<'a> {
    /// Who.
    pub recipient: &'a QueuedRecipient,
    /// What is wrong, by class and detail (RFC 3463).
    pub status: EnhancedCode,
    /// The last try: host, reply, time it took.
    pub attempt: &'a RelayAttempt,
}

/// A written notice.
#[derive(Debug)]
pub struct NoticeText {
    /// The message, CRLF at each line end, nothing dot-stuffed.
    pub octets: Vec<u8>,
    /// What can be read from it.
    pub facts: MessageFacts,
}

/// Puts notices into words.
pub trait NoticeWriter: Send + Sync + 'static {
    /// Writes `notice` as a message.
    fn write(&self, notice: &Notice<'_>) -> NoticeText;
}
