//! How long greylisting delayed the mail of each sender domain, and what could
//! be done about it. Links; nothing needs a script.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::{DelayRow, GreylistDelays};
use serde::Deserialize;
use serde_json::json;
use types::Permission;
use types::policy::{GreylistOption, PolicyOption};

use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::routes::{Params, working};

/// The spans of the choice, in days; the last is all that is kept.
const DAYS: [u32; 3] = [1, 7, 30];

/// What the address says.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    days: u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { days: 30 }
    }
}

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
    days: [u32; 3],
    chosen: u32,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(Wanted { days }): Params<Wanted>,
) -> Response {
    let may_change = signed.caller.may(Permission::EditPolicies);
    let report = working(&api, move |center| center.greylist_delays(&signed.caller, days, 0)).await;
    let report = match report {
        Ok(report) => report,
        Err(problem) => return error_page(shell, &problem),
    };
    let GreylistDelays { from, to, rows, more, left_out } = report;
    let counted = from.zip(to).map(|(from, to)| (shell.zone.short(from), shell.zone.short(to)));
    let suggested = rows.iter().filter(|row| row.suggestion.is_some()).cloned();
    let suggested = suggested.map(|row| line(row, may_change)).collect();
    let lines = rows.into_iter().map(|row| line(row, may_change)).collect();
    shown(&DelaysPage {
        suggested,
        lines,
        counted,
        more,
        left_out,
        days: DAYS,
        chosen: days,
        shell,
    })
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
