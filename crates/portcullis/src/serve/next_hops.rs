//! Joins `center`, which asks how next hops are, to `deliver`, which knows.

use center::{NextHopState, NextHops};
use deliver::{Deliverer, HopState, HopStatus, Mail, RouteFailure};
use store::QueuedMessage;
use types::ForwardPath;

/// What delivery knows of next hops.
pub(super) struct DelivererHops(pub(super) Deliverer);

impl NextHops for DelivererHops {
    fn of(&self, message: &QueuedMessage, to: &ForwardPath) -> Result<NextHopState, String> {
        let found = self.0.next_hop_of(to, Mail::of(message));
        found.map(state).map_err(|failure| match failure {
            RouteFailure::Temporary { why } | RouteFailure::Permanent { why, .. } => why,
        })
    }

    fn all(&self) -> Vec<NextHopState> {
        self.0.status().hops.into_iter().map(state).collect()
    }

    fn try_now(&self, message: &QueuedMessage, to: &ForwardPath) {
        self.0.try_now_for(to, Mail::of(message));
    }
}

/// A next hop as the message center sees it.
pub(super) fn state(hop: HopStatus) -> NextHopState {
    let (failures, left_alone_until) = match hop.state {
        HopState::Up => (0, None),
        HopState::BackingOff { failures, until } => (failures, Some(until)),
    };
    NextHopState {
        name: hop.name.to_string(),
        ours: hop.ours,
        failures,
        left_alone_until,
        connections: hop.connections,
        last_answer: hop.last_answer.map(|(at, answer)| (at, answer.to_string())),
    }
}
