//! Definitions, which policies refer to by name.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::{ChangeResult, DefinitionRow};
use serde::Deserialize;
use types::{Caller, Definition};

use super::{Body, ChangeParams, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

type Answer<T> = Result<Json<T>, ApiProblem>;

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<DefinitionRow>> {
    working(&api, move |center| center.definitions(&caller)).await.map(Json)
}

pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answer<DefinitionRow> {
    working(&api, move |center| center.definition(&caller, &name)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct DefinitionBody {
    definition: Definition,
    #[serde(flatten)]
    change: ChangeParams,
}

pub(crate) async fn put(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(DefinitionBody { definition, change }): Body<DefinitionBody>,
) -> Answer<ChangeResult> {
    if definition.name != name {
        return Err(ApiProblem::malformed("the definition has another name than its address"));
    }
    let ChangeParams { expected_version, note } = change;
    let work = move |center: &center::Center| {
        center.put_definition(&caller, definition, expected_version, &note)
    };
    working(&api, work).await.map(Json)
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Params(ChangeParams { expected_version, note }): Params<ChangeParams>,
) -> Answer<ChangeResult> {
    let work = move |center: &center::Center| {
        center.remove_definition(&caller, &name, expected_version, &note)
    };
    working(&api, work).await.map(Json)
}
