//! Finding what belongs to a life-line beyond its own number: attempts from
//! another machine of the sender, the same message sent again, the other
//! recipients of a transaction.
//!
//! The number is given when an attempt is recorded, by the triplet table. It
//! covers what the table knows; the rest is found here by the rules of
//! [`joins`](super::joins), from what the events hold, so that the same
//! events always make the same story.

use std::time::Duration;

use store::search::{Filter, Order, Query, RowsPage, Stop, TextColumn, TextMatch};
use types::finding::{TripletFacts, TripletState};
use types::policy::GreylistTimes;
use types::{Event, FollowUp, LifeLineId, Outcome, Timestamp};

use super::joins::{SAME_MESSAGE_MS, is_same_message, recipient_key, triplet, window_rule};
use super::life_line::Lane;
use crate::search::label_of;
use crate::sight::Seen;
use crate::{Center, CenterError, presentable};

/// Most events looked at for each rule.
const CANDIDATES_MAX: usize = 300;
/// Most other life-lines joined to one.
const LINES_MAX: usize = 8;
/// Most lanes shown beside each other.
const LANES_MAX: usize = 100;
/// How long one session may last: the longest that can be set, and some more.
const SESSION: Duration = Duration::from_secs(8 * 24 * 60 * 60);

impl Seen<'_> {
    /// All events of a story: those of the life-line and of every other that
    /// the rules join to it.
    pub(crate) fn story_events(&self, line: Vec<Event>) -> Result<Vec<Event>, CenterError> {
        let mut lines: Vec<LifeLineId> =
            line.first().map(|event| event.life_line).into_iter().collect();
        let mut found = Vec::new();
        if let Some(attempt) = line.iter().find(|event| triplet(event).is_some()) {
            found.extend(self.of_the_same_window(attempt, &line)?);
        }
        if let Some(sent) = line.iter().find(|event| message_id(event).is_some()) {
            found.extend(self.same_message(sent)?);
        }
        let mut events = line;
        for id in found {
            if !lines.contains(&id) && lines.len() <= LINES_MAX {
                lines.push(id);
                events.extend(self.events.life_line(id)?);
            }
        }
        Ok(events)
    }

    /// Rules 1 and 2 beyond the triplet table: the same sender and recipient
    /// from another machine, while a window was open.
    fn of_the_same_window(
        &self,
        attempt: &Event,
        line: &[Event],
    ) -> Result<Vec<LifeLineId>, CenterError> {
        let Some(facts) = triplet(attempt) else { return Ok(Vec::new()) };
        let within = self.greylist_times().retry_within;
        let Some(filter) = same_pair(attempt) else { return Ok(Vec::new()) };
        let times = facts.first_seen - within..facts.first_seen + within;
        let candidates = self.candidates(filter, times)?;
        let joins = |other: &&Event| {
            !line.iter().any(|own| own.id == other.id)
                && line.iter().any(|own| is_one_window(own, other, within))
        };
        Ok(candidates.iter().filter(joins).map(|event| event.life_line).collect())
    }

    /// Rule 3: the same Message-ID to the same recipient.
    fn same_message(&self, sent: &Event) -> Result<Vec<LifeLineId>, CenterError> {
        let (Some(id), Some(to)) = (message_id(sent), recipient_filter(sent)) else {
            return Ok(Vec::new());
        };
        let same = Filter::Text(TextColumn::MessageId, TextMatch::Equals(id.to_owned()));
        let span = Duration::from_millis(SAME_MESSAGE_MS);
        let filter = Filter::All(vec![Filter::IsAttempt, same, to]);
        let found = self.candidates(filter, sent.at - span..sent.at + span)?;
        let joins = |other: &&Event| is_same_message(sent, other);
        Ok(found.iter().filter(joins).map(|event| event.life_line).collect())
    }

    /// The life-line of a retry that came after the window of this one had
    /// closed.
    pub(crate) fn continued_by(&self, line: &[Event]) -> Result<Option<LifeLineId>, CenterError> {
        let expired = line
            .iter()
            .find(|event| matches!(event.follow_up(), Some(FollowUp::GreylistExpired { .. })));
        let attempt = line.iter().find(|event| triplet(event).is_some());
        let (Some(expired), Some(attempt)) = (expired, attempt) else { return Ok(None) };
        let Some(filter) = same_pair(attempt) else { return Ok(None) };
        let late = Duration::from_millis(SAME_MESSAGE_MS);
        let found = self.candidates(filter, expired.at..expired.at + late)?;
        // Newest first, and the first retry is wanted.
        let is_late =
            |other: &&Event| other.at > expired.at && window_rule(attempt, other).is_some();
        Ok(found.iter().rev().find(is_late).map(|event| event.life_line))
    }

    /// The recipients of the transaction an attempt was part of; nothing if
    /// it was the only one.
    pub(crate) fn lanes(&self, attempt: &Event) -> Result<Vec<Lane>, CenterError> {
        let filter = Filter::All(vec![Filter::IsAttempt, Filter::Session(attempt.session)]);
        let times = attempt.started - SESSION..attempt.at + SESSION;
        let found = self.candidates(filter, times)?;
        let mut lanes: Vec<Lane> = found
            .iter()
            .filter(|other| is_one_transaction(attempt, other))
            .take(LANES_MAX)
            .map(|other| lane(other, other.id == attempt.id))
            .collect();
        lanes.sort_by(|one, other| one.to.cmp(&other.to).then(one.id.cmp(&other.id)));
        if lanes.len() < 2 {
            lanes.clear();
        }
        Ok(lanes)
    }

    fn candidates(
        &self,
        filter: Filter,
        times: std::ops::Range<Timestamp>,
    ) -> Result<Vec<Event>, CenterError> {
        let query = Query { filter: &filter, times, stop: Stop::never() };
        let page = RowsPage { after: None, rows_max: CANDIDATES_MAX };
        Ok(self.events.rows(&query, Order::NEWEST, &page)?.events)
    }
}

impl Center {
    /// The times of greylisting in force.
    pub(crate) fn greylist_times(&self) -> GreylistTimes {
        self.parts.activator.base().greylist
    }
}

fn message_id(event: &Event) -> Option<&str> {
    event.subject.message.as_ref()?.message_id.as_deref().filter(|id| !id.is_empty())
}

fn recipient_filter(event: &Event) -> Option<Filter> {
    let to = event.subject.recipient.as_ref()?.as_str().to_owned();
    Some(Filter::Text(TextColumn::To, TextMatch::Equals(to)))
}

/// Attempts to the same recipient from the same sender domain. What was
/// normalised is compared afterwards; the domain stays through all but
/// forwarding.
fn same_pair(attempt: &Event) -> Option<Filter> {
    let domain = attempt.subject.reverse_path.as_ref()?.address()?.domain_key().to_owned();
    let from = Filter::Text(TextColumn::From, TextMatch::Domain { domain, below: false });
    Some(Filter::All(vec![Filter::IsAttempt, from, recipient_filter(attempt)?]))
}

/// Whether two attempts waited in the same window, although the table kept
/// them apart. The same triplet on another line was kept apart for a reason:
/// the window of the first had ended.
fn is_one_window(own: &Event, other: &Event, within: Duration) -> bool {
    let waits = |facts: &TripletFacts| facts.state != TripletState::Known;
    let (Some(known), Some(facts)) = (triplet(own), triplet(other)) else { return false };
    let apart =
        known.first_seen.since(facts.first_seen).max(facts.first_seen.since(known.first_seen));
    let (earlier, later) = if own.at <= other.at { (own, other) } else { (other, own) };
    known.client != facts.client
        && waits(known)
        && waits(facts)
        && apart <= within
        && !matches!(earlier.outcome(), Some(Outcome::Accepted { .. } | Outcome::Passed { .. }))
        && window_rule(earlier, later).is_some()
}

/// Whether two attempts were recipients of one transaction: of one session
/// and sender, and of one message where there was one.
fn is_one_transaction(one: &Event, other: &Event) -> bool {
    let queue = |event: &Event| match event.outcome() {
        Some(Outcome::Accepted { queue, .. } | Outcome::Held { queue, .. }) => Some(*queue),
        _ => None,
    };
    let same_message = match (queue(one), queue(other)) {
        (Some(one), Some(other)) => one == other,
        _ => match (&one.subject.message, &other.subject.message) {
            (Some(first), Some(second)) => first == second,
            // Refused at RCPT: part of whatever was sent next.
            (None, _) | (_, None) => true,
        },
    };
    one.session == other.session
        && one.subject.reverse_path == other.subject.reverse_path
        && recipient_key(one).is_some()
        && recipient_key(other).is_some()
        && same_message
}

fn lane(event: &Event, this: bool) -> Lane {
    let to = event.subject.recipient.as_ref().map_or("", |path| path.as_str());
    Lane {
        id: event.id,
        reference: event.reference(),
        life: event.life_line,
        to: presentable(to).into_owned(),
        outcome: event.outcome_kind(),
        label: label_of(event),
        this,
    }
}
