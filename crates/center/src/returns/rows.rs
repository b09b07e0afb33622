//! What the list says of greylisted rows: whether the sender came back, and
//! else when its like usually does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::finding::TripletState;
use types::{CheckName, Event, Observed, Reason, Timestamp, spoken};

use super::estimate::{Priors, Whose};
use super::waits::span_words;
use crate::CenterError;
use crate::explain::joins::triplet;
use crate::explain::life_line::open_window;
use crate::search::Row;
use crate::sight::Seen;

/// How the coming back of a greylisted sender stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReturnState {
    /// It came back.
    CameBack,
    /// It may still come back, and its like take no less.
    Expected,
    /// It may still come back; most of its like would have by now.
    Late,
    /// It may still come back; how soon its like do is not known.
    Unknown,
    /// It did not come back while a retry would have passed.
    Never,
}

/// Whether a greylisted sender came back, and else when it is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowReturn {
    /// How it stands.
    pub state: ReturnState,
    /// By when four of five of its like are back; nothing where that is not
    /// known or does not matter any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Timestamp>,
    /// The same in words: `usually back after 6–15 minutes; not yet`.
    pub text: String,
}

impl Seen<'_> {
    /// Says of each greylisted row how the coming back of its sender stands:
    /// one look at its life-line, and none at events for what is expected.
    pub(crate) fn tell_returns(
        &self,
        events: &[Event],
        rows: &mut [Row],
    ) -> Result<(), CenterError> {
        let (now, times) = (self.parts.clock.now(), self.greylist_times());
        let mut open = Vec::new();
        for (event, row) in events.iter().zip(rows).filter(|(event, _)| is_greylisted(event)) {
            let line = self.events.life_line(event.life_line)?;
            match came_back(event, &line) {
                Some(told) => row.returns = Some(told),
                None => {
                    // The window is that of the newest attempt: each one that
                    // was too early says anew from when on a retry passes.
                    let last = line.iter().filter(|event| is_greylisted(event)).max_by_key(age);
                    match open_window(last.unwrap_or(event), now, times) {
                        Some(_) => open.push((event, row)),
                        None => {
                            row.returns = Some(told(ReturnState::Never, None, "not back in time"))
                        }
                    }
                }
            }
        }
        let whose: Vec<Whose> = open.iter().map(|(event, _)| Whose::of_event(event)).collect();
        let expected = self.expected_returns(&whose, now)?;
        for ((_, row), told) in open.into_iter().zip(expected) {
            row.returns = Some(told);
        }
        Ok(())
    }

    /// When each of these senders, which may still come back, is expected.
    pub(crate) fn expected_returns(
        &self,
        whose: &[Whose],
        now: Timestamp,
    ) -> Result<Vec<RowReturn>, CenterError> {
        if whose.is_empty() {
            return Ok(Vec::new());
        }
        let counted = self.counted_days()?;
        let mut priors = Priors::of(counted.as_ref(), self.events.sight());
        Ok(whose.iter().map(|one| expected(priors.usual(one), one.since, now)).collect())
    }
}

/// Whether the sender of an attempt was asked to come back.
fn is_greylisted(event: &Event) -> bool {
    let reason = event.outcome().and(event.reason());
    matches!(reason, Some(Reason::GreylistFirstSeen | Reason::GreylistTooEarly))
}

fn age(event: &&Event) -> (Timestamp, types::EventId) {
    (event.at, event.id)
}

/// That the sender came back after an attempt, if its life-line has a later
/// one that was not asked to come back again.
fn came_back(attempt: &Event, line: &[Event]) -> Option<RowReturn> {
    let later = |event: &&Event| {
        event.outcome().is_some() && !is_greylisted(event) && event.at >= attempt.at
    };
    let back = line.iter().filter(later).min_by_key(age)?;
    let first = triplet(attempt).map_or(attempt.started, |facts| facts.first_seen);
    let let_in = matches!(
        back.record.evidence.latest(CheckName::Greylist),
        Some(Observed::Triplet(facts)) if facts.state == TripletState::Passed && facts.let_in
    );
    let let_in = if let_in { "; somebody had let it in" } else { "" };
    let words = format!("came back after {}{let_in}", spoken(back.started.since(first)));
    Some(told(ReturnState::CameBack, None, &words))
}

/// What is said of a sender that may still come back.
fn expected(usual: Option<(u32, u32)>, began: Timestamp, now: Timestamp) -> RowReturn {
    let Some(span) = usual else {
        return told(ReturnState::Unknown, None, "not back yet; how soon is unknown");
    };
    let by = began + Duration::from_secs(span.1.into());
    let words = span_words(span);
    match now <= by {
        true => {
            let text = format!("usually back after {words}; not yet");
            told(ReturnState::Expected, Some(by), &text)
        }
        false => told(ReturnState::Late, Some(by), &format!("late: usually back after {words}")),
    }
}

fn told(state: ReturnState, by: Option<Timestamp>, text: &str) -> RowReturn {
    RowReturn { state, by, text: text.to_owned() }
}
