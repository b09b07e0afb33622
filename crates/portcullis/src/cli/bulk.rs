//! `bulk …`: permit, block or let in all that a query finds.

use std::time::Duration;

use center::View;
use center::bulk::{BulkAct, BulkJob, BulkPlan, BulkRequest, BulkState};
use center::search::SearchRequest;
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use types::Timestamp;

use super::arguments::Global;
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::policies::typed;
use super::server::{Server, confirm};

/// How long between two looks at a job.
const POLL: Duration = Duration::from_millis(200);

/// `bulk …`
#[derive(Debug, Subcommand)]
pub enum BulkCommand {
    /// Permit the sender of every attempt for its recipient.
    Permit(BulkArguments),
    /// Block the sender of every attempt for its recipient.
    Block(BulkArguments),
    /// Let the next attempt of everybody pass who was asked to come back.
    LetIn(BulkArguments),
    /// List the jobs since the server started.
    List,
    /// Stop a job before it stores anything.
    Cancel {
        /// Its number.
        number: u64,
    },
}

/// Which attempts, and how.
#[derive(Clone, Debug, Args)]
pub struct BulkArguments {
    /// The query; every attempt of the time if it is empty.
    #[arg(allow_hyphen_values = true)]
    pub query: String,
    /// From when on: `now-24h`, `2026-11-21`.
    #[arg(long, default_value = "now-24h", value_name = "TIME")]
    pub from: String,
    /// Before when.
    #[arg(long, default_value = "", value_name = "TIME")]
    pub to: String,
    /// Until when entries count, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// A remark beside each entry.
    #[arg(long, default_value = "")]
    pub note: String,
    /// Leave out senders whose mail failed SPF or DMARC.
    #[arg(long)]
    pub leave_out_failed: bool,
    /// Only say what it would do.
    #[arg(long)]
    pub dry_run: bool,
}

const JOBS: &[Column] = &[
    ("Number", "/number"),
    ("Act", "/request/act"),
    ("State", "/state"),
    ("Rows", "/rows"),
    ("By", "/by"),
    ("Begun", "/started"),
    ("Result", "/result"),
];

/// `bulk …`
///
/// # Errors
/// The server cannot be asked, or refuses; a job that failed.
pub(super) fn bulk(global: &Global, command: &BulkCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    match command {
        BulkCommand::Permit(arguments) => act(global, &server, BulkAct::Permit, arguments),
        BulkCommand::Block(arguments) => act(global, &server, BulkAct::Block, arguments),
        BulkCommand::LetIn(arguments) => act(global, &server, BulkAct::LetIn, arguments),
        BulkCommand::List => {
            let rows: Vec<Json> = server.get("/bulk")?;
            output.found(JOBS, &rows, "no job since the server started")?;
            Ok(Exit::Ok)
        }
        BulkCommand::Cancel { number } => {
            let job = server.post(&format!("/bulk/{number}/cancel"), &json!({}))?;
            output.object(&job)?;
            Ok(Exit::Ok)
        }
    }
}

fn act(
    global: &Global,
    server: &Server,
    act: BulkAct,
    arguments: &BulkArguments,
) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    let until = arguments.until.as_deref().map(|at| typed::<Timestamp>("--until", at));
    let request = BulkRequest {
        act,
        rows: Vec::new(),
        search: SearchRequest {
            query: arguments.query.clone(),
            view: View::All,
            from: arguments.from.clone(),
            to: arguments.to.clone(),
            ..SearchRequest::default()
        },
        until: until.transpose()?,
        leave_out_failed: arguments.leave_out_failed,
        note: arguments.note.clone(),
    };
    let plan: BulkPlan = read(server.consult("/bulk/preview", &request)?)?;
    // `now-24h` is another time once somebody has read the plan.
    let request = frozen(request, &plan);
    match (output.is_json(), arguments.dry_run) {
        (true, true) => output.object(&json!(plan))?,
        (true, false) => {}
        (false, _) => output.text(&told(&plan))?,
    }
    if arguments.dry_run || plan.done == 0 {
        return Ok(Exit::Ok);
    }
    confirm(global, &plan.text)?;
    let mut job: BulkJob = read(server.post("/bulk", &request)?)?;
    while !job.state.is_over() {
        std::thread::sleep(POLL);
        job = server.get(&format!("/bulk/{}", job.number))?;
    }
    match output.is_json() {
        true => output.object(&json!(job))?,
        false => output.text(&ended(&job))?,
    }
    Ok(if job.state == BulkState::Done { Exit::Ok } else { Exit::Refused })
}

/// The request for exactly what the plan was made of.
fn frozen(request: BulkRequest, plan: &BulkPlan) -> BulkRequest {
    let written = |at: Option<Timestamp>, before: String| at.map_or(before, |at| at.to_string());
    let search = SearchRequest {
        from: written(plan.times.from, request.search.from),
        to: written(plan.times.to, request.search.to),
        ..request.search
    };
    BulkRequest { search, ..request }
}

fn told(plan: &BulkPlan) -> String {
    let mut text = plan.text.clone();
    for (why, rows) in &plan.left_out {
        text += &format!("\nleft out: {rows} rows: {why}");
    }
    for (end, pairs) in &plan.ends {
        text += &format!("\nwould end {end}: {pairs} of those decided again");
    }
    for pair in &plan.pairs {
        let what = pair.left_out.as_deref().map(|why| format!("left out: {why}"));
        let preview = || pair.preview.as_ref().map(|preview| preview.text.clone());
        let what = what.or_else(preview).unwrap_or_default();
        text += &format!("\n{:>6}  {} for {}  {what}", pair.rows, pair.sender, pair.recipient);
    }
    text
}

fn ended(job: &BulkJob) -> String {
    let said = job.result.as_ref().or(job.problem.as_ref());
    let said = said.cloned().unwrap_or_else(|| job.state.slug().to_owned());
    let undo =
        job.version.map(|version| format!(" Undo it with: portcullis policy undo {version}"));
    said + &undo.unwrap_or_default()
}

fn read<T: serde::de::DeserializeOwned>(answer: Json) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| Failure::new(Exit::Error, error.to_string()))
}
