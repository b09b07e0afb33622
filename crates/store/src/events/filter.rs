//! A filter made ready to look at columns: texts folded, words turned into
//! codes, cheap tests before dear ones.

use std::net::IpAddr;

use ipnet::IpNet;

use super::bits::Bits;
use super::columns::View;
use super::fields::{
    ATTEMPT, CodeField, TextField, WideField, outcome_code, reason_code, state_code,
};
use super::text::TextTest;
use crate::contract::{Filter, TextColumn};

/// A compiled [`Filter`].
#[derive(Debug)]
pub(super) enum Test {
    /// Every row, or none.
    Always(bool),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// The code, in the present legend, is one of these.
    Code(CodeField, Box<[bool; 256]>),
    Network(Network),
    /// A cell of one of these columns matches.
    Text(&'static [TextField], Box<TextTest>),
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

impl Test {
    pub(super) fn new(filter: &Filter) -> Self {
        match filter {
            Filter::Everything => Test::Always(true),
            Filter::All(filters) => Test::All(cheapest_first(filters)),
            Filter::Any(filters) => Test::Any(cheapest_first(filters)),
            Filter::Not(filter) => Test::Not(Box::new(Test::new(filter))),
            Filter::IsAttempt => codes(CodeField::Kind, [ATTEMPT]),
            Filter::Outcome(kind) => codes(CodeField::Outcome, [outcome_code(*kind)]),
            Filter::State(state) => codes(CodeField::State, [state_code(state)]),
            Filter::Reason(reasons) => {
                codes(CodeField::Reason, reasons.iter().map(|reason| reason_code(*reason)))
            }
            Filter::Ip(net) => Test::Network(Network::new(*net)),
            Filter::Text(column, wanted) => {
                Test::Text(fields(*column), Box::new(TextTest::new(wanted)))
            }
        }
    }

    /// How dear a look at a row is, in rough nanoseconds.
    fn cost(&self) -> usize {
        match self {
            Test::Always(_) => 0,
            Test::Code(..) => 1,
            Test::Network(_) => 2,
            Test::Not(test) => test.cost(),
            Test::All(tests) | Test::Any(tests) => tests.iter().map(Test::cost).sum(),
            Test::Text(fields, _) => 5 * fields.len(),
        }
    }

    /// The rows among `among` that match, in the block of `rows` rows from
    /// `start`.
    pub(super) fn matching(
        &self,
        view: &View<'_>,
        start: usize,
        rows: usize,
        among: &Bits,
    ) -> Bits {
        if among.is_empty() {
            return Bits::none();
        }
        match self {
            Test::Always(true) => among.clone(),
            Test::Always(false) => Bits::none(),
            Test::All(tests) => tests
                .iter()
                .fold(among.clone(), |left, test| test.matching(view, start, rows, &left)),
            Test::Any(tests) => {
                either(tests, among, |test, open| test.matching(view, start, rows, open))
            }
            Test::Not(test) => among.clone().without(&test.matching(view, start, rows, among)),
            Test::Code(field, wanted) => {
                let column = view.codes(*field);
                let stored =
                    column.meaning.map(|code| wanted.get(usize::from(code)) == Some(&true));
                let block = column.codes.get(start..start + rows).unwrap_or_default();
                Bits::of(block, |code| stored.get(usize::from(code)) == Some(&true)).and(among)
            }
            Test::Network(network) => {
                let column = view.wide(WideField::Ip);
                let block = column.get(start..start + rows).unwrap_or_default();
                Bits::of(block, |ip| network.contains(ip)).and(among)
            }
            Test::Text(fields, test) => {
                either(fields, among, |field, open| test.scan(view.text(*field), start, rows, open))
            }
        }
    }
}

/// What any of `parts` finds, each looking only at what is still open.
fn either<T>(parts: &[T], among: &Bits, look: impl Fn(&T, &Bits) -> Bits) -> Bits {
    let mut found = Bits::none();
    let mut open = among.clone();
    for part in parts {
        let more = look(part, &open);
        open = open.without(&more);
        found = found.or(&more);
    }
    found
}

fn cheapest_first(filters: &[Filter]) -> Vec<Test> {
    let mut tests: Vec<_> = filters.iter().map(Test::new).collect();
    tests.sort_by_key(Test::cost);
    tests
}

/// Code 0 is no word, so it is never wanted.
fn codes(field: CodeField, wanted: impl IntoIterator<Item = u8>) -> Test {
    let mut table = Box::new([false; 256]);
    for code in wanted.into_iter().filter(|&code| code != 0) {
        if let Some(entry) = table.get_mut(usize::from(code)) {
            *entry = true;
        }
    }
    Test::Code(field, table)
}

fn fields(column: TextColumn) -> &'static [TextField] {
    match column {
        TextColumn::From => &[TextField::From],
        TextColumn::To => &[TextField::To],
        TextColumn::HeaderFrom => &[TextField::HeaderFrom],
        TextColumn::Subject => &[TextField::Subject],
        TextColumn::Information => &[TextField::Information],
        TextColumn::Helo => &[TextField::Helo],
        TextColumn::MessageId => &[TextField::MessageId],
        TextColumn::Anything => &[
            TextField::From,
            TextField::To,
            TextField::HeaderFrom,
            TextField::Subject,
            TextField::Information,
            TextField::Helo,
            TextField::MessageId,
            TextField::Attachments,
        ],
    }
}
