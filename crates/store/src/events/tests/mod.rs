//! The memory of events as others see it, on a simulated disk.

mod asking;
mod following;
mod naive;
mod retention;
mod schema;
mod synthetic;

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use proptest::prelude::*;
use types::{Event, OutcomeKind, Reason, Timestamp};

use super::{EventIndex, SealWhat, Sealed};
use crate::contract::{Page, Position};
use crate::disk::{Disk, SimulatedDisk};
use crate::search::{Column, Filter, NumberColumn, Pattern, TextColumn, TextMatch, WordColumn};

const HOUR: Duration = Duration::from_secs(3_600);
const FOLDER: &str = "/data/events";

fn start() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn ever() -> Range<Timestamp> {
    Timestamp::from_millis(0)..Timestamp::from_millis(i64::MAX)
}

fn whole_page() -> Page {
    Page { after: None, rows_max: usize::MAX >> 1, count_max: 0 }
}

fn open(disk: &SimulatedDisk) -> EventIndex {
    EventIndex::open(Arc::new(disk.clone()), FOLDER).unwrap()
}

/// Events of numbers `numbers`, `step` apart.
fn events(numbers: Range<u64>, from: Timestamp, step: Duration) -> Vec<Event> {
    let first = numbers.start;
    numbers.map(|n| synthetic::event(n, from + step * (n - first) as u32)).collect()
}

fn push_all(index: &EventIndex, events: &[Event]) {
    for (position, event) in events.iter().enumerate() {
        index.push(Position(position as u64 + 1), Arc::new(event.clone()));
    }
}

fn found(index: &EventIndex, filter: &Filter) -> Vec<Event> {
    index.search(filter, ever(), whole_page()).unwrap().events
}

/// Compares a page with what it should be, given all events that match.
fn check(index: &EventIndex, matching: &[Event], filter: &Filter, page: Page) {
    let (expected, all) = naive::search(matching, &Filter::Everything, &ever(), &page);
    let found = index.search(filter, ever(), page).unwrap();
    let expected: Vec<_> = expected.iter().map(|event| event.id).collect();
    assert_eq!(found.events.iter().map(|e| e.id).collect::<Vec<_>>(), expected, "{filter:?}");
    let enough = page.rows_max.max(page.count_max);
    assert_eq!((found.count, found.more), (all.min(enough), all > enough), "{filter:?}");
}

fn text(column: TextColumn, wanted: TextMatch) -> Filter {
    Filter::Text(column, wanted)
}

fn contains(column: TextColumn, wanted: &str) -> Filter {
    text(column, TextMatch::Contains(wanted.into()))
}

fn among(members: &[&str]) -> Filter {
    let members: Vec<types::lists::Pattern> =
        members.iter().map(|member| member.parse().unwrap()).collect();
    text(TextColumn::To, TextMatch::Among(Arc::new(types::AddressSet::new(&members, ""))))
}

/// At least one filter of each kind.
fn filters() -> Vec<Filter> {
    let net = |text: &str| Filter::Ip(text.parse::<IpNet>().unwrap());
    let domain = |domain: &str, below| TextMatch::Domain { domain: domain.into(), below };
    let mut all = vec![
        Filter::Everything,
        Filter::All(vec![]),
        Filter::Any(vec![]),
        Filter::IsAttempt,
        Filter::State("expired"),
        Filter::State("no such state"),
        Filter::Reason(vec![]),
        Filter::Reason(vec![Reason::GreylistExpired, Reason::SizeExceeded]),
        Filter::Not(Box::new(Filter::Reason(vec![Reason::GreylistFirstSeen]))),
        net("203.0.7.0/24"),
        net("0.0.0.0/0"),
        net("2001:db8:3::/48"),
        net("::/0"),
        text(TextColumn::From, TextMatch::Equals("<>".into())),
        text(TextColumn::From, TextMatch::Equals("".into())),
        text(TextColumn::To, TextMatch::Equals("ANNA7@Corp.Example".into())),
        text(TextColumn::To, TextMatch::Equals("postmaster".into())),
        among(&["ANNA7@Corp.Example", "anna11@corp.example", "nobody@else.example"]),
        among(&["corp.example"]),
        among(&["*.example"]),
        among(&[]),
        text(TextColumn::From, domain("sender.example", false)),
        text(TextColumn::From, domain("sender.example", true)),
        text(TextColumn::From, domain("xn--bcher-kva.example", false)),
        text(TextColumn::Helo, domain("sender.example", true)),
        text(TextColumn::From, TextMatch::Wildcard("*7@*.example".into())),
        text(TextColumn::From, TextMatch::Wildcard("user1*3@s*.example".into())),
        text(TextColumn::From, TextMatch::Wildcard("*".into())),
        text(TextColumn::From, TextMatch::Wildcard("*e*@*r*.example".into())),
        text(TextColumn::HeaderAddress, TextMatch::Wildcard("ann*7*".into())),
        text(TextColumn::Subject, TextMatch::Wildcard("invoice*9".into())),
        contains(TextColumn::HeaderFrom, "ann 1"),
        contains(TextColumn::HeaderFrom, " lee"),
        contains(TextColumn::HeaderFrom, "ann\u{1e}"),
        contains(TextColumn::Subject, "ÜBERFÄLLIG"),
        contains(TextColumn::Information, "no such user"),
        contains(TextColumn::MessageId, ">"),
        contains(TextColumn::Anything, "bücher"),
        contains(TextColumn::Anything, "4711"),
        contains(TextColumn::Anything, ""),
        contains(TextColumn::Anything, "zzqqxx"),
    ];
    all.extend(OutcomeKind::ALL.map(Filter::Outcome));
    all.extend(newer_filters());
    all.push(Filter::All(vec![
        Filter::Not(Box::new(contains(TextColumn::From, "user1"))),
        Filter::Any(vec![net("203.0.1.0/24"), contains(TextColumn::To, "anna1")]),
        Filter::Outcome(OutcomeKind::Deferred),
    ]));
    all
}

/// Filters over the columns of the console's fields.
fn newer_filters() -> Vec<Filter> {
    let regex = |text: &str| TextMatch::Regex(Pattern::new(text).unwrap());
    let words =
        |column, words: &[&str]| Filter::Word(column, words.iter().map(|&w| w.into()).collect());
    let story = |filter| Filter::Story(Box::new(filter));
    let some = synthetic::event(7, start());
    let mut all = vec![
        words(WordColumn::Stage, &["rcpt", "nowhere"]),
        words(WordColumn::Check, &["senders", "size"]),
        words(WordColumn::Triplet, &["first_seen", "passed"]),
        words(WordColumn::Kind, &["follow_up"]),
        words(WordColumn::Outcome, &[]),
        Filter::Number(NumberColumn::Code, 550..=559),
        Filter::Number(NumberColumn::Size, 0..=99_999),
        Filter::Number(NumberColumn::Size, 1 << 40..=u64::MAX),
        Filter::Number(NumberColumn::Attempts, 3..=u64::MAX),
        Filter::Number(NumberColumn::Wait, 600_000..=u64::MAX),
        #[expect(clippy::reversed_empty_ranges, reason = "what a person may write")]
        Filter::Number(NumberColumn::Port, 9..=2),
        Filter::Time(start()..start() + Duration::from_secs(60)),
        Filter::Not(Box::new(Filter::Time(
            start() + Duration::from_secs(9)..Timestamp::from_millis(i64::MAX),
        ))),
        story(Filter::Time(start()..start() + Duration::from_secs(5))),
        Filter::Ids(vec![some.id, synthetic::event(3_000, start()).id]),
        Filter::LifeLine(some.life_line),
        Filter::Session(some.session),
        story(Filter::State("delivered")),
        story(Filter::Not(Box::new(Filter::IsAttempt))),
        Filter::Not(Box::new(story(Filter::Number(NumberColumn::Attempts, 2..=4)))),
        story(Filter::All(vec![
            Filter::IsAttempt,
            story(Filter::Reason(vec![Reason::GreylistExpired])),
        ])),
        text(TextColumn::Subject, TextMatch::StartsWith("Invoice".into())),
        text(TextColumn::Subject, TextMatch::EndsWith("7".into())),
        text(TextColumn::Subject, TextMatch::StartsWith("".into())),
        text(TextColumn::Subject, regex("^(invoice|grüße) .* [0-9]{3}$")),
        text(TextColumn::Subject, regex("")),
        text(TextColumn::Subject, regex("(invoice|GRÜSSE|rechnung) .*9")),
        text(TextColumn::Subject, regex("[0-9]{4}")),
        text(TextColumn::HeaderFrom, regex("LEE|@shop")),
        text(TextColumn::From, regex(r"^user1[0-9]+@.*\.example$")),
        text(TextColumn::Attachments, regex(r"\.tar\.gz$")),
        text(TextColumn::DisplayName, TextMatch::Equals("".into())),
        text(TextColumn::HeaderAddress, TextMatch::Equals("ANN7@shop.example".into())),
        text(TextColumn::Extension, TextMatch::Equals("gz".into())),
        text(TextColumn::MediaType, TextMatch::StartsWith("image/".into())),
        contains(TextColumn::Hash, "0000002"),
        text(TextColumn::EnhancedCode, TextMatch::Equals("5.1.1".into())),
        text(TextColumn::Policy, TextMatch::Equals("#3".into())),
        contains(TextColumn::Policy, "sender #"),
        text(TextColumn::TlsVersion, TextMatch::Equals("TLSv1.3".into())),
        contains(TextColumn::Cipher, "aes"),
        contains(TextColumn::Listener, ":2525"),
        contains(TextColumn::Node, "mx1"),
        contains(TextColumn::NextHop, "next-hop"),
        contains(TextColumn::By, "ann"),
        contains(TextColumn::Words, "rechnung"),
        contains(TextColumn::Address, "ann7"),
        text(TextColumn::Host, TextMatch::Domain { domain: "x9.example".into(), below: true }),
    ];
    all.extend(TextColumn::ALL.map(|column| Filter::Has(Column::Text(column))));
    all.extend(NumberColumn::ALL.map(|column| Filter::Has(Column::Number(column))));
    all.extend(WordColumn::ALL.map(|column| Filter::Has(Column::Word(column))));
    all
}

#[test]
fn every_kind_of_filter_finds_what_a_plain_scan_finds() {
    let events = events(0..6_000, start(), Duration::from_millis(700));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    push_all(&index, &events);
    let pages = [
        Page { after: None, rows_max: 50, count_max: 0 },
        Page { after: None, rows_max: 3, count_max: 1_000 },
        Page { after: Some((events[2_000].at, events[2_000].id)), rows_max: 20, count_max: 40 },
        Page { after: None, rows_max: 0, count_max: 7 },
    ];
    let others: Vec<&Event> = events.iter().collect();
    let matching = |filter: &Filter| {
        events
            .iter()
            .filter(|event| naive::matches(filter, event, &others))
            .cloned()
            .collect::<Vec<_>>()
    };
    let expected: Vec<_> = filters().into_iter().map(|f| (f.clone(), matching(&f))).collect();
    for _ in ["in memory", "sealed"] {
        for ((filter, matching), page) in expected.iter().zip(pages.iter().cycle()) {
            check(&index, matching, filter, whole_page());
            check(&index, matching, filter, *page);
        }
        index.seal(SealWhat::All, start()).unwrap();
    }
}

#[test]
fn sealing_and_merging_and_opening_again_change_no_answer() {
    // Twenty minutes apart, so that several hours and days are over.
    let events = events(0..300, start(), Duration::from_secs(1_200));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    let end = start() + Duration::from_secs(1_200 * 300);
    let same = |index: &EventIndex| {
        let all = found(index, &Filter::Everything);
        assert_eq!(all.iter().rev().collect::<Vec<_>>(), events.iter().collect::<Vec<_>>());
        let mut visited = Vec::new();
        index
            .visit(ever(), &mut |event| {
                visited.push(event);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(visited, events);
        for event in events.iter().step_by(17) {
            assert_eq!(index.event(event.id).unwrap().as_ref(), Some(event));
            let by_reference = index.by_reference(event.reference()).unwrap();
            assert_eq!(by_reference.iter().collect::<Vec<_>>(), [event]);
            let line = events.iter().filter(|e| e.life_line == event.life_line).cloned();
            assert_eq!(index.life_line(event.life_line).unwrap(), line.collect::<Vec<_>>());
            let line = index.by_reference(event.life_line.reference()).unwrap();
            assert!(line.contains(event) && line.is_sorted_by_key(|e| std::cmp::Reverse(e.at)));
        }
    };
    let mut sealed = 0;
    for (n, event) in events.iter().enumerate() {
        index.push(Position(n as u64 + 1), Arc::new(event.clone()));
        sealed += index.seal(SealWhat::Due, event.at).unwrap().segments;
    }
    assert!(sealed > 90, "one segment per hour, not {sealed}");
    same(&index);
    let totals = index.totals();
    assert_eq!(index.needed_from(), Some(Position(298)), "the last hour is in memory only");
    index.seal(SealWhat::All, end).unwrap();
    assert_eq!(index.needed_from(), None);
    same(&open(&disk));
    assert_eq!(index.merge(end).unwrap(), 14 + 3 * 24, "the hours of the days that are over");
    same(&index);
    let files = disk.list(Path::new(FOLDER)).unwrap();
    assert_eq!(files.len(), 4 + 14, "one per day, and the hours of this one: {files:?}");
    assert_eq!(index.merge(end).unwrap(), 0);
    same(&open(&disk));
    assert_eq!(open(&disk).totals(), totals);
}

/// A legend of many short texts and one long one that most rows have: merging
/// holds the long one once per row, so that is what its limit must count.
#[test]
fn the_octets_of_a_segment_are_those_of_all_its_rows() {
    let mut events = events(0..1_200, start(), Duration::from_millis(1));
    let long = "long ".repeat(2_000);
    for (n, event) in events.iter_mut().enumerate() {
        let subject = if n % 6 == 0 { format!("s{}", n % 250) } else { long.clone() };
        let message = types::MessageFacts { subject: Some(subject), ..Default::default() };
        event.subject.message = Some(Arc::new(message));
    }
    let index = open(&SimulatedDisk::new());
    push_all(&index, &events);
    index.seal(SealWhat::All, start()).unwrap();
    let segments = Arc::clone(&index.read().segments);
    let [segment] = &segments[..] else { panic!("{} segments", segments.len()) };
    let view = segment.view();
    assert!(view.text(TextColumn::Subject).keys.is_some(), "it has a legend");
    let columns = view.texts.iter().chain(&view.written);
    let texts: usize = columns.flat_map(|c| (0..1_200).map(move |row| c.cell(row).len())).sum();
    assert!(texts > 10_000 * 1_000);
    let records = segment.octets() - texts;
    assert!((1..texts / 10).contains(&records), "{records} octets of records");
}

#[test]
fn a_replayed_journal_makes_no_event_twice() {
    let events = events(0..3_000, start(), Duration::from_millis(10));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    push_all(&index, &events[..2_000]);
    index.seal(SealWhat::All, start()).unwrap();
    push_all(&index, &events);
    assert_eq!(found(&index, &Filter::Everything).len(), 3_000);
    assert_eq!(index.needed_from(), Some(Position(2_001)));
    let again = open(&disk);
    push_all(&again, &events);
    assert_eq!(found(&again, &Filter::Everything).len(), 3_000);
}

#[test]
fn retention_drops_whole_segments() {
    let events = events(0..40, start(), Duration::from_secs(900));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    for event in &events {
        index.push(Position(1), Arc::new(event.clone()));
        index.seal(SealWhat::Due, event.at).unwrap();
    }
    // Hours are whole: what is newer than half past stays with its hour.
    assert_eq!(index.drop_before(start() + HOUR * 3 + HOUR / 2, &Default::default()).unwrap(), 12);
    assert_eq!(found(&index, &Filter::Everything).len(), 28);
    assert_eq!(found(&open(&disk), &Filter::Everything).len(), 24, "four are in memory only");
}

#[test]
fn a_damaged_segment_is_skipped_and_its_span_is_said() {
    let events = events(0..8, start(), Duration::from_secs(1_800));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    for event in &events {
        index.push(Position(1), Arc::new(event.clone()));
        index.seal(SealWhat::Due, event.at).unwrap();
    }
    index.seal(SealWhat::All, events[7].at).unwrap();
    let files = disk.list(Path::new(FOLDER)).unwrap();
    disk.damage(&Path::new(FOLDER).join(&files[1]), 700, 1);
    let index = open(&disk);
    assert_eq!(index.damaged().len(), 1);
    let page = index.search(&Filter::Everything, ever(), whole_page()).unwrap();
    assert_eq!(page.events.len(), 6);
    let [span] = page.missing.as_slice() else { panic!("{:?}", page.missing) };
    assert!(span.contains(&events[2].at) && span.contains(&events[3].at));
    let later = events[6].at..ever().end;
    assert!(index.search(&Filter::Everything, later, whole_page()).unwrap().missing.is_empty());
    index.drop_before(events[5].at, &Default::default()).unwrap();
    assert!(index.damaged().is_empty());
    assert_eq!(disk.list(Path::new(FOLDER)).unwrap().len(), 2);
}

#[test]
fn damage_anywhere_in_a_segment_is_noticed() {
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    push_all(&index, &events(0..3, start(), HOUR / 100));
    index.seal(SealWhat::All, start()).unwrap();
    let [file] = &disk.list(Path::new(FOLDER)).unwrap()[..] else { panic!("one file") };
    let path = Path::new(FOLDER).join(file);
    let octets = disk.read(&path).unwrap().len() as u64;
    for offset in (0..octets).step_by(97) {
        disk.damage(&path, offset, 0x10);
        assert_eq!(open(&disk).damaged().len(), 1, "octet {offset}");
        disk.damage(&path, offset, 0x10);
    }
    assert!(open(&disk).damaged().is_empty());
}

#[test]
fn a_full_disk_keeps_the_rows_in_memory_and_leaves_no_half_file() {
    let events = events(0..100, start(), Duration::from_secs(1));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    push_all(&index, &events);
    disk.set_capacity(Some(2_000));
    assert!(index.seal(SealWhat::All, start()).is_err());
    assert_eq!(found(&index, &Filter::Everything).len(), 100);
    assert_eq!(disk.list(Path::new(FOLDER)).unwrap(), Vec::<String>::new());
    disk.set_capacity(None);
    let sealed = index.seal(SealWhat::All, start()).unwrap();
    assert_eq!(sealed, Sealed { rows: 100, segments: 1 });
    assert_eq!(found(&index, &Filter::Everything).len(), 100);
}

#[test]
fn a_crash_at_any_step_of_a_merge_loses_and_doubles_nothing() {
    let events = events(0..12, start(), HOUR / 4);
    for step in 1.. {
        let disk = SimulatedDisk::new();
        let index = open(&disk);
        for event in &events {
            index.push(Position(1), Arc::new(event.clone()));
            index.seal(SealWhat::Due, event.at).unwrap();
        }
        index.seal(SealWhat::All, start()).unwrap();
        disk.crash_after(step);
        let merged = index.merge(start() + HOUR * 48);
        let crashed = disk.is_down();
        let after = open(&disk.restart(crate::disk::Crash::PowerCut { seed: step }));
        assert_eq!(found(&after, &Filter::Everything).len(), 12, "step {step}: {merged:?}");
        if !crashed {
            assert!(step > 5);
            return;
        }
    }
}

#[test]
fn pages_are_stable_when_many_events_have_the_same_time() {
    let events = events(0..5_000, start(), Duration::ZERO);
    let index = open(&SimulatedDisk::new());
    push_all(&index, &events[..3_000]);
    index.seal(SealWhat::All, start()).unwrap();
    push_all(&index, &events[3_000..].iter().rev().cloned().collect::<Vec<_>>());
    let mut after = None;
    let mut ids = Vec::new();
    loop {
        let page = Page { after, rows_max: 333, count_max: 0 };
        let found = index.search(&Filter::Everything, ever(), page).unwrap().events;
        let Some(last) = found.last() else { break };
        after = Some((last.at, last.id));
        ids.extend(found.iter().map(|event| event.id));
    }
    let mut expected: Vec<_> = events.iter().map(|event| event.id).collect();
    expected.sort_by(|a, b| b.cmp(a));
    assert_eq!(ids, expected);
}

#[test]
fn searches_while_others_push_and_seal_see_every_event_pushed_before() {
    let events = events(0..12_000, start(), Duration::from_millis(1));
    let index = open(&SimulatedDisk::new());
    std::thread::scope(|scope| {
        scope.spawn(|| push_all(&index, &events));
        scope.spawn(|| {
            for _ in 0..20 {
                index.seal(SealWhat::All, start()).unwrap();
                index.merge(start() + HOUR).unwrap();
            }
        });
        let mut seen = 0;
        while seen < events.len() {
            let page = Page { after: None, rows_max: 1, count_max: usize::MAX };
            let now = index.search(&Filter::Everything, ever(), page).unwrap();
            assert!(now.count >= seen, "{} after {seen}", now.count);
            seen = now.count;
        }
    });
    assert_eq!(found(&index, &Filter::Everything).len(), events.len());
}

/// Any filter, three deep.
fn any_filter() -> impl Strategy<Value = Filter> {
    let leaf = proptest::sample::select(filters());
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|filter| Filter::Not(Box::new(filter))),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Filter::All),
            proptest::collection::vec(inner, 0..4).prop_map(Filter::Any),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_search_finds_what_a_plain_scan_finds(
        filter in any_filter(),
        seed in 0..1_000_000_u64,
        count in 1..900_usize,
        sealed_until in 0.0..1.0_f64,
        rows_max in 0..40_usize,
        count_max in 0..400_usize,
        after in proptest::option::of(0..900_usize),
        (from_s, span_s) in (0..400_i64, 0..900_i64),
    ) {
        let events: Vec<Event> = (0..count as u64)
            // Times go back now and then, as with a stepped clock.
            .map(|n| synthetic::event(seed + n, start() + Duration::from_secs(n * 37 % 800)))
            .collect();
        let index = open(&SimulatedDisk::new());
        let cut = (sealed_until * count as f64) as usize;
        for part in [&events[..cut / 2], &events[cut / 2..cut]] {
            push_all(&index, part);
            index.seal(SealWhat::All, start()).unwrap();
        }
        for event in &events[cut..] {
            index.push(Position(u64::MAX), Arc::new(event.clone()));
        }
        let after = after.and_then(|n| events.get(n)).map(|event| (event.at, event.id));
        let page = Page { after, rows_max, count_max };
        let from = start() + Duration::from_secs(from_s as u64);
        let times = from..from + Duration::from_secs(span_s as u64);
        let (expected, all) = naive::search(&events, &filter, &times, &page);
        let found = index.search(&filter, times, page).unwrap();
        prop_assert_eq!(found.events.iter().collect::<Vec<_>>(), expected);
        let enough = rows_max.max(count_max);
        prop_assert_eq!((found.count, found.more), (all.min(enough), all > enough));
    }
}
