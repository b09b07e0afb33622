//! `export`: a list as a file. The server makes it as a job; here it is
//! watched, fetched, and checked against the hash the server gave.

use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use center::{ExportFile, ExportFormat, ExportJob, ExportRequest, ExportState, SearchRequest};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::arguments::{ExportArguments, FileFormat, Global};
use super::exit::{Exit, Failure};
use super::output::Output;
use super::server::Server;

/// How often it is asked how far the job is.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// How often a person is told, in questions.
const TELL_EVERY: u32 = 8;

/// Asks for the export, waits for it and fetches the file.
///
/// # Errors
/// The query cannot be understood, the server cannot be asked or fails, or
/// the file cannot be written. No half file stays behind.
pub(super) fn export(global: &Global, arguments: &ExportArguments) -> Result<Exit, Failure> {
    let request = request(arguments)?;
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    let job = server.consult("/exports", &request)?;
    let mut job: ExportJob = serde_json::from_value(job)
        .map_err(|error| Failure::new(Exit::Error, format!("the server's answer: {error}")))?;
    let path = format!("/exports/{}", job.id);
    for asked in 1.. {
        if job.state.is_over() {
            break;
        }
        if u32::is_multiple_of(asked, TELL_EVERY) {
            let total = job.rows_total.map(|total| format!(" of {total}")).unwrap_or_default();
            output.note(&format!("{} rows{total}, {} a second", job.rows, job.rows_per_s));
        }
        std::thread::sleep(ASK_EVERY);
        job = server.get(&path)?;
    }
    let Some(file) = job.file.as_ref().filter(|_| job.state == ExportState::Done) else {
        let why = job.problem.as_deref().unwrap_or(job.state.slug());
        return Err(Failure::new(Exit::Error, format!("the export failed: {why}")));
    };
    fetch(&server, &format!("{path}/file"), file, &arguments.output)?;
    for (from, to) in &job.missing {
        output.note(&format!("the events from {from} to {to} could not be read and are not in it"));
    }
    match global.json {
        true => output.object(&json!(job))?,
        false => output.note(&format!("{} rows in {}", job.rows, arguments.output.display())),
    }
    // The server keeps it for seven days; whoever has fetched it needs it no more.
    server.delete(&path)?;
    Ok(Exit::Ok)
}

fn request(arguments: &ExportArguments) -> Result<ExportRequest, Failure> {
    let wrong = |error: center::CenterError| Failure::new(Exit::Usage, error.to_string());
    let names = arguments.columns.as_deref().unwrap_or_default();
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    let search = SearchRequest {
        query: arguments.query.trim().to_owned(),
        columns: names.map(str::parse).collect::<Result<_, _>>().map_err(wrong)?,
        sort: match &arguments.sort {
            Some(sort) => sort.parse().map_err(wrong)?,
            None => Default::default(),
        },
        zone: arguments.zone.clone().unwrap_or_default(),
        ..SearchRequest::default()
    };
    Ok(ExportRequest { format: format(arguments)?, search, raw: arguments.raw })
}

fn format(arguments: &ExportArguments) -> Result<ExportFormat, Failure> {
    let end = arguments.output.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let by_name = || ExportFormat::ALL.into_iter().find(|f| f.slug().eq_ignore_ascii_case(end));
    let found = match arguments.format {
        Some(FileFormat::Csv) => Some(ExportFormat::Csv),
        Some(FileFormat::Xlsx) => Some(ExportFormat::Xlsx),
        Some(FileFormat::Ndjson) => Some(ExportFormat::Ndjson),
        None => by_name(),
    };
    found.ok_or_else(|| {
        let text = "name a file that ends in .csv, .xlsx or .ndjson, or say which with --format";
        Failure::new(Exit::Usage, text)
    })
}

/// Fetches the file under another name, which it loses once it is whole.
fn fetch(server: &Server, path: &str, told: &ExportFile, to: &Path) -> Result<(), Failure> {
    let part = PathBuf::from(format!("{}.part", to.display()));
    let fetched = fetched(server, path, told, &part).and_then(|()| Ok(std::fs::rename(&part, to)?));
    if fetched.is_err() {
        // It may not even have been made.
        drop(std::fs::remove_file(&part));
    }
    fetched
}

fn fetched(server: &Server, path: &str, told: &ExportFile, part: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::new(Exit::Error, format!("cannot write {}: {error}", part.display()))
    };
    let mut file = File::create(part).map_err(cannot)?;
    let mut hash = Sha256::new();
    let mut written = Ok(());
    server.pieces(path, &mut |piece| {
        hash.update(piece);
        written = file.write_all(piece);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.and_then(|()| file.sync_all()).map_err(cannot)?;
    let found: String = hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
    if found != told.sha256 {
        return Err(Failure::new(Exit::Error, "the file was damaged on its way; try again"));
    }
    Ok(())
}
