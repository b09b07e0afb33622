//! The overview, saved views, and two attempts side by side.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::alerts::{Alert, NewAlert, SetAlert};
use center::explain::compare::Comparison;
use center::overview::{Overview, OverviewSpan};
use center::{NewView, SavedView};
use schemars::JsonSchema;
use serde::Deserialize;
use types::Caller;

use super::answers::Done;
use super::{Body, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct OverviewParams {
    /// The span looked at: `24h` or `7d`; `24h` if absent.
    #[serde(default)]
    span: OverviewSpan,
    /// The time zone of the days, by its IANA name; UTC if absent.
    #[serde(default)]
    zone: String,
}

pub(crate) async fn overview(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(OverviewParams { span, zone }): Params<OverviewParams>,
) -> Result<Json<Overview>, ApiProblem> {
    working(&api, move |center| center.overview(&caller, span, &zone)).await.map(Json)
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct CompareParams {
    /// The id or reference of one attempt.
    a: String,
    /// The id or reference of the other.
    b: String,
}

pub(crate) async fn compare(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(CompareParams { a, b }): Params<CompareParams>,
) -> Result<Json<Comparison>, ApiProblem> {
    working(&api, move |center| center.compare(&caller, &a, &b)).await.map(Json)
}

pub(crate) async fn saved(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<SavedView>>, ApiProblem> {
    working(&api, move |center| center.saved_views(&caller)).await.map(Json)
}

pub(crate) async fn one(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Result<Json<SavedView>, ApiProblem> {
    working(&api, move |center| center.saved_view(&caller, number)).await.map(Json)
}

pub(crate) async fn save(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(view): Body<NewView>,
) -> Result<Json<SavedView>, ApiProblem> {
    working(&api, move |center| center.save_view(&caller, &view)).await.map(Json)
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Result<Done, ApiProblem> {
    working(&api, move |center| center.remove_view(&caller, number)).await.map(|()| Done)
}

pub(crate) async fn set_alert(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
    Body(alert): Body<NewAlert>,
) -> Result<Json<SetAlert>, ApiProblem> {
    working(&api, move |center| center.set_alert(&caller, number, &alert)).await.map(Json)
}

pub(crate) async fn remove_alert(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Result<Done, ApiProblem> {
    working(&api, move |center| center.remove_alert(&caller, number)).await.map(|()| Done)
}

pub(crate) async fn test_alert(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Result<Json<Alert>, ApiProblem> {
    working(&api, move |center| center.test_alert(&caller, number)).await.map(Json)
}
