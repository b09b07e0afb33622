//! Following along: what came after the last event that somebody saw.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use types::{Event, EventId, Timestamp};

/// The last event a follower has seen; as text, what `Last-Event-ID` carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowPosition {
    /// When it happened.
    pub at: Timestamp,
    /// Its identifier; nothing for a place in time where nothing need be.
    pub id: Option<EventId>,
    /// Whether it was reached in the order of time, and not in that of
    /// arrival: nothing before it can come any more.
    pub by_time: bool,
}

impl FollowPosition {
    /// How much later than its time an event can be written: a commit that
    /// waits for a slow disk.
    pub(crate) const MARGIN: Duration = Duration::from_secs(30);

    /// Everything before this has been seen by whoever is here.
    pub fn seen_before(&self) -> Timestamp {
        match self.id {
            // Events are written somewhat out of the order of their times.
            Some(_) => self.at.before(Self::MARGIN),
            // Nobody followed up to here: this is where it begins.
            None => self.at,
        }
    }

    /// From this time on.
    pub fn at(at: Timestamp) -> Self {
        FollowPosition { at, id: None, by_time: false }
    }
}

impl fmt::Display for FollowPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at.as_millis())?;
        self.id.map_or(Ok(()), |id| write!(f, "_{id}"))?;
        if self.by_time { f.write_str(BY_TIME) } else { Ok(()) }
    }
}

/// Ends the text of a position by time.
const BY_TIME: &str = "_t";

/// The text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position this server gave out")]
pub struct PositionError;

impl FromStr for FollowPosition {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (text, by_time) = match text.strip_suffix(BY_TIME) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (at, id) = match text.split_once('_') {
            Some((at, id)) => (at, Some(id.parse().map_err(|_| PositionError)?)),
            None => (text, None),
        };
        let at = at.parse().map(Timestamp::from_millis).map_err(|_| PositionError)?;
        Ok(FollowPosition { at, id, by_time })
    }
}

/// What came.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The events that match, in the order in which they came.
    pub events: Vec<Event>,
    /// Where to go on, also if none matched.
    pub position: FollowPosition,
    /// Whether there is more right now: call again without waiting.
    pub more: bool,
    /// Whether events may come that were seen before: the position was found
    /// by its time only (after a restart, or a long pause). None is left out;
    /// whoever minds leaves out the identifiers seen already.
    pub repeated: bool,
    /// Whether the position is older than all that is kept, so that events
    /// were missed for good.
    pub too_old: bool,
}

/// How far somebody who stays in this process has looked at what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// How many events had come since the start of the process; nothing for a
    /// place in time.
    pub(crate) number: Option<u64>,
    /// When that was.
    pub(crate) at: Timestamp,
}

impl Arrival {
    /// From this time on.
    pub fn at(at: Timestamp) -> Self {
        Arrival { number: None, at }
    }

    /// Everything before this has been looked at by whoever is here.
    pub fn seen_before(&self) -> Timestamp {
        match self.number {
            Some(_) => self.at.before(FollowPosition::MARGIN),
            None => self.at,
        }
    }

    /// Events of this time and later are passed over by whoever looks from
    /// here: a clock that was ahead wrote them.
    pub fn end(&self) -> Timestamp {
        self.at + FollowPosition::MARGIN
    }

    /// Whether nothing came between the two.
    pub fn is_where(&self, other: &Arrival) -> bool {
        self.number.is_some() && self.number == other.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back() {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let id = Some(EventId::new(at, [7; 10]));
        for (id, by_time) in [(None, false), (id, false), (id, true), (None, true)] {
            let position = FollowPosition { at, id, by_time };
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        let begins = FollowPosition::at(at);
        assert_eq!(begins.seen_before(), at, "nothing lies between it and what is followed");
        assert!(FollowPosition { id, ..begins }.seen_before() < at);
        for wrong in ["", "x", "5_", "5_x", "_"] {
            assert_eq!(wrong.parse::<FollowPosition>(), Err(PositionError), "{wrong}");
        }
    }
}
