//! The books of one transaction with a peer: what it has said so far, and what
//! follows from that.

use super::{DeliveryReport, PeerReply, Step};

/// What is known of the transaction under way.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) content: Content,
    /// How many recipients there are.
    count: usize,
    mail: Option<PeerReply>,
    recipients: Vec<PeerReply>,
    last_word: Option<PeerReply>,
    /// The content was offered, so the peer has ended the transaction.
    pub(super) offered: bool,
}

/// How the content of a transaction goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Not at all: the transaction is a probe.
    None,
    Data,
    Chunk {
        octets: u64,
    },
}

impl Transaction {
    /// A transaction with `count` recipients, of which nothing is known yet.
    pub(super) fn new(content: Content, count: usize) -> Self {
        Transaction {
            content,
            count,
            mail: None,
            recipients: Vec::with_capacity(count),
            last_word: None,
            offered: false,
        }
    }

    pub(super) fn note(&mut self, step: Step, reply: PeerReply) {
        match step {
            Step::Mail => self.mail = Some(reply),
            Step::Rcpt => self.recipients.push(reply),
            Step::Data | Step::Content => self.last_word = Some(reply),
            _ => {}
        }
    }

    fn is_mail_accepted(&self) -> bool {
        self.mail.as_ref().is_some_and(PeerReply::is_positive)
    }

    /// Whether the peer has refused so much that `next` is pointless.
    pub(super) fn is_refused(&self, next: Option<Step>) -> bool {
        let answered = self.mail.is_some();
        let mail_refused = answered && !self.is_mail_accepted();
        mail_refused || (next == Some(Step::Data) && !self.has_recipients())
    }

    pub(super) fn has_recipients(&self) -> bool {
        self.is_mail_accepted() && self.recipients.iter().any(PeerReply::is_positive)
    }

    /// Whether the transaction is still open at the peer: it ends with the
    /// reply to its content, except that of a chunk that was refused
    /// (RFC 3030 section 2).
    pub(super) fn leaves_something(&self) -> bool {
        let taken = self.last_word.as_ref().is_some_and(PeerReply::is_positive);
        let ended = self.offered && (self.content == Content::Data || taken);
        self.is_mail_accepted() && !ended
    }

    /// Whether the peer said 354.
    pub(super) fn may_send(&self) -> bool {
        self.last_word.as_ref().is_some_and(|reply| reply.code == 354)
    }

    pub(super) fn into_report(mut self) -> Option<DeliveryReport> {
        let mail = self.mail?;
        if !mail.is_positive() {
            // What a peer says of recipients after refusing the sender is
            // about the sequence of commands, not about them.
            self.recipients.clear();
        }
        let offered = self.recipients.iter().any(PeerReply::is_positive);
        Some(DeliveryReport {
            mail,
            recipients: self.recipients,
            content: self.last_word.filter(|_| offered),
        })
    }

    /// The report of a transaction the peer ended with 421.
    pub(super) fn broken_off(mut self, reply: PeerReply) -> DeliveryReport {
        let mail = self.mail.take().unwrap_or_else(|| reply.clone());
        let missing = self.count.saturating_sub(self.recipients.len());
        if mail.is_positive() {
            self.recipients.extend(std::iter::repeat_n(reply.clone(), missing));
        }
        DeliveryReport { mail, recipients: self.recipients, content: Some(reply) }
    }
}
