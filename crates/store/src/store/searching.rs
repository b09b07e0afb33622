//! Searching, which is all the business of the event memory.

use std::ops::{ControlFlow, Range};

use types::Timestamp;

use super::Store;
use crate::contract::StoreError;
use crate::events::ScannedRow;
use crate::search::{
    Count, Direction, EventParts, EventSearch, Filter, FollowPosition, Followed, FollowedEach,
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
        after: &FollowPosition,
        rows_max: usize,
    ) -> Result<FollowedEach, StoreError> {
        self.events.follow_each(filters, after, rows_max)
    }

    fn now_at(&self) -> FollowPosition {
        self.events.now_at()
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.events.oldest()
    }
}
