//! What a decision would do to the recorded attempt, found out by deciding
//! on it again.

use policy::replay::{End, EndKind, Lack, TripletKeys, Triplets, forecast, recorded_triplet};
use serde::{Deserialize, Serialize};
use types::evidence::Need;
use types::lists::SenderPattern;
use types::{Caller, Event, OutcomeKind, Permission, PolicyRef, Reason};

use super::saving::covers;
use super::{SenderDecision, SenderVerdict, known_late};
use crate::explain::decider::need_title;
use crate::replay::ReplayChange;
use crate::sight::Seen;
use crate::{Center, CenterError, permit};

/// What a decision would do to the attempt it is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SenderPreview {
    /// In a sentence.
    pub text: String,
    /// Whether it would do what is wanted, as far as is known.
    pub helps: bool,
    /// How the attempt would end: `accepted`, `held`, `deferred`, `rejected`,
    /// or `unknown` where what was recorded does not say.
    pub end: String,
    /// What the entry cannot do, whatever the attempt, because what it looks at
    /// is known only when the message is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_late: Option<String>,
}

impl Center {
    /// What a decision would do to the attempt it is made from; nothing is
    /// stored.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for what would be refused, for instance a
    /// permit for an own domain.
    pub fn preview_sender(
        &self,
        caller: &Caller,
        named: &str,
        decision: &SenderDecision,
    ) -> Result<SenderPreview, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        permit(caller, Permission::EditSenders)?;
        let seen = self.seen_by(caller);
        let event = seen.named(named)?;
        seen.previewed(caller, &event, decision)
    }
}

impl Seen<'_> {
    pub(crate) fn previewed(
        &self,
        caller: &Caller,
        event: &Event,
        decision: &SenderDecision,
    ) -> Result<SenderPreview, CenterError> {
        let change = self.sender_change(caller, event, decision)?;
        let live = self.parts.activator.in_force();
        let changed = self.changed_set(caller, &live, &change)?;
        let set = changed.set.as_ref().unwrap_or(&live);
        let Some(forecast) = forecast(set, event) else {
            return Err(CenterError::invalid("this is no attempt, so nobody decided on it"));
        };
        let keys = TripletKeys::new(self.parts.chance.number());
        let wanted = forecast.greylist.and_then(|asked| keys.of(event, asked.identity));
        let recorded = recorded_triplet(event)
            .and_then(|facts| Some((keys.of(event, facts.identity)?, facts.state)));
        let mut table = Triplets::new(set.base().greylist, 1);
        let end = table.settle(&forecast, wanted, recorded, event.started).end;
        let retried = self.came_back(event)?;
        let (helps, text) = match (unproved(&end, decision), decision.verdict) {
            (Some(text), _) => (false, text.to_owned()),
            (None, SenderVerdict::Permit) => permitted(event, &end, retried, decision),
            (None, SenderVerdict::Block) => blocked(&end),
        };
        let late = match &change {
            ReplayChange::Sender(entry) => known_late(entry),
            _ => None,
        };
        let known_late = late.map(str::to_owned);
        Ok(SenderPreview { text, helps, end: end.kind.slug().to_owned(), known_late })
    }

    /// Whether a later attempt of its life-line was taken.
    fn came_back(&self, event: &Event) -> Result<bool, CenterError> {
        let story = self.events.life_line(event.life_line)?;
        Ok(story.iter().any(|other| {
            other.at > event.at
                && other.follow_up().is_none()
                && other.outcome_kind() == Some(OutcomeKind::Accepted)
        }))
    }
}

/// That what the entry looks at was not looked at then, so that nobody knows
/// whether it would count.
fn unproved(end: &End, decision: &SenderDecision) -> Option<&'static str> {
    let Some(Lack::Evidence(Need::Spf | Need::Authentication)) = end.lacks else { return None };
    match (&decision.sender, decision.authenticated_only) {
        (SenderPattern::Signed(_), _) => Some(
            "Whether it was signed was not found out then, so what this would do to it is not known.",
        ),
        (SenderPattern::Named(_), true) => Some(
            "Whether its sender was authenticated was not found out then, so what this would do to \
             it is not known.",
        ),
        (SenderPattern::Named(_), false) => None,
    }
}

/// Whether a permit does what is wanted, and what it does.
fn permitted(event: &Event, end: &End, retried: bool, decision: &SenderDecision) -> (bool, String) {
    let recorded = event.outcome().map(End::recorded);
    let is_same = recorded.is_some_and(|recorded| recorded.is_same(end));
    let passed = event.reason().map_or("what stopped it", Reason::label);
    match (end.kind, end.lacks) {
        (EndKind::Accepted, _) if is_same => {
            (true, "It was accepted, and would be again.".to_owned())
        }
        (EndKind::Accepted, _) => (true, "It would now be accepted.".to_owned()),
        (EndKind::Unknown, Some(Lack::Content)) if retried => {
            (true, format!("It would now get past “{passed}” at once; its retry was accepted."))
        }
        (EndKind::Unknown, Some(Lack::Content)) => (
            true,
            format!(
                "It would now get past “{passed}”: nothing that was recorded speaks against it. \
                 Its content was never sent, so what the checks of content would say is not known."
            ),
        ),
        (EndKind::Unknown, Some(Lack::Evidence(need))) => (
            true,
            format!(
                "It would now get past “{passed}”. What comes next, {}, was not asked then, so \
                 whether it would be accepted is not known.",
                need_title(need)
            ),
        ),
        _ => (false, still(event, end, is_same, decision)),
    }
}

/// Why a permit does not help.
fn still(event: &Event, end: &End, is_same: bool, decision: &SenderDecision) -> String {
    let label = end.reason.map_or("what decided", Reason::label);
    let by = end.policy.as_ref().map_or(String::new(), by);
    let (again, verb) = (if is_same { "still" } else { "then" }, verb(end.kind));
    let because = match end.reason {
        Some(Reason::BlockedPolicyEnvelope | Reason::BlockedPolicyHeader) => {
            "an entry for one recipient does not undo an administrator's block, and a permit for \
             everyone only one that is less specific"
                .to_owned()
        }
        Some(
            Reason::GreylistFirstSeen
            | Reason::GreylistTooEarly
            | Reason::RblListed
            | Reason::ReputationRejected
            | Reason::ReputationTemporary,
        ) => too_late(event, decision).to_owned(),
        Some(Reason::BlockedManualEnvelope | Reason::BlockedManualHeader) => {
            "another entry of the recipient names this sender more precisely".to_owned()
        }
        _ => format!("a permit does not skip “{label}”"),
    };
    format!("It would {again} be {verb}{by}: “{label}”, because {because}.")
}

/// Why a permit does not skip what it skips otherwise.
fn too_late(event: &Event, decision: &SenderDecision) -> &'static str {
    let SenderPattern::Named(pattern) = &decision.sender else {
        return "a signature is known only when the message is there";
    };
    let envelope = event.subject.reverse_path.as_deref().and_then(|path| path.address());
    match envelope.is_some_and(|address| covers(pattern, address)) {
        false => {
            "this permit does not cover the envelope sender, and the author is known only when the \
             message is there"
        }
        true if decision.authenticated_only => {
            "SPF did not prove its sender, and whether DKIM does is known only when the message is \
             there"
        }
        true => {
            "authentication of its sender failed, and then no permit counts, or a more specific \
             policy takes this one out"
        }
    }
}

/// Whether a block does what is wanted, and what it does.
fn blocked(end: &End) -> (bool, String) {
    let is_block = end.reason.is_some_and(|reason| reason.slug().starts_with("blocked."));
    let text = match (is_block, end.kind) {
        (true, _) => "It would now be refused.".to_owned(),
        (false, EndKind::Rejected | EndKind::Deferred) => format!(
            "It would be {} before this is looked at: “{}”.",
            verb(end.kind),
            end.reason.map_or("what decided", Reason::label)
        ),
        (false, EndKind::Unknown) => {
            "Whether it would be refused is not known: its content was never sent, or a check that \
             would be asked now was not asked then."
                .to_owned()
        }
        (false, _) => {
            let by = end.policy.as_ref().map_or(String::new(), by);
            format!(
                "It would not be refused{by}: an administrator's permit for the sender stands \
                 above a recipient's block, or this does not cover the sender."
            )
        }
    };
    (is_block, text)
}

fn verb(kind: EndKind) -> &'static str {
    match kind {
        EndKind::Deferred => "asked to come back",
        EndKind::Held => "held",
        EndKind::Accepted | EndKind::Unknown => "let through",
        EndKind::Rejected => "refused",
    }
}

fn by(policy: &PolicyRef) -> String {
    match policy {
        PolicyRef::Policy { id, .. } => format!(" by policy {id}"),
        PolicyRef::ManagedSender { id } => format!(" by managed sender {id}"),
        PolicyRef::Base(_) => " by the settings".to_owned(),
    }
}
