//! What came of handing one recipient to its next hop.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use types::event::RelayAnswer;
use types::{EnhancedCode, Micros, Quoted, RelayAttempt, Timestamp, TlsPolicy};

/// What came of one recipient's turn.
#[derive(Clone, Debug)]
pub(crate) enum Came {
    /// The next hop was asked to take it.
    Tried(Try),
    /// The next hop is left alone until then, for this reason: no attempt.
    PutOff { until: Timestamp, host: Arc<str>, why: Why },
}

/// Why a next hop is not asked, in words.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// It took no connection, or has enough to do.
    Unable(Arc<str>),
    /// A policy of the domain forbids it, as [`Answer::Forbidden`].
    Forbidden(Arc<str>),
}

impl Why {
    /// Why it is left alone after this answer.
    pub(crate) fn after(answer: &Answer, words: &str) -> Self {
        match answer {
            Answer::Forbidden(_) => Why::Forbidden(words.into()),
            _ => Why::Unable(words.into()),
        }
    }

    /// What that is to a recipient.
    pub(crate) fn into_answer(self) -> Answer {
        match self {
            Why::Unable(words) => Answer::Silent(words.to_string()),
            Why::Forbidden(words) => Answer::Forbidden(words.to_string()),
        }
    }
}

impl Default for Why {
    fn default() -> Self {
        Why::Unable(Arc::default())
    }
}

/// One try at a next hop.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub(crate) at: Reached,
    pub(crate) answer: Answer,
    pub(crate) took: Duration,
}

/// How far a connection got.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    /// Host and port; the name of the next hop where no host was found.
    pub(crate) host: Arc<str>,
    /// The address connected to.
    pub(crate) ip: Option<IpAddr>,
    /// How the connection is protected, or why it is not.
    pub(crate) tls: Option<Arc<str>>,
    /// What decided how it had to be protected, once that was known.
    pub(crate) policy: Option<TlsPolicy>,
}

/// What the next hop answered, or what kept it from answering.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// It took the message.
    Took(Quoted),
    /// It asks to come back (4xx).
    Later(Quoted),
    /// It refuses for good (5xx).
    Refused(Quoted),
    /// It could not be asked, or the connection was lost before it answered.
    Silent(String),
    /// It must not have the message as it is now: a policy of the recipient's
    /// domain forbids it. What is said of it may be told to the sender.
    Forbidden(String),
    /// It need not be asked: this can never work.
    Impossible(EnhancedCode, String),
}

/// Security features that are required are not there (RFC 3463 section 3.8).
pub(crate) const FORBIDDEN: EnhancedCode = EnhancedCode(4, 7, 4);

impl Answer {
    /// The status of a notice about it (RFC 3463): theirs, or that of the
    /// class with the least said.
    pub(crate) fn status(&self) -> EnhancedCode {
        match self {
            Answer::Took(quoted) => quoted.enhanced.unwrap_or(EnhancedCode(2, 0, 0)),
            Answer::Later(quoted) => quoted.enhanced.unwrap_or(EnhancedCode(4, 0, 0)),
            Answer::Refused(quoted) => quoted.enhanced.unwrap_or(EnhancedCode(5, 0, 0)),
            // No answer from host.
            Answer::Silent(_) => EnhancedCode(4, 4, 1),
            Answer::Forbidden(_) => FORBIDDEN,
            Answer::Impossible(status, _) => *status,
        }
    }
}

impl Try {
    /// The try as events record it, as number `number`.
    pub(crate) fn into_attempt(self, number: u32) -> RelayAttempt {
        let policy_refused = matches!(self.answer, Answer::Forbidden(_));
        let answer = match self.answer {
            Answer::Took(quoted) | Answer::Later(quoted) | Answer::Refused(quoted) => {
                RelayAnswer::Reply(quoted)
            }
            Answer::Silent(why) | Answer::Forbidden(why) => RelayAnswer::NoReply(why),
            Answer::Impossible(status, why) => RelayAnswer::NoReply(format!("{status} {why}")),
        };
        RelayAttempt {
            number,
            host: self.at.host,
            ip: self.at.ip,
            tls: self.at.tls,
            tls_policy: self.at.policy,
            policy_refused,
            answer,
            took: Micros::from(self.took),
        }
    }
}
