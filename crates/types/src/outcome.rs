//! What really happened to an attempt, and the only way to an attempt event.

use serde::{Deserialize, Serialize};

use crate::event::{Event, EventKind, Record, SCHEMA, Subject};
use crate::finding::CheckName;
use crate::id::{EventId, LifeLineId, NodeName, QueueId, SessionId};
use crate::reason::{Reason, ReasonKind};
use crate::time::Timestamp;
use crate::verdict::Decision;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// 250 was said and the message goes to the next hop.
    Accepted {
        /// The message it became.
        queue: QueueId,
        /// `accepted` or one of its kinds.
        reason: Reason,
    },
    /// The mail server that asked about the attempt was told to go on: it
    /// takes the message over itself, or refuses it for reasons of its own.
    Passed {
        /// `accepted.passed` or the kind of acceptance that let it pass.
        reason: Reason,
    },
    /// 250 was said and the message waits for somebody.
    Held {
        /// The message it became.
        queue: QueueId,
        /// Why it is kept back.
        decision: Decision,
    },
    /// The sender was asked to come back.
    Deferred(Decision),
    /// The sender was refused.
    Rejected(Decision),
    /// The attempt broke off: nobody decided, the session ended.
    Aborted(Reason),
}

/// The four names under which outcomes are counted, searched and coloured.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// Taken over, or passed to the server that asked.
    Accepted,
    /// Taken over and kept back.
    Held,
    /// Not now, or broken off.
    Deferred,
    /// No.
    Rejected,
}

impl OutcomeKind {
    /// Every kind.
    pub const ALL: [OutcomeKind; 4] =
        [OutcomeKind::Accepted, OutcomeKind::Held, OutcomeKind::Deferred, OutcomeKind::Rejected];

    /// The name in search, API and metrics.
    pub fn slug(self) -> &'static str {
        match self {
            OutcomeKind::Accepted => "accepted",
            OutcomeKind::Held => "held",
            OutcomeKind::Deferred => "deferred",
            OutcomeKind::Rejected => "rejected",
        }
    }
}

impl From<ReasonKind> for OutcomeKind {
    fn from(kind: ReasonKind) -> Self {
        match kind {
            ReasonKind::Acceptance => OutcomeKind::Accepted,
            ReasonKind::Hold => OutcomeKind::Held,
            ReasonKind::Deferral => OutcomeKind::Deferred,
            ReasonKind::Rejection => OutcomeKind::Rejected,
        }
    }
}

impl Outcome {
    /// The end of an attempt that was refused by `decision`: asked to come
    /// back or refused for good, as the kind of its reason and with it the
    /// class of its reply say. A decision that refuses nothing asks to come
    /// back, because no mail may be lost by it.
    pub fn refused(decision: Decision) -> Self {
        match decision.reason.kind() {
            ReasonKind::Rejection => Outcome::Rejected(decision),
            ReasonKind::Deferral | ReasonKind::Hold | ReasonKind::Acceptance => {
                Outcome::Deferred(decision)
            }
        }
    }

    /// The end of an attempt that nobody judged: it broke off, unless the
    /// protocol refuses for good what the client did.
    pub fn unjudged(reason: Reason) -> Self {
        let check = match reason {
            Reason::ClientEarlyTalker => CheckName::EarlyTalk,
            _ => CheckName::Protocol,
        };
        match reason.kind() {
            ReasonKind::Rejection => Outcome::refused(Decision::new(reason, check)),
            ReasonKind::Deferral | ReasonKind::Hold | ReasonKind::Acceptance => {
                Outcome::Aborted(reason)
            }
        }
    }

    /// The reason of this end.
    pub fn reason(&self) -> Reason {
        match self {
            Outcome::Accepted { reason, .. }
            | Outcome::Passed { reason }
            | Outcome::Aborted(reason) => *reason,
            Outcome::Held { decision, .. }
            | Outcome::Deferred(decision)
            | Outcome::Rejected(decision) => decision.reason,
        }
    }

    /// Under which of the four names this end is counted.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Outcome::Accepted { .. } | Outcome::Passed { .. } => OutcomeKind::Accepted,
            Outcome::Held { .. } => OutcomeKind::Held,
            Outcome::Deferred(_) | Outcome::Aborted(_) => OutcomeKind::Deferred,
            Outcome::Rejected(_) => OutcomeKind::Rejected,
        }
    }

    /// The decision, where somebody decided.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Outcome::Accepted { .. } | Outcome::Passed { .. } | Outcome::Aborted(_) => None,
            Outcome::Held { decision, .. }
            | Outcome::Deferred(decision)
            | Outcome::Rejected(decision) => Some(decision),
        }
    }
}

/// One recipient of one transaction, or a connection that has not reached
/// RCPT, until it ends.
///
/// Neither `Clone` nor `Default`, and [`Attempt::finish`] takes it by value:
/// an attempt can end only once, and only so does an attempt event come to be.
#[must_use = "an attempt that is dropped leaves no event behind"]
#[derive(Debug)]
pub struct Attempt {
    id: EventId,
    started: Timestamp,
}

impl Attempt {
    /// Opens an attempt.
    pub fn open(id: EventId, started: Timestamp) -> Self {
        Attempt { id, started }
    }

    /// The identifier its event will have, which replies quote.
    pub fn id(&self) -> EventId {
        self.id
    }

    /// When it was opened.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The same attempt counted from `started`: what was a connection has
    /// named its first recipient.
    pub fn restarted(self, started: Timestamp) -> Self {
        Attempt { started, ..self }
    }

    /// Ends the attempt.
    pub fn finish(self, outcome: Outcome, ending: Ending) -> Event {
        Event {
            schema: SCHEMA,
            id: self.id,
            at: ending.at,
            started: self.started,
            node: ending.node,
            session: ending.session,
            life_line: ending.life_line,
            subject: ending.subject,
            kind: EventKind::Attempt(outcome),
            record: ending.record,
        }
    }
}

/// All that an attempt event holds besides its outcome.
#[derive(Debug)]
pub struct Ending {
    /// When it ended.
    pub at: Timestamp,
    /// The machine that wrote it.
    pub node: NodeName,
    /// The session it was part of.
    pub session: SessionId,
    /// The life-line it belongs to.
    pub life_line: LifeLineId,
    /// Who sent what to whom.
    pub subject: Subject,
    /// How it came to its end.
    pub record: Record,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::ReplyParameters;

    /// Clients act on the class of the reply, people on the outcome: neither
    /// may say another thing than the other.
    #[test]
    fn outcomes_follow_the_class_of_the_reply_for_every_reason() {
        for &reason in Reason::ALL {
            let Some(reply) = reason.reply(&ReplyParameters::default()) else { continue };
            let expected = match reply.code / 100 {
                4 => OutcomeKind::Deferred,
                5 => OutcomeKind::Rejected,
                other => panic!("{reason} answers {other}xx"),
            };
            let decision = || Decision::new(reason, CheckName::Protocol);
            assert_eq!(Outcome::refused(decision()).kind(), expected, "{reason}");
            assert_eq!(Outcome::unjudged(reason).kind(), expected, "{reason} without a verdict");
            assert_eq!(OutcomeKind::from(reason.kind()), expected, "{reason} by its kind");
            let verdict = crate::Verdict::of(decision());
            let refuses = matches!(verdict, crate::Verdict::Reject(_));
            assert_eq!(refuses, expected == OutcomeKind::Rejected, "{reason}: {verdict:?}");
        }
    }

    /// What an older version counted as a deferral stays one.
    #[test]
    fn ends_written_before_are_read_as_they_are() {
        for text in [
            r#"{"deferred":{"reason":"client.early_talker","check":"early_talk"}}"#,
            r#"{"aborted":"client.early_talker"}"#,
        ] {
            let outcome: Outcome = serde_json::from_str(text).unwrap();
            assert_eq!(outcome.kind(), OutcomeKind::Deferred, "{text}");
            assert_eq!(serde_json::to_string(&outcome).unwrap(), text);
        }
    }
}
