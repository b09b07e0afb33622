//! Every row that matches, by time, from the columns: for exports.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::net::IpAddr;
use std::ops::{ControlFlow, Range};

use types::{Event, EventId, LifeLineId, SessionId, Timestamp};

use super::bits::BLOCK_ROWS;
use super::columns::{RowKey, View};
use super::fields::{WideField, ip_of};
use super::filter::{Prepared, Test};
use super::record::RecordReader;
use super::unit::{Unit, Window};
use crate::search::{Direction, NumberColumn, Scanned, Stop, TextColumn, WordColumn};

/// One row of a scan. Columns are read where they lie; [`ScannedRow::event`]
/// alone decodes the whole record, which costs some microseconds.
pub struct ScannedRow<'a> {
    unit: &'a Unit,
    view: &'a View<'a>,
    row: usize,
    legends: &'a [Vec<&'static str>],
    reader: &'a RefCell<RecordReader>,
}

impl std::fmt::Debug for ScannedRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScannedRow({})", self.id())
    }
}

impl ScannedRow<'_> {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.view.time.get(self.row).copied().unwrap_or(0))
    }

    /// The event.
    pub fn id(&self) -> EventId {
        EventId::from_bytes(self.wide(WideField::Id))
    }

    /// Its life-line.
    pub fn life_line(&self) -> LifeLineId {
        LifeLineId::from_bytes(self.wide(WideField::LifeLine))
    }

    /// Its session.
    pub fn session(&self) -> SessionId {
        SessionId::from_bytes(self.wide(WideField::Session))
    }

    /// The client's address.
    pub fn ip(&self) -> IpAddr {
        ip_of(self.wide(WideField::Ip))
    }

    /// A word; empty if it has none.
    pub fn word(&self, column: WordColumn) -> &'static str {
        let code = usize::from(self.view.codes(column).code(self.row));
        let legend = self.legends.get(column as usize);
        legend.and_then(|legend| legend.get(code)).copied().unwrap_or("")
    }

    /// A number, if it has one.
    pub fn number(&self, column: NumberColumn) -> Option<u64> {
        let number = self.view.numbers(column).get(self.row).copied().unwrap_or(0);
        (number != 0).then_some(u64::from(number))
    }

    /// A text as it was written, its values separated by
    /// [`crate::search::VALUE_SEPARATOR`]; empty if it has none, and for
    /// groups. Names and addresses of a From field have the same order.
    pub fn text(&self, column: TextColumn) -> Cow<'_, str> {
        self.view.written(column, self.row)
    }

    /// The whole event; nothing if its record is damaged.
    pub fn event(&self) -> Option<Event> {
        match self.unit {
            Unit::Memory(chunk) => chunk.events.get(self.row).map(|event| Event::clone(event)),
            Unit::Sealed(segment) => segment.event(self.row, &mut self.reader.borrow_mut()),
        }
    }

    fn wide(&self, field: WideField) -> [u8; 16] {
        self.view.wide(field).get(self.row).copied().unwrap_or_default()
    }
}

/// Hands the rows of `units` inside `window` that match to `visit`.
pub(super) fn scan(
    units: &[Unit],
    test: &Test,
    window: Window,
    direction: Direction,
    stop: &Stop,
    visit: &mut dyn FnMut(&ScannedRow<'_>) -> ControlFlow<()>,
) -> Scanned {
    let legends: Vec<_> = WordColumn::ALL.into_iter().map(WordColumn::legend).collect();
    let reader = RefCell::new(RecordReader::default());
    let views: Vec<_> = units.iter().map(Unit::view).collect();
    let mut waiting: Vec<_> = units
        .iter()
        .zip(&views)
        .filter(|(unit, _)| window.touches(unit))
        .map(|(unit, view)| (first_of(unit, direction), unit, view))
        .collect();
    // The one that begins first is taken from the end.
    waiting.sort_by_key(|(first, ..)| Reverse(*first));
    let mut sources: Vec<Source<'_>> = Vec::new();
    let mut scanned = Scanned::default();
    loop {
        start_due(&mut waiting, &mut sources, test, window, direction, stop);
        let Some((place, limit)) = next_source(&sources, &waiting) else { break };
        let Some(source) = sources.get_mut(place) else { break };
        while let Some(rank) = source.rank()
            && limit.is_none_or(|limit| rank <= limit)
        {
            let row = source.row();
            let (unit, view, legends) = (source.unit, source.view, legends.as_slice());
            source.advance(window, stop);
            scanned.rows += 1;
            let row = ScannedRow { unit, view, row, legends, reader: &reader };
            if visit(&row).is_break() {
                return Scanned { stopped: true, ..scanned };
            }
        }
        sources.retain(|source| source.rank().is_some());
        if stop.is_over() {
            return Scanned { stopped: true, ..scanned };
        }
    }
    scanned.stopped = stop.is_over();
    scanned
}

/// The place of a key in the direction of the scan: less comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Ascending(RowKey),
    Descending(Reverse<RowKey>),
}

impl Rank {
    fn new(key: RowKey, direction: Direction) -> Self {
        match direction {
            Direction::Ascending => Rank::Ascending(key),
            Direction::Descending => Rank::Descending(Reverse(key)),
        }
    }
}

fn first_of(unit: &Unit, direction: Direction) -> Rank {
    let first = match direction {
        Direction::Ascending => unit.oldest(),
        Direction::Descending => unit.newest(),
    };
    Rank::new(first, direction)
}

type Waiting<'a> = (Rank, &'a Unit, &'a View<'a>);

/// Starts every unit that may hold the next row.
fn start_due<'a>(
    waiting: &mut Vec<Waiting<'a>>,
    sources: &mut Vec<Source<'a>>,
    test: &'a Test,
    window: Window,
    direction: Direction,
    stop: &Stop,
) {
    loop {
        let next = sources.iter().filter_map(Source::rank).min();
        let is_due = |first: Rank| next.is_none_or(|next| first <= next);
        let Some((.., unit, view)) = waiting.pop_if(|(first, ..)| is_due(*first)) else { return };
        let mut source = Source {
            unit,
            view,
            test: test.prepare(view),
            direction,
            rows: unit.inside(view, window),
            ready: Vec::new(),
            place: 0,
        };
        source.fill(window, stop);
        if source.rank().is_some() {
            sources.push(source);
        }
    }
}

/// The source with the next row, and how far it may go on before another has
/// to be asked.
fn next_source(sources: &[Source<'_>], waiting: &[Waiting<'_>]) -> Option<(usize, Option<Rank>)> {
    let ranks = sources.iter().enumerate().filter_map(|(n, s)| Some((s.rank()?, n)));
    let (_, place) = ranks.min()?;
    let others = sources.iter().enumerate().filter(|(n, _)| *n != place);
    let others = others.filter_map(|(_, source)| source.rank());
    Some((place, others.chain(waiting.last().map(|(first, ..)| *first)).min()))
}

/// A unit that is being scanned.
struct Source<'a> {
    unit: &'a Unit,
    view: &'a View<'a>,
    test: Prepared<'a>,
    direction: Direction,
    /// Not looked at yet.
    rows: Range<usize>,
    /// Matching rows of the present block, in order.
    ready: Vec<usize>,
    /// The next of them.
    place: usize,
}

impl Source<'_> {
    fn row(&self) -> usize {
        self.ready.get(self.place).copied().unwrap_or(0)
    }

    fn rank(&self) -> Option<Rank> {
        let row = *self.ready.get(self.place)?;
        Some(Rank::new(self.view.key(row), self.direction))
    }

    fn advance(&mut self, window: Window, stop: &Stop) {
        self.place += 1;
        if self.place >= self.ready.len() {
            self.fill(window, stop);
        }
    }

    /// Finds the next matching rows, if there are more.
    fn fill(&mut self, window: Window, stop: &Stop) {
        self.ready.clear();
        self.place = 0;
        while self.ready.is_empty() && !self.rows.is_empty() && !stop.is_over() {
            let size = BLOCK_ROWS.min(self.rows.len());
            let start = match self.direction {
                Direction::Ascending => self.rows.start,
                Direction::Descending => self.rows.end - size,
            };
            let among = self.unit.among(self.view, window, start, size);
            let Some(found) = self.test.matching_whole(start, size, &among, stop) else { break };
            self.ready.extend(found.rows().map(|row| start + row));
            match self.direction {
                Direction::Ascending => self.rows.start += size,
                Direction::Descending => self.rows.end = start,
            }
        }
        match self.unit {
            // Rows in memory are in no order; a chunk is never larger than a block.
            Unit::Memory(_) => {
                let (view, direction) = (self.view, self.direction);
                self.ready.sort_by_key(|&row| Rank::new(view.key(row), direction));
            }
            Unit::Sealed(_) if self.direction == Direction::Descending => self.ready.reverse(),
            Unit::Sealed(_) => {}
        }
    }
}
