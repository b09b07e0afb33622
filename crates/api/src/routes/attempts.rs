//! Searching and explaining.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use center::explain::life_line::Story;
use center::query::fields::FieldHelp;
use center::search::{
    Completion, Count, Facet, Hint, Histogram, SearchPage, SearchRequest, ViewCount,
};
use center::views::{View, ViewInfo};
use center::{Explanation, ExportFormat, ExportRequest};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use types::{Caller, Event};

use super::answers::{Download, written};
use super::streams::{self, Events, Follower};
use super::{Params, working};
use crate::Api;
use crate::openapi::{Draft, Given};
use crate::problem::ApiProblem;

/// A list, in the words of its address.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ListParams {
    /// The query, in the search language; everything if absent.
    #[schemars(example = "is:rejected -type:rbl from:*@acme.example")]
    q: String,
    /// Which of the built-in lists.
    view: View,
    /// From when, inclusive: `now-24h`, `yesterday`, a date, RFC 3339.
    from: String,
    /// Until when, exclusive, in the same words.
    to: String,
    /// The time zone in which days are meant, `Europe/Berlin`; UTC if absent.
    zone: String,
    /// The order of the rows: a sortable column, `-` before it for the
    /// largest or newest first; `-time` if absent.
    #[schemars(example = "-time")]
    sort: String,
    /// Columns, separated by commas: rows have only these values, beside
    /// `id`, `ref`, `life` and `time`. Everything if absent.
    #[schemars(example = "time,from,to,type")]
    cols: String,
    /// The cursor of the wanted page, from the page before it.
    cursor: Option<String>,
    /// Most rows of a page; 50 if absent, at most 1000.
    limit: usize,
}

impl ListParams {
    /// The request for the message center.
    pub(crate) fn request(self) -> Result<SearchRequest, ApiProblem> {
        let sort = match self.sort.as_str() {
            "" => Default::default(),
            text => text.parse()?,
        };
        let names = self.cols.split(',').map(str::trim).filter(|name| !name.is_empty());
        let cursor = self.cursor.filter(|text| !text.is_empty());
        Ok(SearchRequest {
            query: self.q,
            view: self.view,
            from: self.from,
            to: self.to,
            zone: self.zone,
            sort,
            columns: names.map(str::parse).collect::<Result<_, _>>()?,
            cursor: cursor.map(|text| text.parse()).transpose()?,
            rows_max: self.limit,
        })
    }
}

/// A page, with the chosen columns only.
pub(crate) struct Narrowed(Json<Value>);

impl axum::response::IntoResponse for Narrowed {
    fn into_response(self) -> axum::response::Response {
        self.0.into_response()
    }
}

impl Given for Narrowed {
    fn describe(draft: &mut Draft<'_>) {
        <Json<SearchPage> as Given>::describe(draft);
    }
}

/// What rows have whichever columns are chosen.
const ALWAYS: [&str; 4] = ["id", "ref", "life", "time"];

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
) -> Result<Narrowed, ApiProblem> {
    let request = params.request()?;
    let columns: Vec<&str> = request.columns.iter().map(|column| column.field().api()).collect();
    let page = working(&api, move |center| center.search(&caller, &request)).await?;
    let mut page = serde_json::to_value(page).unwrap_or_default();
    if !columns.is_empty() {
        let rows = page.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten();
        for row in rows.filter_map(Value::as_object_mut) {
            row.retain(|name, _| {
                ALWAYS.contains(&name.as_str()) || columns.contains(&name.as_str())
            });
        }
    }
    Ok(Narrowed(Json(page)))
}

pub(crate) async fn count(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
) -> Result<Json<Count>, ApiProblem> {
    let request = params.request()?;
    working(&api, move |center| center.count(&caller, &request)).await.map(Json)
}

pub(crate) async fn counts(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
) -> Result<Json<Vec<ViewCount>>, ApiProblem> {
    let request = params.request()?;
    working(&api, move |center| center.view_counts(&caller, &request)).await.map(Json)
}

pub(crate) async fn facets(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
) -> Result<Json<Vec<Facet>>, ApiProblem> {
    let request = params.request()?;
    working(&api, move |center| center.facets(&caller, &request)).await.map(Json)
}

pub(crate) async fn hints(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
) -> Result<Json<Vec<Hint>>, ApiProblem> {
    let request = params.request()?;
    working(&api, move |center| center.hints(&caller, &request)).await.map(Json)
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct HistogramParams {
    /// Most buckets; 60 if absent.
    #[serde(default)]
    buckets: usize,
}

pub(crate) async fn histogram(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
    Params(HistogramParams { buckets }): Params<HistogramParams>,
) -> Result<Json<Histogram>, ApiProblem> {
    let request = params.request()?;
    working(&api, move |center| center.histogram(&caller, &request, buckets)).await.map(Json)
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct CompletionParams {
    /// The caret stands after so many octets of the query; at its end if absent.
    caret: Option<usize>,
}

pub(crate) async fn completion(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
    Params(CompletionParams { caret }): Params<CompletionParams>,
) -> Result<Json<Completion>, ApiProblem> {
    let request = params.request()?;
    let caret = caret.unwrap_or(request.query.len());
    working(&api, move |center| center.complete(&caller, &request, caret)).await.map(Json)
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct RowsParams {
    /// `ndjson` or `csv`; `ndjson` if absent.
    #[serde(default = "ndjson")]
    format: ExportFormat,
    /// `true` leaves texts exactly as they were: without the apostrophe
    /// before what a spreadsheet would take for a formula, and with every
    /// control character.
    #[serde(default)]
    raw: bool,
}

fn ndjson() -> ExportFormat {
    ExportFormat::Ndjson
}

pub(crate) async fn rows(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<ListParams>,
    Params(RowsParams { format, raw }): Params<RowsParams>,
) -> Result<Download, ApiProblem> {
    let request = ExportRequest { format, search: params.request()?, raw };
    let turn = api.streams.file()?;
    let rows = working(&api, move |center| center.export_rows(&caller, &request)).await?;
    let body = written(move |out| {
        let _turn = turn;
        rows.write(out)
    });
    let name = format!("attempts.{}", format.slug());
    let media_type = format.media_type();
    Ok(Download { name, media_type, size_octets: None, sha256: None, body })
}

pub(crate) async fn stream(
    State(api): State<Api>,
    follower: Follower,
    headers: HeaderMap,
    Params(params): Params<ListParams>,
    Params(StreamParams { after }): Params<StreamParams>,
) -> Result<Events, ApiProblem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    streams::attempts(api, follower, params.request()?, last.or(after)).await
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct StreamParams {
    /// Where to go on: the id of the last event seen, as `Last-Event-ID`
    /// has it. From now on if absent.
    after: Option<String>,
}

pub(crate) async fn why(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Explanation>, ApiProblem> {
    working(&api, move |center| center.why(&caller, &name)).await.map(Json)
}

pub(crate) async fn event(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Event>, ApiProblem> {
    working(&api, move |center| center.event(&caller, &name)).await.map(Json)
}

pub(crate) async fn life(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Story>, ApiProblem> {
    working(&api, move |center| center.life(&caller, &name)).await.map(Json)
}

pub(crate) async fn fields(State(api): State<Api>) -> Json<Vec<FieldHelp>> {
    Json(api.center.search_fields())
}

pub(crate) async fn views() -> Json<Vec<ViewInfo>> {
    Json(View::ALL.into_iter().map(View::info).collect())
}
