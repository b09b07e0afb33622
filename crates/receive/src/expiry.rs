//! *Sender Failed to Retry*: written by the clock when a greylist window has
//! closed without a retry that passed.

use store::StoreError;
use store::contract::ExpiredTriplet;
use types::{Event, EventKind, FollowUp, Timestamp};

use crate::engine::Engine;

/// Windows closed in one journal record.
const BATCH_MAX: usize = 500;

/// Writes the events of all windows that closed up to now, each with the
/// time at which its window closed, even if that lies in a downtime. Gives
/// how many there were.
///
/// # Errors
/// The store cannot write; what was not written is due again.
pub fn write_expired(engine: &Engine) -> Result<usize, StoreError> {
    let now = engine.now();
    let mut written = 0;
    loop {
        let due = engine.parts.triplets.due(now, BATCH_MAX);
        if due.is_empty() {
            return Ok(written);
        }
        written += due.len();
        let events = due.into_iter().map(|expired| event(engine, expired)).collect();
        engine.parts.triplets.expired(events)?;
    }
}

fn event(engine: &Engine, expired: ExpiredTriplet) -> Event {
    let closed: Timestamp = expired.closed;
    let attempts = expired.facts.attempts;
    Event {
        schema: types::event::SCHEMA,
        id: engine.new_event_id(closed),
        at: closed,
        started: closed,
        node: engine.parts.node.clone(),
        session: expired.session,
        life_line: expired.facts.life_line,
        subject: expired.subject,
        kind: EventKind::FollowUp {
            of: expired.facts.first_event,
            what: FollowUp::GreylistExpired { attempts },
        },
        record: types::event::Record::default(),
    }
}
