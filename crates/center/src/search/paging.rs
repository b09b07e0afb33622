//! Forward and back through an order, page by page, by the keys of the rows
//! at the edges: no page is ever counted off from the start.

use std::ops::Range;

use store::search::{Column, Cursor as Place, Direction, Filter, FoundRows, Order, RowsPage};
use types::{Event, Timestamp};

use super::{Cursor, Scope, SearchRequest};
use crate::CenterError;
use crate::sight::Seen;

/// A page as it was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) events: Vec<Event>,
    pub(super) next: Option<Cursor>,
    pub(super) previous: Option<Cursor>,
    pub(super) position: usize,
    pub(super) stopped: bool,
    pub(super) missing: Vec<Range<Timestamp>>,
}

impl Seen<'_> {
    pub(super) fn found(
        &self,
        scope: &Scope,
        request: &SearchRequest,
        rows_max: usize,
    ) -> Result<Found, CenterError> {
        let order = request.sort.order();
        match &request.cursor {
            Some(Cursor { edge: Some(edge), position, back: true }) => {
                self.up_to(scope, order, edge, *position, rows_max)
            }
            cursor => self.onwards(scope, order, cursor.as_ref(), rows_max),
        }
    }

    fn onwards(
        &self,
        scope: &Scope,
        order: Order,
        cursor: Option<&Cursor>,
        rows_max: usize,
    ) -> Result<Found, CenterError> {
        let after = cursor.and_then(|cursor| cursor.edge.clone());
        let page = RowsPage { after: after.clone(), rows_max };
        let found = self.events.rows(&scope.query(self.patience()), order, &page)?;
        let position = cursor.map_or(0, |cursor| cursor.position);
        let end = position + found.events.len();
        let previous = after.map(|edge| match position <= rows_max {
            true => Cursor::START,
            false => Cursor { edge: Some(edge), position, back: true },
        });
        Ok(Found {
            next: found.next.map(|edge| Cursor { edge: Some(edge), position: end, back: false }),
            previous,
            events: found.events,
            position,
            stopped: found.stopped,
            missing: found.missing,
        })
    }

    /// The page that ends with the row at an edge: that row, and the nearest
    /// against the order, turned around.
    fn up_to(
        &self,
        scope: &Scope,
        order: Order,
        edge: &Place,
        position: usize,
        rows_max: usize,
    ) -> Result<Found, CenterError> {
        // With the row at the edge this is one row more than is shown: the
        // edge of the page before.
        let page = RowsPage { after: Some(edge.clone()), rows_max };
        let mut found = self.against(scope, order.against(), &page)?;
        let more = found.events.len() == rows_max;
        found.events.truncate(rows_max - 1);
        found.events.reverse();
        found.events.extend(self.events.event(edge.id)?);
        let first = position.saturating_sub(found.events.len());
        let previous = more.then_some(match found.next {
            Some(edge) => Cursor { edge: Some(edge), position: first, back: true },
            None => Cursor::START,
        });
        Ok(Found {
            events: found.events,
            next: Some(Cursor { edge: Some(edge.clone()), position, back: false }),
            position: if previous.is_some() { first } else { 0 },
            previous,
            stopped: found.stopped,
            missing: found.missing,
        })
    }

    /// Rows against an order. Rows without a value come last in either
    /// direction, so against the order they must come first: those before the
    /// edge, and only then the rows with a value, from their end.
    pub(super) fn against(
        &self,
        scope: &Scope,
        order: Order,
        page: &RowsPage,
    ) -> Result<FoundRows, CenterError> {
        let look = |filter: Filter, page: &RowsPage| {
            let part = Scope { filter, ..scope.clone() };
            self.events.rows(&part.query(self.patience()), order, page)
        };
        if order.by == Column::Time {
            return Ok(look(scope.filter.clone(), page)?);
        }
        let with = || Filter::All(vec![Filter::Has(order.by), scope.filter.clone()]);
        if page.after.as_ref().is_some_and(|edge| edge.value.is_some()) {
            return Ok(look(with(), page)?);
        }
        let lacks = Filter::Not(Box::new(Filter::Has(order.by)));
        let mut found = look(Filter::All(vec![lacks, scope.filter.clone()]), page)?;
        let rows_max = page.rows_max.saturating_sub(found.events.len());
        if rows_max == 0 {
            // There may be rows with a value before even the first without.
            let last = found.events.last();
            found.next = last.map(|event| Place { value: None, at: event.at, id: event.id });
            return Ok(found);
        }
        let rest = look(with(), &RowsPage { after: None, rows_max })?;
        found.events.extend(rest.events);
        found.next = rest.next;
        found.stopped |= rest.stopped;
        Ok(found)
    }
}

/// The same order from its end.
pub(super) trait Against {
    /// The same order from its end.
    fn against(self) -> Self;
}

impl Against for Order {
    fn against(self) -> Order {
        let direction = match self.direction {
            Direction::Ascending => Direction::Descending,
            Direction::Descending => Direction::Ascending,
        };
        Order { direction, ..self }
    }
}
