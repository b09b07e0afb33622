//! Pages in any order, counts, tallies and scans, against the plain way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering as Atomic};

use types::Event;

use super::naive::{self, Values};
use super::*;
use crate::search::{
    Cursor, Direction, EventSearch, Exactness, FacetBy, Histogram, Order, Query, RowsPage,
    SortValue, Stop, TallyPlan,
};

const SPAN: Range<u64> = 100..700;

fn times() -> Range<Timestamp> {
    start() + Duration::from_secs(SPAN.start)..start() + Duration::from_secs(SPAN.end)
}

fn query<'a>(filter: &'a Filter, times: &Range<Timestamp>) -> Query<'a> {
    Query { filter, times: times.clone(), stop: Stop::never() }
}

/// An index with two segments and rows in memory, and its events.
fn mixed(seed: u64, count: usize) -> (EventIndex, Vec<Event>) {
    let events: Vec<Event> = (0..count as u64)
        .map(|n| synthetic::event(seed + n, start() + Duration::from_secs(n * 37 % 800)))
        .collect();
    let index = open(&SimulatedDisk::new());
    let (first, rest) = events.split_at(count / 2);
    let (second, last) = rest.split_at(rest.len() / 2);
    for part in [first, second] {
        push_all(&index, part);
        index.seal(SealWhat::All, start()).unwrap();
    }
    for event in last {
        index.push(Position(u64::MAX), Arc::new(event.clone()));
    }
    (index, events)
}

fn matching<'a>(events: &'a [Event], filter: &Filter, times: &Range<Timestamp>) -> Vec<&'a Event> {
    let page = Page { after: None, rows_max: usize::MAX, count_max: 0 };
    naive::search(events, filter, times, &page).0
}

fn sort_value(by: Column, event: &Event) -> Option<SortValue> {
    match by {
        Column::Time => None,
        Column::Ip => Some(SortValue::Ip(event.subject.client.client.ip)),
        Column::Number(column) => naive::number(column, event).map(SortValue::Number),
        Column::Word(column) => naive::word(column, event).map(SortValue::Text),
        Column::Text(column) => {
            let mut values = Values::default();
            column.parts()[0].values(event, &mut values);
            let clean = |value: String| value.to_lowercase().replace(['\u{1e}', '\u{1f}'], " ");
            let spelled = |value: Vec<String>| {
                value.into_iter().map(clean).collect::<Vec<_>>().join("\u{1f}")
            };
            let cell = values.0.into_iter().map(spelled).collect::<Vec<_>>().join("\u{1e}");
            (!cell.is_empty()).then_some(SortValue::Text(cell))
        }
    }
}

fn ordered(mut events: Vec<&Event>, order: Order) -> Vec<&Event> {
    // Addresses are ordered as sixteen octets, IPv4 as mapped ones.
    let rank = |event: &Event| match sort_value(order.by, event) {
        Some(SortValue::Ip(ip)) => (Some((0, super::super::fields::ip_octets(ip).to_vec())), 0),
        Some(SortValue::Number(number)) => (Some((1, Vec::new())), number),
        Some(SortValue::Text(text)) => (Some((2, text.into_bytes())), 0),
        None => (None, 0),
    };
    let key = |event: &&Event| (rank(event), event.at, event.id);
    events.sort_by_key(key);
    if order.direction == Direction::Descending {
        events.reverse();
    }
    // Those without a value come last either way.
    let (with, without): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| order.by == Column::Time || rank(event).0.is_some());
    with.into_iter().chain(without).collect()
}

fn any_order() -> impl Strategy<Value = Order> {
    let columns: Vec<Column> = [Column::Time, Column::Ip]
        .into_iter()
        .chain(TextColumn::ALL.map(Column::Text))
        .chain(NumberColumn::ALL.map(Column::Number))
        .chain(WordColumn::ALL.map(Column::Word))
        .collect();
    let directions = vec![Direction::Ascending, Direction::Descending];
    (proptest::sample::select(columns), proptest::sample::select(directions))
        .prop_map(|(by, direction)| Order { by, direction })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pages_in_any_order_are_those_of_a_plain_sort(
        filter in any_filter(),
        order in any_order(),
        seed in 0..1_000_000_u64,
        count in 1..700_usize,
        rows_max in 1..90_usize,
    ) {
        let (index, events) = mixed(seed, count);
        let expected = ordered(matching(&events, &filter, &times()), order);
        let mut found = Vec::new();
        let mut page = RowsPage { after: None, rows_max };
        loop {
            let rows = index.rows(&query(&filter, &times()), order, &page).unwrap();
            prop_assert!(rows.events.len() <= rows_max && !rows.stopped);
            found.extend(rows.events);
            let Some(next) = rows.next else { break };
            prop_assert_eq!(&next.value, &sort_value(order.by, found.last().unwrap()));
            page.after = Some(next);
        }
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn counts_tallies_and_scans_agree_with_a_plain_pass(
        filter in any_filter(),
        seed in 0..1_000_000_u64,
        count in 1..700_usize,
        width_s in 1..400_u64,
        ascending in any::<bool>(),
    ) {
        let (index, events) = mixed(seed, count);
        let mut expected = matching(&events, &filter, &times());
        let counted = index.count(&query(&filter, &times()), 10_000).unwrap();
        prop_assert_eq!(counted.rows, expected.len() as u64);
        prop_assert_eq!(counted.exactness, Exactness::Exact);
        let plan = TallyPlan {
            histogram: Some(Histogram { origin: start(), width: Duration::from_secs(width_s) }),
            facets: facets(),
            values_max: usize::MAX,
            ..TallyPlan::default()
        };
        let tallied = index.tally(&query(&filter, &times()), &plan).unwrap();
        prop_assert_eq!(tallied.rows, expected.len() as u64);
        let mut bars = BTreeMap::<_, ([u64; 4], u64)>::new();
        for event in &expected {
            let place = event.at.since(start()).as_secs() / width_s;
            let bar = bars.entry(start() + Duration::from_secs(place * width_s)).or_default();
            match event.outcome_kind() {
                Some(kind) => bar.0[kind as usize] += 1,
                None => bar.1 += 1,
            }
        }
        let found = tallied.bars.iter().map(|bar| (bar.from, (bar.outcomes, bar.others)));
        prop_assert_eq!(found.collect::<Vec<_>>(), bars.into_iter().collect::<Vec<_>>());
        for facet in &tallied.facets {
            let mut values = BTreeMap::new();
            let mut empty = 0;
            for event in &expected {
                let of_row = facet_values(facet.by, event);
                empty += u64::from(of_row.is_empty());
                of_row.into_iter().for_each(|value| *values.entry(value).or_insert(0) += 1);
            }
            let found: BTreeMap<_, _> = facet.values.iter().cloned().collect();
            prop_assert_eq!(found, values, "{:?}", facet.by);
            prop_assert_eq!((facet.empty, facet.sampled), (empty, false));
            prop_assert!(facet.values.is_sorted_by(|a, b| a.1 >= b.1));
        }
        let direction = if ascending { Direction::Ascending } else { Direction::Descending };
        let mut scanned = Vec::new();
        index.scan(&query(&filter, &times()), direction, &mut |row| {
            scanned.push(row.event().unwrap());
            ControlFlow::Continue(())
        }).unwrap();
        if ascending {
            expected.reverse();
        }
        prop_assert_eq!(scanned.iter().collect::<Vec<_>>(), expected);
    }
}

fn facets() -> Vec<FacetBy> {
    let mut all = vec![FacetBy::Ip, FacetBy::Network];
    all.extend(WordColumn::ALL.map(FacetBy::Word));
    all.extend(NumberColumn::ALL.map(FacetBy::Number));
    all.extend(TextColumn::STORED.map(FacetBy::Text));
    all.extend([TextColumn::From, TextColumn::To, TextColumn::HeaderAddress].map(FacetBy::Domain));
    all
}

fn facet_values(by: FacetBy, event: &Event) -> Vec<String> {
    let ip = event.subject.client.client.ip;
    let mut values: Vec<String> = match by {
        FacetBy::Ip => vec![ip.to_string()],
        FacetBy::Network => {
            let bits = if ip.is_ipv4() { 24 } else { 64 };
            vec![IpNet::new(ip, bits).unwrap().trunc().to_string()]
        }
        FacetBy::Word(column) => naive::word(column, event).into_iter().collect(),
        FacetBy::Number(column) => {
            naive::number(column, event).iter().map(u64::to_string).collect()
        }
        FacetBy::Text(column) | FacetBy::Domain(column) => {
            let mut values = Values::default();
            column.values(event, &mut values);
            let shown = |mut value: Vec<String>| match by {
                FacetBy::Domain(_) => {
                    let last = value.pop().unwrap_or_default();
                    last.rsplit_once('@').map(|(_, domain)| domain.to_owned()).unwrap_or_default()
                }
                _ => value.swap_remove(0),
            };
            let clean = |value: String| value.to_lowercase().replace(['\u{1e}', '\u{1f}'], " ");
            values.0.into_iter().map(shown).map(clean).filter(|value| !value.is_empty()).collect()
        }
    };
    values.dedup();
    values
}

#[test]
fn a_scan_gives_every_text_as_it_was_written() {
    let (index, events) = mixed(3, 600);
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| (event.at, event.id));
    let mut left = events.into_iter();
    index
        .scan(&query(&Filter::Everything, &ever()), Direction::Ascending, &mut |row| {
            let event = left.next().unwrap();
            assert_eq!((row.id(), row.at()), (event.id, event.at));
            assert_eq!((row.life_line(), row.session()), (event.life_line, event.session));
            assert_eq!(row.ip(), event.subject.client.client.ip);
            for column in TextColumn::STORED {
                let mut values = Values::default();
                column.values(event, &mut values);
                let clean = |value: Vec<String>| value[0].replace(['\u{1e}', '\u{1f}'], " ");
                let expected: Vec<_> = values.0.into_iter().map(clean).collect();
                assert_eq!(row.text(column), expected.join("\u{1e}"), "{column:?}");
            }
            for column in NumberColumn::ALL {
                assert_eq!(row.number(column), naive::number(column, event), "{column:?}");
            }
            for column in WordColumn::ALL {
                let expected = naive::word(column, event).unwrap_or_default();
                assert_eq!(row.word(column), expected, "{column:?}");
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(left.next().is_none());
}

#[test]
fn what_comes_during_a_scan_is_left_out_and_a_scan_can_be_broken_off() {
    let (index, events) = mixed(5, 300);
    let mut rows = 0;
    let scanned = index
        .scan(&query(&Filter::Everything, &ever()), Direction::Descending, &mut |_| {
            rows += 1;
            let event = synthetic::event(90_000 + rows, start());
            index.push(Position(u64::MAX), Arc::new(event));
            index.seal(SealWhat::All, start()).unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((scanned.rows, scanned.stopped), (events.len() as u64, false));
    let mut seen = 0;
    let mut three = |_: &crate::events::ScannedRow<'_>| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let query = query(&Filter::Everything, &ever());
    let scanned = index.scan(&query, Direction::Ascending, &mut three).unwrap();
    assert_eq!((scanned.rows, scanned.stopped), (3, true));
}

/// Goes on for `looks` looks at the stop.
fn stop_after(looks: usize) -> Stop {
    let left = AtomicUsize::new(looks);
    Stop::when(move || {
        left.fetch_update(Atomic::Relaxed, Atomic::Relaxed, |n| n.checked_sub(1)).is_err()
    })
}

#[test]
fn a_stopped_search_goes_on_where_it_was() {
    let (index, events) = mixed(11, 3_000);
    let filter = contains(TextColumn::Anything, "4711");
    for direction in [Direction::Descending, Direction::Ascending] {
        let order = Order { by: Column::Time, direction };
        let expected = ordered(matching(&events, &filter, &ever()), order);
        for looks in [0, 1, 2, 3, 4, 5, 7, 9] {
            let mut found = Vec::new();
            let mut page = RowsPage { after: None, rows_max: 4 };
            let mut stop = stop_after(looks);
            loop {
                let query = Query { filter: &filter, times: ever(), stop };
                let rows = index.rows(&query, order, &page).unwrap();
                found.extend(rows.events);
                let Some(next) = rows.next else { break };
                page.after = Some(next);
                stop = Stop::never();
            }
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{looks} {direction:?}");
        }
    }
}

/// Which life-lines match is gathered in one pass, and a stop in that pass
/// leaves the rest open: no row may be skipped for it, or shown by mistake.
#[test]
fn a_story_that_was_stopped_goes_on_where_it_was() {
    let (index, events) = mixed(11, 3_000);
    let story = Filter::Story(Box::new(contains(TextColumn::Anything, "471")));
    let not = Filter::All(vec![
        contains(TextColumn::Anything, "99"),
        Filter::Not(Box::new(Filter::Story(Box::new(Filter::Outcome(OutcomeKind::Deferred))))),
    ]);
    let mut stopped = 0;
    for (filter, direction) in [
        (&story, Direction::Descending),
        (&story, Direction::Ascending),
        (&not, Direction::Ascending),
    ] {
        let order = Order { by: Column::Time, direction };
        let expected = ordered(matching(&events, filter, &ever()), order);
        assert!(expected.len() > 8);
        for looks in 0..14 {
            let mut found = Vec::new();
            let mut page = RowsPage { after: None, rows_max: 400 };
            let mut stop = stop_after(looks);
            loop {
                let query = Query { filter, times: ever(), stop };
                let rows = index.rows(&query, order, &page).unwrap();
                found.extend(rows.events);
                stopped += usize::from(rows.stopped);
                let Some(next) = rows.next else { break };
                page.after = Some(next);
                stop = Stop::never();
            }
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{looks} {direction:?}");
            let all = expected.len() as u64;
            let query = Query { filter, times: ever(), stop: stop_after(looks) };
            assert!(index.count(&query, u64::MAX).unwrap().rows <= all, "{looks}");
            let query = Query { filter, times: ever(), stop: stop_after(looks) };
            assert!(index.tally(&query, &TallyPlan::default()).unwrap().rows <= all, "{looks}");
            let query = Query { filter, times: ever(), stop: stop_after(looks) };
            let wanted: Vec<_> = expected.iter().map(|event| event.id).collect();
            let mut seen = |row: &crate::events::ScannedRow<'_>| {
                assert!(wanted.contains(&row.id()), "{looks}");
                ControlFlow::Continue(())
            };
            index.scan(&query, direction, &mut seen).unwrap();
        }
    }
    assert!(stopped > 9, "{stopped}");
}

#[test]
fn a_stopped_count_or_tally_says_so() {
    let (index, _) = mixed(11, 3_000);
    let filter = contains(TextColumn::From, "user");
    let query = Query { filter: &filter, times: ever(), stop: stop_after(3) };
    assert_eq!(index.count(&query, u64::MAX).unwrap().exactness, Exactness::AtLeast);
    let query = Query { filter: &filter, times: ever(), stop: stop_after(1) };
    assert!(index.tally(&query, &TallyPlan::default()).unwrap().stopped);
}

#[test]
fn a_frequent_match_is_estimated_closely() {
    let events = events(0..60_000, start(), Duration::from_millis(1));
    let index = open(&SimulatedDisk::new());
    for part in events.chunks(20_000) {
        push_all(&index, part);
        index.seal(SealWhat::All, start()).unwrap();
    }
    let filter = contains(TextColumn::From, "user1");
    let all = matching(&events, &filter, &ever()).len() as u64;
    // A sample that is as large as the whole is the whole.
    let counted = index.count(&query(&filter, &ever()), 100).unwrap();
    assert_eq!((counted.rows, counted.exactness), (all, Exactness::Exact));
    let plan = TallyPlan {
        facets: vec![FacetBy::Word(WordColumn::Outcome)],
        facet_rows_max: 9_000,
        ..TallyPlan::default()
    };
    let tallied = index.tally(&query(&Filter::Everything, &ever()), &plan).unwrap();
    assert_eq!(tallied.rows, 60_000);
    let facet = &tallied.facets[0];
    assert!(facet.sampled && tallied.facet_rows < 20_000);
    for (value, estimate) in &facet.values {
        let exact =
            events.iter().filter(|e| e.outcome_kind().is_some_and(|k| k.slug() == value)).count();
        assert!(estimate.abs_diff(exact as u64) * 10 < exact as u64, "{value}: {estimate} {exact}");
    }
}

#[test]
fn a_damaged_segment_is_named_in_every_answer() {
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
    let query = query(&Filter::Everything, &ever());
    let page = RowsPage { after: None, rows_max: 50 };
    let rows = index.rows(&query, Order::NEWEST, &page).unwrap();
    let counted = index.count(&query, 10).unwrap();
    let tallied = index.tally(&query, &TallyPlan::default()).unwrap();
    let mut visited = 0;
    let scanned = index.scan(&query, Direction::Ascending, &mut |_| {
        visited += 1;
        ControlFlow::Continue(())
    });
    let scanned = scanned.unwrap();
    assert_eq!((rows.events.len(), counted.rows, tallied.rows, visited), (6, 6, 6, 6));
    for missing in [rows.missing, counted.missing, tallied.missing, scanned.missing] {
        let [span] = missing.as_slice() else { panic!("{missing:?}") };
        assert!(span.contains(&events[2].at) && span.contains(&events[3].at));
    }
}

#[test]
fn a_page_begins_after_a_row_that_is_gone() {
    let (index, events) = mixed(2, 50);
    let order = Order { by: Column::Number(NumberColumn::Size), direction: Direction::Ascending };
    let between = Cursor {
        value: Some(SortValue::Number(1_000)),
        at: start(),
        id: synthetic::event(77, start()).id,
    };
    let page = RowsPage { after: Some(between), rows_max: 500 };
    let query = query(&Filter::Everything, &ever());
    let found = index.rows(&query, order, &page).unwrap().events;
    let is_after = |event: &&Event| naive::number(NumberColumn::Size, event) > Some(1_000);
    let without = |event: &&Event| naive::number(NumberColumn::Size, event).is_none();
    let expected = events.iter().filter(is_after).count() + events.iter().filter(without).count();
    assert_eq!(found.len(), expected);
}
