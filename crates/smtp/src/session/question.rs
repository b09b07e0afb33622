//! What a session asks its caller, and what it can be told.

use std::sync::Arc;

use types::{ForwardPath, Reason, Reply, ReversePath};

use crate::command::{Malformed, Unfit};
use crate::content_reader::ContentFault;
use crate::credentials::Credentials;
use crate::parameters::MailParameters;
use crate::replies;

/// What the protocol cannot decide or, for a refusal that is remembered as an
/// event, cannot word, because its reply quotes the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A client connected: greet it? A refusal is sent in place of the
    /// greeting and the connection closed.
    Connect,
    /// EHLO or HELO with this name, as sent. A refusal is an attempt of its
    /// own, without recipient.
    Helo {
        /// The argument.
        name: Arc<str>,
        /// Whether it was EHLO.
        esmtp: bool,
    },
    /// MAIL. A declared size over the limit is the caller's to refuse. A
    /// refusal is an attempt of its own, without recipient.
    Mail(MailQuestion),
    /// RCPT, within the number of recipients allowed: an attempt, which ends
    /// here if it is refused, else with its transaction.
    Rcpt(ForwardPath),
    /// AUTH with a name and a password: is it right? No attempt of its own; a
    /// refusal that closes the connection ends it for
    /// [`Reason::SubmissionFailed`], which an
    /// [`Output::Ended`](super::Output::Ended) tells.
    Authenticate(Credentials),
    /// The content is complete. [`Answer::Proceed`] says that it is durable;
    /// either way the attempts of all accepted recipients end here.
    EndOfData {
        /// Its size.
        octets: u64,
    },
    /// MAIL with a malformed address: refuse it
    /// ([`Reason::SenderMalformed`]). An attempt of its own, without
    /// recipient.
    MalformedSender(Malformed),
    /// RCPT with a malformed address: refuse it
    /// ([`Reason::RecipientMalformed`]). An attempt of its own.
    MalformedRecipient(Malformed),
    /// MAIL with a well-formed address that is refused for what stands beside
    /// it: refuse it with [`Question::own_reply`]. An attempt of its own,
    /// without recipient.
    UnfitSender(ReversePath, Unfit),
    /// RCPT with such an address: refuse it with [`Question::own_reply`]. An
    /// attempt of its own.
    UnfitRecipient(ForwardPath, Unfit),
    /// RCPT beyond the number allowed: refuse it
    /// ([`Reason::RecipientsLimited`]). An attempt of its own.
    TooManyRecipients(ForwardPath),
    /// The content is at fault: refuse the message, which ends the attempts of
    /// all accepted recipients.
    RefuseMessage {
        /// What is wrong.
        fault: ContentFault,
        /// Its size as far as it was read.
        octets: u64,
        /// Whether the connection is closed after the reply.
        closes: bool,
    },
    /// The connection is ended by us, now: word the farewell, which also ends
    /// the attempts named.
    EndConnection(End),
}

impl Question {
    /// The reason for which the protocol refuses; nothing where the caller
    /// decides.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Question::MalformedSender(_) | Question::UnfitSender(..) => {
                Some(Reason::SenderMalformed)
            }
            Question::MalformedRecipient(_) | Question::UnfitRecipient(..) => {
                Some(Reason::RecipientMalformed)
            }
            Question::TooManyRecipients(_) => Some(Reason::RecipientsLimited),
            Question::RefuseMessage { fault, .. } => Some(fault.reason()),
            Question::EndConnection(end) => Some(end.reason),
            Question::Connect
            | Question::Helo { .. }
            | Question::Mail(_)
            | Question::Rcpt(_)
            | Question::Authenticate(_)
            | Question::EndOfData { .. } => None,
        }
    }

    /// The protocol's own reply, where a refusal has a code that says more
    /// than its reason does; the caller adds the reference.
    pub fn own_reply(&self) -> Option<Reply> {
        Some(match self {
            Question::UnfitSender(_, Unfit::NeedsSmtputf8) => replies::SENDER_NEEDS_SMTPUTF8,
            Question::UnfitRecipient(_, Unfit::NeedsSmtputf8) => replies::RECIPIENT_NEEDS_SMTPUTF8,
            Question::UnfitSender(_, unfit) | Question::UnfitRecipient(_, unfit) => match unfit {
                Unfit::ParameterUnknown => replies::UNKNOWN_PARAMETER,
                Unfit::ParameterValue | Unfit::NeedsSmtputf8 => replies::BAD_PARAMETER,
            },
            Question::EndConnection(End { other_protocol: true, .. }) => replies::OTHER_PROTOCOL,
            _ => return None,
        })
    }
}

impl ContentFault {
    /// The reason a message with this fault is refused for.
    pub fn reason(self) -> Reason {
        match self {
            ContentFault::BareCr | ContentFault::BareLf => Reason::ProtocolSmuggling,
            ContentFault::LineTooLong => Reason::ProtocolLineTooLong,
            ContentFault::TooLarge => Reason::SizeExceeded,
        }
    }
}

/// What MAIL said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailQuestion {
    /// The sender.
    pub reverse_path: ReversePath,
    /// Declared size, body and SMTPUTF8.
    pub parameters: MailParameters,
}

/// What the caller decided.
///
/// An answer ends what its question says and nothing else: if it closes the
/// connection while other recipients are open, their
/// [`Output::Ended`](super::Output::Ended) follows. Where the protocol refuses ([`Question::reason`]) an answer that agrees is
/// taken as a refusal without words; only a client that talked before its
/// greeting can be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, with the protocol's own reply.
    Proceed,
    /// Yes, with this reply (its code is positive).
    ProceedWith(Reply),
    /// No, with this reply; a 421 closes the connection too, as
    /// RFC 5321 section 3.8 says it does, unless an address is refused.
    Refuse(Reply),
    /// No, with this reply, after which the connection is closed.
    RefuseAndClose(Reply),
    /// Close the connection without a word.
    Close,
}

/// How something ended without a decision, and whom it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub reason: Reason,
    /// Which attempts end with it.
    pub ends: Ends,
    /// Whether the client speaks another protocol, for which the protocol has
    /// a reply of its own ([`crate::replies::OTHER_PROTOCOL`]).
    pub other_protocol: bool,
}

/// Which attempts an [`End`] concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Those of all recipients accepted in the transaction, and the one asked
    /// about, if a question about it was open.
    Recipients,
    /// That of the connection itself, which has no other: one event without
    /// recipient.
    Connection,
    /// None: what was open had no attempt, or all have their end already. An
    /// open transaction is over all the same.
    Nothing,
}
