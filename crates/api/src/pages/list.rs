//! The list of messages: tabs, search box, table, paging.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use center::{AttemptPage, CenterError, Conservation, Cursor, Row, TraceRequest, presentable};
use serde::Deserialize;
use types::{Caller, OutcomeKind};

use super::{Shell, error_page, grouped, outcome_sign, outcome_word, seconds, shown};
use crate::Api;
use crate::client::{encoded, path_with};
use crate::problem::ApiProblem;
use crate::routes::{Params, working};

const ROWS: usize = 50;

/// The tabs: name in the address, label, outcome.
const VIEWS: [(&str, &str, Option<OutcomeKind>); 5] = [
    ("rejected", "Rejected", Some(OutcomeKind::Rejected)),
    ("deferred", "Deferred", Some(OutcomeKind::Deferred)),
    ("held", "Held", Some(OutcomeKind::Held)),
    ("accepted", "Accepted", Some(OutcomeKind::Accepted)),
    ("all", "All", None),
];

#[derive(Deserialize)]
pub(super) struct ListParams {
    #[serde(default)]
    view: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
}

struct Tab {
    label: &'static str,
    href: String,
    current: bool,
}

/// A wrong query, taken apart at the place that is meant.
struct Mistake {
    before: String,
    there: String,
    behind: String,
    message: String,
}

struct Line<'a> {
    row: &'a Row,
    time: String,
    sign: &'static str,
    word: &'static str,
    href: String,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    shell: Shell,
    view: &'a str,
    query: &'a str,
    tabs: Vec<Tab>,
    mistake: Option<Mistake>,
    lines: Vec<Line<'a>>,
    count: String,
    missing: bool,
    as_of: String,
    newest: Option<String>,
    next: Option<String>,
    sum: Sum,
    fields: Vec<center::query::fields::FieldHelp>,
}

/// The conservation numbers of the footer.
struct Sum {
    sessions: String,
    open: String,
    attempts: String,
    attempts_open: String,
    recorded: String,
    kept: Vec<(&'static str, String)>,
    /// Nothing if there are none.
    unrecorded: Option<String>,
    whole: bool,
}

impl From<Conservation> for Sum {
    fn from(sum: Conservation) -> Self {
        let recorded: u64 = sum.recorded.iter().map(|&(_, count)| count).sum();
        Sum {
            sessions: grouped(sum.counts.sessions_opened),
            open: grouped(sum.sessions_open),
            attempts: grouped(sum.counts.attempts_opened),
            attempts_open: grouped(sum.attempts_open),
            recorded: grouped(recorded),
            kept: sum.kept.iter().map(|&(kind, count)| (kind.slug(), grouped(count))).collect(),
            unrecorded: (sum.counts.attempts_unrecorded > 0)
                .then(|| grouped(sum.counts.attempts_unrecorded)),
            whole: sum.difference == 0,
        }
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    mut shell: Shell,
    Params(params): Params<ListParams>,
) -> Response {
    let (view, _, outcome) =
        *VIEWS.iter().find(|(name, ..)| *name == params.view).unwrap_or(&VIEWS[0]);
    let after = match params.after.as_str() {
        "" => None,
        text => match text.parse::<Cursor>() {
            Ok(cursor) => Some(cursor),
            Err(error) => return error_page(shell, &ApiProblem::from(error)),
        },
    };
    let request = TraceRequest { query: params.q.clone(), outcome, rows_max: ROWS, after };
    let work = move |center: &center::Center| {
        let found = match center.trace(&caller, &request) {
            Ok(found) => Ok(found),
            Err(CenterError::Query(mistake)) => Err(mistake),
            Err(other) => return Err(other),
        };
        Ok((found, center.conservation(&caller)?))
    };
    let (found, sum) = match working(&api, work).await {
        Ok(answer) => answer,
        Err(problem) => return error_page(shell, &problem),
    };
    let fields = api.center.search_fields();
    let (found, mistake) = match found {
        Ok(found) => (Some(found), None),
        Err(mistake) => (None, Some(apart(&params.q, &mistake))),
    };
    shell.search.kept = vec![("view", view.to_owned())];
    shell.search.wrong = mistake.is_some();
    filled(shell, view, &params, found.as_ref(), mistake, sum, fields)
}

fn filled(
    mut shell: Shell,
    view: &str,
    params: &ListParams,
    found: Option<&AttemptPage>,
    mistake: Option<Mistake>,
    sum: Conservation,
    fields: Vec<center::query::fields::FieldHelp>,
) -> Response {
    let query = Some(params.q.as_str()).filter(|query| !query.is_empty());
    let href = |view: &str, after: Option<String>| {
        path_with("/messages", &[("view", Some(view)), ("q", query), ("after", after.as_deref())])
    };
    let tab = |&(name, label, _): &(&str, &'static str, Option<OutcomeKind>)| Tab {
        label,
        href: href(name, None),
        current: name == view,
    };
    // What cannot be typed into a search box is not put there either.
    let written: String = params.q.chars().filter(|letter| !letter.is_control()).collect();
    shell.search.query = written;
    let next = found.and_then(|page| page.next).map(|cursor| href(view, Some(cursor.to_string())));
    let page = ListPage {
        shell,
        view,
        query: &params.q,
        tabs: VIEWS.iter().map(tab).collect(),
        mistake,
        lines: found.map_or(Vec::new(), |page| page.rows.iter().map(line).collect()),
        count: found.map_or(String::new(), counted),
        missing: found.is_some_and(|page| !page.missing.is_empty()),
        as_of: found.map_or(String::new(), |page| seconds(page.as_of)),
        newest: (!params.after.is_empty()).then(|| href(view, None)),
        next,
        sum: Sum::from(sum),
        fields,
    };
    shown(&page).into_response()
}

fn counted(page: &AttemptPage) -> String {
    let count = grouped(u64::try_from(page.count).unwrap_or(u64::MAX));
    match (page.count, page.more_than_counted) {
        (_, true) => format!("more than {count} messages"),
        (1, false) => "1 message".to_owned(),
        (_, false) => format!("{count} messages"),
    }
}

fn line(row: &Row) -> Line<'_> {
    Line {
        row,
        time: seconds(row.time),
        sign: outcome_sign(row.outcome),
        word: outcome_word(row.outcome),
        href: format!("/messages/{}", encoded(&row.id.to_string())),
    }
}

fn apart(query: &str, mistake: &center::query::QueryError) -> Mistake {
    let piece =
        |from: usize, to: usize| presentable(query.get(from..to).unwrap_or("")).into_owned();
    Mistake {
        before: piece(0, mistake.at.start),
        there: match piece(mistake.at.start, mistake.at.end) {
            empty if empty.is_empty() => "\u{2423}".to_owned(),
            there => there,
        },
        behind: piece(mistake.at.end, query.len()),
        message: presentable(&mistake.message).into_owned(),
    }
}
