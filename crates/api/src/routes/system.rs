//! Status, the conservation sum and the daily logs.

use std::fs::File;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use center::daily_log::LogFile;
use center::{Conservation, HourRow, Status};
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde::Deserialize;
use tokio::sync::mpsc;
use types::Caller;

use super::{Params, working};
use crate::Api;
use crate::problem::ApiProblem;

/// Octets of a file read at once.
const PIECE_OCTETS: usize = 64 * 1024;
/// Pieces read ahead of the client.
const PIECES_AHEAD: usize = 4;

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
#[derive(Deserialize)]
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
) -> Result<impl IntoResponse, ApiProblem> {
    let wanted = name.clone();
    let file = working(&api, move |center| center.open_daily_log(&caller, &wanted)).await?;
    // The name was one of a daily log, so it is plain enough for a field.
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, Body::new(streamed(file).boxed())))
}

/// A file as a body, read piece by piece off the asynchronous workers.
fn streamed(mut file: File) -> Pieces {
    let (out, pieces) = mpsc::channel(PIECES_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; PIECE_OCTETS];
        loop {
            let piece = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => Ok(Bytes::copy_from_slice(buffer.get(..read).unwrap_or(&[]))),
                Err(error) => Err(error),
            };
            let last = piece.is_err();
            // Nobody listens any more once the client has gone.
            if out.blocking_send(piece).is_err() || last {
                break;
            }
        }
    });
    Pieces { pieces }
}

struct Pieces {
    pieces: mpsc::Receiver<std::io::Result<Bytes>>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        self.pieces.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
