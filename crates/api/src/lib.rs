//! HTTP: the API, the console pages, health and metrics. Nothing but
//! presentation over [`center`]: what is not there cannot be asked for here.
//!
//! Three doors, each with its own router:
//!
//! | door | for | may |
//! |---|---|---|
//! | Unix socket in the data folder ([`Api::serve_admin`]) | root and the service's own user, by peer credentials | everything |
//! | `[http] listen`, loopback only ([`Api::serve_console`]) | a person's browser on this machine | look |
//! | `[metrics] listen`, loopback only ([`Api::serve_metrics`]) | Prometheus, probes | numbers and health |
//!
//! Until there is sign-in, the last two refuse any address beyond loopback,
//! change nothing, and answer only requests that name a loopback host, so
//! that a web page elsewhere cannot read them through a rebound name.
//!
//! The routes below `/api/v1` stand in `routes`; their document (OpenAPI 3.1) is
//! made from the handlers and served at `/api/v1/openapi.json`, and for people
//! at `/api/docs`. Errors are `application/problem+json` (RFC 9457).

mod auth;
pub mod client;
mod door;
mod guard;
mod metrics_text;
mod openapi;
mod pages;
mod problem;
mod requests;
mod routes;
mod serve;

use std::sync::Arc;

use center::Center;
use center::metrics::Metrics;

pub use door::{ServeError, bind_admin, bind_loopback};
pub use metrics_text::metrics_text;
pub use pages::RefusalPages;

/// The HTTP side of one gateway.
#[derive(Clone)]
pub struct Api {
    center: Arc<Center>,
    metrics: Metrics,
    requests: Arc<requests::Requests>,
    streams: routes::streams::Streams,
    pace: pages::Pace,
    strangers: Arc<pages::Strangers>,
    refusal_pages: RefusalPages,
}

impl Api {
    /// HTTP over this message center, showing these numbers and its own.
    pub fn new(center: Arc<Center>, metrics: Metrics) -> Self {
        let requests = Arc::new(requests::Requests::default());
        let metrics = metrics.with(Arc::clone(&requests) as _);
        Api { center, metrics, requests, streams: Default::default(), pace: pages::Pace::default(),
            strangers: Arc::default(),
            refusal_pages: RefusalPages::default(),
        }
    }

    /// The same, with these public explanations of refusals.
    #[must_use]
    pub fn with_refusal_pages(self, refusal_pages: RefusalPages) -> Self {
        Api { refusal_pages, ..self }
    }
}
