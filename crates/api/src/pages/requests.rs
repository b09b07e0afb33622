//! What refused senders wrote: the list people work through.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::{
    Center, CenterError, REQUEST_NOTE_CHARS_MAX, REQUESTS_PAGE_MAX, RequestList, ReviewRequest,
};
use serde::Deserialize;
use types::{Permission, Timestamp};

use super::sizes::grouped;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::{Signed, way_back};
use crate::client::{encoded, path_with};
use crate::routes::working;

/// Where this page is.
const HERE: &str = "/requests";

/// What the address says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    list: RequestList,
    search: String,
    before: Option<u64>,
}

impl Wanted {
    fn href(&self, list: RequestList, before: Option<u64>) -> String {
        let before = before.map(|number| number.to_string()).unwrap_or_default();
        let pairs = [("list", word(list)), ("search", self.search.trim()), ("before", &before)];
        let pairs = pairs.map(|(name, value)| (name, Some(value).filter(|text| !text.is_empty())));
        path_with(HERE, &pairs)
    }
}

/// The name of a list in addresses.
fn word(list: RequestList) -> &'static str {
    match list {
        RequestList::Waiting => "waiting",
        RequestList::Answered => "answered",
        RequestList::All => "all",
    }
}

/// One tab.
struct Tab {
    label: &'static str,
    href: String,
    current: bool,
}

/// One request.
struct Line {
    request: ReviewRequest,
    received: String,
    /// The attempt: where it is, and when it ended.
    attempt: Option<(String, String)>,
    /// When it was dealt with.
    answered: String,
}

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage {
    shell: Shell,
    tabs: [Tab; 3],
    list: &'static str,
    search: String,
    lines: Vec<Line>,
    waiting: String,
    older: Option<String>,
    newest: Option<String>,
    may_answer: bool,
    note_chars_max: usize,
    /// The whole address, to come back to.
    here: String,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Query(wanted): Query<Wanted>,
) -> Response {
    let may_answer = signed.caller.may(Permission::AnswerRequests);
    let caller = signed.caller;
    let (list, search, before) = (wanted.list, wanted.search.clone(), wanted.before);
    let read = move |center: &Center| {
        let found = center.requests(&caller, list, &search, before)?;
        Ok::<_, CenterError>((found, center.waiting_requests(&caller, None)?.0))
    };
    let (found, waiting) = match working(&api, read).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let tab = |of: RequestList, label| Tab {
        label,
        href: wanted.href(of, None),
        current: of == wanted.list,
    };
    let last = found.last().filter(|_| found.len() >= REQUESTS_PAGE_MAX);
    let older = last.map(|request| wanted.href(wanted.list, Some(request.id)));
    shown(&RequestsPage {
        tabs: [
            tab(RequestList::Waiting, "Waiting"),
            tab(RequestList::Answered, "Answered"),
            tab(RequestList::All, "All"),
        ],
        list: word(wanted.list),
        here: wanted.href(wanted.list, wanted.before),
        newest: wanted.before.map(|_| wanted.href(wanted.list, None)),
        search: wanted.search,
        lines: found.into_iter().map(|request| line(request, &shell)).collect(),
        waiting: grouped(waiting),
        older,
        may_answer,
        note_chars_max: REQUEST_NOTE_CHARS_MAX,
        shell,
    })
}

fn line(request: ReviewRequest, shell: &Shell) -> Line {
    let time = |at: Timestamp| shell.time(at);
    let attempt = request.attempt.as_ref();
    Line {
        received: time(request.received),
        attempt: attempt.map(|attempt| {
            (format!("/messages/{}", encoded(&attempt.id.to_string())), time(attempt.time))
        }),
        answered: request.answer.as_ref().map_or(String::new(), |answer| time(answer.time)),
        request,
    }
}

/// What is sent with a decision.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Decided {
    note: String,
    /// The list to go back to.
    back: String,
}

pub(super) async fn answer(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(id): Path<u64>,
    Form(decided): Form<Decided>,
) -> Response {
    let (caller, back) = (signed.caller, back_to(&decided.back));
    let work = move |center: &Center| center.answer_request(&caller, id, &decided.note);
    done(working(&api, work).await, shell, &back)
}

pub(super) async fn reopen(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(id): Path<u64>,
    Form(decided): Form<Decided>,
) -> Response {
    let (caller, back) = (signed.caller, back_to(&decided.back));
    done(working(&api, move |center| center.reopen_request(&caller, id)).await, shell, &back)
}

fn done(
    done: Result<ReviewRequest, crate::problem::ApiProblem>,
    shell: Shell,
    back: &str,
) -> Response {
    match done {
        Ok(_) => Redirect::to(back).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}

/// The list a decision was made in.
fn back_to(back: &str) -> String {
    match way_back::safe(back) {
        "/" => HERE.to_owned(),
        list => list.to_owned(),
    }
}
