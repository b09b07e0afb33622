//! From a leased message to the next hops of its recipients.

use std::sync::Arc;
use std::time::Duration;

use store::{QueuedMessage, RecipientState};
use types::Timestamp;

use crate::hop::{Handed, Hop};
use crate::lease::{Job, Lease};
use crate::route::{Mail, RouteFailure};
use crate::shared::Shared;
use crate::status::count;
use crate::tried::{Answer, Came, Reached, Try, Why};
use crate::worker;

/// How long messages beyond the share of a slow next hop wait in the queue.
const FULL_WAIT: Duration = Duration::from_secs(30);

/// Hands `message` to the next hops of those of its recipients that are due.
pub(crate) fn hand_on(shared: &Arc<Shared>, message: Arc<QueuedMessage>, now: Timestamp) {
    let lease = Lease::new(shared, Arc::clone(&message));
    let mut jobs: Vec<(Arc<Hop>, Vec<usize>)> = Vec::with_capacity(1);
    let settings = shared.settings();
    for (place, recipient) in message.recipients.iter().enumerate() {
        let RecipientState::Waiting { due, .. } = recipient.state else { continue };
        if due > now {
            continue;
        }
        let hop = match settings.routes.next_hop(&recipient.path, Mail::of(&message)) {
            Ok(next_hop) => shared.hops.entry(next_hop, &settings),
            Err(failure) => {
                lease.add(vec![(place, no_route(recipient.path.domain_key(), failure))]);
                continue;
            }
        };
        match jobs.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &hop)) {
            Some((_, places)) => places.push(place),
            None => jobs.push((hop, vec![place])),
        }
    }
    // The last one takes the lease along, so that nobody but the worker who
    // ends last has to conclude it.
    let Some((last, places)) = jobs.pop() else {
        shared.spawn(lease.conclude());
        return;
    };
    let lease = Arc::new(lease);
    for (hop, places) in jobs {
        hand(shared, &hop, Job { lease: Arc::clone(&lease), places }, now);
    }
    hand(shared, &last, Job { lease, places }, now);
}

fn hand(shared: &Arc<Shared>, hop: &Arc<Hop>, job: Job, now: Timestamp) {
    // As much as is free: a slow next hop gets half of all leases, the next
    // one half of what is left.
    let share = shared.leases_free();
    let limits = shared.settings().hop;
    let (job, came) = match hop.hand(job, now, share, &limits) {
        Handed::Taken => return,
        Handed::NeedsWorker => return worker::start(shared, hop),
        Handed::LeftAlone { job, until, why } => (job, put_off(hop, until, why)),
        Handed::Full { job } => {
            let why = Why::Unable("more messages wait for this next hop than it can take".into());
            (job, put_off(hop, now + FULL_WAIT, why))
        }
    };
    count(&shared.counters.put_off);
    shared.spawn(job.end_all(came));
}

/// What it means for a recipient that its next hop is not asked now.
pub(crate) fn put_off(hop: &Hop, until: Timestamp, why: Why) -> Came {
    Came::PutOff { until, host: Arc::clone(&hop.name), why }
}

/// What it means for a recipient that there is no next hop.
pub(crate) fn no_route(name: &str, failure: RouteFailure) -> Came {
    let answer = match failure {
        RouteFailure::Permanent { status, why } => Answer::Impossible(status, why),
        RouteFailure::Temporary { why } => Answer::Silent(why),
    };
    Came::Tried(Try { at: Reached::only(name.into()), answer, took: Duration::ZERO })
}
