//! To whom people wrote, and who may therefore answer.

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use center::{AutoAllowImported, AutoAllowRow, AutoAllowSearch, ImportHow};
use serde::Deserialize;
use types::Caller;

use super::answers::Csv;
use super::{Forgotten, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<AutoAllowSearch>,
) -> Result<Json<Vec<AutoAllowRow>>, ApiProblem> {
    working(&api, move |center| center.auto_allowed(&caller, &search)).await.map(Json)
}

pub(crate) async fn export(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<AutoAllowSearch>,
) -> Result<Csv, ApiProblem> {
    let written = working(&api, move |center| {
        let mut csv = Vec::new();
        center.export_auto_allowed(&caller, &search, &mut csv).map(|()| csv)
    });
    written.await.map(Csv)
}

pub(crate) async fn purge(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<AutoAllowSearch>,
) -> Result<Json<Forgotten>, ApiProblem> {
    let work = working(&api, move |center| center.purge_auto_allowed(&caller, &search));
    let forgotten = work.await?;
    Ok(Json(Forgotten { forgotten }))
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct AutoImportParams {
    /// Whether good lines count even if others are bad.
    #[serde(default)]
    partial: bool,
    /// Whether it is only said what would be taken over.
    #[serde(default)]
    dry_run: bool,
}

pub(crate) async fn import(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(AutoImportParams { partial, dry_run }): Params<AutoImportParams>,
    list: Bytes,
) -> Result<Json<AutoAllowImported>, ApiProblem> {
    let how = ImportHow { partial, dry_run };
    let work =
        working(&api, move |center| center.import_auto_allowed(&caller, &mut list.as_ref(), how));
    work.await.map(Json)
}
