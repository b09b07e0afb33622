//! What is sent, what comes of it, and why it may not be sent at all.

use types::{ForwardPath, ReversePath};

use super::{Capabilities, PeerReply};

/// One transaction to be made with a peer.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The sender.
    pub reverse_path: &'a ReversePath,
    /// The recipients, at least one.
    pub recipients: &'a [ForwardPath],
    /// Size of the content in octets, for SIZE and BDAT.
    pub size_octets: u64,
    /// Whether the content has octets above 127. To a peer without 8BITMIME
    /// it is sent all the same: converting would break signatures, bouncing
    /// would lose mail that every server in use takes.
    pub eight_bit: bool,
    /// Whether the message needs SMTPUTF8: it was received with it, or an
    /// address or header field goes beyond ASCII.
    pub smtputf8: bool,
}

impl Envelope<'_> {
    pub(super) fn needs_smtputf8(&self) -> bool {
        let beyond_ascii = |path: &ForwardPath| path.address().is_some_and(|a| !a.is_ascii());
        self.smtputf8
            || self.reverse_path.address().is_some_and(|a| !a.is_ascii())
            || self.recipients.iter().any(beyond_ascii)
    }

    pub(super) fn check(&self, peer: &Capabilities) -> Result<(), CannotSend> {
        if self.needs_smtputf8() && !peer.smtputf8 {
            return Err(CannotSend::NeedsSmtputf8);
        }
        if let Some(limit) = peer.size_max.filter(|&limit| self.size_octets > limit) {
            return Err(CannotSend::TooLarge { limit });
        }
        let count = u32::try_from(self.recipients.len()).unwrap_or(u32::MAX);
        if let Some(max) = peer.recipients_max.filter(|&max| count > max) {
            return Err(CannotSend::TooManyRecipients { max });
        }
        if self.recipients.is_empty() { Err(CannotSend::NoRecipients) } else { Ok(()) }
    }
}

/// Why a transaction was not even begun. The connection is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotSend {
    /// The message needs SMTPUTF8 and the peer does not offer it
    /// (RFC 6531 section 3.2): 5.6.7.
    #[error("the message needs SMTPUTF8, which the peer does not offer")]
    NeedsSmtputf8,
    /// The peer takes no message of this size: 5.3.4.
    #[error("the message is larger than the {limit} octets the peer takes")]
    TooLarge {
        /// The peer's limit, octets.
        limit: u64,
    },
    /// The peer takes fewer recipients at a time: split the message.
    #[error("the peer takes no more than {max} recipients at a time")]
    TooManyRecipients {
        /// The peer's limit.
        max: u32,
    },
    /// There is nobody to send to.
    #[error("the message has no recipients")]
    NoRecipients,
    /// The session is not ready: not greeted, busy, or over.
    #[error("the session is not ready for a transaction")]
    NotReady,
}

/// What a peer said in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Its reply to MAIL.
    pub mail: PeerReply,
    /// Its replies to RCPT, in the order of the envelope; empty if it refused
    /// MAIL.
    pub recipients: Vec<PeerReply>,
    /// Its last word on the content: the reply after the final dot or chunk,
    /// or to DATA if it refused that. Nothing if no content was offered.
    pub content: Option<PeerReply>,
}

impl DeliveryReport {
    /// The reply that decided over the recipient at this place of the
    /// envelope.
    pub fn decisive(&self, recipient: usize) -> &PeerReply {
        let refused = |reply: &&PeerReply| !reply.is_positive();
        match self.recipients.get(recipient) {
            _ if !self.mail.is_positive() => &self.mail,
            Some(reply) if refused(&reply) => reply,
            Some(reply) => self.content.as_ref().unwrap_or(reply),
            None => &self.mail,
        }
    }
}
