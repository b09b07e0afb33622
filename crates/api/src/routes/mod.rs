//! The routes of the API, and what their handlers share: reading what was
//! sent, and keeping what blocks off the asynchronous workers.

mod attempts;
mod policies;
mod queue;
mod senders;
pub(crate) mod system;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{delete, get, post, put};
use center::{Center, CenterError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Api;
use crate::problem::ApiProblem;

/// Largest imported file: a million entries fit.
const IMPORT_OCTETS_MAX: usize = 100_000_000;

/// Everything that changes nothing.
pub(crate) fn reading() -> Router<Api> {
    Router::new()
        .route("/attempts", get(attempts::list))
        .route("/attempts/{name}", get(attempts::why))
        .route("/attempts/{name}/event", get(attempts::event))
        .route("/lifelines/{name}", get(attempts::life))
        .route("/search-fields", get(attempts::fields))
        .route("/policies", get(policies::list))
        .route("/policies/{number}", get(policies::show))
        .route("/policies/export", get(policies::export))
        .route("/policies/versions", get(policies::versions))
        .route("/policies/differences", get(policies::differences))
        .route("/groups", get(policies::groups))
        .route("/groups/{name}", get(policies::group))
        .route("/senders", get(senders::list))
        .route("/senders/export", get(senders::export))
        .route("/queue", get(queue::list))
        .route("/queue/shape", get(queue::shape))
        .route("/queue/{id}", get(queue::show))
        .route("/greylist", get(queue::greylist))
        .route("/daily-logs", get(system::daily_logs))
        .route("/daily-logs/{name}", get(system::daily_log))
        .route("/status", get(system::status))
        .route("/conservation", get(system::conservation))
        .route("/conservation/hours", get(system::conservation_hours))
}

/// Everything that changes something; for the admin socket.
pub(crate) fn writing() -> Router<Api> {
    let large = DefaultBodyLimit::max(IMPORT_OCTETS_MAX);
    Router::new()
        .route("/policies", post(policies::add))
        .route("/policies/{number}", put(policies::change))
        .route("/policies/{number}", delete(policies::remove))
        .route("/policies/check", post(policies::check).layer(large))
        .route("/policies/import", post(policies::import).layer(large))
        .route("/policies/rollback", post(policies::roll_back))
        .route("/groups/{name}", put(policies::put_group))
        .route("/groups/{name}", delete(policies::remove_group))
        .route("/groups/{name}/members", post(policies::members))
        .route("/senders", post(senders::put))
        .route("/senders/{number}", delete(senders::remove))
        .route("/senders/import", post(senders::import).layer(large))
        .route("/queue/actions", post(queue::act))
        .route("/greylist/pass", post(queue::greylist_pass))
        .route("/greylist/forget", post(queue::greylist_forget))
}

/// Works on the message center off the asynchronous workers.
pub(crate) async fn working<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&Center) -> Result<T, CenterError> + Send + 'static,
) -> Result<T, ApiProblem> {
    let center = std::sync::Arc::clone(&api.center);
    match tokio::task::spawn_blocking(move || work(&center)).await {
        Ok(answer) => answer.map_err(ApiProblem::from),
        Err(_) => {
            let detail = "a part of the engine failed; nothing was changed";
            Err(ApiProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "engine", detail))
        }
    }
}

/// The query of the address; a mistake in it is a problem, not a bare text.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = ApiProblem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiProblem> {
        let query = Query::<T>::from_request_parts(parts, api).await;
        query.map(|Query(params)| Params(params)).map_err(|e| ApiProblem::malformed(e.body_text()))
    }
}

/// A JSON body; a mistake in it is a problem with its place.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = ApiProblem;
    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiProblem> {
        let read = axum::body::Bytes::from_request(request, api).await;
        let octets =
            read.map_err(|error| ApiProblem::new(error.status(), "malformed", error.body_text()))?;
        serde_json::from_slice(&octets).map(Body).map_err(|e| ApiProblem::malformed(e.to_string()))
    }
}

/// What every change of the policy set may say about itself.
#[derive(Default, Deserialize)]
pub(crate) struct ChangeParams {
    /// The version the change was made on.
    pub(crate) expected_version: Option<u64>,
    /// What it is for.
    #[serde(default)]
    pub(crate) note: String,
}
