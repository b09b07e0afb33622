//! What events cost: pushing, sealing, opening, and each kind of search, in
//! CPU milliseconds over `ROWS` synthetic events (first argument, 1,000,000).
//!
//! `cargo run --release -p store --example search_cost -- 1000000`

#[path = "../src/events/tests/synthetic.rs"]
mod synthetic;

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::contract::{Filter, Page, Position, TextColumn, TextMatch};
use store::disk::RealDisk;
use store::events::{EventIndex, SealWhat};
use types::{OutcomeKind, Reason, Timestamp};

/// Different events that are pushed again and again under new identifiers.
const DIFFERENT: u64 = 20_000;

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

fn main() {
    let rows: u64 = std::env::args().nth(1).map_or(1_000_000, |rows| rows.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let index = EventIndex::open(Arc::new(RealDisk), folder.path()).unwrap();
    let from: Timestamp = "2026-11-14T00:00:00Z".parse().unwrap();
    let step = Duration::from_millis(7 * 86_400_000 / rows);
    fill(&index, rows, from, step);
    let until = from + Duration::from_secs(7 * 86_400);
    let before = cpu();
    let merged = index.merge(until).unwrap();
    println!("merge: {:.2} µs a row, {merged} files went", micros(cpu() - before) / rows as f64);
    let octets: u64 = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    println!("on disk: {} octets a row", octets / rows);
    let before = (Instant::now(), cpu());
    drop(index);
    let index = EventIndex::open(Arc::new(RealDisk), folder.path()).unwrap();
    let took = before.0.elapsed().as_secs_f64();
    println!("open: {took:.3} s of waiting (several processors)");
    let middle = synthetic::event(rows / 2, from + step * (rows / 2) as u32);
    measure_searches(&index, from..until);
    measure("event by reference", || index.by_reference(middle.reference()).unwrap().len());
    measure("life-line", || index.life_line(middle.life_line).unwrap().len());
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// Pushes in parts of an hour, as a gateway would, and seals.
fn fill(index: &EventIndex, rows: u64, from: Timestamp, step: Duration) {
    let (mut pushing, mut sealing) = (Duration::ZERO, Duration::ZERO);
    let mut sealed = 0;
    let mut next = 0;
    while next < rows {
        let events: Vec<_> = (next..rows.min(next + DIFFERENT))
            .map(|n| Arc::new(synthetic::event(n, from + step * n as u32)))
            .collect();
        let now = events.last().unwrap().at;
        let before = cpu();
        for event in &events {
            next += 1;
            index.push(Position(next), Arc::clone(event));
        }
        pushing += cpu() - before;
        drop(events);
        let before = cpu();
        sealed += index.seal(SealWhat::Due, now).unwrap().rows;
        sealing += cpu() - before;
    }
    let before = cpu();
    sealed += index.seal(SealWhat::All, from).unwrap().rows;
    sealing += cpu() - before;
    println!("push: {:.2} µs a row", micros(pushing) / rows as f64);
    println!("seal: {:.2} µs a row", micros(sealing) / sealed as f64);
}

fn measure_searches(index: &EventIndex, times: std::ops::Range<Timestamp>) {
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
        ("network /24", Filter::Ip("203.0.7.0/24".parse().unwrap())),
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
                index.search(filter, times.clone(), page).unwrap().count
            });
        }
    }
}

/// Prints the median CPU time of nine runs.
fn measure(name: &str, mut run: impl FnMut() -> usize) {
    let mut spans = Vec::new();
    let mut result = 0;
    for _ in 0..9 {
        let before = cpu();
        result = run();
        spans.push(cpu() - before);
    }
    spans.sort_unstable();
    println!("{name}: {:.3} ms, {result} found", spans[4].as_secs_f64() * 1e3);
}
