//! What events cost: pushing, sealing, opening, and each kind of search, in
//! CPU milliseconds over `ROWS` synthetic events (first argument, 1,000,000).
//!
//! `cargo run --release -p store --example search_cost -- 1000000`

#[path = "../src/events/tests/synthetic.rs"]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test module outside of a test")]
mod synthetic;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use store::contract::{Filter, Page, Position, StoreError, TextColumn, TextMatch};
use store::disk::RealDisk;
use store::events::{EventIndex, SealWhat};
use types::{OutcomeKind, Reason, Timestamp};

/// Different events that are pushed again and again under new identifiers.
const DIFFERENT: u64 = 20_000;

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

#[expect(clippy::print_stdout, reason = "its output is its purpose")]
fn say(text: &str) {
    println!("{text}");
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir()?;
    let index = EventIndex::open(Arc::new(RealDisk), folder.path())?;
    let from: Timestamp = "2026-11-14T00:00:00Z".parse()?;
    let step = Duration::from_millis(7 * 86_400_000 / rows);
    fill(&index, rows, from, step)?;
    let until = from + Duration::from_secs(7 * 86_400);
    let before = cpu();
    let merged = index.merge(until)?;
    let cost = micros(cpu() - before) / rows as f64;
    say(&format!("merge: {cost:.2} µs a row, {merged} files went"));
    let mut octets = 0;
    for file in std::fs::read_dir(folder.path())? {
        octets += file?.metadata()?.len();
    }
    say(&format!("on disk: {} octets a row", octets / rows));
    drop(index);
    let before = Instant::now();
    let index = EventIndex::open(Arc::new(RealDisk), folder.path())?;
    let took = before.elapsed().as_secs_f64();
    say(&format!("open: {took:.3} s of waiting (several processors)"));
    let middle = synthetic::event(rows / 2, from + step * (rows / 2) as u32);
    measure_searches(&index, from..until)?;
    measure("event by reference", || Ok(index.by_reference(middle.reference())?.len()))?;
    measure("life-line", || Ok(index.life_line(middle.life_line)?.len()))
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// Pushes in parts of an hour, as a gateway would, and seals.
fn fill(
    index: &EventIndex,
    rows: u64,
    from: Timestamp,
    step: Duration,
) -> Result<(), Box<dyn Error>> {
    let (mut pushing, mut sealing) = (Duration::ZERO, Duration::ZERO);
    let mut sealed = 0;
    let mut next = 0;
    while next < rows {
        let events: Vec<_> = (next..rows.min(next + DIFFERENT))
            .map(|n| Arc::new(synthetic::event(n, from + step * n as u32)))
            .collect();
        let now = events.last().map_or(from, |event| event.at);
        let before = cpu();
        for event in &events {
            next += 1;
            index.push(Position(next), Arc::clone(event));
        }
        pushing += cpu() - before;
        drop(events);
        let before = cpu();
        sealed += index.seal(SealWhat::Due, now)?.rows;
        sealing += cpu() - before;
    }
    let before = cpu();
    sealed += index.seal(SealWhat::All, from)?.rows;
    sealing += cpu() - before;
    say(&format!("push: {:.2} µs a row", micros(pushing) / rows as f64));
    say(&format!("seal: {:.2} µs a row", micros(sealing) / sealed as f64));
    Ok(())
}

fn measure_searches(
    index: &EventIndex,
    times: std::ops::Range<Timestamp>,
) -> Result<(), Box<dyn Error>> {
    let contains = |column, text: &str| Filter::Text(column, TextMatch::Contains(text.into()));
    let below = TextMatch::Domain { domain: "sender.example".into(), below: true };
    let searches = [
        ("newest 50", Filter::Everything),
        ("newest 50 rejected", Filter::Outcome(OutcomeKind::Rejected)),
        ("newest 50 of 1 %", Filter::Reason(vec![Reason::SizeExceeded])),
        ("substring, rare", contains(TextColumn::From, "user4711@")),
        ("substring, common", contains(TextColumn::From, "user1")),
        ("anything, rare", contains(TextColumn::Anything, "4711@shop")),
        ("anything, none", contains(TextColumn::Anything, "zzqqxx")),
        ("anything, common", contains(TextColumn::Anything, "example")),
        ("domain and below", Filter::Text(TextColumn::From, below)),
        ("network /24", Filter::Ip("203.0.7.0/24".parse()?)),
        ("not a substring", Filter::Not(Box::new(contains(TextColumn::Anything, "user1")))),
    ];
    for (name, filter) in &searches {
        for count_max in [0, 10_000, usize::MAX] {
            let page = Page { after: None, rows_max: 50, count_max };
            let counted = match count_max {
                0 => "page only".to_owned(),
                usize::MAX => "count all".to_owned(),
                most => format!("count to {most}"),
            };
            measure(&format!("{name}, {counted}"), || {
                Ok(index.search(filter, times.clone(), page)?.count)
            })?;
        }
    }
    Ok(())
}

/// Prints the CPU time of one run. The kernel counts it in ticks of some
/// milliseconds, so short runs are repeated until they add up.
fn measure(
    name: &str,
    mut run: impl FnMut() -> Result<usize, StoreError>,
) -> Result<(), Box<dyn Error>> {
    let before = cpu();
    let (mut runs, mut found) = (0, 0);
    while cpu() - before < Duration::from_millis(200) {
        found = run()?;
        runs += 1;
    }
    let once = micros(cpu() - before) / f64::from(runs);
    say(&format!("{name}: {:.3} ms, {found} found", once / 1e3));
    Ok(())
}
