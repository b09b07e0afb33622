//! What pages and API say while the event log cannot be searched.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use store::events::ScannedRow;
use store::search::{
    Arrival, Count, Direction, EventParts, EventSearch, Filter, FollowPosition, Followed,
    FoundRows, Order, Query, RowsPage, Scanned, Tallied, TallyPlan,
};
use store::{EventLog, Store, StoreError};
use types::{EventId, Timestamp};

use super::doors::{gateway_over, get, refusal, with_owner};

/// A store that can be made unreadable.
struct Failing {
    store: Arc<Store>,
    fails: Arc<AtomicBool>,
}

impl Failing {
    fn store(&self) -> Result<&Store, StoreError> {
        match self.fails.load(Ordering::Relaxed) {
            true => Err(StoreError::Database("the disk does not answer".to_owned())),
            false => Ok(&self.store),
        }
    }
}

impl EventSearch for Failing {
    fn rows(
        &self,
        query: &Query<'_>,
        order: Order,
        page: &RowsPage,
    ) -> Result<FoundRows, StoreError> {
        self.store()?.rows(query, order, page)
    }

    fn count(&self, query: &Query<'_>, exact_max: u64) -> Result<Count, StoreError> {
        self.store()?.count(query, exact_max)
    }

    fn tally(&self, query: &Query<'_>, plan: &TallyPlan) -> Result<Tallied, StoreError> {
        self.store()?.tally(query, plan)
    }

    fn scan(
        &self,
        query: &Query<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&ScannedRow<'_>) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        self.store()?.scan(query, direction, visit)
    }

    fn follow(
        &self,
        filter: &Filter,
        after: &FollowPosition,
        rows_max: usize,
    ) -> Result<Followed, StoreError> {
        EventSearch::follow(self.store()?, filter, after, rows_max)
    }

    fn follow_each(
        &self,
        filters: &[Filter],
        after: &Arrival,
        now: Timestamp,
        visit: &mut dyn FnMut(usize, Timestamp, EventId) -> ControlFlow<()>,
    ) -> Result<Arrival, StoreError> {
        self.store()?.follow_each(filters, after, now, visit)
    }

    fn arrived(&self, now: Timestamp) -> Arrival {
        self.store.arrived(now)
    }

    fn parts(&self, times: &Range<Timestamp>) -> Result<EventParts, StoreError> {
        self.store()?.parts(times)
    }

    fn now_at(&self) -> FollowPosition {
        self.store.now_at()
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.store.oldest()
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_keeps_its_frame_says_why_and_comes_back() {
    let fails = Arc::new(AtomicBool::new(false));
    let given = Arc::clone(&fails);
    let gateway = with_owner(gateway_over(|store| Arc::new(Failing { store, fails: given })));
    gateway.log.record((1..=3).map(refusal).collect()).unwrap();
    let list = "/messages?view=rejected&from=now-24h&q=to%3Abob";
    let (status, page) = get(&gateway, list).await;
    assert!(status == StatusCode::OK && page.contains("data-ref="), "{page}");

    fails.store(true, Ordering::Relaxed);
    let (status, page) = get(&gateway, list).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.contains("The list cannot be read at the moment:"), "{page}");
    assert!(page.contains("http-equiv=\"refresh\""), "it tries again by itself\n{page}");
    assert!(page.contains("value=\"to:bob\"") && page.contains("role=\"search\""), "{page}");
    assert!(!page.contains("Nothing matches") && !page.contains("Nothing has arrived"), "{page}");
    // What asks on behalf of a list that is shown is told as well.
    let newer =
        format!("{}&since=2026-11-21T09:00:00Z", list.replace("messages", "messages/newer"));
    assert_eq!(get(&gateway, &newer).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let (status, problem) = get(&gateway, "/api/v1/attempts").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(problem.contains("\"type\":\"store\""), "{problem}");
    // Each tile of the overview stands for itself.
    let (status, page) = get(&gateway, "/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("The flow of mail cannot be read at the moment."), "{page}");
    // What needs no search is shown all the same.
    for path in ["/requests", "/reports/downloads", "/api/v1/conservation"] {
        let (status, page) = get(&gateway, path).await;
        assert_eq!(status, StatusCode::OK, "{path}\n{page}");
    }

    fails.store(false, Ordering::Relaxed);
    let (status, page) = get(&gateway, list).await;
    assert!(status == StatusCode::OK && page.contains("data-ref="), "{page}");
}
