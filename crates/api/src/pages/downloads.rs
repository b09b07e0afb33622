//! Downloads: exports as jobs, and the daily logs. All of it forms and links;
//! while a job runs the page comes again by itself.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::daily_log::LogFile;
use center::search::SearchRequest;
use center::{CenterError, ExportFormat, ExportJob, ExportRequest, ExportState};
use types::{ExportId, Permission};

use super::list::address::{Address, Pairs};
use super::list::figures;
use super::sizes::{grouped, octets};
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::client::encoded;
use crate::routes::working;

/// Where this page is.
const HERE: &str = "/reports/downloads";
/// Most daily logs shown; ranges reach the others.
const LOGS_MAX: usize = 62;

/// One export.
struct Job {
    id: String,
    list: String,
    href: String,
    format: &'static str,
    by: String,
    created: String,
    class: &'static str,
    state: &'static str,
    /// How far it is, of a hundred, while it runs and the number is known.
    percent: Option<u64>,
    rows: String,
    rate: String,
    problem: Option<String>,
    missing: bool,
    file: Option<FileView>,
    over: bool,
}

struct FileView {
    name: String,
    size: String,
    sha256: String,
    expires: String,
}

/// One daily log.
struct Log {
    name: String,
    href: String,
    day: String,
    kind: &'static str,
    size: String,
    closed: bool,
    sha256: Option<String>,
}

#[derive(Template)]
#[template(path = "downloads.html")]
struct DownloadsPage {
    shell: Shell,
    jobs: Vec<Job>,
    running: bool,
    /// Why the jobs cannot be shown.
    trouble: Option<String>,
    may_see_logs: bool,
    logs: Vec<Log>,
    more_logs: usize,
    oldest_day: String,
    newest_day: String,
}

#[derive(Template)]
#[template(path = "export.html")]
struct ExportPage {
    shell: Shell,
    list: String,
    back: String,
    kept: Vec<(&'static str, String)>,
    columns: String,
    count: Option<String>,
}

pub(super) async fn page(State(api): State<Api>, signed: Signed, shell: Shell) -> Response {
    let caller = signed.caller;
    let read = move |center: &center::Center| {
        let may = |permission| caller.may(permission);
        let jobs = may(Permission::ExportMetadata).then(|| center.exports_of(&caller));
        let logs = may(Permission::DailyLogs).then(|| center.daily_logs(&caller)).transpose()?;
        Ok::<_, CenterError>((jobs.unwrap_or(Ok(Vec::new())), logs))
    };
    let (jobs, logs) = match working(&api, read).await {
        Ok(found) => found,
        Err(problem) => return error_page(shell, &problem),
    };
    let (jobs, trouble) = match jobs {
        Ok(jobs) => (jobs, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let may_see_logs = logs.is_some();
    let logs = logs.unwrap_or_default();
    shown(&DownloadsPage {
        may_see_logs,
        running: jobs.iter().any(|job| !job.state.is_over()),
        jobs: jobs.iter().map(|job| view(job, &shell)).collect(),
        trouble,
        oldest_day: logs.iter().map(|log| log.day.clone()).min().unwrap_or_default(),
        newest_day: logs.iter().map(|log| log.day.clone()).max().unwrap_or_default(),
        more_logs: logs.len().saturating_sub(LOGS_MAX),
        logs: logs.iter().take(LOGS_MAX).map(log).collect(),
        shell,
    })
}

fn log(log: &LogFile) -> Log {
    Log {
        href: format!("/api/v1/daily-logs/{}", encoded(&log.name)),
        name: log.name.clone(),
        day: log.day.clone(),
        kind: log.kind.slug(),
        size: octets(log.size_octets),
        closed: log.closed,
        sha256: log.sha256.clone(),
    }
}

/// The list an export is of, in words, and its address.
fn list_of(request: &SearchRequest) -> (String, String) {
    let mut list = Address::new();
    list.view = request.view;
    list.query.clone_from(&request.query);
    list.from.clone_from(&request.from);
    list.to.clone_from(&request.to);
    list.columns.clone_from(&request.columns);
    let query = match request.query.trim() {
        "" => String::new(),
        query => format!(": {}", center::presentable_within(query, 120)),
    };
    (format!("{}{query}", request.view.info().label), list.href())
}

fn view(job: &ExportJob, shell: &Shell) -> Job {
    let (list, href) = list_of(&job.request.search);
    let (class, state) = match job.state {
        ExportState::Queued => ("queued", "Waiting"),
        ExportState::Running => ("queued", "Running"),
        ExportState::Done => ("accepted", "Done"),
        ExportState::Cancelled => ("held", "Cancelled"),
        ExportState::Failed => ("rejected", "Failed"),
        ExportState::Interrupted => ("deferred", "Interrupted"),
    };
    let running = job.state == ExportState::Running;
    let of = job.rows_total.filter(|_| !job.state.is_over());
    let rows = match of {
        Some(total) => format!("{} of {}", grouped(job.rows), grouped(total)),
        None => grouped(job.rows),
    };
    let percent = |total: u64| (job.rows.saturating_mul(100) / total.max(1)).min(100);
    Job {
        id: job.id.to_string(),
        list,
        href,
        format: job.request.format.slug(),
        by: center::presentable(&job.by).into_owned(),
        created: shell.time(job.created),
        class,
        state,
        percent: of.map(percent).filter(|_| running),
        rows,
        rate: if running { format!("{} a second", grouped(job.rows_per_s)) } else { String::new() },
        problem: job.problem.as_ref().map(|why| center::presentable(why).into_owned()),
        missing: !job.missing.is_empty(),
        file: job.file.as_ref().map(|file| FileView {
            name: file.name.clone(),
            size: octets(file.size_octets),
            sha256: file.sha256.clone(),
            expires: shell.zone.end(file.expires),
        }),
        over: job.state.is_over(),
    }
}

/// What is exported, and as what: a page, because a dialog needs a script.
pub(super) async fn ask(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Query(pairs): Query<Pairs>,
) -> Response {
    let address = Address::read(&pairs).address;
    let request = SearchRequest { cursor: None, ..address.request(&signed.preferences) };
    let columns: Vec<&str> = request.columns.iter().map(|column| column.column().label).collect();
    let (list, back) = list_of(&request);
    let columns = columns.join(", ");
    let caller = signed.caller;
    let count = match working(&api, move |center| center.count(&caller, &request)).await {
        Ok(count) => Some(figures::shown(&count)),
        Err(problem) => return error_page(shell, &problem),
    };
    let mut kept = address.kept(&["rows", "facets", "chart", "from", "to"]);
    // The defaults of a list are not those of an export: all is said.
    kept.extend([("from", address.from.clone()), ("to", address.to.clone())]);
    shown(&ExportPage { shell, list, back, kept, columns, count })
}

pub(super) async fn start(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(pairs): Form<Pairs>,
) -> Response {
    let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let wanted = value("format").unwrap_or_default();
    let format = ExportFormat::ALL.into_iter().find(|format| format.slug() == wanted);
    let raw = value("raw").is_some();
    let address = Address::read(&pairs).address;
    let search = SearchRequest { cursor: None, ..address.request(&signed.preferences) };
    let request = ExportRequest { format: format.unwrap_or(ExportFormat::Csv), search, raw };
    let caller = signed.caller;
    match working(&api, move |center| center.start_export(&caller, request)).await {
        Ok(job) => Redirect::to(&format!("{HERE}#job-{}", job.id)).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn cancel(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(id): Path<ExportId>,
) -> Response {
    let caller = signed.caller;
    let done = working(&api, move |center| center.cancel_export(&caller, id).map(drop)).await;
    done.map_or_else(|problem| error_page(shell, &problem), |()| Redirect::to(HERE).into_response())
}

pub(super) async fn remove(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(id): Path<ExportId>,
) -> Response {
    let caller = signed.caller;
    let done = working(&api, move |center| center.remove_export(&caller, id)).await;
    done.map_or_else(|problem| error_page(shell, &problem), |()| Redirect::to(HERE).into_response())
}
