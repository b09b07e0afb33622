//! The life-line: everything that happened to what is one message to one
//! person, in order, why it belongs together, and whose time it took.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::event::QueueAction;
use types::finding::{TripletFacts, TripletState};
use types::policy::{ClientIdentity, GreylistTimes};
use types::{
    CheckName, Detail, Event, EventId, EventKind, FollowUp, LifeLineId, Observed, Outcome,
    OutcomeKind, Reason, Reference, Stage, Timestamp, spoken,
};

use super::delay::{Delay, delay, millis_between};
use super::evidence::identified_by;
use super::follow_up::{follow_up_class, follow_up_text};
use super::joins::{Join, join, triplet};
use crate::presentable;
use crate::returns::ReturnPrior;
use crate::search::outbound;

pub use super::follow_up::follow_up_title;

/// A whole life-line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Story {
    /// The life-line.
    pub life: Option<LifeLineId>,
    /// The twelve characters people quote of it.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The reverse-path, presentable; empty for `<>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The recipient, presentable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `outbound` of mail of our own servers; absent of mail from the world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// How it stands.
    pub state: LifeState,
    /// The same in words: *Delivered after waiting*.
    pub head: String,
    /// Whose time it took.
    #[serde(flatten)]
    pub delay: Delay,
    /// The window a retry is waited for in, while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<RetryWindow>,
    /// What became of first contacts like this one, while the window is open
    /// and enough of them are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<ReturnPrior>,
    /// The steps, oldest first.
    pub steps: Vec<StoryStep>,
    /// What became of the other recipients of the same transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<Lane>,
    /// The life-line of a retry that came after the window had closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_by: Option<LifeLineId>,
}

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $title:literal, $class:literal;)*) => {
        /// How a life-line stands; one per recipient.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum LifeState { $($(#[$doc])* $name,)* }

        impl LifeState {
            /// What people read.
            pub const fn title(self) -> &'static str {
                match self { $(LifeState::$name => $title,)* }
            }

            /// The class of its badge: one of the outcomes of the console.
            pub const fn class(self) -> &'static str {
                match self { $(LifeState::$name => $class,)* }
            }
        }
    };
}

states! {
    /// There is no event.
    Unknown = "Nothing is known", "step";
    /// The next hop took it.
    Delivered = "Delivered", "delivered";
    /// The next hop took it, after the sender had to come back.
    DeliveredAfterWaiting = "Delivered after waiting", "delivered";
    /// Deferred, and a retry still passes.
    WaitingForRetry = "Waiting for retry", "deferred";
    /// The window closed without a retry that passed.
    NeverCameBack = "Never came back", "expired";
    /// The retry came after the window had closed.
    CameBackTooLate = "Came back too late", "expired";
    /// Deferred for another reason than greylisting.
    Deferred = "Deferred", "deferred";
    /// The session ended before the attempt did.
    BrokenOff = "Broken off", "deferred";
    /// Refused before its content was asked for.
    Rejected = "Rejected", "rejected";
    /// Refused for what its content showed.
    RejectedAfterCheck = "Rejected after accept-time check", "rejected";
    /// The mail server that asked was told to go on.
    PassedOn = "Passed to the asking server", "accepted";
    /// Accepted and kept back.
    Held = "Held", "held";
    /// Kept back, released and taken by the next hop.
    ReleasedDelivered = "Released \u{2192} delivered", "delivered";
    /// Accepted, and on its way to the next hop.
    Queued = "Queued", "queued";
    /// Refused by the next hop after it was accepted.
    Bounced = "Bounced", "bounced";
    /// Not taken by the next hop in all the time allowed.
    Expired = "Expired", "expired";
    /// Taken out of the queue by somebody.
    Deleted = "Deleted from the queue", "deleted";
}

/// A window in which a retry passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RetryWindow {
    /// When it opens, or opened.
    pub opens: Timestamp,
    /// When it closes.
    pub closes: Timestamp,
    /// The moment from which the countdown counts.
    pub as_of: Timestamp,
    /// The same as a countdown: `may return in 22 s; window closes in 11 h 59 min`.
    pub text: String,
}

/// One step of a life-line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// Why it ended so, if it ended anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Whether it is an attempt, and not something that happened later.
    #[serde(default)]
    pub attempt: bool,
    /// The class of its badge: an outcome, or a state of the life-line.
    #[serde(default)]
    pub class: String,
    /// What happened, a word or two: `too early (38 of 60 s)`.
    pub title: String,
    /// More about it.
    pub text: String,
    /// What its evidence adds, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why it belongs to the steps before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
}

/// What became of one recipient of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lane {
    /// Its attempt.
    pub id: EventId,
    /// What the reply quoted.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// Its life-line.
    pub life: LifeLineId,
    /// The recipient, presentable.
    pub to: String,
    /// How the attempt ended.
    pub outcome: Option<OutcomeKind>,
    /// What administrators call that.
    pub label: String,
    /// Whether it is the one the story is about.
    pub this: bool,
}

/// Tells the story of the events of one life-line, in any order. `now` and
/// the times of greylisting say whether an open window still waits.
pub fn story(events: &[Event], now: Timestamp, times: GreylistTimes) -> Story {
    let mut events = events.to_vec();
    events.sort_by_key(|event| (event.at, rank(event), event.id));
    events.dedup_by_key(|event| event.id);
    let text = |value: &str| presentable(value).into_owned();
    let subject = events.iter().map(|event| &event.subject);
    let from = subject.clone().find_map(|subject| subject.reverse_path.as_ref());
    let to = subject.clone().find_map(|subject| subject.recipient.as_ref());
    let state = state(&events, now, times);
    Story {
        life: events.first().map(|event| event.life_line),
        reference: events.first().map(|event| event.life_line.reference()),
        from: from.map(|path| text(path.as_str())),
        to: to.map(|path| text(path.as_str())),
        direction: events.first().and_then(outbound),
        state,
        head: state.title().to_owned(),
        delay: delay(&events),
        window: events.last().and_then(|event| open_window(event, now, times)),
        prior: None,
        steps: steps(&events),
        lanes: Vec::new(),
        continued_by: None,
    }
}

/// The order of what happened at one instant: nobody is told of a failure
/// before it happened.
fn rank(event: &Event) -> u8 {
    match event.follow_up() {
        None => 0,
        Some(FollowUp::GreylistExpired { .. }) => 1,
        Some(
            FollowUp::Delivered(_)
            | FollowUp::DeliveryDeferred { .. }
            | FollowUp::DeliveryRejected(_)
            | FollowUp::DeliveryExpired(_),
        ) => 2,
        Some(FollowUp::DelayWarned) => 3,
        Some(FollowUp::Bounced { .. } | FollowUp::BounceSuppressed { .. }) => 4,
        Some(FollowUp::Notice { .. }) => 5,
        Some(FollowUp::Queue { .. }) => 6,
    }
}

fn steps(events: &[Event]) -> Vec<StoryStep> {
    let mut steps = Vec::with_capacity(events.len());
    for (place, event) in events.iter().enumerate() {
        let before = events.get(..place).unwrap_or_default();
        let after_ms = before.last().map_or(0, |earlier| millis_between(earlier.at, event.at));
        steps.push(StoryStep { after_ms, join: join(event, before), ..step(event) });
    }
    steps
}

fn step(event: &Event) -> StoryStep {
    let (title, text, class) = match &event.kind {
        EventKind::Attempt(outcome) => {
            (attempt_title(event, outcome), attempt_text(event), outcome.kind().slug())
        }
        EventKind::FollowUp { what, .. } => {
            (follow_up_title(what).to_owned(), follow_up_text(what), follow_up_class(what))
        }
    };
    StoryStep {
        id: event.id,
        reference: event.reference(),
        at: event.at,
        after_ms: 0,
        outcome: event.outcome_kind(),
        reason: event.reason(),
        attempt: event.outcome().is_some(),
        class: class.to_owned(),
        title,
        text: presentable(&text).into_owned(),
        notes: notes(event).iter().map(|note| presentable(note).into_owned()).collect(),
        join: None,
    }
}

fn attempt_title(event: &Event, outcome: &Outcome) -> String {
    match (outcome.reason(), triplet(event)) {
        (Reason::GreylistTooEarly, Some(facts)) if facts.state == TripletState::TooEarly => {
            // In whole seconds that add up to the wait: what is left was
            // rounded up.
            let waited = event.started.since(facts.first_seen).as_secs();
            let left = retry_in_s(event).unwrap_or(0);
            format!("too early ({waited} of {} s)", waited.saturating_add(left))
        }
        (Reason::GreylistFirstSeen, _) => "deferred".to_owned(),
        _ if matches!(outcome, Outcome::Aborted(_)) => "broken off".to_owned(),
        _ => outcome.kind().slug().to_owned(),
    }
}

/// In how many seconds a retry was said to pass.
pub(super) fn retry_in_s(event: &Event) -> Option<u64> {
    match &event.outcome()?.decision()?.detail {
        Detail::RetryIn { seconds } => Some(*seconds),
        _ => None,
    }
}

fn attempt_text(event: &Event) -> String {
    let client = &event.subject.client;
    let from = match client.helo.as_deref() {
        Some(helo) => format!("{} {helo}", client.client.ip),
        None => client.client.ip.to_string(),
    };
    let tls = client.tls.as_ref().map_or("no TLS", |tls| tls.version.as_ref());
    let said = match &event.record.reply {
        Some(reply) => reply.to_string(),
        None => types::information::label(event).unwrap_or_default(),
    };
    format!("{from}, {tls}: {said}")
}

/// What the evidence of an attempt adds to its step.
fn notes(event: &Event) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(facts) = triplet(event) {
        let waited = spoken(event.started.since(facts.first_seen));
        notes.extend(match facts.state {
            TripletState::FirstSeen => Some(format!(
                "New triplet ({} \u{b7} {} \u{b7} {}){}.",
                facts.client,
                facts.sender,
                event.subject.recipient.as_ref().map_or("-", |path| path.as_str()),
                pool(facts),
            )),
            TripletState::TooEarly => Some(format!("{waited} after the first attempt.")),
            TripletState::Passed if facts.let_in => Some(format!(
                "Came back {waited} after the first attempt, and passed because somebody let it in."
            )),
            TripletState::Passed => {
                Some(format!("Came back {waited} after the first attempt, inside the window."))
            }
            TripletState::Known => Some("This triplet has passed before.".to_owned()),
        });
    }
    if let Some(Observed::Size { received: Some(octets), .. }) =
        event.record.evidence.latest(CheckName::Size)
    {
        notes.push(format!("{}.", super::evidence::octets(*octets)));
    }
    notes
}

/// How the client was identified, where pools are asked for.
fn pool(facts: &TripletFacts) -> String {
    let asked_for = facts.identity == ClientIdentity::Pool || facts.no_pool.is_some();
    let by = identified_by(facts.identity, &facts.client, facts.no_pool);
    if asked_for { format!("; the client is {by}") } else { String::new() }
}

/// The window of the last attempt, if it still waits for a retry.
pub(crate) fn open_window(
    event: &Event,
    now: Timestamp,
    times: GreylistTimes,
) -> Option<RetryWindow> {
    let facts = triplet(event)?;
    if event.outcome_kind() != Some(OutcomeKind::Deferred)
        || !matches!(facts.state, TripletState::FirstSeen | TripletState::TooEarly)
    {
        return None;
    }
    let opens = event.at + Duration::from_secs(retry_in_s(event)?);
    let closes = facts.first_seen + times.retry_within;
    if now > closes {
        return None;
    }
    let may = match now < opens {
        true => format!("may return in {}", spoken(whole(opens.since(now)))),
        false => "may return now".to_owned(),
    };
    let text = format!("{may}; window closes in {}", spoken(whole(closes.since(now))));
    Some(RetryWindow { opens, closes, as_of: now, text })
}

/// Whole seconds, rounded up, for a countdown.
fn whole(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs() + u64::from(span.subsec_nanos() > 0))
}

/// How a life-line stands.
fn state(events: &[Event], now: Timestamp, times: GreylistTimes) -> LifeState {
    // What becomes of a notice changes nothing for the message it is about.
    let of_notice = |event: &&Event| event.follow_up().is_some_and(FollowUp::is_of_notice);
    let Some(last) = events.iter().rev().find(|event| !of_notice(event)) else {
        return LifeState::Unknown;
    };
    let any = |is: fn(&FollowUp) -> bool| {
        let mut steps = events.iter().filter_map(Event::follow_up);
        steps.any(|what| !what.is_of_notice() && is(what))
    };
    let waited = events.first().is_some_and(|first| {
        first.outcome_kind() == Some(OutcomeKind::Deferred) && first.outcome().is_some()
    });
    if any(|what| matches!(what, FollowUp::Delivered(_))) {
        let released =
            any(|what| matches!(what, FollowUp::Queue { action: QueueAction::Release, .. }));
        return match (released, waited) {
            (true, _) => LifeState::ReleasedDelivered,
            (false, true) => LifeState::DeliveredAfterWaiting,
            (false, false) => LifeState::Delivered,
        };
    }
    if any(|what| matches!(what, FollowUp::DeliveryRejected(_))) {
        return LifeState::Bounced;
    }
    if any(|what| matches!(what, FollowUp::DeliveryExpired(_))) {
        return LifeState::Expired;
    }
    match &last.kind {
        EventKind::FollowUp { what, .. } => match what {
            FollowUp::GreylistExpired { .. } => LifeState::NeverCameBack,
            FollowUp::Queue { action: QueueAction::Delete, .. } => LifeState::Deleted,
            FollowUp::Queue { action: QueueAction::Hold, .. } => LifeState::Held,
            _ => LifeState::Queued,
        },
        EventKind::Attempt(outcome) => attempt_state(last, outcome, now, times),
    }
}

fn attempt_state(
    event: &Event,
    outcome: &Outcome,
    now: Timestamp,
    times: GreylistTimes,
) -> LifeState {
    let greylisted =
        matches!(outcome.reason(), Reason::GreylistFirstSeen | Reason::GreylistTooEarly);
    match outcome {
        Outcome::Accepted { .. } => LifeState::Queued,
        Outcome::Passed { .. } => LifeState::PassedOn,
        Outcome::Held { .. } => LifeState::Held,
        Outcome::Rejected(_) if event.record.stage >= Some(Stage::Data) => {
            LifeState::RejectedAfterCheck
        }
        Outcome::Rejected(_) => LifeState::Rejected,
        Outcome::Deferred(_) if open_window(event, now, times).is_some() => {
            LifeState::WaitingForRetry
        }
        Outcome::Deferred(_) if greylisted => LifeState::NeverCameBack,
        Outcome::Deferred(_) => LifeState::Deferred,
        Outcome::Aborted(_) => LifeState::BrokenOff,
    }
}
