//! Precision per policy: what people took back of what each refused. A form
//! and links; nothing needs a script.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use center::precision::{Precision, PrecisionRow};
use types::PolicyRef;

use super::days::{Days, WantedDays};
use super::sizes::grouped;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::routes::{Params, working};

/// Days looked back on unless the address says others.
const USUAL_DAYS: u32 = 7;

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
    days: Days,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(wanted): Params<WantedDays>,
) -> Response {
    let days = wanted.of("/reports/precision", USUAL_DAYS);
    let looked_at = days.chosen;
    let report = working(&api, move |center| center.precision(&signed.caller, looked_at)).await;
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
    shown(&PrecisionPage { lines, from, unknown, days, shell })
}
