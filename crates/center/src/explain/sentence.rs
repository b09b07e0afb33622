//! What happened, in sentences: the explanation of the reason, then what was
//! particular about this attempt.

use types::event::RelayAttempt;
use types::finding::TripletState;
use types::{
    CheckName, Detail, Event, EventKind, FollowUp, Loss, Observed, Outcome, PolicyRef, Reason,
};

use super::life_line;
use crate::presentable;

/// What happened, one to four sentences.
pub(super) fn sentence(event: &Event) -> String {
    let text = match &event.kind {
        EventKind::Attempt(outcome) => attempt(event, outcome),
        EventKind::FollowUp { what, .. } => follow_up(what),
    };
    presentable(&text).into_owned()
}

fn attempt(event: &Event, outcome: &Outcome) -> String {
    let mut sentences = vec![outcome.reason().explanation().to_owned()];
    sentences.extend(particular(event, outcome.reason()));
    if let Some(decision) = outcome.decision() {
        sentences.extend(detail(&decision.detail, outcome.reason()));
        sentences.extend(decision.policy.map(by_policy));
    }
    sentences.join(" ")
}

/// What the evidence adds to the explanation of a reason.
fn particular(event: &Event, reason: Reason) -> Option<String> {
    let evidence = &event.record.evidence;
    let subject = &event.subject;
    let from = || subject.reverse_path.as_ref().map(|path| path.to_string());
    let to = || subject.recipient.as_ref().map(|path| path.to_string());
    match reason {
        Reason::RecipientUnknown | Reason::RelayDenied | Reason::RecipientUnverifiable => {
            to().map(|to| format!("It is addressed to {to}."))
        }
        Reason::BlockedPolicyEnvelope
        | Reason::BlockedManualEnvelope
        | Reason::SpoofingEnvelope
        | Reason::AcceptedPermitted
        | Reason::AcceptedAutoAllowed => from().map(|from| format!("The sender is {from}.")),
        Reason::BlockedPolicyHeader | Reason::BlockedManualHeader | Reason::SpoofingHeader => {
            match evidence.latest(CheckName::HeaderFrom)? {
                Observed::HeaderFrom { addresses } if !addresses.is_empty() => {
                    Some(format!("The author is {}.", addresses.join(", ")))
                }
                _ => None,
            }
        }
        Reason::GreylistFirstSeen | Reason::GreylistTooEarly => {
            let Observed::Triplet(facts) = evidence.latest(CheckName::Greylist)? else {
                return None;
            };
            let waited = event.at.since(facts.first_seen).as_secs();
            Some(match facts.state {
                TripletState::TooEarly => format!(
                    "It is attempt {} from {}, {} after the first.",
                    facts.attempts,
                    facts.client,
                    life_line::span(waited)
                ),
                _ => format!("It came from {}.", facts.client),
            })
        }
        Reason::Accepted => match evidence.latest(CheckName::Greylist)? {
            Observed::Triplet(facts) if facts.state == TripletState::Passed => Some(format!(
                "The sender came back {} after its first attempt, as a real mail server does.",
                life_line::span(event.at.since(facts.first_seen).as_secs())
            )),
            _ => None,
        },
        _ => None,
    }
}

fn detail(detail: &Detail, reason: Reason) -> Option<String> {
    match detail {
        Detail::None => None,
        Detail::RetryIn { seconds } => {
            Some(format!("A retry passes after {} more.", life_line::span(*seconds)))
        }
        Detail::Limit { observed, limit } => {
            let unit = if reason == Reason::SizeExceeded { " octets" } else { "" };
            Some(format!("It was {observed}{unit}; the limit is {limit}{unit}."))
        }
        Detail::Quoted(quoted) => Some(format!("The answer was: {quoted}")),
        Detail::Note(note) => Some(format!("Note: {note}.")),
    }
}

fn by_policy(policy: PolicyRef) -> String {
    match policy {
        PolicyRef::Policy { .. } | PolicyRef::ManagedSender { .. } => {
            format!("Decided by {policy}.")
        }
        PolicyRef::Base(kind) => {
            format!("Decided by what the settings say about {}.", kind.title())
        }
    }
}

fn follow_up(what: &FollowUp) -> String {
    match what {
        FollowUp::GreylistExpired { attempts } => {
            format!("{} Attempts made: {attempts}.", Reason::GreylistExpired.explanation())
        }
        FollowUp::Delivered(relay) => format!("The next hop took the message. {}", try_of(relay)),
        FollowUp::DeliveryDeferred { attempt, next } => format!(
            "The next hop did not take the message this time. {} It is tried again at {next}.",
            try_of(attempt)
        ),
        FollowUp::DeliveryRejected(relay) => {
            format!("{} {}", Reason::DeliveryRejected.explanation(), try_of(relay))
        }
        FollowUp::DeliveryExpired(relay) => {
            format!("{} {}", Reason::DeliveryExpired.explanation(), try_of(relay))
        }
        other => life_line::follow_up_text(other),
    }
}

fn try_of(relay: &RelayAttempt) -> String {
    let at = relay.ip.map_or(String::new(), |ip| format!(" [{ip}]"));
    let tls =
        relay.tls.as_deref().map_or("without TLS".to_owned(), |version| format!("over {version}"));
    format!("Try {} at {}{at}, {tls}: {}", relay.number, relay.host, relay.answer)
}

/// Why a matching policy did not apply.
pub(super) fn loss(loss: Loss) -> &'static str {
    match loss {
        Loss::NoOverride => "another has the override flag",
        Loss::LessSpecificTo => "another names its recipients more precisely",
        Loss::LessSpecificFrom => "another names its senders more precisely",
        Loss::LessSpecificSource => "another names the source address or host",
        Loss::Newer => "another is older",
        Loss::BelowAdministrator => "an administrator's policy stands above a user's entry",
        Loss::BlockOnTie => "permit and block are equally specific, so block wins",
    }
}
