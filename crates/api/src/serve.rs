//! Routers for the three doors, and serving them until told to stop.

use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router, extract::State, http::StatusCode};
use tokio::net::{TcpListener, UnixListener};

use crate::guard::{self, Peer};
use crate::problem::ApiProblem;
use crate::{Api, metrics_text, openapi, pages, requests, routes};

/// Largest body of a request, unless a route allows more.
const BODY_OCTETS_MAX: usize = 1_000_000;

impl Api {
    /// What the admin socket serves; who asks must already be known.
    pub fn admin_router(&self) -> Router {
        let routes = Router::new()
            .nest(openapi::BASE, routes::all().router())
            .merge(health())
            .fallback(not_found)
            .with_state(self.clone());
        bounded(routes)
    }

    /// What the console address serves: pages, and the API for reading.
    pub fn console_router(&self) -> Router {
        let routes = Router::new()
            .nest(openapi::BASE, routes::reading().router())
            .merge(health())
            .merge(pages::router())
            .fallback(not_found)
            .with_state(self.clone());
        self.guarded(routes)
    }

    /// What every TCP address has around its routes: bounds, readers of this
    /// machine alone, safe headers, and the count of requests.
    fn guarded(&self, routes: Router) -> Router {
        bounded(routes)
            .layer(from_fn(guard::local_reader))
            .layer(from_fn(guard::headers))
            .layer(from_fn_with_state(Arc::clone(&self.requests), requests::counted))
    }

    /// What the metrics address serves.
    pub fn metrics_router(&self) -> Router {
        let routes = Router::new()
            .merge(health())
            .route("/metrics", get(metrics))
            .fallback(not_found)
            .with_state(self.clone());
        self.guarded(routes)
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
        axum::serve(listener, service).with_graceful_shutdown(stop).await
    }

    /// Serves the console until `stop` resolves. The listener comes from
    /// [`bind_loopback`](crate::bind_loopback).
    ///
    /// # Errors
    ///
    /// A listener beyond loopback, or one that fails for good.
    pub async fn serve_console(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        serve_local(listener, self.console_router(), stop).await
    }

    /// Serves metrics and health until `stop` resolves.
    ///
    /// # Errors
    ///
    /// As [`Api::serve_console`].
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

fn bounded(router: Router) -> Router {
    router
        .layer(DefaultBodyLimit::max(BODY_OCTETS_MAX))
        .layer(from_fn_with_state(guard::turns(), guard::bounded))
}

fn health() -> Router<Api> {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/status", get(routes::system::status))
}

async fn ready(State(api): State<Api>) -> impl IntoResponse {
    let checks = tokio::task::spawn_blocking(move || api.center.readiness()).await;
    let checks = checks.unwrap_or_default();
    let ready = !checks.is_empty() && !checks.iter().any(center::ReadyCheck::keeps_mail_out);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(checks))
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
    ApiProblem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
}
