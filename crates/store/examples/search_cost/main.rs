//! What searching costs: CPU milliseconds of each kind of question over a
//! week of `ATTEMPTS` synthetic attempts.
//!
//! `cargo run --release -p store --example search_cost -- ATTEMPTS [FOLDER [NAME]]`;
//! with a folder, the segments are kept and used again; with a part of a name,
//! only searches with it are made. One line per
//! question, fields separated by tabs: name, the first 50 rows, the count
//! (exact to 10,000, then estimated), matches.

#[expect(clippy::indexing_slicing, reason = "tables indexed by dice")]
mod traffic;

use std::error::Error;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use store::contract::{Position, StoreError};
use store::disk::RealDisk;
use store::events::{EventIndex, SealWhat};
use store::search::{
    Column, Direction, EventSearch, Exactness, FacetBy, Filter, FollowPosition, Histogram,
    NumberColumn, Order, Pattern, PatternError, Query, RowsPage, Stop, TallyPlan, TextColumn,
    TextMatch, WordColumn,
};
use types::{Event, OutcomeKind, Reason, Timestamp};

/// Attempts made at once.
const PART: u64 = 20_000;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// CPU time of this process so far, all threads; the kernel counts it in
/// ticks of ten milliseconds.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| {
        let text = after_name.split_whitespace().nth(field);
        text.and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0)
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

#[expect(clippy::print_stdout, reason = "its output is its purpose")]
fn say(text: &str) {
    println!("{text}");
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let attempts: u64 = arguments.next().map_or(Ok(1_000_000), |number| number.parse())?;
    let scratch = tempfile::tempdir()?;
    let folder = arguments.next().map_or(scratch.path().join("events"), PathBuf::from);
    let from: Timestamp = "2026-11-14T00:00:00Z".parse()?;
    if !folder.exists() {
        // A fill that was broken off must not be taken for a whole one.
        let part = folder.with_extension("part");
        if part.exists() {
            std::fs::remove_dir_all(&part)?;
        }
        fill(&EventIndex::open(Arc::new(RealDisk), &part)?, attempts, from)?;
        std::fs::rename(&part, &folder)?;
    }
    let before = cpu();
    let index = EventIndex::open(Arc::new(RealDisk), &folder)?;
    let mut octets = 0;
    for file in std::fs::read_dir(&folder)? {
        octets += file?.metadata()?.len();
    }
    say(&format!("# {attempts} attempts, {} octets each on the disk", octets / attempts));
    say(&format!("# opening: {:.0} ms", millis(cpu() - before)));
    // The newest rows are in memory, as at a running gateway.
    for number in attempts..attempts + 700 {
        push(&index, number, number, from + WEEK)?;
    }
    let times = from..from + WEEK + WEEK;
    searches(&index, &times)?;
    if std::env::args().len() > 3 {
        return Ok(());
    }
    orders(&index, &times)?;
    sums(&index, &times)?;
    scans(&index, &times)
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn push(index: &EventIndex, number: u64, position: u64, at: Timestamp) -> Result<(), StoreError> {
    for event in traffic::events(number, at) {
        index.push(Position(position), Arc::new(event));
    }
    Ok(())
}

/// Pushes in parts, as a gateway would, seals and merges.
fn fill(index: &EventIndex, attempts: u64, from: Timestamp) -> Result<(), Box<dyn Error>> {
    let step = WEEK.as_secs_f64() / attempts as f64;
    let (mut pushing, mut sealing, mut merging) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut rows: u64 = 0;
    for start in (0..attempts).step_by(PART as usize) {
        let at = |number: u64| from + Duration::from_secs_f64(number as f64 * step);
        let numbers = start..attempts.min(start + PART);
        let now = at(numbers.end);
        let mut events: Vec<Arc<Event>> =
            numbers.flat_map(|number| traffic::events(number, at(number))).map(Arc::new).collect();
        events.sort_by_key(|event| event.at);
        rows += events.len() as u64;
        let before = cpu();
        for event in &events {
            index.push(Position(start + 1), Arc::clone(event));
        }
        pushing += cpu() - before;
        drop(events);
        let before = cpu();
        index.seal(SealWhat::Due, now)?;
        sealing += cpu() - before;
        if (start / PART).is_multiple_of(16) {
            let before = cpu();
            index.merge(now)?;
            merging += cpu() - before;
        }
    }
    let before = cpu();
    index.seal(SealWhat::All, from)?;
    sealing += cpu() - before;
    let before = cpu();
    index.merge(from + WEEK + WEEK)?;
    merging += cpu() - before;
    let each = |span: Duration| millis(span) * 1e3 / rows as f64;
    say(&format!(
        "# {rows} rows; per row: push {:.2} µs, seal {:.2} µs, merge {:.2} µs",
        each(pushing),
        each(sealing),
        each(merging)
    ));
    Ok(())
}

fn questions() -> Result<Vec<(&'static str, Filter)>, Box<dyn Error>> {
    let contains = |column, text: &str| Filter::Text(column, TextMatch::Contains(text.into()));
    let not = |filter| Filter::Not(Box::new(filter));
    let below = TextMatch::Domain { domain: "co.example".into(), below: true };
    let delivered = || Filter::Story(Box::new(Filter::State("delivered")));
    let retried = Filter::Story(Box::new(Filter::Number(NumberColumn::Attempts, 2..=u64::MAX)));
    Ok(vec![
        ("everything", Filter::Everything),
        ("outcome", Filter::Outcome(OutcomeKind::Rejected)),
        ("reason of 1 %", Filter::Reason(vec![Reason::SizeExceeded])),
        (
            "word and not reason",
            Filter::All(vec![
                Filter::Word(WordColumn::Stage, vec!["rcpt".into()]),
                not(Filter::Reason(vec![Reason::RblListed])),
            ]),
        ),
        ("code range", Filter::Number(NumberColumn::Code, 550..=552)),
        ("size range, rare", Filter::Number(NumberColumn::Size, 400_000..=400_099)),
        ("network /8", Filter::Ip("20.0.0.0/8".parse()?)),
        ("network /24, rare", Filter::Ip("20.7.9.0/24".parse()?)),
        ("from, rare part", contains(TextColumn::From, "bozozo17@")),
        ("from, frequent part", contains(TextColumn::From, "ba")),
        ("to, part", contains(TextColumn::To, "zozo")),
        ("subject, rare part", contains(TextColumn::Subject, "verify urgent 777")),
        ("subject, one word of 44", contains(TextColumn::Subject, "Rechnung")),
        ("anything, nowhere", contains(TextColumn::Anything, "zzqqxx")),
        ("anything, rare", contains(TextColumn::Anything, "bozozo17")),
        ("anything, one letter", contains(TextColumn::Anything, "e")),
        ("words, rare", contains(TextColumn::Words, "rbl777.test")),
        ("not from", not(contains(TextColumn::From, "ba"))),
        ("not anything", not(contains(TextColumn::Anything, "a"))),
        ("domain below", Filter::Text(TextColumn::From, below)),
        (
            "host, domain below",
            Filter::Text(
                TextColumn::Host,
                TextMatch::Domain { domain: "bababa.test".into(), below: true },
            ),
        ),
        (
            "two parts",
            Filter::All(vec![
                contains(TextColumn::Subject, "invoice"),
                contains(TextColumn::To, "zozo"),
                Filter::Outcome(OutcomeKind::Rejected),
            ]),
        ),
        ("has attachment", Filter::Has(Column::Text(TextColumn::Hash))),
        ("delivered in the end", Filter::All(vec![Filter::IsAttempt, delivered()])),
        (
            "greylisted, not retried",
            Filter::All(vec![Filter::Reason(vec![Reason::GreylistFirstSeen]), not(retried)]),
        ),
    ])
}

/// Questions whose answer a needle alone does not give.
fn patterns() -> Result<Vec<(&'static str, Filter)>, Box<dyn Error>> {
    let not = |filter| Filter::Not(Box::new(filter));
    let space = TextMatch::Contains(" ".into());
    let wildcard = |text: &str| TextMatch::Wildcard(text.into());
    let pattern = |column, text: &str| -> Result<Filter, PatternError> {
        Ok(Filter::Text(column, TextMatch::Regex(Pattern::new(text)?)))
    };
    Ok(vec![
        ("wildcard *x*y*", Filter::Text(TextColumn::From, wildcard("*bozo*7@*.example"))),
        ("wildcard, two letters", Filter::Text(TextColumn::From, wildcard("*a*z*@b*"))),
        ("not subject, in nearly all", not(Filter::Text(TextColumn::Subject, space))),
        ("pattern", pattern(TextColumn::Subject, "tax .* 77[0-9]{3}$")?),
        ("pattern, a choice", pattern(TextColumn::Subject, "(invoice|parcel|tax) .* 7777[0-9]$")?),
        ("pattern without a literal", pattern(TextColumn::From, "^[aeiou][0-9]{2}@")?),
        ("pattern, only classes", pattern(TextColumn::Subject, "[0-9]{6}")?),
        ("not a pattern", not(pattern(TextColumn::From, "^[a-z]+[0-9]*@[a-z.-]+$")?)),
    ])
}

fn searches(index: &EventIndex, times: &Range<Timestamp>) -> Result<(), Box<dyn Error>> {
    let only = std::env::args().nth(3).unwrap_or_default();
    let all = questions()?.into_iter().chain(patterns()?);
    for (name, filter) in &all.filter(|(name, _)| name.contains(&only)).collect::<Vec<_>>() {
        let query = Query { filter, times: times.clone(), stop: Stop::never() };
        let page = RowsPage { after: None, rows_max: 50 };
        let (rows_ms, _) =
            measure(|| Ok(index.rows(&query, Order::NEWEST, &page)?.events.len() as u64))?;
        let mut exactness = Exactness::Exact;
        let (count_ms, count) = measure(|| {
            let count = index.count(&query, 10_000)?;
            exactness = count.exactness;
            Ok(count.rows)
        })?;
        let about = if exactness == Exactness::Exact { "" } else { "about " };
        say(&format!("{name}\t{rows_ms:.2}\t{count_ms:.2}\t{about}{count}"));
    }
    Ok(())
}

fn orders(index: &EventIndex, times: &Range<Timestamp>) -> Result<(), Box<dyn Error>> {
    let query = Query { filter: &Filter::IsAttempt, times: times.clone(), stop: Stop::never() };
    for (name, by) in [
        ("ordered by size", Column::Number(NumberColumn::Size)),
        ("ordered by sender", Column::Text(TextColumn::From)),
        ("ordered by reason", Column::Word(WordColumn::Reason)),
    ] {
        let order = Order { by, direction: Direction::Descending };
        let page = RowsPage { after: None, rows_max: 50 };
        let (ms, rows) = measure(|| Ok(index.rows(&query, order, &page)?.events.len() as u64))?;
        say(&format!("{name}\t{ms:.2}\t-\t{rows}"));
    }
    Ok(())
}

fn sums(index: &EventIndex, times: &Range<Timestamp>) -> Result<(), Box<dyn Error>> {
    let width = Duration::from_secs(3_600);
    let histogram = Some(Histogram { origin: times.start, width });
    let bars = TallyPlan { histogram, ..TallyPlan::default() };
    let facets = TallyPlan {
        facets: vec![
            FacetBy::Word(WordColumn::Reason),
            FacetBy::Domain(TextColumn::From),
            FacetBy::Network,
            FacetBy::Text(TextColumn::Policy),
            FacetBy::Number(NumberColumn::Code),
            FacetBy::Text(TextColumn::To),
        ],
        ..TallyPlan::default()
    };
    let part = Filter::Text(TextColumn::Subject, TextMatch::Contains("invoice".into()));
    for (name, filter, plan) in [
        ("bars of an hour", &Filter::Everything, &bars),
        ("bars of a part", &part, &bars),
        ("six facets", &Filter::Everything, &facets),
        ("six facets of a part", &part, &facets),
    ] {
        let query = Query { filter, times: times.clone(), stop: Stop::never() };
        let (ms, rows) = measure(|| Ok(index.tally(&query, plan)?.rows))?;
        say(&format!("{name}\t-\t{ms:.2}\t{rows}"));
    }
    Ok(())
}

fn scans(index: &EventIndex, times: &Range<Timestamp>) -> Result<(), Box<dyn Error>> {
    let query = Query { filter: &Filter::Everything, times: times.clone(), stop: Stop::never() };
    let columns = [
        TextColumn::From,
        TextColumn::To,
        TextColumn::DisplayName,
        TextColumn::HeaderAddress,
        TextColumn::Subject,
        TextColumn::Information,
        TextColumn::Helo,
    ];
    let (ms, octets) = measure(|| {
        let mut octets = 0;
        index.scan(&query, Direction::Ascending, &mut |row| {
            octets += row.word(WordColumn::Reason).len() + row.at().to_string().len();
            octets += columns.iter().map(|column| row.text(*column).len()).sum::<usize>();
            ControlFlow::Continue(())
        })?;
        Ok(octets as u64)
    })?;
    say(&format!("scan of nine columns\t-\t{ms:.2}\t{octets} octets"));
    let newest = index.now_at();
    let (ms, _) =
        measure(|| Ok(index.follow(&Filter::IsAttempt, &newest, 100)?.events.len() as u64))?;
    say(&format!("follow, nothing new\t{ms:.3}\t-\t0"));
    let start = FollowPosition::at(times.start);
    let (ms, rows) =
        measure(|| Ok(index.follow(&Filter::IsAttempt, &start, 100)?.events.len() as u64))?;
    say(&format!("follow from the start\t{ms:.2}\t-\t{rows}"));
    Ok(())
}

/// Milliseconds of CPU of one run, and its result. Short runs are repeated
/// until they add up to many ticks.
fn measure(mut run: impl FnMut() -> Result<u64, StoreError>) -> Result<(f64, u64), Box<dyn Error>> {
    let mut result = run()?;
    let before = cpu();
    let mut runs = 0;
    while cpu() - before < Duration::from_millis(300) {
        for _ in 0..1 + runs / 4 {
            result = run()?;
            runs += 1;
        }
    }
    Ok((millis(cpu() - before) / f64::from(runs), result))
}
