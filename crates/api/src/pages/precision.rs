//! Precision per policy: what people took back of what each refused. A form
//! and links; nothing needs a script.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::precision::{Precision, PrecisionRow};
use serde::Deserialize;
use types::PolicyRef;

use super::sizes::grouped;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::routes::{Params, working};

/// The spans of the choice, in days.
const DAYS: [u32; 3] = [1, 7, 30];

/// What the address says.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    days: u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { days: 7 }
    }
}

/// One line.
struct Line {
    title: String,
    by: String,
    page: Option<String>,
    refused: String,
    list: String,
    row: PrecisionRow,
    rate: String,
}

#[derive(Template)]
#[template(path = "precision.html")]
struct PrecisionPage {
    shell: Shell,
    lines: Vec<Line>,
    from: String,
    unknown: u64,
    days: [u32; 3],
    chosen: u32,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(Wanted { days }): Params<Wanted>,
) -> Response {
    let report = working(&api, move |center| center.precision(&signed.caller, days)).await;
    let report = match report {
        Ok(report) => report,
        Err(problem) => return error_page(shell, &problem),
    };
    let Precision { from, to, rows, unknown } = report;
    let (start, end) = (from.to_string(), to.to_string());
    let line = |row: PrecisionRow| Line {
        title: row.title.clone(),
        by: row.by.clone(),
        page: match row.policy {
            Some(PolicyRef::Policy { id, .. }) => Some(format!("/policies/{}", id.0)),
            Some(PolicyRef::ManagedSender { id }) => Some(format!("/senders/{}", id.0)),
            Some(PolicyRef::Base(_)) | None => None,
        },
        refused: grouped(row.refused),
        list: path_with(
            "/messages",
            &[
                ("view", Some("all")),
                ("q", Some(row.query.as_str())),
                ("from", Some(start.as_str())),
                ("to", Some(end.as_str())),
            ],
        ),
        rate: format!("{}.{} %", row.regret_per_mille / 10, row.regret_per_mille % 10),
        row,
    };
    let lines = rows.into_iter().map(line).collect();
    let from = shell.zone.whole(from);
    shown(&PrecisionPage { lines, from, unknown, days: DAYS, chosen: days, shell })
}
