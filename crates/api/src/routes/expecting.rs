//! Who expects a mail.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::{Expectation, NewExpectation};
use types::{Caller, PolicyId};

use super::{Body, working};
use crate::Api;
use crate::problem::ApiProblem;

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Expectation>>, ApiProblem> {
    working(&api, move |center| center.expectations(&caller)).await.map(Json)
}

pub(crate) async fn begin(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<NewExpectation>,
) -> Result<Json<Expectation>, ApiProblem> {
    working(&api, move |center| center.expect(&caller, &wanted)).await.map(Json)
}

/// Ends it and says who still expects a mail.
pub(crate) async fn end(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Result<Json<Vec<Expectation>>, ApiProblem> {
    let work = move |center: &center::Center| {
        center.end_expecting(&caller, PolicyId(number))?;
        Ok(center.expectations(&caller).unwrap_or_default())
    };
    working(&api, work).await.map(Json)
}
