//! The delivery queue and the triplet table.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::{
    GreylistDelays, GreylistPair, GreylistPairSearch, GreylistRow, QueueDone, QueueOrder,
    QueuePlan, QueueRow, QueueShape,
};
use serde::{Deserialize, Serialize};
use types::{Caller, QueueId};

use super::{Body, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct ListParams {
    after: Option<QueueId>,
    #[serde(default)]
    limit: usize,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(ListParams { after, limit }): Params<ListParams>,
) -> Result<Json<Vec<QueueRow>>, ApiProblem> {
    working(&api, move |center| center.queue_list(&caller, after, limit)).await.map(Json)
}

pub(crate) async fn shape(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<QueueShape>, ApiProblem> {
    working(&api, move |center| center.queue_shape(&caller)).await.map(Json)
}

pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<QueueRow>, ApiProblem> {
    let id: QueueId =
        id.parse().map_err(|error: types::id::IdError| ApiProblem::malformed(error.to_string()))?;
    working(&api, move |center| center.queue_show(&caller, id)).await.map(Json)
}

pub(crate) async fn act(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(order): Body<QueueOrder>,
) -> Result<Json<QueueDone>, ApiProblem> {
    working(&api, move |center| center.queue_command(&caller, &order)).await.map(Json)
}

pub(crate) async fn preview(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(order): Body<QueueOrder>,
) -> Result<Json<QueuePlan>, ApiProblem> {
    working(&api, move |center| center.queue_plan(&caller, &order)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct GreylistParams {
    #[serde(default)]
    text: String,
    #[serde(default)]
    limit: usize,
}

pub(crate) async fn greylist(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(GreylistParams { text, limit }): Params<GreylistParams>,
) -> Result<Json<Vec<GreylistRow>>, ApiProblem> {
    working(&api, move |center| center.greylist_list(&caller, &text, limit)).await.map(Json)
}

pub(crate) async fn greylist_pair(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(wanted): Params<GreylistPairSearch>,
) -> Result<Json<GreylistPair>, ApiProblem> {
    working(&api, move |center| center.greylist_pair(&caller, &wanted)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct DelayParams {
    #[serde(default)]
    days: u32,
    #[serde(default)]
    limit: usize,
}

pub(crate) async fn greylist_delays(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(DelayParams { days, limit }): Params<DelayParams>,
) -> Result<Json<GreylistDelays>, ApiProblem> {
    working(&api, move |center| center.greylist_delays(&caller, days, limit)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct TextBody {
    text: String,
}

/// How many entries a command changed.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct ChangedCount {
    changed: usize,
}

pub(crate) async fn greylist_pass(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(TextBody { text }): Body<TextBody>,
) -> Result<Json<ChangedCount>, ApiProblem> {
    let changed = working(&api, move |center| center.greylist_pass(&caller, &text)).await?;
    Ok(Json(ChangedCount { changed }))
}

pub(crate) async fn greylist_forget(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(TextBody { text }): Body<TextBody>,
) -> Result<Json<ChangedCount>, ApiProblem> {
    let changed = working(&api, move |center| center.greylist_forget(&caller, &text)).await?;
    Ok(Json(ChangedCount { changed }))
}
