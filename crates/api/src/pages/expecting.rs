//! *I am expecting a mail*: who does, for how long still, and the form that
//! begins it. The address can name a recipient and the row it was asked from.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::{CenterError, EXPECTED_FOR, Expectation, NewExpectation};
use serde::Deserialize;
use types::time::spoken;
use types::{Permission, PolicyId, Timestamp};

use super::{Shell, error_page, sent, shown};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

/// Where this page is.
const HERE: &str = "/expecting";

/// The form; its fields are also those of the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    recipient: String,
    note: String,
    /// The reference of the attempt from whose row it is asked for.
    row: String,
}

impl Wanted {
    fn read(&self) -> Result<NewExpectation, CenterError> {
        let recipient = self.recipient.trim();
        let recipient = recipient
            .parse()
            .map_err(|error| CenterError::invalid(format!("recipient {recipient:?}: {error}")))?;
        let row = match self.row.trim() {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| CenterError::invalid("the row is no reference of an attempt"))?,
            ),
        };
        Ok(NewExpectation { recipient, note: self.note.trim().to_owned(), row })
    }
}

#[derive(Template)]
#[template(path = "expecting.html")]
struct ExpectingPage {
    shell: Shell,
    wanted: Wanted,
    rows: Vec<Expectation>,
    problem: Option<String>,
    may_change: bool,
    span: String,
}

impl ExpectingPage {
    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(wanted): Params<Wanted>,
) -> Response {
    with(&api, signed, shell, wanted, None).await
}

async fn with(
    api: &Api,
    signed: Signed,
    shell: Shell,
    wanted: Wanted,
    problem: Option<String>,
) -> Response {
    let may_change = signed.caller.may(Permission::EditSenders) && !signed.csrf.is_empty();
    let span = spoken(EXPECTED_FOR);
    match working(api, move |center| center.expectations(&signed.caller)).await {
        Ok(rows) => shown(&ExpectingPage { shell, wanted, rows, problem, may_change, span }),
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn begin(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(wanted): Form<Wanted>,
) -> Response {
    let (caller, typed) = (signed.caller.clone(), wanted.clone());
    let done = working(&api, move |center| center.expect(&caller, &typed.read()?));
    let again = async |shell, problem: ApiProblem| {
        with(&api, signed, shell, wanted, Some(problem.detail)).await
    };
    sent::answer(shell, done.await, |_| HERE.to_owned(), again).await
}

pub(super) async fn end(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let caller = signed.caller;
    match working(&api, move |center| center.end_expecting(&caller, PolicyId(number))).await {
        Ok(()) => Redirect::to(HERE).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}
