//! Server-sent events: attempts as they come, and how far an export is.
//!
//! A stream holds no more than a few hundred events for its reader. One who
//! reads more slowly than mail comes is cut off, with an event that says so;
//! the identifier of the last event it saw leads back to where it was.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use center::FollowedRows;
use center::search::SearchRequest;
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use types::{Caller, ExportId};

use super::{on_accounts, working};
use crate::Api;
use crate::auth::Guest;
use crate::openapi::{Draft, Given, text};
use crate::problem::ApiProblem;

/// Most streams open at once.
const STREAMS_MAX: usize = 64;
/// Most files that are made while they are sent.
const FILES_MAX: usize = 4;
/// Events that wait for a reader.
const WAITING_MAX: usize = 512;
/// How long a reader may leave a full stream unread.
const READ_WITHIN: Duration = Duration::from_secs(20);
/// How often it is looked for something new: at most so many changes a
/// second reach a page.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a stream without news says that it is alive, so that nobody in
/// between takes it for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is asked whether the reader is still signed in.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// When a reader who was cut off may come back.
const RETRY_MS: u32 = 1_000;

/// The streams of all doors: bounded, and ended together.
#[derive(Clone)]
pub(crate) struct Streams {
    events: Arc<Semaphore>,
    files: Arc<Semaphore>,
    over: watch::Sender<bool>,
}

impl Default for Streams {
    fn default() -> Self {
        Streams {
            events: Arc::new(Semaphore::new(STREAMS_MAX)),
            files: Arc::new(Semaphore::new(FILES_MAX)),
            over: watch::Sender::new(false),
        }
    }
}

impl Streams {
    /// Ends every stream, so that the server can.
    pub(crate) fn end(&self) {
        self.over.send_replace(true);
    }

    /// A turn for a file that is made while it is sent.
    pub(crate) fn file(&self) -> Result<OwnedSemaphorePermit, ApiProblem> {
        turn(&self.files, "other files are being sent; try again, or ask for an export")
    }

    fn event_turn(&self) -> Result<OwnedSemaphorePermit, ApiProblem> {
        turn(&self.events, "too many streams are open; close one")
    }
}

fn turn(turns: &Arc<Semaphore>, busy: &str) -> Result<OwnedSemaphorePermit, ApiProblem> {
    let turn = Arc::clone(turns).try_acquire_owned();
    turn.map_err(|_| ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", busy))
}

/// A stream of events as an answer.
pub(crate) struct Events(Body);

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        // A proxy that gathers before it passes on would hold back the news.
        let fields =
            [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
        (fields, [("x-accel-buffering", "no")], self.0).into_response()
    }
}

impl Given for Events {
    fn describe(draft: &mut Draft<'_>) {
        draft.header("Last-Event-ID", "The id of the last event seen: go on after it.");
        let told = "Server-sent events. `attempt` has a row as its data, `progress` an export; \
                    `cut` says why the stream ends: come back with Last-Event-ID.";
        draft.answer(200, told, &[("text/event-stream", text())]);
    }
}

/// The writing end of a stream.
struct Line {
    out: mpsc::Sender<Bytes>,
    last: Farewell,
}

/// What is read after all else, however full the stream was.
type Farewell = Arc<Mutex<Option<Bytes>>>;

/// The reading end.
struct Reading {
    pieces: mpsc::Receiver<Bytes>,
    last: Farewell,
}

/// The stream is over.
struct Over;

/// Both ends of a stream.
fn line() -> (Line, Body) {
    let (out, pieces) = mpsc::channel(WAITING_MAX);
    let last = Farewell::default();
    let reading = Reading { pieces, last: Arc::clone(&last) };
    (Line { out, last }, Body::new(reading.boxed()))
}

impl Line {
    async fn send(&mut self, octets: Vec<u8>) -> Result<(), Over> {
        match tokio::time::timeout(READ_WITHIN, self.out.send(Bytes::from(octets))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Over),
            Err(_) => {
                self.cut("the stream was read too slowly; come back with Last-Event-ID");
                Err(Over)
            }
        }
    }

    /// Says why the stream ends, behind all that waits.
    fn cut(&self, why: &str) {
        let farewell = Bytes::from(frame("cut", None, &json!({ "detail": why })));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(farewell);
    }
}

impl hyper::body::Body for Reading {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.pieces.poll_recv(context).map(|piece| {
            let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
            piece.or_else(last).map(|piece| Ok(Frame::data(piece)))
        })
    }
}

/// One event as it is written on the stream.
fn frame(kind: &str, id: Option<&str>, data: &impl Serialize) -> Vec<u8> {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let mut frame = format!("event: {kind}\n{id}data: ").into_bytes();
    // JSON has no line ends inside, so the data is one line.
    drop(serde_json::to_writer(&mut frame, data));
    frame.extend_from_slice(b"\n\n");
    frame
}

/// Who follows a stream. Hours after it began they may have signed out.
#[derive(Clone)]
pub(crate) struct Follower {
    caller: Caller,
    /// The session, if they came in with one.
    session: Option<u64>,
    /// When it was last asked whether they still may.
    asked: Instant,
}

impl<S: Send + Sync> FromRequestParts<S> for Follower {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| ApiProblem::malformed("nobody is signed in"))?;
        let guest = parts.extensions.get::<Guest>();
        let session = guest.and_then(|guest| guest.session.as_ref()).map(|session| session.id);
        Ok(Follower { caller, session, asked: Instant::now() })
    }
}

impl Follower {
    /// Asks again, from time to time, whether they are still there, and what
    /// they may now. Otherwise the stream is over.
    async fn still_there(&mut self, api: &Api, line: &Line) -> Result<(), Over> {
        if self.asked.elapsed() < ASK_EVERY {
            return Ok(());
        }
        self.asked = Instant::now();
        let Follower { caller, session, .. } = self.clone();
        match on_accounts(api, move |accounts| accounts.again(&caller, session)).await {
            Ok(Some(caller)) => {
                self.caller = caller;
                Ok(())
            }
            Ok(None) => {
                line.cut("you are signed out, or the token has ended");
                Err(Over)
            }
            Err(problem) => {
                line.cut(&problem.detail);
                Err(Over)
            }
        }
    }
}

/// Attempts that match, as they come; after the event `last`, or from now on.
pub(crate) async fn attempts(
    api: Api,
    mut follower: Follower,
    request: SearchRequest,
    last: Option<String>,
) -> Result<Events, ApiProblem> {
    let turn = api.streams.event_turn()?;
    let from = last.filter(|last| !last.is_empty());
    // What is wrong with the request is an answer, not an event.
    let first = look(&api, &follower.caller, &request, from).await?;
    let (mut line, body) = line();
    let mut over = api.streams.over.subscribe();
    tokio::spawn(async move {
        let _turn = turn;
        tokio::select! {
            _ = follow(&mut line, &api, &mut follower, &request, first) => {}
            _ = over.wait_for(|over| *over) => line.cut("the gateway is stopping"),
        }
    });
    Ok(Events(body))
}

async fn look(
    api: &Api,
    caller: &Caller,
    request: &SearchRequest,
    after: Option<String>,
) -> Result<FollowedRows, ApiProblem> {
    let (caller, request) = (caller.clone(), request.clone());
    working(api, move |center| center.follow(&caller, &request, after.as_deref())).await
}

async fn follow(
    line: &mut Line,
    api: &Api,
    follower: &mut Follower,
    request: &SearchRequest,
    mut found: FollowedRows,
) -> Result<(), Over> {
    // The place behind rows that are still to be sent is not given out: who is
    // cut off before them would never see them.
    let place = match found.rows.is_empty() {
        true if !found.resume.is_empty() => format!("id: {}\n", found.resume),
        true => String::new(),
        false => String::new(),
    };
    let hello = format!("retry: {RETRY_MS}\n{place}event: open\ndata: {{}}\n\n");
    line.send(hello.into_bytes()).await?;
    let mut quiet = Duration::ZERO;
    loop {
        if found.too_old {
            let told = json!({ "detail": "events before the oldest that is kept were missed" });
            line.send(frame("gap", None, &told)).await?;
        }
        for (position, row) in &found.rows {
            quiet = Duration::ZERO;
            line.send(frame("attempt", Some(position), row)).await?;
        }
        if !found.more {
            tokio::time::sleep(LOOK_EVERY).await;
            quiet += LOOK_EVERY;
        }
        if quiet >= HEARTBEAT {
            quiet = Duration::ZERO;
            // The place moves on, so that who comes back does not search again.
            let place = Some(found.resume.as_str()).filter(|place| !place.is_empty());
            line.send(frame("alive", place, &json!({}))).await?;
        }
        follower.still_there(api, line).await?;
        let after = Some(found.position.clone());
        found = match look(api, &follower.caller, request, after).await {
            Ok(found) => found,
            Err(problem) => {
                line.cut(&problem.detail);
                return Err(Over);
            }
        };
    }
}

/// How far an export is, until it is over.
pub(crate) async fn export(
    api: Api,
    mut follower: Follower,
    id: ExportId,
) -> Result<Events, ApiProblem> {
    let turn = api.streams.event_turn()?;
    let asked = follower.caller.clone();
    let first = working(&api, move |center| center.export(&asked, id)).await?;
    let (mut line, body) = line();
    let mut over = api.streams.over.subscribe();
    tokio::spawn(async move {
        let _turn = turn;
        let told = async {
            let mut job = first;
            let mut quiet = Duration::ZERO;
            line.send(frame("progress", None, &job)).await?;
            while !job.state.is_over() {
                tokio::time::sleep(LOOK_EVERY).await;
                quiet += LOOK_EVERY;
                follower.still_there(&api, &line).await?;
                let asked = follower.caller.clone();
                let now = working(&api, move |center| center.export(&asked, id)).await;
                let Ok(now) = now else { break };
                if now != job || quiet >= HEARTBEAT {
                    quiet = Duration::ZERO;
                    line.send(frame("progress", None, &now)).await?;
                }
                job = now;
            }
            Ok::<(), Over>(())
        };
        tokio::select! {
            _ = told => {}
            _ = over.wait_for(|over| *over) => {}
        }
    });
    Ok(Events(body))
}
