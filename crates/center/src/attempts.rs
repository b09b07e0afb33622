//! One attempt or life-line by its name, and the story it tells.

use types::{Caller, Event, EventId, LifeLineId, Permission, Reference};

use crate::explain::{Explanation, exceptions, life_line::Story};
use crate::sight::Seen;
use crate::{Center, CenterError, permit, presentable_within};

impl Center {
    /// The full explanation of one attempt, by its id or by the reference a
    /// reply quoted.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn why(&self, caller: &Caller, named: &str) -> Result<Explanation, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let event = seen.named(named)?;
        let mut explanation = seen.explained(&event)?;
        seen.tell_if_queued(caller, &event, &mut explanation)?;
        explanation.waits = self.waits(&event);
        if caller.may(Permission::EditPolicies) {
            explanation.exceptions = exceptions(&event, &self.parts.activator.in_force());
        }
        explanation.deeds = seen.deeds(caller, &event, &explanation)?;
        Ok(explanation)
    }

    /// The same caller, acting on the row of an attempt: what they change says
    /// so in the audit log, and the attempt says what was done from it.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if the caller sees no such attempt.
    pub fn acting_on(&self, caller: &Caller, named: &str) -> Result<Caller, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let event = self.seen_by(caller).named(named)?;
        Ok(caller.clone().on_row(event.reference()))
    }

    /// The stored event itself, as it was written.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn event(&self, caller: &Caller, named: &str) -> Result<Event, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        self.seen_by(caller).named(named)
    }

    /// A life-line by its id, its reference, or the reference of one of its
    /// attempts.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn life(&self, caller: &Caller, named: &str) -> Result<Story, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let mut events = match named.parse::<LifeLineId>() {
            Ok(id) => seen.events.life_line(id)?,
            Err(_) => Vec::new(),
        };
        if events.is_empty() {
            events = seen.events.life_line(seen.named(named)?.life_line)?;
        }
        seen.told(events)
    }
}

impl Seen<'_> {
    /// The event of this id or reference. A life-line has a reference too,
    /// so of several the one whose own it is is meant.
    pub(crate) fn named(&self, named: &str) -> Result<Event, CenterError> {
        let named = named.trim();
        let missing =
            || CenterError::NotFound(format!("attempt {:?}", presentable_within(named, 60)));
        if let Ok(id) = named.parse::<EventId>() {
            return self.events.event(id)?.ok_or_else(missing);
        }
        let reference: Reference = named.parse().map_err(|_| missing())?;
        let mut events = self.events.by_reference(reference)?;
        let own = events.iter().position(|event| event.reference() == reference);
        if events.is_empty() {
            return Err(missing());
        }
        Ok(events.swap_remove(own.unwrap_or(0)))
    }
}
