//! The life-line: everything that happened to what is one message to one
//! person, in order, and whose time it took.

use serde::{Deserialize, Serialize};
use types::event::QueueAction;
use types::finding::TripletState;
use types::{
    CheckName, Event, EventId, EventKind, FollowUp, LifeLineId, Observed, Outcome, OutcomeKind,
    Reason, Reference, Timestamp,
};

use crate::presentable;

/// A whole life-line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The life-line.
    pub life: Option<LifeLineId>,
    /// How it stands, in words: *Delivered after waiting*.
    pub head: String,
    /// From the first step to the last, in milliseconds.
    pub total_ms: u64,
    /// Of that, while the message was ours: from acceptance on.
    pub ours_ms: u64,
    /// Of that, while we waited for the sender to come back.
    pub theirs_ms: u64,
    /// The steps, oldest first.
    pub steps: Vec<StoryStep>,
}

/// One step of a life-line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoryStep {
    /// The event.
    pub id: EventId,
    /// What replies quote.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// When.
    pub at: Timestamp,
    /// Since the step before, in milliseconds.
    pub after_ms: u64,
    /// The queue it is shown in, if it is.
    pub outcome: Option<OutcomeKind>,
    /// What happened, a word or two: `too early (38 of 60 s)`.
    pub title: String,
    /// More about it.
    pub text: String,
}

/// Tells the story of the events of one life-line, oldest first. `now`
/// decides whether an open window still waits.
pub fn story(events: &[Event], now: Timestamp) -> Story {
    let mut before = None;
    let steps = events
        .iter()
        .map(|event| {
            let after = before.replace(event.at).map_or(0, |at| millis_between(at, event.at));
            step(event, after)
        })
        .collect();
    let accepted = events.iter().find(|event| took_over(event)).map(|event| event.at);
    let first = events.first().map(|event| event.at);
    let last = events.last().map(|event| event.at);
    let between = |from: Option<Timestamp>, to: Option<Timestamp>| match (from, to) {
        (Some(from), Some(to)) => millis_between(from, to),
        _ => 0,
    };
    Story {
        life: events.first().map(|event| event.life_line),
        head: head(events, now).to_owned(),
        total_ms: between(first, last),
        ours_ms: between(accepted, last),
        theirs_ms: between(first, accepted.or(last)),
        steps,
    }
}

fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

fn took_over(event: &Event) -> bool {
    matches!(event.outcome_kind(), Some(OutcomeKind::Accepted | OutcomeKind::Held))
}

fn step(event: &Event, after_ms: u64) -> StoryStep {
    let (title, text) = match &event.kind {
        EventKind::Attempt(outcome) => {
            (attempt_title(event, outcome), attempt_text(event, outcome))
        }
        EventKind::FollowUp { what, .. } => {
            (follow_up_title(what).to_owned(), follow_up_text(what))
        }
    };
    StoryStep {
        id: event.id,
        reference: event.reference(),
        at: event.at,
        after_ms,
        outcome: event.outcome_kind(),
        title,
        text: presentable(&text).into_owned(),
    }
}

fn attempt_title(event: &Event, outcome: &Outcome) -> String {
    match (outcome.reason(), event.record.evidence.latest(CheckName::Greylist)) {
        (Reason::GreylistTooEarly, Some(Observed::Triplet(facts)))
            if facts.state == TripletState::TooEarly =>
        {
            let waited = event.at.since(facts.first_seen).as_secs();
            let left = match outcome.decision().map(|decision| &decision.detail) {
                Some(types::Detail::RetryIn { seconds }) => *seconds,
                _ => 0,
            };
            format!("too early ({waited} of {} s)", waited.saturating_add(left))
        }
        (Reason::GreylistFirstSeen, _) => "deferred".to_owned(),
        _ => outcome.kind().slug().to_owned(),
    }
}

fn attempt_text(event: &Event, outcome: &Outcome) -> String {
    let client = &event.subject.client;
    let from = match client.helo.as_deref() {
        Some(helo) => format!("{} {helo}", client.client.ip),
        None => client.client.ip.to_string(),
    };
    let tls = client.tls.as_ref().map_or(String::new(), |tls| format!(", {}", tls.version));
    match &event.record.reply {
        Some(reply) => format!("{from}{tls}: {reply}"),
        None => format!("{from}{tls}: {}", outcome.reason().label()),
    }
}

/// What a follow-up is called in lists.
pub fn follow_up_title(what: &FollowUp) -> &'static str {
    match what {
        FollowUp::GreylistExpired { .. } => "never came back",
        FollowUp::Delivered(_) => "delivered",
        FollowUp::DeliveryDeferred { .. } => "delivery deferred",
        FollowUp::DeliveryRejected(_) => "refused by the next hop",
        FollowUp::DeliveryExpired(_) => "delivery given up",
        FollowUp::DelayWarned => "sender told of the delay",
        FollowUp::Bounced { .. } => "bounced",
        FollowUp::BounceSuppressed { .. } => "not bounced",
        FollowUp::Queue { action: QueueAction::Hold, .. } => "held back",
        FollowUp::Queue { action: QueueAction::Release, .. } => "released",
        FollowUp::Queue { action: QueueAction::Retry, .. } => "retry asked for",
        FollowUp::Queue { action: QueueAction::Delete, .. } => "deleted",
    }
}

/// What happened at a follow-up.
pub(super) fn follow_up_text(what: &FollowUp) -> String {
    match what {
        FollowUp::GreylistExpired { attempts } => {
            format!("No retry passed inside the window; attempts: {attempts}.")
        }
        FollowUp::Delivered(relay) | FollowUp::DeliveryRejected(relay) => {
            format!("{}: {}", relay.host, relay.answer)
        }
        FollowUp::DeliveryExpired(relay) => {
            format!("{} tries; the last at {}: {}", relay.number, relay.host, relay.answer)
        }
        FollowUp::DeliveryDeferred { attempt, next } => {
            format!("{}: {}; next try {next}", attempt.host, attempt.answer)
        }
        FollowUp::DelayWarned => "The sender was told that it takes longer.".to_owned(),
        FollowUp::Bounced { notice } => format!("The sender was told by message {notice}."),
        FollowUp::BounceSuppressed { why } => match why {
            types::event::BounceSuppression::NullReversePath => {
                "A bounce is never answered by another: the reverse-path is null."
            }
            types::event::BounceSuppression::RateLimited => {
                "Too many bounces in a short time: one more would make us a source of backscatter."
            }
        }
        .to_owned(),
        FollowUp::Queue { action, by } => {
            let done = match action {
                QueueAction::Hold => "Held back",
                QueueAction::Release => "Released",
                QueueAction::Retry => "A try was asked for",
                QueueAction::Delete => "Deleted without telling the sender",
            };
            format!("{done} by {by}.")
        }
    }
}

/// How a life-line stands, in the vocabulary of the console.
fn head(events: &[Event], now: Timestamp) -> &'static str {
    let Some(last) = events.last() else { return "Nothing is known" };
    let waited = events.first().is_some_and(|e| e.outcome_kind() == Some(OutcomeKind::Deferred));
    let bounced = events.iter().any(|event| {
        matches!(event.reason(), Some(Reason::DeliveryRejected | Reason::DeliveryExpired))
    });
    let delivered = events.iter().any(|e| matches!(e.follow_up(), Some(FollowUp::Delivered(_))));
    match (&last.kind, delivered) {
        (_, true) if waited => "Delivered after waiting",
        (_, true) => "Delivered",
        _ if bounced => "Bounced",
        (EventKind::FollowUp { what, .. }, _) => match what {
            FollowUp::GreylistExpired { .. } => "Never came back",
            FollowUp::Queue { action: QueueAction::Delete, .. } => "Deleted from the queue",
            FollowUp::Queue { action: QueueAction::Hold, .. } => "Held back",
            _ => "Queued",
        },
        (EventKind::Attempt(outcome), _) => match outcome.kind() {
            OutcomeKind::Accepted => "Queued",
            OutcomeKind::Held => "Held",
            OutcomeKind::Rejected => "Rejected",
            OutcomeKind::Deferred if is_waiting(last, now) => "Waiting for retry",
            OutcomeKind::Deferred => "Deferred",
        },
    }
}

/// A deferral younger than the usual window may still come back.
fn is_waiting(event: &Event, now: Timestamp) -> bool {
    const USUAL_WINDOW_S: u64 = 12 * 60 * 60;
    now.since(event.at).as_secs() < USUAL_WINDOW_S
}

/// A span as people say it: `38 s`, `5 min 38 s`, `11 h 59 min`.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}
