//! A policy in observe mode: the comparison of what it would have done with
//! what happened, and the button that enforces it.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use center::{ObservedPolicy, PolicyRow};
use serde::Deserialize;
use types::PolicyId;

use super::super::senders::is_fault;
use super::super::{Shell, error_page, shown};
use super::{Report, may_change};
use crate::Api;
use crate::auth::Signed;
use crate::routes::working;

#[derive(Template)]
#[template(path = "observed.html")]
struct ObservedPage {
    shell: Shell,
    id: PolicyId,
    kind: String,
    narrative: String,
    since: String,
    version: u64,
    /// Whether the policy file manages it.
    by_file: bool,
    may_change: bool,
    report: Report,
    problem: Option<String>,
}

/// What the button sends.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct EnforceForm {
    /// The version of the policy that was looked at.
    expected: u64,
}

pub(crate) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    with(&api, signed, shell, PolicyId(number), None).await
}

async fn with(
    api: &Api,
    signed: Signed,
    shell: Shell,
    id: PolicyId,
    problem: Option<String>,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let seen = match working(api, move |center| center.observed_policy(&caller, id)).await {
        Ok(seen) => seen,
        Err(problem) => return error_page(shell, &problem),
    };
    let ObservedPolicy { policy, since, report } = seen;
    let PolicyRow { policy, kind, provenance, .. } = policy;
    let status = match problem {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = ObservedPage {
        id,
        kind,
        narrative: center::presentable_within(&policy.narrative, 300),
        since: shell.time(since),
        version: provenance.version,
        by_file: provenance.origin.is_file(),
        may_change,
        report: Report::of(report, &shell),
        problem,
        shell,
    };
    (status, shown(&page)).into_response()
}

pub(crate) async fn enforce(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
    Form(EnforceForm { expected }): Form<EnforceForm>,
) -> Response {
    let (caller, id) = (signed.caller.clone(), PolicyId(number));
    let done = working(&api, move |center| {
        center.enforce_policy(&caller, id, expected, "enforced after observing")
    });
    match done.await {
        Ok(done) => Redirect::to(&format!("/changes/{}", done.version)).into_response(),
        Err(problem) if is_fault(&problem) => {
            with(&api, signed, shell, id, Some(problem.detail)).await
        }
        Err(problem) => error_page(shell, &problem),
    }
}
