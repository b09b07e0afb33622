//! What was learned of clients: the worst of them, or the one asked for, and
//! the form that forgets what one did. Nothing needs a script.

use std::net::IpAddr;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::ReputationRow;
use serde::Deserialize;
use types::Permission;

use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::routes::{Params, working};

/// Where this page is.
const HERE: &str = "/reports/reputation";

/// What the address says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    ip: String,
}

/// One line, with the list of the client's attempts.
struct Line {
    row: ReputationRow,
    list: String,
    /// What was counted, with times in the reader's zone.
    text: String,
}

impl Line {
    fn new(row: ReputationRow, shell: &Shell) -> Line {
        // An IPv6 client is its network.
        let network = if row.ip.is_ipv6() { "/64" } else { "" };
        let query = format!("ip:{}{network}", row.ip);
        let list = path_with("/messages", &[("view", Some("all")), ("q", Some(query.as_str()))]);
        let text = row.told(&|at| shell.time(at));
        Line { row, list, text }
    }
}

#[derive(Template)]
#[template(path = "reputation.html")]
struct ReputationPage {
    shell: Shell,
    wanted: String,
    problem: Option<String>,
    lines: Vec<Line>,
    may_forget: bool,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Params(Wanted { ip }): Params<Wanted>,
) -> Response {
    let wanted = ip.trim().to_owned();
    let (asked, problem) = match wanted.parse::<IpAddr>() {
        _ if wanted.is_empty() => (None, None),
        Ok(ip) => (Some(ip), None),
        Err(_) => (None, Some(format!("{wanted:?} is no address; the worst are shown"))),
    };
    let may_forget = signed.caller.may(Permission::EditPolicies) && !signed.csrf.is_empty();
    let rows = working(&api, move |center| match asked {
        Some(ip) => center.reputation(&signed.caller, ip).map(|row| vec![row]),
        None => center.worst_reputations(&signed.caller, 0),
    });
    match rows.await {
        Ok(rows) => {
            let lines = rows.into_iter().map(|row| Line::new(row, &shell)).collect();
            shown(&ReputationPage { shell, wanted, problem, lines, may_forget })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn forget(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(ip): Path<IpAddr>,
) -> Response {
    match working(&api, move |center| center.reset_reputation(&signed.caller, ip)).await {
        Ok(_) => {
            let there = path_with(HERE, &[("ip", Some(ip.to_string().as_str()))]);
            Redirect::to(&there).into_response()
        }
        Err(problem) => error_page(shell, &problem),
    }
}
