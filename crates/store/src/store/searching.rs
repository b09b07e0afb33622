//! Searching, which is all the business of the event memory.

use std::ops::{ControlFlow, Range};

use types::{EventId, Timestamp};

use super::Store;
use crate::contract::StoreError;
use crate::events::ScannedRow;
use crate::search::{
    Arrival, Count, Direction, EventParts, EventSearch, Filter, FollowPosition, Followed,
    FoundRows, Order, Query, RowsPage, Scanned, Tallied, TallyPlan,
};

impl EventSearch for Store {
    fn rows(
        &self,
        query: &Query<'_>,
        order: Order,
        page: &RowsPage,
    ) -> Result<FoundRows, StoreError> {
        self.events.rows(query, order, page)
    }

    fn count(&self, query: &Query<'_>, exact_max: u64) -> Result<Count, StoreError> {
        self.events.count(query, exact_max)
    }

    fn tally(&self, query: &Query<'_>, plan: &TallyPlan) -> Result<Tallied, StoreError> {
        self.events.tally(query, plan)
    }

    fn scan(
        &self,
        query: &Query<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&ScannedRow<'_>) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        self.events.scan(query, direction, visit)
    }

    fn parts(&self, times: &Range<Timestamp>) -> Result<EventParts, StoreError> {
        self.events.parts(times)
    }

    fn follow(
        &self,
        filter: &Filter,
        after: &FollowPosition,
        rows_max: usize,
    ) -> Result<Followed, StoreError> {
        self.events.follow(filter, after, rows_max)
    }

    fn follow_each(
        &self,
        filters: &[Filter],
        after: &Arrival,
        now: Timestamp,
        visit: &mut dyn FnMut(usize, Timestamp, EventId) -> ControlFlow<()>,
    ) -> Result<Arrival, StoreError> {
        self.events.follow_each(filters, after, now, visit)
    }

    fn arrived(&self, now: Timestamp) -> Arrival {
        self.events.arrived(now)
    }

    fn now_at(&self) -> FollowPosition {
        self.events.now_at()
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.events.oldest()
    }
}
