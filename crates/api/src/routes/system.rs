//! Status, the conservation sum and the daily logs.

use std::io::Read;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::daily_log::{LogFile, LogKind};
use center::{Conservation, HourRow, Status};
use serde::Deserialize;
use types::Caller;

use super::answers::{Download, streamed, written};
use super::{Params, working};
use crate::Api;
use crate::problem::ApiProblem;

/// The media type of daily logs.
const CSV: &str = "text/csv; charset=utf-8";
/// The media type of an archive of them.
const ZIP: &str = "application/zip";

pub(crate) async fn status(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Status>, ApiProblem> {
    working(&api, move |center| center.status(&caller)).await.map(Json)
}

pub(crate) async fn conservation(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Conservation>, ApiProblem> {
    working(&api, move |center| center.conservation(&caller)).await.map(Json)
}

/// How far back the sum by the hour goes.
#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct HoursParams {
    #[serde(default = "a_day")]
    hours: usize,
}

/// Hours in a day.
fn a_day() -> usize {
    24
}

pub(crate) async fn conservation_hours(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<HoursParams>,
) -> Result<Json<Vec<HourRow>>, ApiProblem> {
    let work = move |center: &center::Center| center.conservation_hours(&caller, params.hours);
    working(&api, work).await.map(Json)
}

pub(crate) async fn daily_logs(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<LogFile>>, ApiProblem> {
    working(&api, move |center| center.daily_logs(&caller)).await.map(Json)
}

pub(crate) async fn daily_log(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Download, ApiProblem> {
    let wanted = name.clone();
    let file = working(&api, move |center| center.open_daily_log(&caller, &wanted)).await?;
    let size_octets = file.metadata().ok().map(|metadata| metadata.len());
    // No more than was promised: the file of the running day grows.
    let body = streamed(file.take(size_octets.unwrap_or(u64::MAX)));
    // The name was one of a daily log, so it is plain enough for a field.
    Ok(Download { name, media_type: CSV, size_octets, sha256: None, body })
}

/// Which daily logs.
#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct RangeParams {
    /// Rejections or deferrals.
    kind: LogKind,
    /// The first day.
    #[schemars(example = "2026-11-01")]
    from: String,
    /// The last day.
    #[schemars(example = "2026-11-21")]
    to: String,
    /// One file of all rows, or an archive with a file for each day and their hashes; one
    /// file if absent.
    #[serde(default)]
    format: RangeFormat,
}

/// As what several days are sent.
#[derive(Clone, Copy, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RangeFormat {
    /// All rows below one heading.
    #[default]
    Csv,
    /// An archive of the files as they are, with SHA256SUMS.
    Zip,
}

pub(crate) async fn daily_log_range(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(RangeParams { kind, from, to, format }): Params<RangeParams>,
) -> Result<Download, ApiProblem> {
    if matches!(format, RangeFormat::Zip) {
        let work =
            move |center: &center::Center| center.daily_log_archive(&caller, kind, &from, &to);
        let archive = working(&api, work).await?;
        let (name, turn) = (archive.name.clone(), api.streams.file()?);
        let body = written(move |out| {
            let _turn = turn;
            archive.write_to(out)
        });
        return Ok(Download { name, media_type: ZIP, size_octets: None, sha256: None, body });
    }
    let work = move |center: &center::Center| center.daily_log_range(&caller, kind, &from, &to);
    let range = working(&api, work).await?;
    let (name, turn) = (range.name.clone(), api.streams.file()?);
    let body = written(move |out| {
        let (_turn, mut range) = (turn, range);
        std::io::copy(&mut range, out).map(drop)
    });
    Ok(Download { name, media_type: CSV, size_octets: None, sha256: None, body })
}
