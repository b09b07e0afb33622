//! A policy in observe mode: the comparison of what it would have done with
//! what happened, and the button that enforces it.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use center::{ChangeResult, ObservedPolicy, PolicyRow};
use serde::Deserialize;
use types::PolicyId;

use super::super::{Shell, error_page, sent, shown};
use super::{Report, may_change};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
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
    shown(&ObservedPage {
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
    })
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
    let there = |done: ChangeResult| format!("/changes/{}", done.version);
    let again = async |shell, problem: ApiProblem| {
        with(&api, signed, shell, id, Some(problem.detail)).await
    };
    sent::answer(shell, done.await, there, again).await
}
