//! Searching and explaining.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::explain::life_line::Story;
use center::{AttemptPage, Cursor, Explanation, TraceRequest};
use serde::Deserialize;
use types::{Caller, Event, OutcomeKind};

use super::{Params, working};
use crate::Api;
use crate::problem::ApiProblem;

#[derive(Deserialize)]
pub(crate) struct ListParams {
    #[serde(default)]
    q: String,
    view: Option<OutcomeKind>,
    #[serde(default)]
    limit: usize,
    after: Option<Cursor>,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
) -> Result<Json<AttemptPage>, ApiProblem> {
    let ListParams { q, view, limit, after } = params;
    let request = TraceRequest { query: q, outcome: view, rows_max: limit, after };
    working(&api, move |center| center.trace(&caller, &request)).await.map(Json)
}

pub(crate) async fn why(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Explanation>, ApiProblem> {
    working(&api, move |center| center.why(&caller, &name)).await.map(Json)
}

pub(crate) async fn event(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Event>, ApiProblem> {
    working(&api, move |center| center.event(&caller, &name)).await.map(Json)
}

pub(crate) async fn life(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Story>, ApiProblem> {
    working(&api, move |center| center.life(&caller, &name)).await.map(Json)
}

pub(crate) async fn fields(State(api): State<Api>) -> Json<serde_json::Value> {
    Json(serde_json::to_value(api.center.search_fields()).unwrap_or_default())
}
