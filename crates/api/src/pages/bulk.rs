//! Permit, block or let in for many rows at once: what it would do, the job
//! while it runs, and what it did. Without a script the page of a job loads
//! itself anew until the job is over.
//!
//! | address | what |
//! |---|---|
//! | `/messages/bulk?act=…` with rows (`id`) or a list and `all=1` | the preview |
//! | the same, posted | the job begins |
//! | `/messages/bulk/{number}` | the job |

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use center::bulk::{BulkAct, BulkJob, BulkPlan, BulkRequest};
use center::{Center, CenterError, SearchRequest};
use types::Timestamp;

use super::letting::until_of;
use super::list::address::{Address, Pairs};
use super::sizes::grouped;
use super::{Shell, error_page, shown};
use crate::Api;
use crate::auth::Signed;
use crate::problem::ApiProblem;
use crate::routes::working;

/// Pairs shown of a preview.
const PAIRS_SHOWN_MAX: usize = 200;

/// What the address or the form says.
struct Asked {
    act: Option<BulkAct>,
    ids: Vec<String>,
    all: bool,
    until: String,
    note: String,
    leave_out_failed: bool,
    address: Address,
}

impl Asked {
    fn read(pairs: &Pairs) -> Asked {
        let values = |wanted: &str| {
            let wanted = wanted.to_owned();
            pairs.iter().filter(move |(name, _)| *name == wanted).map(|(_, value)| value.as_str())
        };
        let value = |name: &str| values(name).next_back().unwrap_or_default().trim().to_owned();
        Asked {
            act: BulkAct::named(&value("act")),
            ids: values("id").map(str::to_owned).collect(),
            all: value("all") == "1",
            until: value("until"),
            note: value("note"),
            leave_out_failed: value("leave_out_failed") == "1",
            address: Address::read(pairs).address,
        }
    }

    fn request(&self, signed: &Signed, now: Timestamp) -> Result<BulkRequest, CenterError> {
        let act = self.act.ok_or_else(|| {
            let acts = BulkAct::ALL.map(BulkAct::slug).join(", ");
            CenterError::invalid(format!("this says nothing to be done; it can be one of {acts}"))
        })?;
        let rows = self.ids.iter().map(|id| id.parse());
        let rows = rows.collect::<Result<_, _>>();
        let rows = rows.map_err(|_| CenterError::invalid("a row is none of this gateway"))?;
        let search = self.address.request(&signed.preferences);
        Ok(BulkRequest {
            act,
            rows,
            search: SearchRequest { cursor: None, ..search },
            until: until_of(&self.until, now)?,
            leave_out_failed: self.leave_out_failed,
            note: self.note.clone(),
        })
    }
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    shell: Shell,
    asked: Asked,
    act: BulkAct,
    kept: Vec<(&'static str, String)>,
    plan: BulkPlan,
    more_pairs: usize,
    back: String,
    until: &'static [(&'static str, &'static str, Option<u64>)],
}

impl BulkPage {
    fn lets_in(&self) -> bool {
        self.act == BulkAct::LetIn
    }
}

pub(super) async fn ask(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Query(pairs): Query<Pairs>,
) -> Response {
    preview(&api, signed, shell, Asked::read(&pairs)).await
}

async fn preview(api: &Api, signed: Signed, shell: Shell, asked: Asked) -> Response {
    let back = asked.address.href();
    // Nothing was ticked: back to the list, as if nothing had been pressed.
    if asked.ids.is_empty() && !asked.all {
        return Redirect::to(&back).into_response();
    }
    let work = move |center: &Center| {
        let request = asked.request(&signed, center.now())?;
        let plan = center.preview_bulk(&signed.caller, &request)?;
        Ok((asked, request.act, plan))
    };
    match working(api, work).await {
        Ok((mut asked, act, mut plan)) => {
            // `now-24h` is another time once somebody has read the plan.
            let written = |at: Timestamp| at.to_string();
            if let Some(from) = plan.times.from.map(written) {
                asked.address.from = from;
            }
            if let Some(to) = plan.times.to.map(written) {
                asked.address.to = to;
            }
            let more_pairs = plan.pairs.len().saturating_sub(PAIRS_SHOWN_MAX);
            plan.pairs.truncate(PAIRS_SHOWN_MAX);
            let kept = asked.address.kept(&[]);
            let until = super::letting::UNTIL;
            shown(&BulkPage { shell, asked, act, kept, plan, more_pairs, back, until })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn start(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Form(pairs): Form<Pairs>,
) -> Response {
    let asked = Asked::read(&pairs);
    if pairs.iter().any(|(name, value)| name == "do" && value == "preview") {
        return preview(&api, signed, shell, asked).await;
    }
    let work = move |center: &Center| {
        let request = asked.request(&signed, center.now())?;
        center.start_bulk(&signed.caller, request)
    };
    job_or_problem(shell, working(&api, work).await)
}

fn job_or_problem(shell: Shell, done: Result<BulkJob, ApiProblem>) -> Response {
    match done {
        Ok(job) => Redirect::to(&format!("/messages/bulk/{}", job.number)).into_response(),
        Err(problem) => error_page(shell, &problem),
    }
}

#[derive(Template)]
#[template(path = "bulk_job.html")]
struct JobPage {
    shell: Shell,
    job: BulkJob,
    rows: String,
    percent: Option<u64>,
    by: String,
    class: &'static str,
}

impl JobPage {
    fn when(&self, at: &Timestamp) -> String {
        self.shell.time(*at)
    }
}

pub(super) async fn job(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    match working(&api, move |center| center.bulk_job(&signed.caller, number)).await {
        Ok(job) => {
            let rows = match job.rows_total {
                Some(total) => format!("{} of {}", grouped(job.rows), grouped(total)),
                None => "counting".to_owned(),
            };
            let percent = job.rows_total.filter(|_| !job.state.is_over());
            let percent = percent.map(|total| (job.rows * 100 / total.max(1)).min(100));
            let by = center::presentable(&job.by).into_owned();
            let class = match job.state.slug() {
                "done" => "accepted",
                "failed" => "rejected",
                "cancelled" => "held",
                _ => "queued",
            };
            shown(&JobPage { shell, job, rows, percent, by, class })
        }
        Err(problem) => error_page(shell, &problem),
    }
}

pub(super) async fn cancel(
    State(api): State<Api>,
    signed: Signed,
    shell: Shell,
    Path(number): Path<u64>,
) -> Response {
    let done = working(&api, move |center| center.cancel_bulk(&signed.caller, number)).await;
    job_or_problem(shell, done)
}
