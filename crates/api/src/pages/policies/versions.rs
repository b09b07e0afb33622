//! The versions of the policy set, and going back to one.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::replay::{ReplayChange, ReplayRequest};
use center::{VersionDifference, VersionRow};
use serde::Deserialize;
use types::Timestamp;

use super::super::{Shell, error_page, shown};
use super::{Report, may_change, told};
use crate::Api;
use crate::auth::Signed;
use crate::routes::{Params, working};

/// Versions on one page.
const VERSIONS: usize = 50;

#[derive(Template)]
#[template(path = "versions.html")]
struct VersionsPage {
    shell: Shell,
    rows: Vec<VersionRow>,
    next: Option<u64>,
    may_change: bool,
}

impl VersionsPage {
    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }

    fn text(&self, text: &str) -> String {
        center::presentable_within(text, 300)
    }

    /// The version before this one, to which it can be rolled back.
    fn before(&self, row: &VersionRow) -> u64 {
        row.number.saturating_sub(1)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VersionsParams {
    before: Option<u64>,
}

pub(crate) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(VersionsParams { before }): Params<VersionsParams>,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    match working(&api, move |center| center.versions(&caller, before, VERSIONS)).await {
        Ok(rows) => {
            let next = rows.last().map(|row| row.number).filter(|_| rows.len() == VERSIONS);
            shown(&VersionsPage { shell, rows, next, may_change })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

#[derive(Template)]
#[template(path = "rollback.html")]
struct RollBackPage {
    shell: Shell,
    number: u64,
    report: Option<Report>,
    differences: Vec<VersionDifference>,
    may_change: bool,
}

/// What going back would change, and what that would have done.
pub(crate) async fn roll_back_form(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let may_change = may_change(&signed);
    let caller = signed.caller;
    let change = ReplayChange::Version(number);
    let request = ReplayRequest { change, ..ReplayRequest::default() };
    match working(&api, move |center| center.replay(&caller, &request)).await {
        Ok(report) => {
            let differences = report.differences.clone();
            let report = Some(Report::of(report, &shell));
            shown(&RollBackPage { shell, number, report, differences, may_change })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RollBackForm {
    expected: Option<u64>,
}

pub(crate) async fn roll_back(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
    Form(RollBackForm { expected }): Form<RollBackForm>,
) -> Response {
    let caller = signed.caller;
    let done = working(&api, move |center| {
        center.roll_back(&caller, number, expected, &format!("back to version {number}"))
    });
    match done.await {
        Ok(done) => Redirect::to(&format!("/changes/{}", done.version)).into_response(),
        Err(problem) => error_page(shell, &told(problem)),
    }
}
