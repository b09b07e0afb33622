//! `/me/codes`: turning codes at sign-in on. The password comes first, then
//! the key for the app, which is shown this once, then its first code.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use center::accounts::{Accounts, Enrolment, RecoveryCodes};
use serde::Deserialize;

use super::Guest;
use super::me::{ProofForm, person, sentence};
use crate::Api;
use crate::pages::{Shell, error_page, shown};
use crate::problem::ApiProblem;
use crate::routes::on_accounts;

#[derive(Template)]
#[template(path = "auth/codes.html")]
struct CodesPage<'a> {
    shell: Shell,
    name: &'a str,
    step: CodesStep,
    fault: Option<String>,
}

impl CodesPage<'_> {
    fn asks_code(&self) -> bool {
        !matches!(self.step, CodesStep::Password)
    }
}

/// How far turning codes on is.
enum CodesStep {
    /// Who is there? The secret is shown to nobody else, and once.
    Password,
    /// The secret, whose picture has a quiet zone of four modules (ISO/IEC
    /// 18004), and the first code.
    Secret { enrolment: Enrolment, side: usize },
    /// Another code: the one before did not fit.
    Code,
}

#[derive(Template)]
#[template(path = "auth/recovery.html")]
struct RecoveryPage {
    shell: Shell,
    codes: RecoveryCodes,
}

pub(super) async fn page(shell: Shell, guest: Guest) -> Response {
    step_page(shell, &guest, CodesStep::Password, None)
}

fn step_page(shell: Shell, guest: &Guest, step: CodesStep, fault: Option<&ApiProblem>) -> Response {
    let session = match person(guest) {
        Ok(session) => session,
        Err(problem) => return error_page(shell, &problem),
    };
    let status = match fault {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let fault = fault.map(|problem| sentence(&problem.detail));
    (status, shown(&CodesPage { shell, name: &session.caller.name, step, fault })).into_response()
}

pub(super) async fn begin(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(ProofForm { password }): Form<ProofForm>,
) -> Response {
    let session = match person(&guest) {
        Ok(session) => session,
        Err(problem) => return error_page(shell, &problem),
    };
    let from = guest.origin.address;
    let work = move |accounts: &Accounts| accounts.totp_begin(&session.caller, &password, from);
    match on_accounts(&api, work).await {
        Ok(enrolment) => {
            let side = enrolment.picture_side + 8;
            step_page(shell, &guest, CodesStep::Secret { enrolment, side }, None)
        }
        Err(problem) => step_page(shell, &guest, CodesStep::Password, Some(&problem)),
    }
}

#[derive(Deserialize)]
pub(super) struct CodeForm {
    code: String,
}

pub(super) async fn on(
    State(api): State<Api>,
    shell: Shell,
    guest: Guest,
    Form(CodeForm { code }): Form<CodeForm>,
) -> Response {
    let session = match person(&guest) {
        Ok(session) => session,
        Err(problem) => return error_page(shell, &problem),
    };
    let work =
        move |accounts: &Accounts| accounts.totp_confirm(&session.caller, &code, Some(session.id));
    match on_accounts(&api, work).await {
        Ok(codes) => recovery(shell, codes),
        Err(problem) => step_page(shell, &guest, CodesStep::Code, Some(&problem)),
    }
}

/// The page with the recovery codes, which are shown this once.
pub(super) fn recovery(shell: Shell, codes: RecoveryCodes) -> Response {
    shown(&RecoveryPage { shell, codes })
}
