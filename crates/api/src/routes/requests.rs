//! What refused senders wrote.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::{Center, RequestList, ReviewRequest};
use schemars::JsonSchema;
use serde::Deserialize;
use types::Caller;

use super::{Body, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

/// Which requests.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RequestParams {
    /// Those that wait, those that were answered, or all; those that wait if absent.
    #[serde(default)]
    list: RequestList,
    /// A reference, or a part of what was written, of the contact, or of sender, recipient and
    /// reason of the attempt.
    #[serde(default)]
    search: String,
    /// Only those with a smaller number: the last of the page before.
    before: Option<u64>,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(RequestParams { list, search, before }): Params<RequestParams>,
) -> Result<Json<Vec<ReviewRequest>>, ApiProblem> {
    let work = move |center: &Center| center.requests(&caller, list, &search, before);
    working(&api, work).await.map(Json)
}

pub(crate) async fn one(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Result<Json<ReviewRequest>, ApiProblem> {
    working(&api, move |center| center.request(&caller, number)).await.map(Json)
}

/// What is said of a request that was dealt with.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AnswerSent {
    /// A note for colleagues.
    note: String,
}

pub(crate) async fn answer(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
    Body(AnswerSent { note }): Body<AnswerSent>,
) -> Result<Json<ReviewRequest>, ApiProblem> {
    working(&api, move |center| center.answer_request(&caller, number, &note)).await.map(Json)
}

pub(crate) async fn reopen(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Result<Json<ReviewRequest>, ApiProblem> {
    working(&api, move |center| center.reopen_request(&caller, number)).await.map(Json)
}
