//! The page behind a set-up link: the first owner, or a new password.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use center::accounts::{LinkPurpose, PASSWORD_CHARS_MIN, Tokens};
use serde::Deserialize;

use super::sign_in::{signed_in, used_up};
use super::{Guest, me};
use crate::Api;
use crate::pages::{assets, shown};
use crate::problem::ApiProblem;
use crate::routes::on_accounts;

#[derive(Template)]
#[template(path = "auth/set_up.html")]
struct SetUpPage<'a> {
    css: String,
    csrf: &'a str,
    /// Whose password it is; nothing where the name is chosen too.
    person: Option<&'a str>,
    name: &'a str,
    chars_min: usize,
    fault: Option<String>,
}

async fn purpose(api: &Api, link: &str) -> Result<Option<LinkPurpose>, ApiProblem> {
    let link = link.to_owned();
    on_accounts(api, move |accounts| accounts.link(&link)).await
}

fn filled(guest: &Guest, purpose: &LinkPurpose, name: &str, fault: Option<String>) -> Response {
    let person = match purpose {
        LinkPurpose::Password(person) => Some(person.as_str()),
        LinkPurpose::Owner | LinkPurpose::SignIn(_) => None,
    };
    let (css, csrf) = (assets::path("console.css"), &*guest.csrf);
    shown(&SetUpPage { css, csrf, person, name, chars_min: PASSWORD_CHARS_MIN, fault })
}

pub(super) async fn page(
    State(api): State<Api>,
    guest: Guest,
    Path(link): Path<String>,
) -> Response {
    match purpose(&api, &link).await {
        Ok(Some(LinkPurpose::SignIn(_)) | None) => used_up(&guest),
        Ok(Some(purpose)) => filled(&guest, &purpose, "", None),
        Err(problem) => problem.into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct SetUpForm {
    #[serde(default)]
    name: String,
    password: String,
    again: String,
    /// A checkbox: absent if it is not ticked.
    #[serde(default)]
    tokens: Tokens,
}

pub(super) async fn done(
    State(api): State<Api>,
    guest: Guest,
    Path(link): Path<String>,
    Form(SetUpForm { name, password, again, tokens }): Form<SetUpForm>,
) -> Response {
    let purpose = match purpose(&api, &link).await {
        Ok(Some(LinkPurpose::SignIn(_)) | None) => return used_up(&guest),
        Ok(Some(purpose)) => purpose,
        Err(problem) => return problem.into_response(),
    };
    let shown_name: String = name.chars().filter(|letter| !letter.is_control()).collect();
    let refused = |status: StatusCode, fault: &str| {
        let page = filled(&guest, &purpose, &shown_name, Some(me::sentence(fault)));
        (status, page).into_response()
    };
    if password != again {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "the two passwords differ");
    }
    let visitor = guest.visitor.clone();
    let work = move |accounts: &center::accounts::Accounts| {
        accounts.set_up(&link, &name, &password, tokens, &visitor)
    };
    match on_accounts(&api, work).await {
        Ok(Some(secret)) => signed_in(&guest, &secret, "/"),
        Ok(None) => Redirect::to("/sign-in").into_response(),
        Err(problem) if problem.status == StatusCode::NOT_FOUND.as_u16() => used_up(&guest),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status);
            refused(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &problem.detail)
        }
    }
}
