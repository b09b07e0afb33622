//! Fills a data folder with made-up refusals, spread over the six days before
//! a point in time: `fill FOLDER EVENTS NOW_MS`. Events go the way all events
//! go, so what a large store costs can be measured without days of load.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use store::disk::RealDisk;
use store::{EventLog, Store, StoreOptions};
use types::{Event, Timestamp};

#[path = "made/mod.rs"]
#[expect(dead_code, reason = "shared with append_cost, which also enters triplets")]
mod made;

/// Events in one record.
const AT_ONCE: u64 = 20;
/// Events between two looks of the housekeeping.
const MAINTAIN_EVERY: u64 = 20_000;
/// The span that events are spread over, below the seven days of retention.
const SPAN: Duration = Duration::from_secs(6 * 24 * 60 * 60);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, events, now] = arguments.as_slice() else {
        return Err("fill FOLDER EVENTS NOW_MS".into());
    };
    let (events, now) = (events.parse::<u64>()?, Timestamp::from_millis(now.parse()?));
    let begin = now - SPAN;
    let at = |n: u64| {
        let share = u128::from(n) * SPAN.as_millis() / u128::from(events.max(1));
        begin + Duration::from_millis(u64::try_from(share).unwrap_or(0))
    };
    let (store, _) = Store::open(Arc::new(RealDisk), StoreOptions::new(folder), begin)?;
    for first in (0..events).step_by(AT_ONCE as usize) {
        let group: Vec<Event> =
            (first..events.min(first + AT_ONCE)).map(|n| made::refusal(n, at(n))).collect();
        store.record(group)?;
        if first % MAINTAIN_EVERY == 0 {
            store.maintain(at(first))?;
        }
    }
    store.close(now)?;
    Ok(())
}
