//! HTTP: the API, the console pages, health and metrics. Nothing but
//! presentation over [`center`]: what is not there cannot be asked for here.
//!
//! Three doors, each with its own router:
//!
//! | door | for | may |
//! |---|---|---|
//! | Unix socket in the data folder ([`Api::serve_admin`]) | root and the service's own user, by peer credentials | everything |
//! | `[http] listen` ([`Api::serve_console`]) | a person's browser, programs with a token | what their account may |
//! | `[metrics] listen`, loopback only ([`Api::serve_metrics`]) | Prometheus, probes | numbers and health |
//!
//! The console goes beyond loopback with a certificate or behind a trusted
//! proxy only, the last never. A plain door on loopback answers only requests
//! that name a loopback host, so that a web page elsewhere cannot read it
//! through a rebound name. What each route needs is one table
//! (`auth/access.rs`).
//!
//! The routes below `/api/v1` stand in `routes`; their document (OpenAPI 3.1) is
//! made from the handlers and served at `/api/v1/openapi.json`, and for people
//! at `/api/docs`. Errors are `application/problem+json` (RFC 9457).

mod auth;
pub mod client;
mod compress;
mod connections;
mod door;
mod guard;
mod health;
mod metrics_text;
mod openapi;
mod pages;
mod problem;
mod requests;
mod routes;
mod serve;
mod strangers;

use std::sync::Arc;

use center::Center;
use center::accounts::Accounts;
use center::metrics::Metrics;
use ipnet::IpNet;

use strangers::Strangers;

pub use auth::origin::Connection;
pub use auth::provider::{Provider, ProviderSettings};
pub use connections::Certificate;
pub use door::{ServeError, bind_admin, bind_console, bind_loopback};
pub use metrics_text::metrics_text;
pub use pages::{RefusalPages, read_any_address};

/// The HTTP side of one gateway.
#[derive(Clone)]
pub struct Api {
    center: Arc<Center>,
    accounts: Arc<Accounts>,
    metrics: Metrics,
    requests: Arc<requests::Requests>,
    trusted_proxies: Arc<[IpNet]>,
    console_url: Arc<str>,
    streams: routes::streams::Streams,
    last_look: health::LastLook,
    pace: pages::Pace,
    looks: pages::Looks,
    readers: Arc<Strangers>,
    writers: Arc<Strangers>,
    entering: Arc<Strangers>,
    refusal_pages: RefusalPages,
    provider: Option<Arc<Provider>>,
}

impl Api {
    /// HTTP over this message center for whoever these accounts let in,
    /// showing these numbers and its own.
    pub fn new(center: Arc<Center>, accounts: Arc<Accounts>, metrics: Metrics) -> Self {
        let requests = Arc::new(requests::Requests::default());
        let metrics = metrics.with(Arc::clone(&requests) as _);
        let (trusted_proxies, console_url) = (Arc::from([]), "".into());
        Api {
            center,
            accounts,
            metrics,
            requests,
            trusted_proxies,
            console_url,
            streams: Default::default(),
            last_look: health::LastLook::default(),
            pace: pages::Pace::default(),
            looks: pages::Looks::default(),
            readers: Arc::new(Strangers::new(strangers::READING)),
            writers: Arc::new(Strangers::new(strangers::WRITING)),
            entering: Arc::new(Strangers::new(strangers::ENTERING)),
            refusal_pages: RefusalPages::default(),
            provider: None,
        }
    }

    /// The same behind proxies: what they say of a request (`X-Forwarded-For`,
    /// `-Proto`, `-Host`) is believed if they are in these networks.
    #[must_use]
    pub fn behind(self, trusted_proxies: &[IpNet]) -> Self {
        Api { trusted_proxies: trusted_proxies.into(), ..self }
    }

    /// The same, knowing where people reach the console, for links.
    #[must_use]
    pub fn reached_at(self, console_url: &str) -> Self {
        Api { console_url: console_url.into(), ..self }
    }

    /// The same, sending people to this sign-in service; what it says of
    /// them is worth what the accounts make of it.
    #[must_use]
    pub fn with_provider(self, provider: Provider) -> Self {
        Api { provider: Some(Arc::new(provider)), ..self }
    }

    /// The same, with these public explanations of refusals.
    #[must_use]
    pub fn with_refusal_pages(self, refusal_pages: RefusalPages) -> Self {
        Api { refusal_pages, ..self }
    }
}
