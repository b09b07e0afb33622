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
//! Routes below `/api/v1` (JSON unless noted; errors are
//! `application/problem+json`, RFC 9457):
//!
//! ```text
//! GET    /attempts?q=&view=&limit=&after=        a page of rows        center::AttemptPage
//! GET    /attempts/{id or ref}                   why                   center::Explanation
//! GET    /attempts/{id or ref}/event             the stored event      types::Event
//! GET    /lifelines/{id or ref}                  the life-line         center::explain::life_line::Story
//! GET    /search-fields                          help on the query language
//! GET    /policies                               all policies          center::PolicyList
//! POST   /policies                     *         {policy, expected_version?, note?} → center::ChangeResult
//! GET    /policies/{number}                      one                   center::PolicyRow
//! PUT    /policies/{number}            *         {policy, expected_version?, note?} → ChangeResult
//! DELETE /policies/{number}?expected_version=&note=  *                 → ChangeResult
//! GET    /policies/export                        the set as TOML
//! POST   /policies/check               *         TOML → [center::Problem]
//! POST   /policies/import?expected_version=&note=  *   TOML → ChangeResult
//! POST   /policies/rollback            *         {version, expected_version?, note?} → ChangeResult
//! GET    /policies/versions?before=&limit=       history               [center::VersionRow]
//! GET    /policies/differences?from=&to=         what differs          [center::VersionDifference]
//! GET    /groups                                 all groups            [center::GroupRow]
//! GET    /groups/{name}                          one                   center::GroupRow
//! PUT    /groups/{name}                *         {group, expected_version?, note?} → ChangeResult
//! POST   /groups/{name}/members        *         {add, remove, note?} → ChangeResult
//! DELETE /groups/{name}?expected_version=&note=  *                     → ChangeResult
//! GET    /senders?text=&recipient=&sender=&action=&after=&limit=       [center::SenderRow]
//! POST   /senders                      *         {sender, note?} → ChangeResult
//! DELETE /senders/{number}?note=       *                               → ChangeResult
//! GET    /senders/export?…                       CSV
//! POST   /senders/import?partial=&note=  *       CSV → center::Imported
//! GET    /queue?after=&limit=                    messages              [center::QueueRow]
//! GET    /queue/shape                            by domain and age     center::QueueShape
//! GET    /queue/{id}                             one                   center::QueueRow
//! POST   /queue/actions                *         {action: hold|release|retry|delete, ids} → center::QueueDone
//! GET    /greylist?text=&limit=                  triplets              [center::GreylistRow]
//! POST   /greylist/pass                *         {text} → {changed}
//! POST   /greylist/forget              *         {text} → {changed}
//! GET    /daily-logs                             files                 [center::daily_log::LogFile]
//! GET    /daily-logs/{name}                      CSV
//! GET    /status                                 how it goes           center::Status
//! GET    /conservation                           the sum               center::Conservation
//! GET    /conservation/hours?hours=              by the hour           [center::HourRow]
//! ```
//!
//! Routes marked `*` exist on the admin socket only.

mod auth;
pub mod client;
mod door;
mod guard;
mod metrics_text;
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

/// The HTTP side of one gateway.
#[derive(Clone)]
pub struct Api {
    center: Arc<Center>,
    metrics: Metrics,
    requests: Arc<requests::Requests>,
    pace: pages::Pace,
}

impl Api {
    /// HTTP over this message center, showing these numbers and its own.
    pub fn new(center: Arc<Center>, metrics: Metrics) -> Self {
        let requests = Arc::new(requests::Requests::default());
        let metrics = metrics.with(Arc::clone(&requests) as _);
        Api { center, metrics, requests, pace: pages::Pace::default() }
    }
}
