//! The audit log for programs and the command line.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::audit::{AuditFormat, AuditPage, AuditRow, AuditSearch, AuditVerified};
use schemars::JsonSchema;
use serde::Deserialize;
use types::Caller;

use super::answers::{Download, written};
use super::{Params, working};
use crate::Api;
use crate::problem::ApiProblem;

type Answer<T> = Result<Json<T>, ApiProblem>;

#[derive(Default, Deserialize, JsonSchema)]
pub(crate) struct PageParams {
    /// Only entries with numbers below this: where the page before ended.
    before: Option<u64>,
    /// Most entries; 100 if absent.
    #[serde(default)]
    limit: usize,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<AuditSearch>,
    Params(PageParams { before, limit }): Params<PageParams>,
) -> Answer<AuditPage> {
    working(&api, move |center| center.audit(&caller, &search, before, limit)).await.map(Json)
}

pub(crate) async fn entry(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Answer<AuditRow> {
    working(&api, move |center| center.audit_entry(&caller, number)).await.map(Json)
}

#[derive(Default, Deserialize, JsonSchema)]
pub(crate) struct VerifyParams {
    /// The number of an entry whose hash was kept elsewhere.
    number: Option<u64>,
    /// That hash, in hexadecimal digits.
    hash: Option<String>,
}

pub(crate) async fn verify(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(VerifyParams { number, hash }): Params<VerifyParams>,
) -> Answer<AuditVerified> {
    if number.is_some() != hash.is_some() {
        return Err(ApiProblem::malformed("number and hash belong together: give both or none"));
    }
    let work =
        move |center: &center::Center| center.verify_audit(&caller, number.zip(hash.as_deref()));
    working(&api, work).await.map(Json)
}

#[derive(Default, Deserialize, JsonSchema)]
pub(crate) struct ExportParams {
    /// `csv` or `ndjson`; `csv` if absent.
    #[serde(default)]
    format: AuditFormat,
}

pub(crate) async fn export(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(search): Params<AuditSearch>,
    Params(ExportParams { format }): Params<ExportParams>,
) -> Result<Download, ApiProblem> {
    let turn = api.streams.file()?;
    let export = working(&api, move |center| center.export_audit(&caller, &search, format)).await?;
    let body = written(move |out| {
        let _turn = turn;
        export.write(out)
    });
    let name = format!("audit.{}", format.extension());
    let media_type = format.media_type();
    Ok(Download { name, media_type, size_octets: None, sha256: None, body })
}
