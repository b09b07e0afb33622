//! Routers for the three doors, and serving them until told to stop.

use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, extract::State, http::StatusCode};
use tokio::net::{TcpListener, UnixListener};

use crate::connections::{self, Certificate};
use crate::door::check_reach;
use crate::guard::{self, Peer};
use crate::problem::ApiProblem;
use crate::{Api, auth, compress, health, metrics_text, openapi, pages, requests, routes};

/// Largest body of a request, unless a route allows more.
const BODY_OCTETS_MAX: usize = 1_000_000;

impl Api {
    /// What the admin socket serves; who asks must already be known.
    pub fn admin_router(&self) -> Router {
        let routes = Router::new()
            .nest(openapi::BASE, routes::all().router())
            .merge(health::routes())
            .fallback(not_found);
        bounded(routes)
            .layer(from_fn_with_state(self.clone(), auth::admit))
            .with_state(self.clone())
    }

    /// What the console address serves: pages and the API, to whoever is
    /// signed in or has a token.
    pub fn console_router(&self) -> Router {
        bounded(console_routes().fallback(not_found))
            .layer(from_fn_with_state(self.clone(), auth::admit))
            .with_state(self.clone())
            .layer(from_fn_with_state(Arc::clone(&self.trusted_proxies), guard::known_host))
            .layer(from_fn(compress::packed))
            .layer(from_fn(guard::headers))
            .layer(from_fn_with_state(Arc::clone(&self.requests), requests::counted))
    }

    /// What the metrics address serves.
    pub fn metrics_router(&self) -> Router {
        let routes = Router::new()
            .merge(health::routes())
            .route("/metrics", get(metrics))
            .fallback(not_found);
        bounded(routes)
            .with_state(self.clone())
            .layer(from_fn(guard::local_reader))
            .layer(from_fn(guard::headers))
            .layer(from_fn_with_state(Arc::clone(&self.requests), requests::counted))
    }

    /// Serves the admin socket until `stop` resolves.
    ///
    /// # Errors
    ///
    /// A listener that fails for good.
    pub async fn serve_admin(
        &self,
        listener: UnixListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let address = listener.local_addr()?;
        let path = address.as_pathname().map(std::path::Path::to_owned);
        // The socket belongs to whoever bound it: the user of this process.
        let owner = match &path {
            Some(path) => std::fs::metadata(path)?.uid(),
            None => return Err(std::io::Error::other("the admin socket has no path")),
        };
        let router = self
            .admin_router()
            .layer(from_fn_with_state(owner, guard::admin_only))
            .layer(from_fn(guard::headers))
            .layer(from_fn_with_state(Arc::clone(&self.requests), requests::counted));
        let service = router.into_make_service_with_connect_info::<Peer>();
        let stop = self.ending_streams(stop);
        axum::serve(listener, service).with_graceful_shutdown(stop).await
    }

    /// Ends the streams with everything else: by themselves they never would.
    fn ending_streams(
        &self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let streams = self.streams.clone();
        async move {
            stop.await;
            streams.end();
        }
    }

    /// Serves the console until `stop` resolves, encrypted where there is a
    /// certificate. The listener comes from [`bind_console`](crate::bind_console).
    ///
    /// # Errors
    ///
    /// A listener beyond loopback with neither certificate nor proxy, or one
    /// that fails for good.
    pub async fn serve_console(
        &self,
        listener: TcpListener,
        certificate: Option<Certificate>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let guarded = certificate.is_some() || !self.trusted_proxies.is_empty();
        check_reach(listener.local_addr()?, guarded).map_err(std::io::Error::other)?;
        let stop = self.ending_streams(stop);
        let trusted = Arc::clone(&self.trusted_proxies);
        connections::serve(listener, certificate, trusted, self.console_router(), stop).await
    }

    /// Serves metrics and health until `stop` resolves.
    ///
    /// # Errors
    ///
    /// A listener beyond loopback, or one that fails for good.
    pub async fn serve_metrics(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        serve_local(listener, self.metrics_router(), stop).await
    }
}

async fn serve_local(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // A listener handed over by systemd has not been through our own bind.
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(std::io::Error::other(crate::ServeError::BeyondLoopback(address)));
    }
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// Every route of the console.
pub(crate) fn console_routes() -> Router<Api> {
    Router::new()
        .nest(openapi::BASE, routes::all().router())
        .merge(health::routes())
        .merge(pages::router())
        .route("/api/docs", get(openapi::page::page))
        .merge(auth::pages())
}

fn bounded(router: Router<Api>) -> Router<Api> {
    router
        .layer(DefaultBodyLimit::max(BODY_OCTETS_MAX))
        .layer(from_fn_with_state(guard::Turns::new(), guard::bounded))
}

async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, ApiProblem> {
    let text = tokio::task::spawn_blocking(move || metrics_text(&api.metrics.snapshot())).await;
    let text = text.map_err(|_| {
        ApiProblem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "engine",
            "the numbers could not be read",
        )
    })?;
    Ok(([("content-type", "text/plain; version=0.0.4; charset=utf-8")], text))
}

async fn not_found() -> ApiProblem {
    ApiProblem::nothing_here()
}
