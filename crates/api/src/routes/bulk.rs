//! Permit, block or let in for many rows at once: jobs.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::bulk::{BulkJob, BulkPlan, BulkRequest};
use types::Caller;

use super::{Body, working};
use crate::Api;
use crate::problem::ApiProblem;

type Answer<T> = Result<Json<T>, ApiProblem>;

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<BulkJob>> {
    working(&api, move |center| center.bulk_jobs(&caller)).await.map(Json)
}

pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Answer<BulkJob> {
    working(&api, move |center| center.bulk_job(&caller, number)).await.map(Json)
}

pub(crate) async fn preview(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<BulkRequest>,
) -> Answer<BulkPlan> {
    working(&api, move |center| center.preview_bulk(&caller, &request)).await.map(Json)
}

pub(crate) async fn start(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<BulkRequest>,
) -> Answer<BulkJob> {
    working(&api, move |center| center.start_bulk(&caller, request)).await.map(Json)
}

pub(crate) async fn cancel(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Answer<BulkJob> {
    working(&api, move |center| center.cancel_bulk(&caller, number)).await.map(Json)
}
