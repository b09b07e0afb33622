//! The information line of an event: the few words an administrator reads
//! in the list beside the label. Search, list and daily log share it, so it
//! is made in one place and holds nothing the event does not hold.

use std::time::Duration;

use crate::event::{BounceSuppression, Event, EventKind, FollowUp, QueueAction, RelayAnswer};
use crate::event::{RelayAttempt, Subject};
use crate::finding::{CheckName, Observed, TripletFacts, TripletState};
use crate::outcome::Outcome;
use crate::policy::PolicyRef;
use crate::reason::Reason;
use crate::reply::Quoted;
use crate::time::spoken;
use crate::verdict::{Decision, Detail};

/// One line that says what the label does not; empty where it says all.
///
/// It may quote the sender or the next hop, so it is hostile wherever it is shown.
pub fn information(event: &Event) -> String {
    match &event.kind {
        EventKind::Attempt(Outcome::Accepted { .. } | Outcome::Passed { .. }) => {
            of_acceptance(event)
        }
        EventKind::Attempt(Outcome::Aborted(reason)) => of_abort(*reason, &event.subject),
        EventKind::Attempt(
            Outcome::Held { decision, .. }
            | Outcome::Deferred(decision)
            | Outcome::Rejected(decision),
        ) => of_decision(decision),
        EventKind::FollowUp { what, .. } => of_follow_up(what),
    }
}

/// What administrators call the end of an attempt, with its parameters: the
/// label of the reason, in which `SMTP Code [description]` is filled in with
/// what the next hop answered. Nothing for a step that ends nothing.
///
/// It may quote the next hop, so it is hostile wherever it is shown.
pub fn label(event: &Event) -> Option<String> {
    let reason = event.reason()?;
    let Some(before) = reason.label().strip_suffix("SMTP Code [description]") else {
        return Some(reason.label().to_owned());
    };
    Some(match answered(event) {
        Some(Answered::Quoted(quoted)) => {
            let code = quoted.code.map_or("without a code".to_owned(), |code| code.to_string());
            format!("{before}SMTP Code {code} [{}]", shortened(quoted.text()))
        }
        Some(Answered::Nothing(why)) => format!("{before}No Answer [{}]", shortened(why)),
        None => format!("{before}SMTP Code"),
    })
}

/// Longest description in a label, in characters.
const DESCRIPTION_CHARS_MAX: usize = 60;

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(DESCRIPTION_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('\u{2026}');
    }
    short
}

/// What the next hop said to an attempt or to a delivery.
enum Answered<'a> {
    Quoted(&'a Quoted),
    Nothing(&'a str),
}

fn answered(event: &Event) -> Option<Answered<'_>> {
    match &event.kind {
        EventKind::Attempt(outcome) => match &outcome.decision()?.detail {
            Detail::Quoted(quoted) => Some(Answered::Quoted(quoted)),
            _ => None,
        },
        EventKind::FollowUp {
            what: FollowUp::DeliveryRejected(relay) | FollowUp::DeliveryExpired(relay),
            ..
        } => Some(match &relay.answer {
            RelayAnswer::Reply(quoted) => Answered::Quoted(quoted),
            RelayAnswer::NoReply(why) => Answered::Nothing(why),
        }),
        EventKind::FollowUp { .. } => None,
    }
}

/// How long a greylisted sender took to come back.
fn of_acceptance(event: &Event) -> String {
    match event.record.evidence.latest(CheckName::Greylist) {
        Some(Observed::Triplet(TripletFacts {
            state: TripletState::Passed,
            first_seen,
            let_in,
            ..
        })) => {
            let by_hand = if *let_in { ", let in by hand" } else { "" };
            format!("came back after {}{by_hand}", spoken(event.started.since(*first_seen)))
        }
        _ => String::new(),
    }
}

fn of_abort(reason: Reason, subject: &Subject) -> String {
    match (reason, subject.declared_size) {
        (Reason::ClientDropped | Reason::DataEndedEarly, Some(octets)) => {
            format!("{octets} octets were announced")
        }
        _ => String::new(),
    }
}

/// Detail first, then who decided: `no such user; policy #3`.
fn of_decision(decision: &Decision) -> String {
    let detail = match &decision.detail {
        Detail::None | Detail::Code(_) => known_words(decision.reason).to_owned(),
        Detail::RetryIn { seconds } => {
            format!("back in {}", spoken(Duration::from_secs(*seconds)))
        }
        Detail::Limit { observed, limit } => match decision.reason {
            Reason::SizeExceeded => format!("{observed} octets, at most {limit}"),
            Reason::Loop => format!("{observed} Received fields, at most {limit}"),
            Reason::ConnectionsLimited => format!("{observed} connections, at most {limit}"),
            Reason::RecipientsLimited => format!("recipient {observed}, at most {limit}"),
            _ => format!("{observed}, at most {limit}"),
        },
        Detail::Scores { defer, reject } => {
            let from = |score: u8| match score {
                0 => "never".to_owned(),
                score => format!("from {score} on"),
            };
            format!("put off {}, refused {}", from(*defer), from(*reject))
        }
        Detail::Quoted(quoted) => quoted.to_string(),
        Detail::Note(note) => note.to_string(),
    };
    let decider = match decision.policy {
        Some(PolicyRef::Policy { id, .. }) => format!("policy {id}"),
        Some(PolicyRef::ManagedSender { id }) => format!("managed sender {id}"),
        Some(PolicyRef::Base(_)) | None => String::new(),
    };
    match (detail.is_empty(), decider.is_empty()) {
        (false, false) => format!("{detail}; {decider}"),
        _ => detail + &decider,
    }
}

/// What a reason means when nothing more is known.
fn known_words(reason: Reason) -> &'static str {
    match reason {
        Reason::RecipientUnknown => "no such user",
        Reason::RelayDenied => "not a domain of ours",
        Reason::RecipientUnverifiable => "next hop or directory does not answer",
        Reason::GreylistFirstSeen => "first contact",
        Reason::GreylistTooEarly => "back too early",
        Reason::ProtocolSmuggling => "bare CR or LF",
        _ => "",
    }
}

fn of_follow_up(what: &FollowUp) -> String {
    match what {
        FollowUp::GreylistExpired { attempts: 1 } => "1 attempt, no retry".to_owned(),
        FollowUp::GreylistExpired { attempts } => format!("{attempts} attempts, none in time"),
        FollowUp::Delivered(relay)
        | FollowUp::DeliveryDeferred { attempt: relay, .. }
        | FollowUp::DeliveryRejected(relay)
        | FollowUp::DeliveryExpired(relay) => of_relay(relay),
        FollowUp::Notice { attempt, .. } => format!("notice to the sender: {}", of_relay(attempt)),
        FollowUp::DelayWarned => "the sender was told of the delay".to_owned(),
        FollowUp::Bounced { .. } => "the sender was told of the failure".to_owned(),
        FollowUp::BounceSuppressed { why: BounceSuppression::NullReversePath } => {
            "no bounce: null reverse-path".to_owned()
        }
        FollowUp::BounceSuppressed { why: BounceSuppression::RateLimited } => {
            "no bounce: too many of them".to_owned()
        }
        FollowUp::Queue { action, by, note, of_notice } => {
            let done = match action {
                QueueAction::Hold => "held",
                QueueAction::Release => "released",
                QueueAction::Retry => "retried",
                QueueAction::Delete => "deleted",
            };
            let of = if *of_notice { "notice to the sender: " } else { "" };
            match note.is_empty() {
                true => format!("{of}{done} by {by}"),
                false => format!("{of}{done} by {by}: {note}"),
            }
        }
    }
}

fn of_relay(relay: &RelayAttempt) -> String {
    let RelayAttempt { number, host, .. } = relay;
    match &relay.answer {
        RelayAnswer::Reply(quoted) => format!("{host}: {quoted} (try {number})"),
        RelayAnswer::NoReply(why) => format!("{host}: {why} (try {number})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyId;
    use crate::reply::Quoted;

    fn check(decision: Decision, expected: &str) {
        assert_eq!(of_decision(&decision), expected);
    }

    #[test]
    fn a_decision_says_its_detail_and_who_decided() {
        let new = |reason| Decision::new(reason, CheckName::Senders);
        check(new(Reason::RecipientUnknown), "no such user");
        check(new(Reason::AuthSpf), "");
        check(
            new(Reason::GreylistTooEarly).with_detail(Detail::RetryIn { seconds: 22 }),
            "back in 22 s",
        );
        check(
            new(Reason::SizeExceeded).with_detail(Detail::Limit { observed: 11, limit: 10 }),
            "11 octets, at most 10",
        );
        check(
            new(Reason::ReputationTemporary).with_detail(Detail::Scores { defer: 30, reject: 0 }),
            "put off from 30 on, refused never",
        );
        let policy = PolicyRef::Policy { id: PolicyId(3), version: 9 };
        check(new(Reason::BlockedPolicyEnvelope).by(policy), "policy #3");
        let quoted = Detail::Quoted(Quoted::new(Some(550), None, "go\naway"));
        check(
            new(Reason::Loop).with_detail(Detail::Limit { observed: 26, limit: 25 }),
            "26 Received fields, at most 25",
        );
        check(
            new(Reason::NextHopRejected).with_detail(quoted).by(policy),
            "550 go away; policy #3",
        );
    }
}
