//! What is remembered. What is not in an event cannot be shown, searched or
//! replayed later, so everything a decision used is in it.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::{ForwardPath, ReversePath};
use crate::client::ClientFacts;
use crate::evidence::{Consulted, Evidence};
use crate::finding::Finding;
use crate::id::{EventId, LifeLineId, NodeName, QueueId, Reference, SessionId};
use crate::message::MessageFacts;
use crate::outcome::{Outcome, OutcomeKind};
use crate::reason::Reason;
use crate::reply::{Quoted, Reply};
use crate::stage::Stage;
use crate::time::{Micros, Timestamp};
use crate::transport::TlsPolicy;
use crate::verdict::Decision;

/// The number of the event format; raised when a reader of the old one could
/// misread the new one.
pub const SCHEMA: u16 = 1;

/// The stored record of an attempt, or of something that happened later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Event {
    /// The format, [`SCHEMA`] when written now.
    pub schema: u16,
    /// Identifies the event; for an attempt, replies quote its reference.
    pub id: EventId,
    /// When it happened; for an attempt, when it ended.
    pub at: Timestamp,
    /// For an attempt, when it began; else the same as `at`.
    pub started: Timestamp,
    /// The machine that wrote it.
    pub node: NodeName,
    /// The session it was part of; of a follow-up, the session of the
    /// attempt it follows.
    pub session: SessionId,
    /// Joins all that happened to what is one message to one person.
    pub life_line: LifeLineId,
    /// Who sent what to whom.
    pub subject: Subject,
    /// What happened.
    pub kind: EventKind,
    /// How it came to that; empty for a follow-up.
    #[serde(default, skip_serializing_if = "Record::is_empty")]
    pub record: Record,
}

impl Event {
    /// The reference replies quote and people read out.
    pub fn reference(&self) -> Reference {
        self.id.reference()
    }

    /// The outcome, if this is an attempt event.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.kind {
            EventKind::Attempt(outcome) => Some(outcome),
            EventKind::FollowUp { .. } => None,
        }
    }

    /// The follow-up, if this is one.
    pub fn follow_up(&self) -> Option<&FollowUp> {
        match &self.kind {
            EventKind::Attempt(_) => None,
            EventKind::FollowUp { what, .. } => Some(what),
        }
    }

    /// Under which reason the event is filed, if it has one.
    pub fn reason(&self) -> Option<Reason> {
        match &self.kind {
            EventKind::Attempt(outcome) => Some(outcome.reason()),
            EventKind::FollowUp { what, .. } => what.reason(),
        }
    }

    /// In which of the four queues the event is shown: an attempt by its
    /// outcome, a follow-up only where it refuses (*Sender Failed to Retry*,
    /// a bounce).
    pub fn outcome_kind(&self) -> Option<OutcomeKind> {
        match &self.kind {
            EventKind::Attempt(outcome) => Some(outcome.kind()),
            EventKind::FollowUp { what, .. } => what.reason().map(|r| r.kind().into()),
        }
    }
}

/// Who sent what to whom, as far as it was known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Subject {
    /// The client.
    pub client: Arc<ClientFacts>,
    /// MAIL FROM, once it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_path: Option<Arc<ReversePath>>,
    /// RCPT TO; nothing for a connection that never reached it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<ForwardPath>,
    /// The SIZE parameter of MAIL, octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_size: Option<u64>,
    /// The message, once its data was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Arc<MessageFacts>>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A delivery attempt ended.
    Attempt(Outcome),
    /// Something happened to it later: by the clock, by delivery, by a person.
    FollowUp {
        /// The attempt event it follows.
        of: EventId,
        /// What happened.
        what: FollowUp,
    },
}

/// What can happen to an attempt after it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FollowUp {
    /// No retry came inside the window: *Sender Failed to Retry*.
    GreylistExpired {
        /// Attempts that were made.
        attempts: u32,
    },
    /// The next hop took the message.
    Delivered(RelayAttempt),
    /// The next hop did not take it this time.
    DeliveryDeferred {
        /// The attempt.
        attempt: RelayAttempt,
        /// When it is tried again.
        next: Timestamp,
    },
    /// The next hop refused it for good.
    DeliveryRejected(RelayAttempt),
    /// The next hop did not take it in all the time allowed.
    DeliveryExpired(RelayAttempt),
    /// The sender was told that it takes longer.
    DelayWarned,
    /// The sender was told that it failed.
    Bounced {
        /// The message that tells it.
        notice: QueueId,
    },
    /// A try to hand over the notice that tells the sender: a message of its
    /// own, from which nothing follows for the one it is about.
    Notice {
        /// What came of the try.
        step: DeliveryStep,
        /// The try.
        attempt: RelayAttempt,
    },
    /// A bounce was due and not sent.
    BounceSuppressed {
        /// Why: null reverse-path, or too many of them.
        why: BounceSuppression,
    },
    /// Somebody acted on the queue.
    Queue {
        /// What was done.
        action: QueueAction,
        /// Who did it.
        by: String,
        /// Why, in their words; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
        /// Whether what they acted on is the notice about the message.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        of_notice: bool,
    },
}

impl FollowUp {
    /// Under which reason it is filed; nothing for what is no end.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            FollowUp::GreylistExpired { .. } => Some(Reason::GreylistExpired),
            FollowUp::DeliveryRejected(_) => Some(Reason::DeliveryRejected),
            FollowUp::DeliveryExpired(_) => Some(Reason::DeliveryExpired),
            FollowUp::Delivered(_)
            | FollowUp::DeliveryDeferred { .. }
            | FollowUp::DelayWarned
            | FollowUp::Bounced { .. }
            | FollowUp::Notice { .. }
            | FollowUp::BounceSuppressed { .. }
            | FollowUp::Queue { .. } => None,
        }
    }

    /// The state it puts the life-line into, as `is:` searches it; nothing for
    /// what befell only the notice about it.
    pub fn state(&self) -> Option<&'static str> {
        Some(match self {
            FollowUp::GreylistExpired { .. } => "expired",
            FollowUp::Delivered(_) => "delivered",
            FollowUp::DeliveryDeferred { .. } | FollowUp::DelayWarned => "queued",
            FollowUp::DeliveryRejected(_)
            | FollowUp::DeliveryExpired(_)
            | FollowUp::Bounced { .. }
            | FollowUp::BounceSuppressed { .. } => "bounced",
            FollowUp::Notice { .. } | FollowUp::Queue { of_notice: true, .. } => return None,
            FollowUp::Queue { action, .. } => action.state(),
        })
    }

    /// Whether it befell the notice about the message, and not the message.
    pub fn is_of_notice(&self) -> bool {
        matches!(self, FollowUp::Notice { .. } | FollowUp::Queue { of_notice: true, .. })
    }

    /// The try at a next hop that it was, and what came of it, whether of the
    /// message or of the notice about it.
    pub fn delivery(&self) -> Option<(DeliveryStep, &RelayAttempt)> {
        match self {
            FollowUp::Delivered(attempt) => Some((DeliveryStep::Delivered, attempt)),
            FollowUp::DeliveryDeferred { attempt, .. } => Some((DeliveryStep::Deferred, attempt)),
            FollowUp::DeliveryRejected(attempt) => Some((DeliveryStep::Rejected, attempt)),
            FollowUp::DeliveryExpired(attempt) => Some((DeliveryStep::Expired, attempt)),
            FollowUp::Notice { step, attempt } => Some((*step, attempt)),
            FollowUp::GreylistExpired { .. }
            | FollowUp::DelayWarned
            | FollowUp::Bounced { .. }
            | FollowUp::BounceSuppressed { .. }
            | FollowUp::Queue { .. } => None,
        }
    }

    /// The same, of the notice about the message rather than of the message.
    #[must_use]
    pub fn of_notice(self) -> FollowUp {
        match self.delivery() {
            Some((step, attempt)) => FollowUp::Notice { step, attempt: attempt.clone() },
            None => self,
        }
    }
}

/// What came of one try to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStep {
    /// The next hop took it.
    Delivered,
    /// It did not this time.
    Deferred,
    /// It refused for good.
    Rejected,
    /// It did not in all the time allowed.
    Expired,
}

/// One try at the next hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RelayAttempt {
    /// Counted from one.
    pub number: u32,
    /// Host and port of the next hop.
    pub host: Arc<str>,
    /// The address connected to, once there was a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// TLS version on that connection, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Arc<str>>,
    /// What decided how the connection had to be protected, once that was
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_policy: Option<TlsPolicy>,
    /// Whether that kept the message from going; the answer says why.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub policy_refused: bool,
    /// What it answered, or what kept it from answering, in its own words.
    pub answer: RelayAnswer,
    /// How long the try took.
    pub took: Micros,
}

/// What came of one try at the next hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelayAnswer {
    /// Its reply, verbatim within the limits of a quotation.
    Reply(Quoted),
    /// There was no reply: name not found, connection refused, time-out.
    NoReply(String),
}

impl std::fmt::Display for RelayAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RelayAnswer::Reply(quoted) => quoted.fmt(f),
            RelayAnswer::NoReply(why) => f.write_str(why),
        }
    }
}

/// Why the sender was not told of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BounceSuppression {
    /// `<>`: a bounce is never answered by another (RFC 5321 section 6.1).
    NullReversePath,
    /// Too many in a short time: we would become a source of backscatter.
    RateLimited,
}

/// What a person can do to a queued message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueAction {
    /// Keep it back until released.
    Hold,
    /// End a hold.
    Release,
    /// Try now.
    Retry,
    /// Give it up, without telling the sender.
    Delete,
}

impl QueueAction {
    /// Every action.
    pub const ALL: [QueueAction; 4] =
        [QueueAction::Hold, QueueAction::Release, QueueAction::Retry, QueueAction::Delete];

    /// The name in API, addresses and command line.
    pub const fn slug(self) -> &'static str {
        match self {
            QueueAction::Hold => "hold",
            QueueAction::Release => "release",
            QueueAction::Retry => "retry",
            QueueAction::Delete => "delete",
        }
    }

    /// What people read on a button.
    pub const fn label(self) -> &'static str {
        match self {
            QueueAction::Hold => "Hold back",
            QueueAction::Release => "Release",
            QueueAction::Retry => "Try now",
            QueueAction::Delete => "Delete",
        }
    }

    fn state(self) -> &'static str {
        match self {
            QueueAction::Hold => "held",
            QueueAction::Release => "released",
            QueueAction::Retry => "queued",
            QueueAction::Delete => "deleted",
        }
    }
}

/// The verdict record: how an attempt came to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// The stage at which it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// What was found, in order.
    #[serde(default)]
    pub evidence: Evidence,
    /// Which policies were consulted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consulted: Vec<Consulted>,
    /// The version of the policy set that decided.
    #[serde(default)]
    pub policy_version: u64,
    /// The reply as sent; nothing where none could be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// What policies in observe mode would have decided, had they been on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<Decision>,
    /// From the first octet that belongs to the attempt to its end.
    #[serde(default)]
    pub took: Micros,
}

impl Record {
    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        *self == Record::default()
    }

    /// The findings, in order.
    pub fn findings(&self) -> &[Finding] {
        self.evidence.findings()
    }
}
