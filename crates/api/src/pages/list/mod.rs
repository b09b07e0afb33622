//! The Message Center: one list with one search. Everything is in the
//! address; every control is a link or a form, and the script only spares
//! the way to the next page.

pub(crate) mod address;
pub(super) mod cells;
mod empty;
mod facets;
pub(super) mod figures;
mod notices;
mod times;
pub(super) mod tools;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use center::accounts::Density;
use center::query::QueryError;
use center::query::edit;
use center::query::fields::{Column, ColumnName, FieldKind};
use center::query::five::FIVE;
use center::search::{SearchPage, Sort, Span};
use center::{CenterError, QueueCommand, QueuedNotices, View, presentable};
use types::{Permission, Timestamp};

pub(crate) use self::figures::Pace;
use super::message::{self, Panel};
use super::{Shell, coded, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::working;
use address::{Address, Pairs, Read};
use cells::{Content, Line};
use empty::{Beyond, Offer};
use facets::{FacetView, facets};
use figures::Around;
use notices::Notices;
use times::Range;

/// A wrong query, taken apart at the place that is meant.
struct Mistake {
    before: String,
    there: String,
    behind: String,
    /// What is wrong, in pieces: whether each is code, and the piece.
    message: Vec<(bool, String)>,
    /// The query with the proposal in place, and its address.
    better: Option<(String, String)>,
}

/// One chip under the search box.
struct ChipView {
    label: String,
    negated: bool,
    /// Where it stands, for the script that lets it be edited.
    start: usize,
    end: usize,
    without: String,
    toggled: String,
}

/// One heading.
struct Heading {
    label: &'static str,
    class: String,
    /// Where it is sorted, if it can be.
    href: Option<String>,
    /// `ascending` or `descending`, if it is.
    sorted: Option<&'static str>,
}

/// One column of the chooser.
struct Choice {
    name: &'static str,
    label: &'static str,
    group: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    shell: Shell,
    address: &'a Address,
    title: &'static str,
    help: &'static str,
    mistake: Option<Mistake>,
    /// Why the rows could not be read.
    broken: Option<String>,
    /// What is open beside the list.
    panel: Option<Panel>,
    densities: &'static [Density],
    ignored: String,
    chips: Vec<ChipView>,
    clear: Option<String>,
    five: &'static [(&'static str, &'static str)],
    range: Range,
    around: Around,
    headings: Vec<Heading>,
    lines: Vec<Line>,
    wide: bool,
    compact: bool,
    choices: Vec<Choice>,
    facets: Option<Vec<FacetView>>,
    facets_toggle: String,
    missing: Vec<String>,
    beyond: Option<Beyond>,
    /// What stands above an empty list.
    empty: &'static str,
    offers: Vec<Offer>,
    nothing_yet: Option<Vec<center::ReadyCheck>>,
    /// Notices that wait, below the list of the queue.
    notices: Notices,
    commands: center::command::Commands,
    position: String,
    as_of: String,
    as_of_exact: String,
    newer: String,
    previous: Option<String>,
    next: Option<String>,
    first: Option<String>,
    row_choices: Vec<(usize, String, bool)>,
    may_export: bool,
    may_decide: bool,
    /// Where all that match are permitted, blocked or let in; nothing for
    /// who may not.
    bulk: Option<String>,
    /// What can be done to the rows in the queue, where they are in it.
    queue_acts: Vec<QueueCommand>,
    /// Where they are done to all that match.
    queue_all: String,
    reload: String,
    relative: String,
    live: String,
    export: String,
}

/// What was found, before it is shown.
struct Found {
    page: SearchPage,
    facets: Option<Vec<center::search::Facet>>,
    hints: Vec<center::search::Hint>,
    checks: Vec<center::ReadyCheck>,
    notices: QueuedNotices,
}

pub(super) async fn page(
    State(api): State<Api>,
    signed: Signed,
    mut shell: Shell,
    headers: HeaderMap,
    Query(pairs): Query<Pairs>,
) -> Response {
    let read = Address::read(&pairs);
    let (found, mistake, shown_address) = match find(&api, &signed, &read.address).await {
        Ok(found) => (Ok(found), None, read.address.clone()),
        Err(Trouble::Query(mistake)) => {
            // The list stays what it was before the wrong query.
            let was =
                Address { query: read.was.clone().unwrap_or_default(), ..read.address.clone() };
            let before = find(&api, &signed, &was).await.map_err(Trouble::into_problem);
            (before, Some(mistake), was)
        }
        Err(Trouble::Problem(problem)) => (Err(problem), None, read.address.clone()),
    };
    if mistake.is_none() && (read.untidy || read.was.is_some()) {
        return Redirect::to(&read.address.href()).into_response();
    }
    let found = match found {
        Ok(found) => Ok(found),
        // What can pass by itself leaves the frame standing; the rest is a page.
        Err(problem) if problem.status == 503 => Err(problem.detail),
        Err(problem) => return error_page(shell, &problem),
    };
    if let Some(opened) = found.as_ref().ok().and_then(|found| opened(&found.page)) {
        return Redirect::to(&opened).into_response();
    }
    let request = figures::request_of(&shown_address, &signed.preferences);
    let figures = match found {
        Ok(_) => figures::soon(&api, signed.caller.clone(), request, read.address.wait).await,
        Err(_) => None,
    };
    shell.search.kept = shown_address.kept(&["q"]);
    shell.search.wrong = mistake.is_some();
    // What cannot be typed into a search box is not put there either.
    let typed = if mistake.is_some() { &read.address.query } else { &shown_address.query };
    shell.search.query = typed.chars().filter(|letter| !letter.is_control()).collect();
    shell.search.kept.push(("was", shown_address.query.clone()));
    let around = Around::of(&shown_address, figures.as_ref(), &shell.zone);
    let status = if found.is_err() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let base = base_url(&headers);
    let panel = match shown_address.open {
        Some(id) => Some(message::panel(&api, &signed, id, &pairs).await),
        None => None,
    };
    let parts = Seen { read: &read, panel, signed: &signed, found, mistake, around, base };
    let page = filled(shell, &shown_address, parts);
    (status, page).into_response()
}

/// Why nothing was found out.
enum Trouble {
    Query(QueryError),
    Problem(ApiProblem),
}

impl Trouble {
    fn into_problem(self) -> ApiProblem {
        match self {
            Trouble::Query(mistake) => ApiProblem::from(CenterError::Query(mistake)),
            Trouble::Problem(problem) => problem,
        }
    }
}

async fn find(api: &Api, signed: &Signed, address: &Address) -> Result<Found, Trouble> {
    let request = address.request(&signed.preferences);
    let caller = signed.caller.clone();
    let open_facets = address.facets;
    let found = working(api, move |center| {
        let page = match center.search(&caller, &request) {
            Ok(page) => page,
            Err(CenterError::Query(mistake)) => return Ok(Err(mistake)),
            Err(other) => return Err(other),
        };
        let facets = open_facets.then(|| center.facets(&caller, &request)).transpose()?;
        let empty = page.rows.is_empty() && request.cursor.is_none();
        let hints = if empty { center.hints(&caller, &request)? } else { Vec::new() };
        let checks = if empty { center.readiness() } else { Vec::new() };
        let notices = match request.view == View::Queue && caller.may(Permission::SeeQueue) {
            true => center.queued_notices(&caller)?,
            false => QueuedNotices::default(),
        };
        Ok(Ok(Found { page, facets, hints, checks, notices }))
    })
    .await;
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(mistake)) => Err(Trouble::Query(mistake)),
        Err(problem) => Err(Trouble::Problem(problem)),
    }
}

/// Where a query leads that names one message.
fn opened(page: &SearchPage) -> Option<String> {
    match page.rows.as_slice() {
        [only] if page.opened => Some(format!("/messages/{}", only.id)),
        _ => None,
    }
}

/// Where the API answers, as the reader's browser reached us.
fn base_url(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let forwarded = headers.get("x-forwarded-proto").and_then(|scheme| scheme.to_str().ok());
    let scheme = if forwarded == Some("https") { "https" } else { "http" };
    format!("{scheme}://{host}")
}

/// What the page is filled with.
struct Seen<'a> {
    read: &'a Read,
    panel: Option<Panel>,
    signed: &'a Signed,
    found: Result<Found, String>,
    mistake: Option<QueryError>,
    around: Around,
    base: String,
}

fn filled(shell: Shell, address: &Address, seen: Seen<'_>) -> Response {
    let Seen { read, panel, signed, found, mistake, around, base } = seen;
    let (found, broken) = match found {
        Ok(found) => (Some(found), None),
        Err(why) => (None, Some(why)),
    };
    let empty = SearchPage::default();
    let page = found.as_ref().map_or(&empty, |found| &found.page);
    let columns = address.shown_columns(&signed.preferences);
    let request = address.request(&signed.preferences);
    let range = Range::of(address, page.span, page.as_of, &shell);
    let may = |permission| signed.caller.may(permission);
    let nothing_yet = found.as_ref().and_then(empty::nothing_yet);
    let position = position(page, around.count());
    let info = address.view.info();
    let lines = (page.position + 1..)
        .zip(&page.rows)
        .map(|(number, row)| cells::line(row, number, &columns, address, &shell))
        .collect();
    let list = ListPage {
        title: info.label,
        help: info.help,
        mistake: mistake.map(|mistake| apart(&read.address, &mistake)),
        broken,
        panel,
        densities: Density::ALL,
        ignored: read.ignored.iter().map(|name| presentable(name)).collect::<Vec<_>>().join(", "),
        chips: chips(address),
        clear: (!address.query.is_empty()).then(|| address.with(|a| a.query.clear())),
        five: &FIVE,
        headings: columns.iter().map(|column| heading(*column, address)).collect(),
        lines,
        wide: columns.len() > 8,
        compact: signed.preferences.density.slug() == "compact",
        choices: choices(&columns),
        facets: found.as_ref().and_then(|found| found.facets.as_ref()).map(|f| facets(address, f)),
        facets_toggle: address.with(|address| address.facets = !address.facets),
        missing: page.missing.iter().map(|span| spoken(*span, &shell)).collect(),
        beyond: page.beyond.as_ref().map(|beyond| empty::beyond(beyond, &shell)),
        offers: found.as_ref().map_or(Vec::new(), |found| empty::offers(address, found)),
        empty: empty::title(address),
        nothing_yet,
        notices: Notices::of(found.as_ref(), &shell),
        commands: center::command::as_command(&request, &base),
        position,
        as_of: shell.zone.shown(page.as_of, "%H:%M:%S%.1f"),
        as_of_exact: page.as_of.to_string(),
        newer: address.with(|address| address.path = "/messages/newer"),
        previous: page.previous.clone().map(|cursor| address.at(Some(cursor))),
        next: page.next.clone().map(|cursor| address.at(Some(cursor))),
        first: address.cursor.as_ref().map(|_| address.at(None)),
        row_choices: address::ROWS
            .map(|rows| (rows, address.with(|a| a.rows = rows), rows == address.rows))
            .to_vec(),
        may_export: may(Permission::ExportMetadata),
        may_decide: may(Permission::EditSenders),
        bulk: (may(Permission::EditPolicies) && !signed.csrf.is_empty())
            .then(|| range.pinned.replacen("/messages?", "/messages/bulk?all=1&", 1)),
        queue_acts: super::queue::acts_of(address.view, signed),
        queue_all: range.pinned.replacen("/messages?", "/messages/queue?all=1&", 1),
        reload: address.href(),
        relative: address.at(None),
        live: address.with(|address| address.path = "/messages/live"),
        export: address.with(|address| address.path = "/reports/downloads/new"),
        range,
        around,
        address,
        shell,
    };
    shown(&list)
}

/// `1–50 of 1 204`.
fn position(page: &SearchPage, count: Option<&str>) -> String {
    let from = page.position + 1;
    let to = page.position + page.rows.len();
    let of = count.map_or(String::new(), |count| format!(" of {count}"));
    if page.rows.is_empty() { String::new() } else { format!("{from}\u{2013}{to}{of}") }
}

/// A span in words.
fn spoken(span: Span, shell: &Shell) -> String {
    let end = |at: Option<Timestamp>, open: &str| {
        at.map_or_else(|| open.to_owned(), |at| shell.zone.end(at))
    };
    format!("{} \u{2013} {}", end(span.from, "the beginning"), end(span.to, "now"))
}

fn apart(address: &Address, mistake: &QueryError) -> Mistake {
    let query = &address.query;
    let piece =
        |from: usize, to: usize| presentable(query.get(from..to).unwrap_or("")).into_owned();
    let better = mistake.proposal.as_ref().and_then(|proposal| {
        let (before, behind) = (query.get(..mistake.at.start)?, query.get(mistake.at.end..)?);
        let better = format!("{before}{proposal}{behind}");
        let href = address.with(|address| address.query.clone_from(&better));
        Some((presentable(&better).into_owned(), href))
    });
    Mistake {
        before: piece(0, mistake.at.start),
        there: match piece(mistake.at.start, mistake.at.end) {
            empty if empty.is_empty() => "\u{2423}".to_owned(),
            there => there,
        },
        behind: piece(mistake.at.end, query.len()),
        message: sentence(&mistake.message),
        better,
    }
}

/// A message as a sentence in pieces: what stands between backticks is code.
fn sentence(message: &str) -> Vec<(bool, String)> {
    let piece = |(code, piece)| (code, presentable(piece).into_owned());
    let mut pieces: Vec<(bool, String)> = coded(message).map(piece).collect();
    if let Some(letter) = pieces.first_mut().and_then(|(_, first)| first.get_mut(..1)) {
        letter.make_ascii_uppercase();
    }
    if let Some((false, last)) = pieces.last_mut().filter(|(_, last)| !last.ends_with(['.', '?'])) {
        last.push('.');
    }
    pieces
}

fn chips(address: &Address) -> Vec<ChipView> {
    let query = &address.query;
    let chips = edit::chips(query).unwrap_or_default();
    let view = |(place, chip): (usize, edit::Chip)| ChipView {
        without: address.with(|address| address.query = edit::without(query, place)),
        toggled: address.with(|address| address.query = edit::toggled(query, place)),
        label: chip.label,
        negated: chip.negated,
        start: chip.range.start,
        end: chip.range.end,
    };
    chips.into_iter().enumerate().map(view).collect()
}

fn heading(column: ColumnName, address: &Address) -> Heading {
    let Column { label, sort, .. } = column.column();
    let current = address.sort.column == column;
    let descending = if current { !address.sort.descending } else { true };
    Heading {
        label,
        class: format!("c-{}", column.as_str()),
        href: sort.map(|_| address.with(|address| address.sort = Sort { column, descending })),
        sorted: current.then_some(match address.sort.descending {
            true => "descending",
            false => "ascending",
        }),
    }
}

/// Every column that can show something, those chosen first and in order.
fn choices(chosen: &[ColumnName]) -> Vec<Choice> {
    let recorded = |column: &ColumnName| column.field().kind != FieldKind::NotRecorded;
    let choice = |column: ColumnName| Choice {
        name: column.as_str(),
        label: column.column().label,
        group: column.field().group.label(),
        chosen: chosen.contains(&column),
    };
    let others = ColumnName::all().filter(|column| !chosen.contains(column) && recorded(column));
    chosen.iter().copied().chain(others).map(choice).collect()
}
