//! What following along costs while a gateway refuses:
//! `cargo run --release -p store --example follow_cost [REFUSALS_PER_SECOND]`.
//!
//! Prints microseconds of CPU for one refusal (15,000 a second, if nothing
//! else is said): for remembering it, for looking at it once a second with so
//! many filters over the columns, as alerts do, and for handing it to one
//! follower as an event, as alerts did.

use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use store::contract::Position;
use store::disk::RealDisk;
use store::events::{EventIndex, SealWhat};
use store::search::{Arrival, EventSearch, Filter, FollowPosition, TextColumn, TextMatch};
use types::*;

#[path = "made/mod.rs"]
#[expect(dead_code, reason = "shared with an example that also makes attempts")]
mod made;

/// Seconds that are played.
const SECONDS: u64 = 40;
/// Events a follower takes at once.
const AT_ONCE: usize = 2_000;
/// Clock ticks in which the kernel counts CPU time (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let argument = std::env::args().nth(1);
    let rate: u64 = argument.map_or(Ok(15_000), |rate| rate.parse())?;
    let remembering = played(rate, &mut |_, _| Ok(()))?;
    writeln!(out, "remember one refusal              {remembering:7.2} µs")?;
    for count in [1, 20, 200] {
        let filters: Vec<Filter> = (0..count).map(filter).collect();
        let mut after = None;
        let each = played(rate, &mut |index, now| {
            let from = after.unwrap_or(Arrival::at(now.before(Duration::from_secs(1))));
            let found = index
                .follow_each(&filters, &from, now, &mut |_, _, _| ControlFlow::Continue(()))?;
            after = Some(found);
            Ok(())
        })? - remembering;
        let ratio = each / remembering;
        writeln!(out, "look at it for {count:3} alerts        {each:7.2} µs ({ratio:.2} times)")?;
    }
    let mut after = None;
    let each = played(rate, &mut |index, now| {
        let mut from = after.unwrap_or(FollowPosition::at(now.before(Duration::from_secs(1))));
        loop {
            let found = index.follow(&filter(0), &from, AT_ONCE)?;
            from = found.position;
            if !found.more {
                break;
            }
        }
        after = Some(from);
        Ok(())
    })? - remembering;
    let ratio = each / remembering;
    writeln!(out, "hand it to one follower           {each:7.2} µs ({ratio:.2} times)")?;
    Ok(())
}

/// The filter of alert `number`: by reason, by domain, by part of a text.
fn filter(number: u64) -> Filter {
    let text = |column, wanted| Filter::Text(column, wanted);
    match number % 3 {
        0 => Filter::Reason(vec![Reason::SpamSignature]),
        1 => Filter::All(vec![
            Filter::Outcome(OutcomeKind::Rejected),
            text(
                TextColumn::To,
                TextMatch::Domain { domain: format!("labs{number}.example"), below: true },
            ),
        ]),
        _ => text(TextColumn::From, TextMatch::Contains(format!("else{number}@"))),
    }
}

/// What looks once a second.
type Look<'a> = &'a mut dyn FnMut(&EventIndex, Timestamp) -> Result<(), Box<dyn Error>>;

/// Microseconds of CPU for one refusal of `rate` a second, with a look each.
fn played(rate: u64, look: Look<'_>) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let index = EventIndex::open(Arc::new(RealDisk), folder.path())?;
    let start: Timestamp = "2026-11-21T10:00:00Z".parse()?;
    let mut ticks = 0.0;
    for second in 0..SECONDS {
        let from = start + Duration::from_secs(second);
        let step = Duration::from_secs(1) / u32::try_from(rate.max(1))?;
        let events: Vec<Arc<Event>> = (0..rate)
            .map(|n| {
                Ok(Arc::new(made::refusal(second * rate + n, from + step * u32::try_from(n)?)))
            })
            .collect::<Result<_, std::num::TryFromIntError>>()?;
        let before = cpu_ticks()?;
        for (event, position) in events.into_iter().zip(second * rate..) {
            index.push(Position(position + 1), event);
        }
        index.seal(SealWhat::Due, from)?;
        look(&index, from + Duration::from_secs(1))?;
        ticks += cpu_ticks()? - before;
    }
    Ok(ticks / TICKS_PER_SECOND * 1e6 / (rate * SECONDS) as f64)
}

/// CPU time of this process so far, user and kernel.
fn cpu_ticks() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no process statistics")?;
    let fields = after_name.split_whitespace().skip(11).take(2);
    Ok(fields.filter_map(|field| field.parse::<f64>().ok()).sum())
}
