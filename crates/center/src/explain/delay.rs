//! Whose time a life-line took: ours, the sender's, the next hop's.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::{Detail, Event, EventKind, FollowUp, Outcome, Timestamp, spoken};

/// The time of a life-line from its first step to its last, by whose it was;
/// the parts add up to the whole. Milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Delay {
    /// From the first step to the last.
    pub total_ms: u64,
    /// The waits we asked for before we would take the message, and our own
    /// work and queue after we took it.
    pub ours_ms: u64,
    /// The sender's retry gaps, beyond what we had asked for.
    pub theirs_ms: u64,
    /// From a try the next hop did not take to the next one.
    pub next_hop_ms: u64,
}

/// Divides the time between the events of a life-line, oldest first.
pub(super) fn delay(events: &[Event]) -> Delay {
    let mut delay = Delay::default();
    // A notice takes its own time, which is none of the message's.
    let of_message = |event: &&Event| !event.follow_up().is_some_and(FollowUp::is_of_notice);
    let events: Vec<&Event> = events.iter().filter(of_message).collect();
    for pair in events.windows(2) {
        let [before, after] = pair else { continue };
        let gap = millis_between(before.at, after.at);
        delay.total_ms += gap;
        match &before.kind {
            EventKind::Attempt(Outcome::Accepted { .. } | Outcome::Held { .. }) => {
                delay.ours_ms += gap;
            }
            EventKind::Attempt(outcome) => {
                let asked = gap.min(asked_ms(outcome));
                delay.ours_ms += asked;
                delay.theirs_ms += gap - asked;
            }
            EventKind::FollowUp { what: FollowUp::DeliveryDeferred { .. }, .. } => {
                delay.next_hop_ms += gap;
            }
            // Only what is still in the queue waits for the next hop after
            // the sender was told.
            EventKind::FollowUp { what: FollowUp::DelayWarned, .. } => delay.next_hop_ms += gap,
            EventKind::FollowUp { what: FollowUp::GreylistExpired { .. }, .. } => {
                delay.theirs_ms += gap;
            }
            EventKind::FollowUp { .. } => delay.ours_ms += gap,
        }
    }
    delay
}

/// The wait a deferral asked for.
fn asked_ms(outcome: &Outcome) -> u64 {
    match outcome.decision().map(|decision| &decision.detail) {
        Some(Detail::RetryIn { seconds }) => seconds.saturating_mul(1_000),
        _ => 0,
    }
}

/// Milliseconds from one time to another; none if the clock stepped back.
pub(super) fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

impl Delay {
    /// `6 min 12 s (1 min ours, 5 min 12 s the sender's retry gap)`; empty if
    /// there was none.
    pub fn text(&self) -> String {
        let said = |millis: u64| spoken(Duration::from_millis(rounded(millis)));
        let parts: Vec<String> = [
            (self.ours_ms, "ours"),
            (self.theirs_ms, "the sender's retry gap"),
            (self.next_hop_ms, "the next hop's"),
        ]
        .into_iter()
        .filter(|(millis, _)| *millis > 0)
        .map(|(millis, whose)| format!("{} {whose}", said(millis)))
        .collect();
        match (self.total_ms, parts.as_slice()) {
            (0, _) => String::new(),
            (_, [only]) => only.clone(),
            (total, _) => format!("{} ({})", said(total), parts.join(", ")),
        }
    }
}

/// From ten seconds on, whole seconds: what is beside minutes must add up.
fn rounded(millis: u64) -> u64 {
    if millis < 10_000 { millis } else { (millis + 500) / 1_000 * 1_000 }
}
