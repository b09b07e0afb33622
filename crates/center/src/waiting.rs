//! Why a queued message waits: the last answer of its next hop, the next try,
//! and what a person can do about it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::{QueuedMessage, QueuedRecipient, RecipientState};
use types::event::{DeliveryStep, QueueAction};
use types::{Caller, Event, EventKind, FollowUp, Outcome, QueueId, ReasonKind, Timestamp};

use crate::explain::Explanation;
use crate::queue::{QueueOffer, is_dangerous};
use crate::sight::Seen;
use crate::{CenterError, NextHopState, presentable, presentable_within};

/// Most characters of a next hop's answer that are shown.
const ANSWER_CHARS_MAX: usize = 300;

/// The last try of one recipient at its next hop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LastTry {
    /// Its number, counted from one.
    pub number: u32,
    /// When it ended.
    pub at: Timestamp,
    /// Host and port that were asked.
    pub host: String,
    /// What the host answered, or what kept it from answering.
    pub answer: String,
}

/// That the message of an attempt is still in the queue, and what its reader
/// can do to it there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StillQueued {
    /// The message.
    pub message: QueueId,
    /// Whether it is held back; else it waits for its next hop.
    pub held: bool,
    /// Whether it was held for what can do harm when it is opened or believed.
    pub dangerous: bool,
    /// What can be done, and what of it this reader may not.
    pub offers: Vec<QueueOffer>,
}

/// What is known of the wait of one recipient.
pub(crate) struct Wait {
    pub(crate) last_try: Option<LastTry>,
    pub(crate) next_hop: Result<NextHopState, String>,
    /// Who holds it back.
    held_by: Option<String>,
    /// Whether it is a notice, whose tries stand on the life-line of the
    /// message it is about.
    is_notice: bool,
}

impl Seen<'_> {
    /// Looks up why a recipient waits: its newest follow-up events, and the
    /// state of its next hop.
    pub(crate) fn wait(
        &self,
        message: &QueuedMessage,
        recipient: &QueuedRecipient,
    ) -> Result<Wait, CenterError> {
        let next_hop = self.next_hops.of(message, &recipient.path);
        let mut wait = Wait { last_try: None, next_hop, held_by: None, is_notice: message.notice };
        let RecipientState::Waiting { attempts: 0, .. } = recipient.state else {
            for event in self.events.life_line(recipient.life_line)? {
                wait.note(&event, recipient);
            }
            return Ok(wait);
        };
        Ok(wait)
    }

    /// The attempt that an event is, or that it followed.
    pub(crate) fn attempt_of(&self, event: &Event) -> Result<Option<Event>, CenterError> {
        Ok(match &event.kind {
            EventKind::Attempt(_) => Some(event.clone()),
            EventKind::FollowUp { of, .. } => self.events.event(*of)?,
        })
    }

    /// The message of an attempt, as long as it is in the queue.
    pub(crate) fn queued_as(&self, attempt: &Event) -> Option<Arc<QueuedMessage>> {
        accepted_as(attempt).and_then(|id| self.parts.queue.message(id))
    }

    /// Says of an attempt whose message is still in the queue that it is, why,
    /// and what can be done.
    pub(crate) fn tell_if_queued(
        &self,
        caller: &Caller,
        event: &Event,
        explanation: &mut Explanation,
    ) -> Result<(), CenterError> {
        let Some(attempt) = self.attempt_of(event)? else { return Ok(()) };
        let by_policy = event.reason().is_some_and(|reason| reason.kind() == ReasonKind::Hold);
        let message = self.queued_as(&attempt);
        let here = message.as_ref().and_then(|message| {
            let mut recipients = message.recipients.iter();
            let found = recipients.find(|one| one.event == attempt.id)?;
            (found.state != RecipientState::Done).then_some((message, found))
        });
        let Some((message, recipient)) = here else {
            if by_policy {
                NO_LONGER_HELD.clone_into(&mut explanation.remedy);
                explanation.change = None;
            }
            return Ok(());
        };
        let why = self.wait(message, recipient)?.why(recipient.state, self.parts.clock.now());
        explanation.sentence += &format!(" It is still in the queue: {why}.");
        let held = matches!(recipient.state, RecipientState::Held { .. });
        match held && by_policy {
            // Its reason knows best what to do about it; the change is the same.
            true => explanation.change = None,
            false => remedy(recipient.state).clone_into(&mut explanation.remedy),
        }
        explanation.queued = Some(StillQueued {
            message: message.id,
            held,
            dangerous: attempt.reason().is_some_and(is_dangerous),
            offers: self.offers(caller, recipient)?,
        });
        Ok(())
    }
}

/// What is said of a message that was held and is in the queue no more.
const NO_LONGER_HELD: &str =
    "Nothing is left to decide: it is held no more, and its life-line says what became of it.";

/// The queued message that an attempt was accepted as.
fn accepted_as(attempt: &Event) -> Option<QueueId> {
    match attempt.outcome()? {
        Outcome::Accepted { queue, .. } | Outcome::Held { queue, .. } => Some(*queue),
        Outcome::Passed { .. }
        | Outcome::Deferred(_)
        | Outcome::Rejected(_)
        | Outcome::Aborted(_) => None,
    }
}

/// What a person can do about a message that is still in the queue.
fn remedy(state: RecipientState) -> &'static str {
    match state {
        RecipientState::Held { .. } => {
            "Release it, and it goes to its recipient at once; or delete it, and nobody is told."
        }
        _ => {
            "Nothing is lost: it is tried again by itself. Once the next hop takes mail again, a \
             retry tries it at once."
        }
    }
}

impl Wait {
    fn note(&mut self, event: &Event, recipient: &QueuedRecipient) {
        let EventKind::FollowUp { of, what } = &event.kind else { return };
        // Of the notice where that is what waits, else of the message.
        if *of != recipient.event || what.is_of_notice() != self.is_notice {
            return;
        }
        match what {
            FollowUp::DeliveryDeferred { attempt, .. }
            | FollowUp::Notice { step: DeliveryStep::Deferred, attempt } => {
                let answer = attempt.answer.to_string();
                self.last_try = Some(LastTry {
                    number: attempt.number,
                    at: event.at,
                    host: presentable(&attempt.host).into_owned(),
                    answer: presentable_within(&answer, ANSWER_CHARS_MAX),
                });
            }
            FollowUp::Queue { action: QueueAction::Hold, by, .. } => {
                self.held_by = Some(presentable(by).into_owned());
            }
            _ => {}
        }
    }

    /// When what is due then is tried: not before its next hop is asked again.
    pub(crate) fn next_try(&self, due: Timestamp, now: Timestamp) -> Timestamp {
        let alone = self.next_hop.as_ref().ok().and_then(|hop| hop.alone_until(now));
        alone.map_or(due, |until| until.max(due))
    }

    /// What its last try was answered; else what keeps its next hop from being
    /// asked, or why there is none.
    pub(crate) fn answer(&self, now: Timestamp) -> Option<&str> {
        if let Some(last) = &self.last_try {
            return Some(&last.answer);
        }
        let hop = match &self.next_hop {
            Ok(hop) => hop,
            Err(why) => return Some(why),
        };
        hop.alone_until(now)?;
        hop.last_answer.as_ref().map(|(_, answer)| answer.as_str())
    }

    /// Why it waits, as the end of a sentence.
    pub(crate) fn why(&self, state: RecipientState, now: Timestamp) -> String {
        let due = match state {
            RecipientState::Done => return "it has left".to_owned(),
            RecipientState::Held { .. } => {
                let by = self.held_by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
                return format!("held back{by} until somebody releases it");
            }
            RecipientState::Waiting { due, .. } => due,
        };
        let next = if due <= now { "due now".to_owned() } else { format!("next try {due}") };
        let mut parts = Vec::new();
        if let Some(last) = &self.last_try {
            let LastTry { number, at, host, answer } = last;
            parts.push(format!("try {number} at {at}, {host}: {}", answer.trim_end_matches('.')));
        }
        match &self.next_hop {
            Ok(hop) => parts.extend(left_alone(hop, now)),
            // The last try has said so itself.
            Err(_) if self.last_try.is_some() => {}
            Err(why) => parts.push(presentable(why).into_owned()),
        }
        parts.push(next);
        parts.join("; ")
    }
}

/// What keeps a next hop from being asked, if anything does.
fn left_alone(hop: &NextHopState, now: Timestamp) -> Option<String> {
    let until = hop.alone_until(now)?;
    let shown = |answer: &str| format!(" ({})", presentable_within(answer, ANSWER_CHARS_MAX));
    let why = hop.last_answer.as_ref().map(|(_, answer)| shown(answer)).unwrap_or_default();
    let name = presentable(&hop.name);
    Some(format!("{name} takes no connection{why} and is left alone until {until}"))
}

#[cfg(test)]
mod tests;
