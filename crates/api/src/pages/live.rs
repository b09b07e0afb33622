//! The live tail: what ends now, newest on top. The page shows the newest
//! rows as they are and is refreshed by a link; its script follows the stream
//! of the API instead.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use center::query::fields::ColumnName;
use center::search::SearchPage;

use super::list::address::{Address, Pairs};
use super::list::cells::{self, Content, Line};
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::path_with;
use crate::routes::working;

/// How far back the page looks.
const FROM: &str = "now-1h";

#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    shell: Shell,
    /// The list's name, and its query.
    title: &'static str,
    query: String,
    lines: Vec<Line>,
    columns: Vec<(&'static str, &'static str)>,
    /// Where the stream is.
    stream: String,
    /// The page itself, and the same as a list.
    reload: String,
    list: String,
    /// The list of the time between FROM and TO, which the script fills in.
    frozen: String,
    as_of: String,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    mut shell: Shell,
    Query(pairs): Query<Pairs>,
) -> Response {
    let mut address = Address::read(&pairs).address;
    address.path = "/messages/live";
    FROM.clone_into(&mut address.from);
    address.to.clear();
    let columns = center::View::Rejected.info().columns;
    let request = address.request(&signed.preferences);
    let caller = signed.caller.clone();
    let page = match working(&api, move |center| center.search(&caller, &request)).await {
        Ok(page) => page,
        Err(problem) => return error_page(shell, &problem),
    };
    shell.search.kept = vec![("view", address.view.key().to_owned())];
    shell.search.query.clone_from(&address.query);
    shown(&filled(shell, &address, &page, &columns))
}

fn filled(shell: Shell, address: &Address, page: &SearchPage, columns: &[ColumnName]) -> LivePage {
    let query = Some(address.query.as_str()).filter(|query| !query.is_empty());
    let view = Some(address.view.key());
    let line = |(number, row)| cells::line(row, number, columns, address, &shell);
    let list = Address { path: "/messages", ..address.clone() };
    LivePage {
        title: address.view.info().label,
        query: address.query.clone(),
        lines: (1..).zip(&page.rows).map(line).collect(),
        columns: columns.iter().map(|column| (column.as_str(), column.column().label)).collect(),
        stream: path_with("/api/v1/attempts/stream", &[("view", view), ("q", query)]),
        reload: path_with("/messages/live", &[("view", view), ("q", query)]),
        frozen: list.with(|address| {
            "FROM".clone_into(&mut address.from);
            "TO".clone_into(&mut address.to);
        }),
        list: list.href(),
        as_of: shell.zone.hours(page.as_of),
        shell,
    }
}
