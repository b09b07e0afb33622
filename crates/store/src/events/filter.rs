//! A filter made ready to look at columns: texts folded, words turned into
//! codes, cheap tests before dear ones.
//!
//! It is made ready twice. [`Test`] is the same for all rows; for each chunk
//! or segment [`Test::prepare`] makes a [`Prepared`] of it, in which words
//! have the codes of that segment and texts with a legend were compared once
//! per different text. What turns out to match nothing there, or everything,
//! costs nothing any more.

use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};

use ipnet::IpNet;

use super::bits::Bits;
use super::columns::{TextView, View};
use super::fields::{ATTEMPT, WideField, outcome_code, reason_code};
use super::story::StoryTest;
use super::text::{TextScan, TextTest};
use crate::search::{Column, Filter, NumberColumn, Stop, TextColumn, WordColumn};

/// A compiled [`Filter`].
#[derive(Debug)]
pub(super) enum Test {
    /// Every row, or none.
    Always(bool),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// The code, in the present legend, is one of these.
    Code(WordColumn, Box<[bool; 256]>),
    Number(NumberColumn, RangeInclusive<u32>),
    /// The time, in milliseconds, the end exclusive.
    Time(Range<i64>),
    Network(Network),
    /// The identifier is one of these, which are in order.
    Ids(WideField, Vec<[u8; 16]>),
    /// A cell of this column matches.
    Text(TextColumn, Box<TextTest>),
    /// Another row of the life-line matches.
    Story(Box<StoryTest>),
}

/// A network over addresses of sixteen octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    base: u128,
    mask: u128,
    /// An IPv4 address is in no IPv6 network, not even in `::/0`.
    is_v4: bool,
}

/// The 96 bits before every mapped IPv4 address.
const V4_MAPPED: u128 = 0xffff;

impl Network {
    fn new(net: IpNet) -> Self {
        let (base, host_bits) = match net.network() {
            IpAddr::V4(ip) => (ip.to_ipv6_mapped(), 32 - u32::from(net.prefix_len())),
            IpAddr::V6(ip) => (ip, 128 - u32::from(net.prefix_len())),
        };
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        Network { base: u128::from(base), mask, is_v4: matches!(net, IpNet::V4(_)) }
    }

    fn contains(self, ip: [u8; 16]) -> bool {
        let ip = u128::from_be_bytes(ip);
        ip & self.mask == self.base && (ip >> 32 == V4_MAPPED) == self.is_v4
    }
}

/// Makes the test of a [`Filter::Story`] out of its inner test.
pub(super) type MakeStory<'a> = &'a dyn Fn(Test) -> StoryTest;

impl Test {
    /// Compiles `filter`.
    pub(super) fn new(filter: &Filter, story: MakeStory<'_>) -> Self {
        match filter {
            Filter::Everything => Test::Always(true),
            Filter::All(filters) => Test::All(cheapest_first(filters, story)),
            Filter::Any(filters) => Test::Any(cheapest_first(filters, story)),
            Filter::Not(filter) => Test::Not(Box::new(Test::new(filter, story))),
            Filter::IsAttempt => codes(WordColumn::Kind, [ATTEMPT]),
            Filter::Outcome(kind) => codes(WordColumn::Outcome, [outcome_code(*kind)]),
            Filter::State(state) => codes(WordColumn::State, [WordColumn::State.code_of(state)]),
            Filter::Reason(reasons) => {
                codes(WordColumn::Reason, reasons.iter().map(|reason| reason_code(*reason)))
            }
            Filter::Word(column, words) => {
                codes(*column, words.iter().map(|word| column.code_of(word)))
            }
            Filter::Number(column, range) => numbers(*column, range),
            Filter::Time(times) => Test::Time(times.start.as_millis()..times.end.as_millis()),
            Filter::Ip(net) => Test::Network(Network::new(*net)),
            Filter::Text(column, wanted) => text(*column, || TextTest::new(wanted)),
            Filter::Has(column) => has(*column),
            Filter::Ids(ids) => of_ids(WideField::Id, ids.iter().map(|id| *id.as_bytes())),
            Filter::LifeLine(id) => of_ids(WideField::LifeLine, [*id.as_bytes()]),
            Filter::Session(id) => of_ids(WideField::Session, [*id.as_bytes()]),
            Filter::Story(inner) => Test::Story(Box::new(story(Test::new(inner, story)))),
        }
    }

    /// How dear a look at a row is, in rough nanoseconds.
    pub(super) fn cost(&self) -> usize {
        match self {
            Test::Always(_) => 0,
            Test::Code(..) | Test::Number(..) | Test::Time(_) => 1,
            Test::Network(_) => 2,
            Test::Ids(..) => 4,
            Test::Not(test) => test.cost(),
            Test::All(tests) | Test::Any(tests) => tests.iter().map(Test::cost).sum(),
            Test::Text(_, test) => test.cost(),
            Test::Story(_) => 1_000,
        }
    }

    /// Whether one row matches.
    pub(super) fn is_at(&self, view: &View<'_>, row: usize) -> bool {
        let id = |field| view.wide(field).get(row).copied().unwrap_or_default();
        match self {
            Test::Always(all) => *all,
            Test::All(tests) => tests.iter().all(|test| test.is_at(view, row)),
            Test::Any(tests) => tests.iter().any(|test| test.is_at(view, row)),
            Test::Not(test) => !test.is_at(view, row),
            Test::Code(field, wanted) => {
                wanted.get(usize::from(view.codes(*field).code(row))) == Some(&true)
            }
            Test::Number(field, range) => {
                range.contains(&view.numbers(*field).get(row).copied().unwrap_or(0))
            }
            Test::Time(times) => view.time.get(row).is_some_and(|at| times.contains(at)),
            Test::Network(network) => network.contains(id(WideField::Ip)),
            Test::Ids(field, wanted) => wanted.binary_search(&id(*field)).is_ok(),
            Test::Text(field, test) => test.matches(view.text(*field).cell(row)),
            Test::Story(test) => test.matching(&[id(WideField::LifeLine)], &Bits::first(1)).has(0),
        }
    }

    /// The test as it applies to the rows of `view`.
    pub(super) fn prepare<'a>(&'a self, view: &View<'a>) -> Prepared<'a> {
        match self {
            Test::Always(all) => Prepared::Always(*all),
            Test::All(tests) => both(tests.iter().map(|test| test.prepare(view)), false),
            Test::Any(tests) => both(tests.iter().map(|test| test.prepare(view)), true),
            Test::Not(test) => match test.prepare(view) {
                Prepared::Always(all) => Prepared::Always(!all),
                other => Prepared::Not(Box::new(other)),
            },
            Test::Code(field, wanted) => {
                let column = view.codes(*field);
                let is_wanted = |code: u8| wanted.get(usize::from(code)) == Some(&true);
                if column.codes.is_empty() {
                    return Prepared::Always(is_wanted(0));
                }
                Prepared::Code(column.codes, Box::new(column.meaning.map(is_wanted)))
            }
            Test::Number(field, range) => match view.numbers(*field) {
                [] => Prepared::Always(range.contains(&0)),
                numbers => Prepared::Number(numbers, range.clone()),
            },
            Test::Time(times) => Prepared::Time(view.time, times.clone()),
            Test::Network(network) => Prepared::Network(view.wide(WideField::Ip), *network),
            Test::Ids(field, wanted) => Prepared::Ids(view.wide(*field), wanted),
            Test::Text(field, test) => texts(view.text(*field), test),
            Test::Story(test) => Prepared::Story(view.wide(WideField::LifeLine), test),
        }
    }
}

/// A [`Test`] over the rows of one chunk or segment.
#[derive(Debug)]
pub(super) enum Prepared<'a> {
    Always(bool),
    All(Vec<Prepared<'a>>),
    Any(Vec<Prepared<'a>>),
    Not(Box<Prepared<'a>>),
    Code(&'a [u8], Box<[bool; 256]>),
    Number(&'a [u32], RangeInclusive<u32>),
    Time(&'a [i64], Range<i64>),
    Network(&'a [[u8; 16]], Network),
    Ids(&'a [[u8; 16]], &'a [[u8; 16]]),
    /// Texts with a legend: which of it match.
    Keys(&'a [u16], Vec<bool>),
    Text(Box<TextScan<'a>>),
    Story(&'a [[u8; 16]], &'a StoryTest),
}

impl Prepared<'_> {
    /// As [`Prepared::matching`]; nothing if `stop` ended it in between.
    ///
    /// A story that was broken off knows only some of its life-lines: rows of
    /// the others would be missing, or under a negation be too many.
    pub(super) fn matching_whole(
        &self,
        start: usize,
        rows: usize,
        among: &Bits,
        stop: &Stop,
    ) -> Option<Bits> {
        let found = self.matching(start, rows, among);
        (!self.asks_a_story() || !stop.is_over()).then_some(found)
    }

    /// As [`Test::cost`]: a text with a legend is no longer dear.
    fn cost(&self) -> usize {
        match self {
            Prepared::Always(_) => 0,
            Prepared::Code(..) | Prepared::Number(..) | Prepared::Time(..) | Prepared::Keys(..) => {
                1
            }
            Prepared::Network(..) => 2,
            Prepared::Ids(..) => 4,
            Prepared::Not(test) => test.cost(),
            Prepared::All(tests) | Prepared::Any(tests) => tests.iter().map(Prepared::cost).sum(),
            Prepared::Text(scan) => scan.cost(),
            Prepared::Story(..) => 1_000,
        }
    }

    fn asks_a_story(&self) -> bool {
        match self {
            Prepared::Story(..) => true,
            Prepared::Not(test) => test.asks_a_story(),
            Prepared::All(tests) | Prepared::Any(tests) => tests.iter().any(Prepared::asks_a_story),
            _ => false,
        }
    }

    /// The rows among `among` that match, in the block of `rows` rows from
    /// `start`.
    pub(super) fn matching(&self, start: usize, rows: usize, among: &Bits) -> Bits {
        if among.is_empty() {
            return Bits::none();
        }
        match self {
            Prepared::Always(true) => among.clone(),
            Prepared::Always(false) => Bits::none(),
            Prepared::All(tests) => {
                tests.iter().fold(among.clone(), |left, test| test.matching(start, rows, &left))
            }
            Prepared::Any(tests) => {
                let mut found = Bits::none();
                let mut open = among.clone();
                for test in tests {
                    let more = test.matching(start, rows, &open);
                    open = open.without(&more);
                    found = found.or(&more);
                }
                found
            }
            Prepared::Not(test) => among.clone().without(&test.matching(start, rows, among)),
            Prepared::Code(codes, wanted) => {
                let is_wanted = |code| wanted.get(usize::from(code)) == Some(&true);
                Bits::of(block(codes, start, rows), is_wanted).and(among)
            }
            Prepared::Number(numbers, range) => {
                let (low, high) = (*range.start(), *range.end());
                Bits::of(block(numbers, start, rows), |n: u32| low <= n && n <= high).and(among)
            }
            Prepared::Time(times, wanted) => {
                Bits::of(block(times, start, rows), |at| wanted.contains(&at)).and(among)
            }
            Prepared::Network(ips, network) => {
                Bits::of(block(ips, start, rows), |ip| network.contains(ip)).and(among)
            }
            Prepared::Ids(ids, wanted) => {
                Bits::of(block(ids, start, rows), |id| wanted.binary_search(&id).is_ok()).and(among)
            }
            Prepared::Keys(keys, wanted) => {
                let is_wanted = |key| wanted.get(usize::from(key)) == Some(&true);
                Bits::of(block(keys, start, rows), is_wanted).and(among)
            }
            Prepared::Text(scan) => scan.matching(start, rows, among),
            Prepared::Story(lines, test) => test.matching(block(lines, start, rows), among),
        }
    }
}

fn block<T>(column: &[T], start: usize, rows: usize) -> &[T] {
    column.get(start..start + rows).unwrap_or_default()
}

/// All of `tests`, or any of them, without those that settle nothing; cheap
/// ones first, which leave fewer rows to dear ones.
fn both<'a>(tests: impl Iterator<Item = Prepared<'a>>, any: bool) -> Prepared<'a> {
    let mut open = Vec::new();
    for test in tests {
        match test {
            // One that is true settles any of them, one that is false all.
            Prepared::Always(all) if all == any => return Prepared::Always(any),
            Prepared::Always(_) => {}
            other => open.push(other),
        }
    }
    open.sort_by_key(Prepared::cost);
    match open.len() {
        0 => Prepared::Always(!any),
        1 => open.pop().unwrap_or(Prepared::Always(!any)),
        _ if any => Prepared::Any(open),
        _ => Prepared::All(open),
    }
}

/// Texts of a segment: those with a legend are compared here and now.
fn texts<'a>(text: TextView<'a>, test: &'a TextTest) -> Prepared<'a> {
    if text.is_empty() {
        return Prepared::Always(test.matches(b""));
    }
    let Some(keys) = text.keys else { return Prepared::Text(Box::new(test.prepare(text))) };
    let matching = test.cells(text);
    match (matching.contains(&true), matching.contains(&false)) {
        (false, _) => Prepared::Always(false),
        (true, false) => Prepared::Always(true),
        (true, true) => Prepared::Keys(keys, matching),
    }
}

fn cheapest_first(filters: &[Filter], story: MakeStory<'_>) -> Vec<Test> {
    let mut tests: Vec<_> = filters.iter().map(|filter| Test::new(filter, story)).collect();
    tests.sort_by_key(Test::cost);
    tests
}

/// Code 0 is no word, so it is never wanted.
fn codes(field: WordColumn, wanted: impl IntoIterator<Item = u8>) -> Test {
    let mut table = Box::new([false; 256]);
    for code in wanted.into_iter().filter(|&code| code != 0) {
        if let Some(entry) = table.get_mut(usize::from(code)) {
            *entry = true;
        }
    }
    Test::Code(field, table)
}

/// Number 0 is none, so it is never wanted.
fn numbers(field: NumberColumn, range: &RangeInclusive<u64>) -> Test {
    let low = u32::try_from((*range.start()).max(1));
    let high = u32::try_from(*range.end()).unwrap_or(u32::MAX);
    match low {
        Ok(low) if low <= high => Test::Number(field, low..=high),
        _ => Test::Always(false),
    }
}

fn of_ids(field: WideField, wanted: impl IntoIterator<Item = [u8; 16]>) -> Test {
    let mut wanted: Vec<_> = wanted.into_iter().collect();
    wanted.sort_unstable();
    Test::Ids(field, wanted)
}

fn text(column: TextColumn, test: impl Fn() -> TextTest) -> Test {
    let mut parts: Vec<_> =
        column.parts().iter().map(|part| Test::Text(*part, Box::new(test()))).collect();
    match parts.len() {
        1 => parts.pop().unwrap_or(Test::Always(false)),
        _ => Test::Any(parts),
    }
}

fn has(column: Column) -> Test {
    match column {
        Column::Time | Column::Ip => Test::Always(true),
        Column::Text(column) => text(column, TextTest::present),
        Column::Number(column) => Test::Number(column, 1..=u32::MAX),
        Column::Word(column) => codes(column, 1..=u8::MAX),
    }
}
