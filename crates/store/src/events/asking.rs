//! The questions of [`EventSearch`], put to what is in memory and sealed.

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use types::{Event, EventId, Timestamp};

use super::columns::RowKey;
use super::filter::Test;
use super::follow::{self, MARGIN, position_of};
use super::record::RecordReader;
use super::scan::ScannedRow;
use super::story::StoryTest;
use super::unit::{Place, Unit, Window};
use super::{EventIndex, Rows, arrival, count, order, page, parts, scan, tally};
use crate::contract::{Found, Page, StoreError};
use crate::search::{
    Arrival, Column, Count, Cursor, Direction, EventParts, EventSearch, Filter, FollowPosition,
    Followed, FoundRows, Order, Query, RowsPage, Scanned, Stop, Tallied, TallyPlan,
};

/// What there is at one moment; it does not change any more.
struct Snapshot {
    units: Vec<Unit>,
    missing: Vec<Range<Timestamp>>,
}

impl Snapshot {
    fn of(rows: &Rows, times: &Range<Timestamp>) -> Snapshot {
        let mut units = rows.units();
        if rows.newest.rows() > 0 {
            units.push(Unit::Memory(Arc::new(rows.newest.clone())));
        }
        Snapshot { units, missing: rows.missing(times) }
    }

    /// The filter as a test. Stories begin where the range begins.
    fn test(&self, filter: &Filter, times: &Range<Timestamp>, stop: &Stop) -> Test {
        let end = (i64::MAX, [u8::MAX; 16]);
        let window = Window { end, ..Window::new(times) };
        Test::new(filter, &|inner| StoryTest::new(inner, &self.units, window, stop))
    }

    /// The units with rows inside `window`, newest first.
    fn units_in(&self, window: Window) -> Vec<Unit> {
        let mut units: Vec<_> =
            self.units.iter().filter(|unit| window.touches(unit)).cloned().collect();
        units.sort_by_key(|unit| std::cmp::Reverse(unit.newest()));
        units
    }

    /// The events at `places`; what cannot be read goes to the missing spans.
    fn events<T>(&mut self, places: Vec<(T, Place)>, at: impl Fn(&T) -> i64) -> Vec<Event> {
        let mut reader = RecordReader::default();
        let mut events = Vec::with_capacity(places.len());
        for (key, place) in places {
            match place.event(&mut reader) {
                Some(event) => events.push(event),
                None => {
                    let at = Timestamp::from_millis(at(&key));
                    self.missing.push(at..Timestamp::from_millis(at.as_millis() + 1));
                }
            }
        }
        events
    }
}

impl EventIndex {
    fn snapshot(&self, times: &Range<Timestamp>) -> Snapshot {
        Snapshot::of(&self.read(), times)
    }

    /// Events that match, newest first, within `times`.
    pub fn search(
        &self,
        filter: &Filter,
        times: Range<Timestamp>,
        page: Page,
    ) -> Result<Found, StoreError> {
        let stop = Stop::never();
        let mut snapshot = self.snapshot(&times);
        let test = snapshot.test(filter, &times, &stop);
        let window = Window::new(&times);
        let window =
            page.after.map_or(window, |(at, id)| window.before((at.as_millis(), *id.as_bytes())));
        let newest_first = Direction::Descending;
        let units = snapshot.units_in(window);
        let rows =
            page::gather(units.clone(), &test, window, newest_first, page.rows_max, &stop).rows;
        let enough = page.count_max.max(page.rows_max);
        let matches = match rows.len() < page.rows_max {
            // The page holds all there are.
            true => rows.len(),
            false => {
                let counted = count::count_until(&units, &test, window, enough as u64, &stop);
                usize::try_from(counted.matches).unwrap_or(usize::MAX)
            }
        };
        let events = snapshot.events(rows, |(at, _)| *at);
        let (count, more) = (matches.min(enough), matches > enough);
        Ok(Found { events, count, more, missing: snapshot.missing })
    }

    /// Hands every event of `times` to `visit`, oldest first, until it says
    /// stop. What is pushed meanwhile is left out.
    pub fn visit(
        &self,
        times: Range<Timestamp>,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let query = Query { filter: &Filter::Everything, times, stop: Stop::never() };
        // A record that cannot be read is left out; the segment's checksum
        // was right when it was opened, so this is a failing disk.
        self.scan(&query, Direction::Ascending, &mut |row| {
            row.event().map_or(ControlFlow::Continue(()), &mut *visit)
        })?;
        Ok(())
    }

    /// What came after `after`, whatever it is: at most `rows_max` events.
    fn came(&self, after: &FollowPosition, rows_max: usize) -> Came {
        let recent = self.read().recent.after(after, rows_max);
        if let Some((events, more)) = recent {
            let position = events.last().map_or(*after, |event| position_of(event));
            let from = after.at.before(MARGIN);
            return Came { events, from, position, more, repeated: false, too_old: false };
        }
        let too_old = after.id.is_some() && self.oldest().is_some_and(|oldest| after.at < oldest);
        Came { too_old, ..self.came_by_time(after, rows_max) }
    }

    /// The same by time: first what is no longer kept in the order of
    /// arrival, then the rest in that order.
    fn came_by_time(&self, after: &FollowPosition, rows_max: usize) -> Came {
        let from = match (after.id, after.by_time) {
            (Some(_), false) => after.at.before(MARGIN),
            _ => after.at,
        };
        let times = from..Timestamp::from_millis(i64::MAX);
        // Both at one moment, so that an event is in one of them at least.
        let (mut snapshot, recent) = {
            let rows = self.read();
            (Snapshot::of(&rows, &times), rows.recent.all())
        };
        let stop = Stop::never();
        let window = match after.id.filter(|_| after.by_time) {
            Some(id) => Window::new(&times).after((after.at.as_millis(), *id.as_bytes())),
            None => Window::new(&times),
        };
        let units = snapshot.units_in(window);
        let all = Test::Always(true);
        let found = page::gather(units, &all, window, Direction::Ascending, rows_max, &stop).rows;
        let mut position = *after;
        let mut more = found.len() >= rows_max;
        let last = found.last().map(|((at, id), _)| (*at, *id));
        if let Some((at, id)) = last {
            let (at, id) = (Timestamp::from_millis(at), Some(EventId::from_bytes(id)));
            position = FollowPosition { at, id, by_time: true };
        }
        let mut events: Vec<_> =
            snapshot.events(found, |(at, _)| *at).into_iter().map(Arc::new).collect();
        if !more {
            let ids: HashSet<EventId> = recent.iter().map(|event| event.id).collect();
            events.retain(|event| !ids.contains(&event.id));
            let late = if after.id.is_some() { after.at.before(MARGIN) } else { after.at };
            let mut recent = recent.into_iter().filter(|event| event.at >= late);
            let first = events.len();
            events.extend(recent.by_ref().take(rows_max));
            more = recent.next().is_some();
            if let Some(event) = events.get(first..).and_then(<[_]>::last) {
                position = position_of(event);
            }
        }
        Came { events, from, position, more, repeated: after.id.is_some(), too_old: false }
    }

    /// The places of the events in `came` that match.
    fn matching_of(&self, came: &Came, filter: &Filter) -> Vec<usize> {
        if came.events.is_empty() {
            return Vec::new();
        }
        let times = came.from..Timestamp::from_millis(i64::MAX);
        let test = self.snapshot(&times).test(filter, &times, &Stop::never());
        follow::matching(&came.events, &test)
    }
}

/// What came after a position.
struct Came {
    events: Vec<Arc<Event>>,
    /// No event of a life-line that matters is older.
    from: Timestamp,
    position: FollowPosition,
    more: bool,
    repeated: bool,
    too_old: bool,
}

impl EventSearch for EventIndex {
    fn rows(
        &self,
        query: &Query<'_>,
        order: Order,
        page: &RowsPage,
    ) -> Result<FoundRows, StoreError> {
        let Query { filter, times, stop } = query;
        let mut snapshot = self.snapshot(times);
        let test = snapshot.test(filter, times, stop);
        // One row more says whether there is a next page.
        let most = page.rows_max.saturating_add(1);
        let window = Window::new(times);
        if order.by != Column::Time {
            let after = page.after.as_ref();
            let units = &snapshot.units;
            let mut found = order::gather(units, &test, window, order, after, most, stop);
            let next = cut(&mut found.rows, page.rows_max, Cursor::clone);
            let events = snapshot.events(found.rows, |cursor| cursor.at.as_millis());
            let missing = snapshot.missing;
            return Ok(FoundRows { events, next, stopped: found.stopped, missing });
        }
        let window = page.after.as_ref().map_or(window, |cursor| {
            let key = (cursor.at.as_millis(), *cursor.id.as_bytes());
            match order.direction {
                Direction::Descending => window.before(key),
                Direction::Ascending => window.after(key),
            }
        });
        let units = snapshot.units_in(window);
        let mut found = page::gather(units, &test, window, order.direction, most, stop);
        let next = cut(&mut found.rows, page.rows_max, |key| cursor_of(*key));
        let stopped = next.is_none() && found.stopped_at.is_some();
        let next = next.or_else(|| found.stopped_at.map(cursor_of));
        let events = snapshot.events(found.rows, |(at, _)| *at);
        Ok(FoundRows { events, next, stopped, missing: snapshot.missing })
    }

    fn count(&self, query: &Query<'_>, exact_max: u64) -> Result<Count, StoreError> {
        let Query { filter, times, stop } = query;
        let snapshot = self.snapshot(times);
        let test = snapshot.test(filter, times, stop);
        let window = Window::new(times);
        let units = snapshot.units_in(window);
        let counted = count::count(&units, &test, window, exact_max, stop);
        Ok(Count { missing: snapshot.missing, ..counted })
    }

    fn tally(&self, query: &Query<'_>, plan: &TallyPlan) -> Result<Tallied, StoreError> {
        let Query { filter, times, stop } = query;
        let snapshot = self.snapshot(times);
        let test = snapshot.test(filter, times, stop);
        let window = Window::new(times);
        let units = snapshot.units_in(window);
        let tallied = tally::tally(&units, &test, window, plan, stop);
        Ok(Tallied { missing: snapshot.missing, ..tallied })
    }

    fn scan(
        &self,
        query: &Query<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&ScannedRow<'_>) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        let Query { filter, times, stop } = query;
        let snapshot = self.snapshot(times);
        let test = snapshot.test(filter, times, stop);
        let window = Window::new(times);
        let scanned = scan::scan(&snapshot.units, &test, window, direction, stop, visit);
        Ok(Scanned { missing: snapshot.missing, ..scanned })
    }

    fn parts(&self, times: &Range<Timestamp>) -> Result<EventParts, StoreError> {
        let Snapshot { units, missing } = self.snapshot(times);
        Ok(EventParts { parts: parts::parts(units, times), missing })
    }

    fn follow(
        &self,
        filter: &Filter,
        after: &FollowPosition,
        rows_max: usize,
    ) -> Result<Followed, StoreError> {
        let came = self.came(after, rows_max.max(1));
        let places = self.matching_of(&came, filter).into_iter();
        let event = |place: usize| came.events.get(place).map(|event| Event::clone(event));
        let events = places.filter_map(event).collect();
        let Came { position, more, repeated, too_old, .. } = came;
        Ok(Followed { events, position, more, repeated, too_old })
    }

    fn follow_each(
        &self,
        filters: &[Filter],
        after: &Arrival,
        now: Timestamp,
        visit: &mut dyn FnMut(usize, Timestamp, EventId) -> ControlFlow<()>,
    ) -> Result<Arrival, StoreError> {
        let (arrival, new_units) = {
            let rows = self.read();
            let units = after.number.and_then(|number| arrival::units_after(&rows, number));
            (Arrival { number: Some(rows.arrived()), at: now }, units)
        };
        let (seen_before, end) = (after.seen_before(), arrival.end());
        let (units, from) = match new_units {
            Some(units) => (units, Timestamp::EPOCH),
            None => (self.snapshot(&(seen_before..end)).units, seen_before),
        };
        let stop = Stop::never();
        let life_lines = seen_before..Timestamp::from_millis(i64::MAX);
        for (place, filter) in filters.iter().enumerate() {
            let test = Test::new(filter, &|inner| {
                let units = self.snapshot(&life_lines).units;
                StoryTest::new(inner, &units, Window::new(&life_lines), &stop)
            });
            let mut hand = |row: &ScannedRow<'_>| visit(place, row.at(), row.id());
            let window = Window::new(&(from..end));
            if scan::scan(&units, &test, window, Direction::Ascending, &stop, &mut hand).stopped {
                return Ok(*after);
            }
        }
        Ok(arrival)
    }

    fn arrived(&self, now: Timestamp) -> Arrival {
        Arrival { number: Some(self.read().arrived()), at: now }
    }

    fn now_at(&self) -> FollowPosition {
        let rows = self.read();
        let newest = rows.units().iter().map(Unit::newest).max();
        let sealed = newest.map(|(at, id)| FollowPosition {
            at: Timestamp::from_millis(at),
            id: Some(EventId::from_bytes(id)),
            by_time: true,
        });
        rows.recent.newest().or(sealed).unwrap_or(FollowPosition::at(Timestamp::EPOCH))
    }

    fn oldest(&self) -> Option<Timestamp> {
        let rows = self.read();
        let newest = Unit::Memory(Arc::new(rows.newest.clone()));
        let units = rows.units();
        let filled = units.iter().chain([&newest]).filter(|unit| unit.rows() > 0);
        filled.map(|unit| Timestamp::from_millis(unit.oldest().0)).min()
    }
}

fn cursor_of((at, id): RowKey) -> Cursor {
    Cursor { value: None, at: Timestamp::from_millis(at), id: EventId::from_bytes(id) }
}

/// Cuts a page that has one row more than was asked for, and says after
/// which row the next one begins.
fn cut<T>(
    rows: &mut Vec<(T, Place)>,
    rows_max: usize,
    cursor: impl Fn(&T) -> Cursor,
) -> Option<Cursor> {
    let has_more = rows.len() > rows_max;
    rows.truncate(rows_max);
    rows.last().filter(|_| has_more).map(|(key, _)| cursor(key))
}
