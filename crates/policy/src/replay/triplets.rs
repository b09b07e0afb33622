//! The triplet table of a replay.
//!
//! It begins as the real one was: where a triplet has gone no other way than
//! it really went, what was recorded is so. Where the other policy set asks
//! about a triplet that was not looked up, or lets one pass that really
//! opened a window, the triplet is simulated from there on.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use types::evidence::Need;
use types::finding::{TripletFacts, TripletState};
use types::policy::{ClientIdentity, GreylistTimes};
use types::triplet::{identified, normalised};
use types::{CheckName, Event, Observed, SpfFacts, Timestamp};

use super::{End, Forecast, Lack, recorded_triplet};

/// A triplet by the hash of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TripletKey(u128);

/// Makes keys. The seed is drawn by chance for each replay, so that no
/// sender can choose names that fall together.
#[derive(Clone, Debug)]
pub struct TripletKeys {
    halves: [FixedState; 2],
}

impl TripletKeys {
    /// Keys of this seed; only keys of one seed can be compared.
    pub fn new(seed: u64) -> Self {
        TripletKeys { halves: [FixedState::with_seed(seed), FixedState::with_seed(!seed)] }
    }

    /// The triplet of an attempt; nothing if it has not come to RCPT.
    pub fn of(&self, event: &Event, identity: ClientIdentity) -> Option<TripletKey> {
        let subject = &event.subject;
        let recipient = subject.recipient.as_ref()?.key();
        match recorded_triplet(event).filter(|facts| stands_for(facts, identity)) {
            Some(facts) => Some(self.key(facts.identity, &facts.client, &facts.sender, recipient)),
            None => {
                let path = subject.reverse_path.as_ref()?;
                let ip = subject.client.client.ip;
                let found = identified(ip, identity, path, recorded_spf(event));
                Some(self.key(found.identity, &found.client, &normalised(path), recipient))
            }
        }
    }

    fn key(&self, by: ClientIdentity, client: &str, sender: &str, recipient: &str) -> TripletKey {
        let parts = (by, client, sender, recipient);
        let [high, low] = self.halves.each_ref().map(|half| u128::from(half.hash_one(parts)));
        TripletKey(high << 64 | low)
    }
}

/// Whether what was recorded is what a policy would have looked up that wants
/// clients identified like this. A network that had passed is looked up by
/// pools too, as at a session: nobody begins anew.
fn stands_for(facts: &TripletFacts, wanted: ClientIdentity) -> bool {
    let has_passed = matches!(facts.state, TripletState::Passed | TripletState::Known);
    let network = facts.identity == ClientIdentity::Network;
    facts.answers(wanted) || (wanted == ClientIdentity::Pool && network && has_passed)
}

fn recorded_spf(event: &Event) -> Option<&SpfFacts> {
    match event.record.evidence.latest(CheckName::Spf) {
        Some(Observed::Spf(facts)) => Some(facts),
        _ => None,
    }
}

/// Where a triplet stands that has gone another way than it really went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Simulated {
    /// It is not in the table.
    Absent,
    /// A window was opened at this instant.
    Waiting(Timestamp),
    /// It passed, and was last used at this instant.
    Known(Timestamp),
}

/// The triplet table under one policy set, while a replay goes through time.
#[derive(Debug)]
pub struct Triplets {
    times: GreylistTimes,
    simulated: HashMap<TripletKey, Simulated>,
    simulated_max: usize,
}

/// How an attempt ended in a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its end.
    pub end: End,
    /// Whether the triplet that led to it was simulated.
    pub simulated: bool,
}

impl Triplets {
    /// A table in which no triplet has gone another way yet, and at most
    /// `simulated_max` will.
    pub fn new(times: GreylistTimes, simulated_max: usize) -> Self {
        Triplets { times, simulated: HashMap::new(), simulated_max }
    }

    /// Settles the next attempt in the order of time.
    ///
    /// `wanted` is the triplet that the forecast asks about, `recorded` the
    /// one that was looked up, and where it stood.
    pub fn settle(
        &mut self,
        forecast: &Forecast,
        wanted: Option<TripletKey>,
        recorded: Option<(TripletKey, TripletState)>,
        at: Timestamp,
    ) -> Settled {
        let Some(key) = wanted.filter(|_| forecast.greylist.is_some()) else {
            self.not_entered(forecast, recorded);
            return Settled { end: forecast.passing, simulated: false };
        };
        let then = recorded.filter(|(looked_up, _)| *looked_up == key).map(|(_, state)| state);
        match (self.simulated.get(&key), then) {
            (None, Some(state)) => Settled { end: forecast.end(state), simulated: false },
            (None, None) if self.simulated.len() >= self.simulated_max => {
                let need = forecast.greylist.map(|greylist| Need::Triplet(greylist.identity));
                let end = need.map_or(forecast.passing, |need| End::unknown(Lack::Evidence(need)));
                Settled { end, simulated: false }
            }
            (found, _) => {
                let (state, next) = self.enter(found.copied().unwrap_or(Simulated::Absent), at);
                self.simulated.insert(key, next);
                Settled { end: forecast.end(state), simulated: true }
            }
        }
    }

    /// An attempt that does not look into the table leaves no trace in it: a
    /// window that it really opened is not open here.
    fn not_entered(&mut self, forecast: &Forecast, recorded: Option<(TripletKey, TripletState)>) {
        let known = forecast.passing.lacks.is_none_or(|lack| lack == Lack::Content);
        if let Some((key, TripletState::FirstSeen)) = recorded
            && known
            && self.simulated.len() < self.simulated_max
        {
            self.simulated.insert(key, Simulated::Absent);
        }
    }

    /// Where a triplet stands at an attempt, and from then on. The times are
    /// those of [`GreylistTimes`]; at the instant a window closes a retry
    /// still passes.
    fn enter(&self, before: Simulated, at: Timestamp) -> (TripletState, Simulated) {
        match before {
            Simulated::Waiting(first) if at.since(first) < self.times.retry_after => {
                (TripletState::TooEarly, before)
            }
            Simulated::Waiting(first) if at.since(first) <= self.times.retry_within => {
                (TripletState::Passed, Simulated::Known(at))
            }
            Simulated::Known(used) if at.since(used) <= self.times.remember => {
                (TripletState::Known, Simulated::Known(at))
            }
            _ => (TripletState::FirstSeen, Simulated::Waiting(at)),
        }
    }
}
