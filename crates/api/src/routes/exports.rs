//! Exports: jobs that leave a file.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use center::{ExportJob, ExportRequest};
use types::{Caller, ExportId};

use super::answers::{Done, Download, streamed};
use super::streams::{self, Events, Follower};
use super::{Body, working};
use crate::Api;
use crate::openapi::{Draft, Given};
use crate::problem::ApiProblem;

/// A job that was just begun.
pub(crate) struct Started(ExportJob);

impl IntoResponse for Started {
    fn into_response(self) -> Response {
        let place = format!("{}/exports/{}", crate::openapi::BASE, self.0.id);
        (StatusCode::ACCEPTED, [("location", place)], Json(self.0)).into_response()
    }
}

impl Given for Started {
    fn describe(draft: &mut Draft<'_>) {
        let schema = draft.given::<ExportJob>();
        draft.answer(
            202,
            "It is queued; Location is where it stands.",
            &[("application/json", schema)],
        );
    }
}

pub(crate) async fn start(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<ExportRequest>,
) -> Result<Started, ApiProblem> {
    working(&api, move |center| center.start_export(&caller, request)).await.map(Started)
}

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<ExportJob>>, ApiProblem> {
    working(&api, move |center| center.exports_of(&caller)).await.map(Json)
}

pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<ExportJob>, ApiProblem> {
    let id = named(&id)?;
    working(&api, move |center| center.export(&caller, id)).await.map(Json)
}

pub(crate) async fn progress(
    State(api): State<Api>,
    follower: Follower,
    Path(id): Path<String>,
) -> Result<Events, ApiProblem> {
    let id = named(&id)?;
    streams::export(api, follower, id).await
}

pub(crate) async fn cancel(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<ExportJob>, ApiProblem> {
    let id = named(&id)?;
    working(&api, move |center| center.cancel_export(&caller, id)).await.map(Json)
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Done, ApiProblem> {
    let id = named(&id)?;
    working(&api, move |center| center.remove_export(&caller, id)).await.map(|()| Done)
}

pub(crate) async fn file(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Download, ApiProblem> {
    let id = named(&id)?;
    let work = move |center: &center::Center| {
        let format = center.export(&caller, id)?.request.format;
        center.open_export(&caller, id).map(|(told, file)| (format, told, file))
    };
    let (format, told, file) = working(&api, work).await?;
    Ok(Download {
        name: told.name,
        media_type: format.media_type(),
        size_octets: Some(told.size_octets),
        sha256: Some(told.sha256),
        body: streamed(file),
    })
}

fn named(id: &str) -> Result<ExportId, ApiProblem> {
    id.parse()
        .map_err(|_| ApiProblem::new(StatusCode::NOT_FOUND, "not_found", "there is no such export"))
}
