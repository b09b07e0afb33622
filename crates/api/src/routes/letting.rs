//! From a row to the repair: permit, block, let in, undo.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::letting::{
    LetIn, SenderDecided, SenderDecision, SenderOffer, SenderPreview, SenderVerdict, Undone,
};
use serde::Deserialize;
use types::Caller;

use super::{Body, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

type Answer<T> = Result<Json<T>, ApiProblem>;

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct OfferParams {
    /// What is to be decided.
    verdict: SenderVerdict,
}

pub(crate) async fn offer(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Params(OfferParams { verdict }): Params<OfferParams>,
) -> Answer<SenderOffer> {
    working(&api, move |center| center.sender_offer(&caller, &name, verdict)).await.map(Json)
}

pub(crate) async fn preview(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(decision): Body<SenderDecision>,
) -> Answer<SenderPreview> {
    working(&api, move |center| center.preview_sender(&caller, &name, &decision)).await.map(Json)
}

pub(crate) async fn decide(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(decision): Body<SenderDecision>,
) -> Answer<SenderDecided> {
    working(&api, move |center| center.decide_sender(&caller, &name, &decision)).await.map(Json)
}

pub(crate) async fn let_in(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answer<LetIn> {
    working(&api, move |center| center.let_in(&caller, &name)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct UndoBody {
    /// The version that is undone.
    version: u64,
}

pub(crate) async fn undo(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(UndoBody { version }): Body<UndoBody>,
) -> Answer<Undone> {
    working(&api, move |center| center.undo(&caller, version)).await.map(Json)
}
