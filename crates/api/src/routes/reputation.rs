//! What was learned of clients.

use std::net::IpAddr;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::ReputationRow;
use serde::{Deserialize, Serialize};
use types::Caller;

use super::{Params, working};
use crate::Api;
use crate::problem::ApiProblem;

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct WorstParams {
    #[serde(default)]
    limit: usize,
}

pub(crate) async fn worst(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(WorstParams { limit }): Params<WorstParams>,
) -> Result<Json<Vec<ReputationRow>>, ApiProblem> {
    working(&api, move |center| center.worst_reputations(&caller, limit)).await.map(Json)
}

pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(ip): Path<IpAddr>,
) -> Result<Json<ReputationRow>, ApiProblem> {
    working(&api, move |center| center.reputation(&caller, ip)).await.map(Json)
}

/// Whether there was anything to forget.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct ResetDone {
    forgotten: bool,
}

pub(crate) async fn reset(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(ip): Path<IpAddr>,
) -> Result<Json<ResetDone>, ApiProblem> {
    let forgotten = working(&api, move |center| center.reset_reputation(&caller, ip)).await?;
    Ok(Json(ResetDone { forgotten }))
}
