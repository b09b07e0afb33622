//! One page by another column than time: every match of the range is looked
//! at, and memory is needed for one page.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use types::{Event, EventId, Timestamp};

use super::bits::BLOCK_ROWS;
use super::columns::{CodeView, Columns, RowKey, TextView, View};
use super::fields::{WideField, ip_octets, ip_of};
use super::filter::{Prepared, Test};
use super::unit::{Place, Unit, Window};
use super::walk::{Go, walk};
use crate::search::{Column, Cursor, Direction, Order, SortValue, Stop, TextColumn};

/// The value of one row, where it lies. Compared only with its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value<'a> {
    Number(u64),
    Ip([u8; 16]),
    Text(&'a [u8]),
}

/// The place of a row in the order.
#[derive(Clone, Debug)]
struct Rank {
    value: Option<SortValue>,
    key: RowKey,
}

/// The rows of one page, in order, and whether the search was stopped.
pub(super) struct ValuePage {
    pub(super) rows: Vec<(Cursor, Place)>,
    pub(super) stopped: bool,
}

/// Gathers the first `rows_max` rows inside `window` that come after `after`.
pub(super) fn gather(
    units: &[Unit],
    test: &Test,
    window: Window,
    order: Order,
    after: Option<&Cursor>,
    rows_max: usize,
    stop: &Stop,
) -> ValuePage {
    let units: Vec<_> = units.iter().filter(|unit| window.touches(unit)).cloned().collect();
    let after = after.map(|cursor| Rank {
        value: cursor.value.clone(),
        key: (cursor.at.as_millis(), *cursor.id.as_bytes()),
    });
    let all = Mutex::new(Vec::new());
    walk(&units, stop, |unit| {
        let mut best =
            Best { order, after: after.as_ref(), rows_max, rows: Vec::new(), limit: None };
        best.unit(unit, test, window, stop);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.append(&mut best.rows);
        all.sort_by(|(a, _), (b, _)| compare_ranks(order.direction, a, b));
        all.truncate(rows_max);
        Go::On
    });
    let rows = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows = rows.into_iter().map(|(rank, place)| {
        let Rank { value, key: (at, id) } = rank;
        (Cursor { value, at: Timestamp::from_millis(at), id: EventId::from_bytes(id) }, place)
    });
    ValuePage { rows: rows.collect(), stopped: stop.is_over() }
}

/// The first rows of one unit.
struct Best<'a> {
    order: Order,
    after: Option<&'a Rank>,
    rows_max: usize,
    rows: Vec<(Rank, Place)>,
    /// Once the page is full, the rough place of its last row: what lies
    /// behind it need not be compared.
    limit: Option<u64>,
}

impl Best<'_> {
    fn unit(&mut self, unit: &Unit, test: &Test, window: Window, stop: &Stop) {
        let view = unit.view();
        let test = test.prepare(&view);
        if matches!(test, Prepared::Always(false)) {
            return;
        }
        let words = words_of(self.order.by);
        let rough = Rough::new(&view, self.order, &words);
        let mut rows = unit.inside(&view, window);
        while !rows.is_empty() && !stop.is_over() {
            let size = BLOCK_ROWS.min(rows.len());
            let among = unit.among(&view, window, rows.start, size);
            let Some(found) = test.matching_whole(rows.start, size, &among, stop) else { break };
            for row in found.rows().map(|row| rows.start + row) {
                if self.limit.is_none_or(|limit| rough.of(row) <= limit) {
                    self.take(unit, row, value(&view, self.order.by, &words, row), view.key(row));
                }
            }
            rows.start += size;
        }
    }

    fn take(&mut self, unit: &Unit, row: usize, value: Option<Value<'_>>, key: RowKey) {
        let direction = self.order.direction;
        let against = |rank: &Rank| compare(direction, value, key, borrowed(&rank.value), rank.key);
        if self.after.is_some_and(|after| against(after).is_le()) {
            return;
        }
        let is_full = self.rows.len() >= self.rows_max;
        if is_full && self.rows.last().is_none_or(|(last, _)| against(last).is_ge()) {
            return;
        }
        let at = self.rows.partition_point(|(rank, _)| against(rank).is_gt());
        if let Some(place) = unit.place(row) {
            self.rows.insert(at, (Rank { value: value.map(owned), key }, place));
            self.rows.truncate(self.rows_max);
            let last = self.rows.last().filter(|_| self.rows.len() == self.rows_max);
            self.limit = last.map(|(last, _)| rough_place(borrowed(&last.value), direction));
        }
    }
}

/// Where rows of a unit lie in the order, roughly: a row with a greater number
/// than another comes after it. One number per row is compared much faster
/// than a text, and settles nearly all of them.
enum Rough<'a> {
    Numbers(&'a [u32], Direction),
    Ips(&'a [[u8; 16]], Direction),
    /// By code.
    Words(CodeView<'a>, Vec<u64>),
    /// By cell of a legend.
    Keys(&'a [u16], Vec<u64>),
    Texts(TextView<'a>, Direction),
    /// The order is by time only.
    Same,
}

impl<'a> Rough<'a> {
    fn new(view: &View<'a>, order: Order, words: &[&'static str]) -> Self {
        let Order { by, direction } = order;
        let place = |text: &[u8]| rough_place(present(text), direction);
        match by {
            Column::Time => Rough::Same,
            Column::Ip => Rough::Ips(view.wide(WideField::Ip), direction),
            Column::Number(field) => Rough::Numbers(view.numbers(field), direction),
            Column::Word(field) => {
                let places = words.iter().map(|word| place(word.as_bytes()));
                Rough::Words(view.codes(field), places.collect())
            }
            Column::Text(field) => {
                let text = view.text(first_part(field));
                match text.keys {
                    Some(keys) => {
                        let places = (0..text.cells()).map(|cell| place(text.at(cell)));
                        Rough::Keys(keys, places.collect())
                    }
                    None => Rough::Texts(text, direction),
                }
            }
        }
    }

    fn of(&self, row: usize) -> u64 {
        match self {
            Rough::Numbers(numbers, direction) => {
                let number = numbers.get(row).copied().filter(|&number| number != 0);
                rough_place(number.map(|number| Value::Number(number.into())), *direction)
            }
            Rough::Ips(ips, direction) => {
                rough_place(ips.get(row).map(|ip| Value::Ip(*ip)), *direction)
            }
            Rough::Words(codes, places) => {
                places.get(usize::from(codes.code(row))).copied().unwrap_or(u64::MAX)
            }
            Rough::Keys(keys, places) => {
                let key = keys.get(row).map_or(0, |&key| usize::from(key));
                places.get(key).copied().unwrap_or(u64::MAX)
            }
            Rough::Texts(text, direction) => rough_place(present(text.cell(row)), *direction),
            Rough::Same => 0,
        }
    }
}

/// The rough place of a value: mostly its first eight octets, turned around if
/// the greatest comes first. What has none comes last either way.
fn rough_place(value: Option<Value<'_>>, direction: Direction) -> u64 {
    let Some(value) = value else { return u64::MAX };
    let first = match value {
        Value::Number(number) => number,
        // Of IPv4, which is all alike in its first half, the second.
        Value::Ip(ip) => match u128::from_be_bytes(ip) {
            ip if ip >> 64 == 0 => (ip as u64) >> 1,
            ip => 1 << 63 | (ip >> 65) as u64,
        },
        Value::Text(text) => match text.first_chunk() {
            Some(octets) => u64::from_be_bytes(*octets),
            None => {
                let mut octets = [0; 8];
                octets.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
                u64::from_be_bytes(octets)
            }
        },
    };
    match direction {
        Direction::Ascending => first,
        Direction::Descending => u64::MAX - first,
    }
}

/// The column a group of them is ordered by: its first.
fn first_part(field: TextColumn) -> TextColumn {
    field.parts().first().copied().unwrap_or(field)
}

fn present(text: &[u8]) -> Option<Value<'_>> {
    (!text.is_empty()).then_some(Value::Text(text))
}

fn compare_ranks(direction: Direction, a: &Rank, b: &Rank) -> Ordering {
    compare(direction, borrowed(&a.value), a.key, borrowed(&b.value), b.key)
}

/// The order: values in the direction, then keys in the same direction; rows
/// without a value last.
fn compare(
    direction: Direction,
    a: Option<Value<'_>>,
    a_key: RowKey,
    b: Option<Value<'_>>,
    b_key: RowKey,
) -> Ordering {
    let directed = |ordering: Ordering| match direction {
        Direction::Ascending => ordering,
        Direction::Descending => ordering.reverse(),
    };
    let values = match (a, b) {
        (Some(a), Some(b)) => directed(a.cmp(&b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    values.then_with(|| directed(a_key.cmp(&b_key)))
}

/// The words of a column by code; none for other columns.
fn words_of(column: Column) -> Vec<&'static str> {
    match column {
        Column::Word(word) => word.legend(),
        _ => Vec::new(),
    }
}

fn value<'a>(
    view: &View<'a>,
    column: Column,
    words: &[&'static str],
    row: usize,
) -> Option<Value<'a>> {
    match column {
        Column::Time => None,
        Column::Ip => view.wide(WideField::Ip).get(row).map(|ip| Value::Ip(*ip)),
        Column::Number(field) => {
            let number = view.numbers(field).get(row).copied().unwrap_or(0);
            (number != 0).then_some(Value::Number(u64::from(number)))
        }
        Column::Text(field) => present(view.text(first_part(field)).cell(row)),
        Column::Word(field) => {
            let code = view.codes(field).code(row);
            present(words.get(usize::from(code))?.as_bytes())
        }
    }
}

/// The place of an event in an order, as its row has it.
pub(crate) fn place_of(event: &Event, by: Column) -> Cursor {
    let mut columns = Columns::default();
    columns.push(event);
    let words = match by {
        Column::Word(field) => field.legend(),
        Column::Time | Column::Ip | Column::Text(_) | Column::Number(_) => Vec::new(),
    };
    let value = value(&columns.view(), by, &words, 0).map(owned);
    Cursor { value, at: event.at, id: event.id }
}

fn owned(value: Value<'_>) -> SortValue {
    match value {
        Value::Number(number) => SortValue::Number(number),
        Value::Ip(ip) => SortValue::Ip(ip_of(ip)),
        Value::Text(text) => SortValue::Text(String::from_utf8_lossy(text).into_owned()),
    }
}

fn borrowed(value: &Option<SortValue>) -> Option<Value<'_>> {
    value.as_ref().map(|value| match value {
        SortValue::Number(number) => Value::Number(*number),
        SortValue::Ip(ip) => Value::Ip(ip_octets(IpAddr::to_canonical(ip))),
        SortValue::Text(text) => Value::Text(text.as_bytes()),
    })
}
