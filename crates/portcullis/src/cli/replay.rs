//! `replay`, and the commands that say what a document would do:
//! `policy plan`, `policy apply`, `policy test`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use center::ObservedPolicy;
use center::replay::{ReplayCell, ReplayChange, ReplayReport, ReplayRequest};
use policy::trial::{Trials, numbered};
use policy::{Document, PolicySet};
use serde_json::{Value as Json, json};
use types::{Event, PolicyId};
use world::{Clock, SystemClock};

use super::arguments::{Change, Global, ReplayArguments};
use super::exit::{Exit, Failure};
use super::output::Output;
use super::policies::{changed, differences, noted, number, read_policy};
use super::server::{Server, confirm, read_text};

/// Most rows printed behind one cell; `--json` has more.
const ROWS_SHOWN: usize = 10;

/// `replay`
///
/// # Errors
/// A file that is no policy, or a server that refuses.
pub(super) fn replay(global: &Global, arguments: &ReplayArguments) -> Result<Exit, Failure> {
    let change = match arguments {
        ReplayArguments { policy: Some(file), id, .. } => {
            let id = id.as_deref().map(number).transpose()?.map(PolicyId);
            let mut policy = read_policy(file)?;
            policy.id = id.or(policy.id);
            ReplayChange::Policy(Box::new(policy))
        }
        ReplayArguments { document: Some(file), .. } => ReplayChange::Document(read_text(file)?),
        ReplayArguments { remove: Some(id), .. } => {
            ReplayChange::RemovePolicy(PolicyId(number(id)?))
        }
        ReplayArguments { back_to: Some(version), .. } => ReplayChange::Version(*version),
        _ => ReplayChange::Nothing,
    };
    let output = Output::new(global.json);
    shown(output, &asked(&Server::of(global)?, arguments.last, change)?)?;
    Ok(Exit::Ok)
}

/// `policy compare`
///
/// # Errors
/// The policy is not in observe mode, or the server cannot be asked.
pub(super) fn compare(global: &Global, id: u64) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    let server = Server::of(global)?;
    if output.is_json() {
        let seen: Json = server.get(&format!("/policies/{id}/observed"))?;
        output.object(&seen)?;
        return Ok(Exit::Ok);
    }
    let seen: ObservedPolicy = server.get(&format!("/policies/{id}/observed"))?;
    output.text(&format!("policy #{id} is as it is since {}", seen.since))?;
    shown(output, &seen.report)?;
    Ok(Exit::Ok)
}

/// `policy plan`
///
/// # Errors
/// The document is wrong, or the server cannot be asked.
pub(super) fn plan(global: &Global, file: &Path, last: Duration) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    planned(output, &Server::of(global)?, read_text(file)?, last)?;
    Ok(Exit::Ok)
}

/// `policy apply`: the plan, a question, and the import of what was planned.
///
/// # Errors
/// As [`plan`]; somebody changed the set in between.
pub(super) fn apply(
    global: &Global,
    file: &Path,
    last: Duration,
    change: &Change,
) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    let server = Server::of(global)?;
    let text = read_text(file)?;
    let report = planned(output, &server, text.clone(), last)?;
    if report.differences.is_empty() {
        return Ok(Exit::Ok);
    }
    confirm(global, &format!("make these {} changes", report.differences.len()))?;
    let path = noted("/policies/import", change);
    let mark = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{mark}expected_version={}", report.version);
    changed(output, &server.post_text(&path, text)?)?;
    Ok(Exit::Ok)
}

fn planned(
    output: Output,
    server: &Server,
    text: String,
    last: Duration,
) -> Result<ReplayReport, Failure> {
    let report = asked(server, last, ReplayChange::Document(text))?;
    if !output.is_json() {
        match report.differences.is_empty() {
            true => output.text("nothing differs from the policy set in force")?,
            false => differences(output, &json_of(&report.differences)?)?,
        }
    }
    shown(output, &report)?;
    Ok(report)
}

fn json_of(values: &[impl serde::Serialize]) -> Result<Vec<Json>, Failure> {
    let made: Result<Vec<Json>, _> = values.iter().map(serde_json::to_value).collect();
    made.map_err(|error| Failure::new(Exit::Error, error.to_string()))
}

fn asked(server: &Server, last: Duration, change: ReplayChange) -> Result<ReplayReport, Failure> {
    let now = SystemClock::new().now();
    let request = ReplayRequest { from: Some(now.before(last)), to: None, change };
    let report = server.consult("/policies/replay", &request)?;
    serde_json::from_value(report).map_err(|error| Failure::new(Exit::Error, error.to_string()))
}

fn shown(output: Output, report: &ReplayReport) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&json!(report));
    }
    output.text(&summary(report))?;
    output.text("")?;
    let heading = ["before \\ after", "accepted", "held", "deferred", "rejected", "unknown"];
    let lines = report.table.iter().filter(|line| line.counts().iter().sum::<u64>() > 0);
    let rows: Vec<Vec<Json>> = lines
        .map(|line| {
            let counts = line.counts().into_iter().map(Json::from);
            std::iter::once(Json::from(line.before.as_str())).chain(counts).collect()
        })
        .collect();
    output.table(&heading.map(str::to_owned), &rows)?;
    for cell in &report.cells {
        output.text(&format!("\n{}", cell_text(cell)))?;
    }
    let mut text = String::new();
    for counted in &report.unknown_because {
        text += &format!("\nunknown, {}: {}", counted.count, counted.text);
    }
    let check = &report.self_check;
    text += &format!(
        "\nself-check: the set in force decides {} of {} as was recorded",
        check.same,
        check.same + check.different
    );
    for counted in &check.because {
        let examples: Vec<String> = counted.examples.iter().map(ToString::to_string).collect();
        text += &format!("\n  {}: {} ({})", counted.count, counted.text, examples.join(", "));
    }
    output.text(&text)
}

/// What was replayed, and how certain it is.
fn summary(report: &ReplayReport) -> String {
    let mut text = format!(
        "{}: {} attempts of {} to {} in {:.1} s; {} certain, {} with simulated triplets, {} unknown",
        report.change,
        report.attempts,
        report.from,
        report.to,
        report.took_ms as f64 / 1e3,
        report.exact,
        report.simulated,
        report.unknown,
    );
    for note in report.clipped.iter().chain(&report.missing) {
        text += &format!("\nnot replayed: {note}");
    }
    if report.stopped {
        text += "\nended after a minute, before its end: replay a shorter time";
    }
    text
}

fn cell_text(cell: &ReplayCell) -> String {
    let mut text = format!("{} {} -> {}", cell.count, cell.before, cell.after);
    if cell.by_retry > 0 {
        text += &format!(" ({} were accepted when they came back)", cell.by_retry);
    }
    if !cell.rows.is_empty() {
        text += "\n  time  reference  sender -> recipient  [client]  before => after";
    }
    for row in cell.rows.iter().take(ROWS_SHOWN) {
        let attempt = &row.attempt;
        text += &format!(
            "\n  {}  {}  {} -> {}  [{}]  {} => {}",
            attempt.time,
            attempt.reference,
            attempt.from.as_deref().map_or("-", |from| if from.is_empty() { "<>" } else { from }),
            attempt.to.as_deref().unwrap_or("-"),
            attempt.ip,
            row.before,
            row.after,
        );
        if row.accepted_before > 0 {
            text += &format!("  (accepted {} times)", row.accepted_before);
        }
    }
    let more = cell.count.saturating_sub(cell.rows.len().min(ROWS_SHOWN) as u64);
    if more > 0 {
        text += &format!("\n  and {more} more");
    }
    text
}

/// `policy test`: needs no running server.
///
/// # Errors
/// The document or the file of tests is wrong.
pub(super) fn test(global: &Global, file: &Path, tests: &[PathBuf]) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    let loaded = super::config::load(global);
    let Some(settings) = &loaded.settings else {
        let first = loaded.problems.first().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::new(Exit::Error, first));
    };
    let text = read_text(file)?;
    let wrong = |file: &Path, line: usize, message: &str| {
        Failure::new(Exit::Error, format!("{}:{line}: {message}", file.display()))
    };
    if let Some(problem) = crate::serve::inspect::draft_problems(&text, settings).first() {
        return Err(wrong(file, problem.line.unwrap_or(1), &problem.text));
    }
    let mut document = Document::parse_any(&text).map_err(|e| wrong(file, e.line, &e.message))?;
    document.groups = crate::serve::inspect::with_groups_from_elsewhere(
        document.groups,
        &document.policies,
        settings,
    );
    let now = SystemClock::new().now();
    let objects = numbered(document, now);
    let base = crate::serve::convert::base_policies(settings);
    let mut failed = 0;
    let mut rows = Vec::new();
    for file in tests {
        let trials =
            Trials::parse(&read_text(file)?).map_err(|e| wrong(file, e.line, &e.message))?;
        // Each file has people of its own.
        let refused = |why: String| Failure::new(Exit::Error, format!("{}: {why}", file.display()));
        let objects = trials.with_people(objects.clone()).map_err(refused)?;
        let set = PolicySet::compile(1, objects.clone(), &base)
            .map_err(|error| refused(error.to_string()))?;
        let beside = file.parent().unwrap_or(Path::new(".")).to_owned();
        for tried in trials.run(&set, &objects, now, &|name| event(&beside.join(name))) {
            failed += usize::from(tried.fault.is_some());
            rows.push(json!({ "test": tried.name, "fault": tried.fault }));
        }
    }
    match global.json {
        true => output.list(&[], &rows)?,
        false => output.text(&outcome(&rows, failed))?,
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::Error })
}

fn outcome(rows: &[Json], failed: usize) -> String {
    let mut text = String::new();
    for row in rows {
        let name = row.get("test").and_then(Json::as_str).unwrap_or_default();
        match row.get("fault").and_then(Json::as_str) {
            Some(fault) => text += &format!("FAILED  {name}\n        {fault}\n"),
            None => text += &format!("ok      {name}\n"),
        }
    }
    text + &format!("{} passed, {failed} failed", rows.len() - failed)
}

/// A stored event, as the API gives it.
fn event(file: &Path) -> Result<Event, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}
