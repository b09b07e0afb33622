//! What an explanation needs beside its event, gathered from the store.

use types::{Caller, Event, LifeLineId, Permission};

use super::life_line::{LifeState, Story, story};
use super::public::{PublicRefusal, refusal};
use super::{Explanation, Surroundings, explain};
use crate::sight::Seen;
use crate::{Center, CenterError, permit};

impl Seen<'_> {
    /// Explains an event with all that is known around it.
    pub(crate) fn explained(&self, event: &Event) -> Result<Explanation, CenterError> {
        let line = self.events.life_line(event.life_line)?;
        // What was just written may be found a moment later only.
        let line = if line.is_empty() { vec![event.clone()] } else { line };
        let mut story = self.told(line)?;
        if event.outcome().is_some() && event.subject.recipient.is_some() {
            story.lanes = self.lanes(event)?;
        }
        let surroundings = Surroundings {
            story,
            policy: self.policy_view(event)?,
            permit: self.permit_view(event)?,
            greylist: self.greylist_times(),
        };
        Ok(explain(event, surroundings))
    }

    /// The story of a life-line by its events, with those the rules join.
    pub(crate) fn told(&self, line: Vec<Event>) -> Result<Story, CenterError> {
        let life = line.first().map(|event| event.life_line);
        let attempt = line.iter().rev().find(|event| event.outcome().is_some()).cloned();
        let continued_by = self.continued_by(&line)?;
        let events = self.story_events(line)?;
        let mut story = story(&events, self.parts.clock.now(), self.greylist_times());
        if let Some(life) = life {
            (story.life, story.reference) = (Some(life), Some(life.reference()));
        }
        if story.state == LifeState::NeverCameBack && continued_by.is_some() {
            story.state = LifeState::CameBackTooLate;
            story.head = story.state.title().to_owned();
        }
        story.continued_by = continued_by.filter(|other| Some(*other) != life);
        if let Some(attempt) = attempt.as_ref().filter(|_| story.window.is_some()) {
            story.prior = Some(self.return_prior(attempt)?);
        }
        if let Some(attempt) = attempt.filter(|attempt| attempt.subject.recipient.is_some()) {
            story.lanes = self.lanes(&attempt)?;
        }
        Ok(story)
    }
}

impl Center {
    /// What a stranger with a reference may be told of a refusal; nothing
    /// for a reference that does not exist, is no refusal, or is not public.
    /// No permission is asked: the reference is all that a stranger has.
    ///
    /// # Errors
    ///
    /// A store that fails.
    pub fn public_refusal(
        &self,
        reference: &str,
        explains_scores: bool,
    ) -> Result<Option<PublicRefusal>, CenterError> {
        let Ok(reference) = reference.trim().parse::<types::Reference>() else { return Ok(None) };
        let events = self.memory.of_house().by_reference(reference)?;
        let own = events.iter().find(|event| event.reference() == reference);
        Ok(own.and_then(|event| refusal(event, explains_scores)))
    }

    /// The whole life-line as the events that were stored, oldest first.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`] if there is none (any more).
    pub fn life_events(
        &self,
        caller: &Caller,
        life: LifeLineId,
    ) -> Result<Vec<Event>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let events = self.seen_by(caller).events.life_line(life)?;
        match events.is_empty() {
            true => Err(CenterError::NotFound(format!("life-line {life}"))),
            false => Ok(events),
        }
    }
}
