//! What policy decides. A verdict is a plain value: it is not an error, and
//! the question mark never carries it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::evidence::Need;
use crate::finding::CheckName;
use crate::policy::PolicyRef;
use crate::reason::{Reason, ReasonKind};
use crate::reply::{EnhancedCode, Quoted, Reply, ReplyParameters};

/// The decision on a connection, a recipient or a message.
#[must_use = "a verdict that is dropped was never enforced"]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing speaks against going on.
    Proceed,
    /// Not now.
    Defer(Decision),
    /// Take it over, but keep it back.
    Hold(Decision),
    /// No.
    Reject(Decision),
}

impl Verdict {
    /// A decision as a verdict: the kind of its reason says which.
    pub fn of(decision: Decision) -> Self {
        match decision.reason.kind() {
            ReasonKind::Acceptance => Verdict::Proceed,
            ReasonKind::Hold => Verdict::Hold(decision),
            ReasonKind::Deferral => Verdict::Defer(decision),
            ReasonKind::Rejection => Verdict::Reject(decision),
        }
    }

    /// The decision, unless the verdict is to go on.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Verdict::Proceed => None,
            Verdict::Defer(decision) | Verdict::Hold(decision) | Verdict::Reject(decision) => {
                Some(decision)
            }
        }
    }
}

/// Who decided, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Decision {
    /// The reason code.
    pub reason: Reason,
    /// The check whose finding decided.
    pub check: CheckName,
    /// The policy that decided, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRef>,
    /// What would have decided had this one not, as far as was known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Reason>,
    /// The check behind `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_check: Option<CheckName>,
    /// The policy behind `next`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_policy: Option<PolicyRef>,
    /// What would have had to be looked up to know `next`: the first check
    /// behind this one that was not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_lacks: Option<Need>,
    /// What the reply and the sentence need beyond the reason.
    #[serde(default, skip_serializing_if = "Detail::is_none")]
    pub detail: Detail,
}

impl Decision {
    /// A decision with no policy, successor or detail.
    pub fn new(reason: Reason, check: CheckName) -> Self {
        Decision {
            reason,
            check,
            policy: None,
            next: None,
            next_check: None,
            next_policy: None,
            next_lacks: None,
            detail: Detail::None,
        }
    }

    /// The same decision with what the reply needs.
    #[must_use]
    pub fn with_detail(self, detail: Detail) -> Self {
        Decision { detail, ..self }
    }

    /// The same decision, made by `policy`.
    #[must_use]
    pub fn by(self, policy: PolicyRef) -> Self {
        Decision { policy: Some(policy), ..self }
    }

    /// The reply to send; `parameters` give reference and address, the
    /// detail gives the rest.
    pub fn reply(&self, parameters: ReplyParameters<'_>) -> Option<Reply> {
        let parameters = match &self.detail {
            Detail::RetryIn { seconds } => {
                ReplyParameters { retry_in_s: Some(*seconds), ..parameters }
            }
            Detail::Quoted(quoted) => ReplyParameters { quoted: Some(quoted), ..parameters },
            Detail::None
            | Detail::Limit { .. }
            | Detail::Scores { .. }
            | Detail::Note(_)
            | Detail::Code(_) => parameters,
        };
        let reply = self.reason.reply(&parameters)?;
        Some(match self.detail {
            Detail::Code(code) => Reply { enhanced: Some(code), ..reply },
            _ => reply,
        })
    }
}

/// Typed parameters of a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// None are needed.
    #[default]
    None,
    /// A retry passes after this many seconds.
    RetryIn {
        /// Whole seconds, rounded up, so that a client that waits exactly
        /// this long is not too early.
        seconds: u64,
    },
    /// A limit was passed.
    Limit {
        /// What was counted or measured.
        observed: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// The scores of reputation from which on something followed when it was
    /// decided; 0 for never.
    Scores {
        /// Mail is put off from this score on.
        defer: u8,
        /// It is refused from this score on, if the client has it by its own
        /// marks alone.
        reject: u8,
    },
    /// Somebody else's words, which the reply repeats.
    Quoted(Quoted),
    /// An enhanced code more fitting than that of the reason.
    Code(EnhancedCode),
    /// A private remark for administrators; never sent.
    Note(Arc<str>),
}

impl Detail {
    /// Whether there is nothing to say.
    pub fn is_none(&self) -> bool {
        matches!(self, Detail::None)
    }
}
