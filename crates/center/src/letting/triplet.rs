//! *Let this one in*: the next attempt of one sender to one recipient passes
//! greylisting, and nothing is permitted for longer.

use policy::replay::recorded_triplet;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::contract::{TripletEntry, TripletSteer};
use types::finding::TripletState;
use types::{AuditAction, Caller, Event, Permission};

use crate::{Center, CenterError, permit, presentable};

/// Most triplets looked through for the one that is meant; they all contain
/// its sender.
const LOOKED_AT_MAX: usize = 10_000;

/// What letting one in did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LetIn {
    /// In words.
    pub text: String,
}

impl Center {
    /// Whether the triplet of an attempt waits for a retry.
    pub(crate) fn waits(&self, event: &Event) -> bool {
        self.waiting_triplet(event).is_some()
    }

    /// Lets the triplet of a greylisted attempt pass: its next attempt is not
    /// asked to come back, whenever inside the window it comes.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] if the attempt was not greylisted, or its
    /// triplet waits no longer: it came back, its window has closed, or
    /// somebody let it pass already.
    pub fn let_in(&self, caller: &Caller, named: &str) -> Result<LetIn, CenterError> {
        // For one recipient it is as much as a permit; whoever lets any pass
        // may this one, too.
        if !caller.may(Permission::SteerGreylist) {
            permit(caller, Permission::EditSenders)?;
        }
        let event = self.seen_by(caller).named(named)?;
        if recorded_triplet(&event).is_none() {
            return Err(CenterError::invalid(
                "this attempt was not greylisted, so there is nothing to let in",
            ));
        }
        let entry = self.waiting_triplet(&event).ok_or_else(|| {
            CenterError::invalid(
                "its triplet waits no longer: it has come back, its time to come back is over, or \
                 it was let in already; a permit lets its next message in",
            )
        })?;
        // Before it is done: the table is not in the database of the log.
        let details = json!({ "entries": 1 });
        let caller = &caller.clone().on_row(event.reference());
        let subject = presentable(&format!("{} {}", entry.facts.sender, entry.recipient.as_str()))
            .into_owned();
        self.record(caller, AuditAction::GreylistPassed, &subject, &details)?;
        self.parts.triplets.steer(std::slice::from_ref(&entry), TripletSteer::Pass)?;
        let sender = match entry.facts.sender.is_empty() {
            true => "<>",
            false => &entry.facts.sender,
        };
        let text = format!(
            "The next attempt of {sender} to {} from {} passes greylisting.",
            entry.recipient.as_str(),
            entry.facts.client
        );
        Ok(LetIn { text: presentable(&text).into_owned() })
    }

    pub(crate) fn waiting_triplet(&self, event: &Event) -> Option<TripletEntry> {
        let facts = recorded_triplet(event)?;
        let recipient = event.subject.recipient.as_ref()?;
        let text = if facts.sender.is_empty() { &facts.client } else { &facts.sender };
        let listed = self.parts.triplets.list(text, LOOKED_AT_MAX);
        listed.into_iter().find(|entry| {
            entry.facts.identity == facts.identity
                && entry.facts.client == facts.client
                && entry.facts.sender == facts.sender
                && entry.recipient.key() == recipient.key()
                && matches!(entry.facts.state, TripletState::FirstSeen | TripletState::TooEarly)
        })
    }
}
