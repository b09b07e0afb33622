//! How long greylisting delayed the mail of each sender domain, and what could
//! be done about it. Links; nothing needs a script.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::{DelayRow, GreylistDelays};
use serde_json::json;
use types::Permission;
use types::policy::{GreylistOption, PolicyOption};

use super::days::{Days, WantedDays};
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::routes::{Params, working};

/// Days looked back on unless the address says others.
const USUAL_DAYS: u32 = 30;

/// One line, with the list of its attempts, and the editor that is filled in
/// with what is suggested.
struct Line {
    row: DelayRow,
    list: String,
    editor: Option<String>,
}

#[derive(Template)]
#[template(path = "delays.html")]
struct DelaysPage {
    shell: Shell,
    /// Those with a suggestion, then all.
    suggested: Vec<Line>,
    lines: Vec<Line>,
    counted: Option<(String, String)>,
    more: usize,
    left_out: u64,
    days: Days,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(wanted): Params<WantedDays>,
) -> Response {
    let days = wanted.of("/reports/delays", USUAL_DAYS);
    let looked_at = days.chosen;
    let may_change = signed.caller.may(Permission::EditPolicies);
    let report =
        working(&api, move |center| center.greylist_delays(&signed.caller, looked_at, 0)).await;
    let report = match report {
        Ok(report) => report,
        Err(problem) => return error_page(shell, &problem),
    };
    let GreylistDelays { from, to, rows, more, left_out } = report;
    let counted = from.zip(to).map(|(from, to)| (shell.zone.short(from), shell.zone.short(to)));
    let suggested = rows.iter().filter(|row| row.suggestion.is_some()).cloned();
    let suggested = suggested.map(|row| line(row, may_change)).collect();
    let lines = rows.into_iter().map(|row| line(row, may_change)).collect();
    shown(&DelaysPage { suggested, lines, counted, more, left_out, days, shell })
}

fn line(row: DelayRow, may_change: bool) -> Line {
    let query = [("view", Some("all")), ("from", Some("now-7d")), ("q", Some(row.query.as_str()))];
    let option = json!(PolicyOption::Greylisting(GreylistOption::NoAction)).to_string();
    let editor = row.suggestion.as_ref().filter(|_| may_change).map(|suggestion| {
        let filled = [
            ("narrative", Some(suggestion.narrative.as_str())),
            ("option", Some(option.as_str())),
            ("from", Some("domain")),
            ("from_name", Some(suggestion.domain.as_str())),
        ];
        path_with("/policies/new/greylisting", &filled)
    });
    Line { list: path_with("/messages", &query), editor, row }
}
