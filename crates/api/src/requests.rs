//! Counts what the three doors answered, by route and status code.
//!
//! The route is the pattern that matched, never the address that was asked
//! for, so that nobody can make series by asking for many addresses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use center::metrics::{MetricSource, Sample};

/// The route of what matched none.
const NO_ROUTE: &str = "none";

/// Answers given, by route and status code.
#[derive(Default)]
pub(crate) struct Requests {
    answered: Mutex<BTreeMap<(String, u16), u64>>,
}

impl Requests {
    fn note(&self, route: &str, code: u16) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered.entry((route.to_owned(), code)).or_default() += 1;
    }
}

impl MetricSource for Requests {
    fn collect(&self, out: &mut Vec<Sample>) {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        for ((route, code), count) in &*answered {
            let labels = [route.as_str(), &code.to_string()];
            out.extend(Sample::number("portcullis_http_requests_total", &labels, *count as f64));
        }
    }
}

/// Counts a request when its answer is known; stands before every guard, so
/// that what they refuse is counted too.
pub(crate) async fn counted(
    State(requests): State<Arc<Requests>>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    requests.note(route, response.status().as_u16());
    response
}
