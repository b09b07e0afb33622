//! The rules of each stage, in their order of precedence.

mod authentication;
mod connection;
mod geography;
mod message;
mod outbound;
mod recipient;
mod reputation;
mod sender;
mod table;

use types::PolicyRef;
use types::evidence::Need;
use types::policy::PolicyOption;
use types::{CheckName, Decision, Detail, Direction, Observed, PolicyType, Reason, Stage};

use crate::decide::Case;

pub(crate) use authentication::*;
pub(crate) use connection::*;
pub(crate) use geography::*;
pub(crate) use message::*;
pub(crate) use outbound::*;
pub(crate) use recipient::*;
pub(crate) use reputation::*;
pub(crate) use sender::*;
use table::*;
pub use table::{Rule, Unknown};

/// What a rule says to a case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RuleAnswer {
    /// The rule has nothing against it; Postfix says *dunno*.
    NotMine,
    /// The rule decides.
    Decides(Decision),
    /// The rule might, but lacks this.
    Needs(Need),
}

/// How a rule is asked.
pub(crate) type Ask = fn(&mut Case<'_>) -> RuleAnswer;

/// The rules of a stage.
///
/// Their order is the order of precedence, and cheap comes before dear: an
/// unknown recipient is refused even if the sender is permitted, because
/// accepting it would make the gateway send bounces to forged senders;
/// greylisting comes last, because looking enters the attempt into the table
/// of triplets, which a mail refused for another reason should not do.
pub fn rules(stage: Stage, direction: Direction) -> &'static [Rule] {
    match direction {
        Direction::Inbound => of_inbound(stage),
        Direction::Outbound => of_outbound(stage),
    }
}

/// The rules for mail of our own servers: who may send at all, and what keeps
/// the queue whole. Nobody asks our own people to come back, and whether their
/// recipients exist is known to those who have them.
fn of_outbound(stage: Stage) -> &'static [Rule] {
    match stage {
        Stage::Connect | Stage::Helo | Stage::Content => of_inbound(stage),
        Stage::Mail => &[UNAVAILABLE, DECLARED_SIZE_FOR_ANYBODY],
        Stage::Rcpt => &[UNAVAILABLE, OUTBOUND_RELAY_CONTROL, SUBMITTER_RATE, DECLARED_SIZE],
        Stage::Data => &[UNAVAILABLE, LINE_ENDINGS, LINE_LENGTH, RECEIVED_SIZE, HOPS],
        Stage::Deliver => &[],
    }
}

fn of_inbound(stage: Stage) -> &'static [Rule] {
    match stage {
        Stage::Connect => &[UNAVAILABLE, PROXY_HEADER, CONNECTIONS, CONNECTION_RATE, EARLY_TALK],
        Stage::Helo | Stage::Content => &[UNAVAILABLE],
        Stage::Mail => &[UNAVAILABLE, DECLARED_SIZE_FOR_ANYBODY, SECURE_RECEIPT],
        Stage::Rcpt => &[
            UNAVAILABLE,
            RELAY_CONTROL,
            DECLARED_SIZE,
            SECURE_RECEIPT,
            HARVEST,
            RECIPIENT_VALIDATION,
            INTERNATIONALIZED,
            NULL_MX,
            SPF_KNOWN,
            SPOOFED_ENVELOPE,
            GEOGRAPHY,
            BLOCKED_BY_ADMINISTRATOR,
            BLOCKED_BY_RECIPIENT,
            SPF_ACTION,
            BLOCK_LISTS,
            LOCAL_REPUTATION,
            RECIPIENT_RATE,
            GREYLISTING,
        ],
        Stage::Data => &[
            UNAVAILABLE,
            LINE_ENDINGS,
            LINE_LENGTH,
            RECEIVED_SIZE,
            HOPS,
            SIGNATURES_KNOWN,
            BLOCKED_BY_ADMINISTRATOR,
            BLOCKED_BY_RECIPIENT,
            SPOOFED,
            DKIM_ACTION,
            DMARC_ACTION,
        ],
        Stage::Deliver => &[],
    }
}

/// Something of ours is missing: whatever it is about, nothing is accepted
/// and nothing refused for good.
fn unavailable(case: &mut Case<'_>) -> RuleAnswer {
    let findings = case.evidence.findings().iter();
    // A part that came back since has a later finding of the same check.
    let missing = findings.rev().find_map(|finding| match &finding.observed {
        Observed::Unavailable(what)
            if case.evidence.latest(finding.check) == Some(&finding.observed) =>
        {
            Some((finding.check, *what))
        }
        _ => None,
    });
    match missing {
        Some((check, what)) => RuleAnswer::Decides(Decision::new(unavailable_reason(what), check)),
        None => RuleAnswer::NotMine,
    }
}

fn unavailable_reason(what: types::finding::Unavailable) -> Reason {
    use types::finding::Unavailable;
    match what {
        Unavailable::Disk => Reason::SystemStorageFull,
        Unavailable::Stopping => Reason::SystemStopping,
        Unavailable::Store | Unavailable::Memory | Unavailable::Engine => Reason::SystemUnavailable,
    }
}

/// The size limit for the parties of a case, in octets, and what sets it:
/// a policy can lower what the settings say, never raise it.
pub(crate) fn size_limit(case: &mut Case<'_>) -> (u64, PolicyRef) {
    let base = case.set.base().size_max_octets;
    match case.policy(PolicyType::EmailSizeLimits).map(|found| found.compiled) {
        Some(compiled) => match compiled.policy.option {
            PolicyOption::EmailSizeLimits(limit) if limit < base => (limit, compiled.reference),
            _ => (base, PolicyRef::Base(PolicyType::EmailSizeLimits)),
        },
        None => (base, PolicyRef::Base(PolicyType::EmailSizeLimits)),
    }
}

/// Refuses a message over its limit.
fn over_size(observed: u64, (limit, by): (u64, PolicyRef)) -> RuleAnswer {
    if observed <= limit {
        return RuleAnswer::NotMine;
    }
    let decision = Decision::new(Reason::SizeExceeded, CheckName::Size);
    RuleAnswer::Decides(decision.by(by).with_detail(Detail::Limit { observed, limit }))
}
