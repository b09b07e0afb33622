//! Following along, without losing what is written late.
//!
//! Events come in an order that is not quite that of their times: who waits
//! for a disk is written after somebody younger. So the last events are kept
//! in the order in which they came, and a follower goes on after the one it
//! saw last. Only who has been away for longer, or since before a restart, is
//! served by time, with a margin in which events may repeat.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use types::Event;

use super::bits::{BLOCK_ROWS, Bits};
use super::columns::Columns;
use super::filter::Test;
use crate::search::FollowPosition;

/// Events that are kept in the order in which they came. Most of them are in
/// memory anyway.
const RECENT_MAX: usize = 4_096;
/// See [`FollowPosition::MARGIN`].
pub(super) const MARGIN: Duration = FollowPosition::MARGIN;

/// The last events in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Arc<Event>>);

impl Recent {
    pub(super) fn push(&mut self, event: Arc<Event>) {
        if self.0.len() >= RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    /// The newest position.
    pub(super) fn newest(&self) -> Option<FollowPosition> {
        self.0.back().map(|event| position_of(event))
    }

    /// At most `most` events after `after`, and whether there are more.
    /// Nothing if that event is not among them, or was not reached in the
    /// order of arrival: what came before it may not have been seen.
    pub(super) fn after(
        &self,
        after: &FollowPosition,
        most: usize,
    ) -> Option<(Vec<Arc<Event>>, bool)> {
        let id = after.id.filter(|_| !after.by_time)?;
        let place = self.0.iter().rposition(|event| event.id == id)?;
        let rest = self.0.len() - place - 1;
        Some((self.0.range(place + 1..).take(most).cloned().collect(), rest > most))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Event>> {
        self.0.iter().cloned().collect()
    }
}

/// The position of an event.
pub(super) fn position_of(event: &Event) -> FollowPosition {
    FollowPosition { at: event.at, id: Some(event.id), by_time: false }
}

/// The places of the events that match, in order.
pub(super) fn matching(events: &[Arc<Event>], test: &Test) -> Vec<usize> {
    let mut places = Vec::new();
    for (block, events) in events.chunks(BLOCK_ROWS).enumerate() {
        let mut columns = Columns::default();
        events.iter().for_each(|event| columns.push(event));
        let view = columns.view();
        let first = block * BLOCK_ROWS;
        let found = test.prepare(&view).matching(0, events.len(), &Bits::first(events.len()));
        places.extend(found.rows().map(|row| first + row));
    }
    places
}
