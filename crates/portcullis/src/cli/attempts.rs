//! `trace`, `why`, `life`: what happened, and why.

use std::ops::ControlFlow;
use std::time::Duration;

use api::client::{ClientError, encoded, path_with};
use center::explain::life_line::Story;
use center::{Explanation, SearchPage};
use serde_json::{Value as Json, json};

use super::arguments::{Global, RowsFormat};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::Server;

/// What a row of `trace` shows.
const COLUMNS: &[Column] = &[
    ("Time", "/time"),
    ("Ref", "/ref"),
    ("Outcome", "/outcome"),
    ("Reason", "/label"),
    ("From", "/from"),
    ("To", "/to"),
    ("IP", "/ip"),
    ("Info", "/info"),
];

/// What it shows besides where a sender was asked to come back.
const RETURNS: Column = ("Return", "/returns/text");

/// Most rows the server gives at once.
const PAGE_ROWS: usize = 1_000;
/// How long after a broken stream the next is begun.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// `trace`: finds attempts, newest first.
///
/// # Errors
/// The query cannot be understood, or the server not be asked.
pub(super) fn trace(global: &Global, query: &str, limit: usize) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    let query = query.trim();
    let mut rows: Vec<Json> = Vec::new();
    let mut after = None;
    let more = loop {
        let wanted = (limit - rows.len()).min(PAGE_ROWS).to_string();
        let parameters =
            [("q", Some(query)), ("limit", Some(wanted.as_str())), ("cursor", after.as_deref())];
        let page: SearchPage = server.get(&path_with("/attempts", &parameters))?;
        rows.extend(page.rows.iter().map(|row| json!(row)));
        after = page.next.map(|next| next.to_string());
        if after.is_none() || rows.len() >= limit {
            break after.is_some();
        }
    };
    let otherwise = match query.is_empty() {
        true => "no attempt is kept yet (retention.metadata says how long they are)",
        false => {
            "leave out a term of the query, or widen its time (`time:last7d`); without a query every attempt is shown"
        }
    };
    let waits = rows.iter().any(|row| row.get("returns").is_some());
    let columns: Vec<Column> = COLUMNS.iter().copied().chain(waits.then_some(RETURNS)).collect();
    output.found(&columns, &rows, otherwise)?;
    if more && !global.json {
        output.note(&format!("{limit} rows shown; there are more (--limit)"));
    }
    Ok(Exit::Ok)
}

/// `trace --format`: all rows, as they are sent.
///
/// # Errors
/// As [`trace`]; an answer that breaks off.
pub(super) fn rows(global: &Global, query: &str, format: RowsFormat) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(false);
    let format = match format {
        RowsFormat::Csv => "csv",
        RowsFormat::Ndjson => "ndjson",
    };
    let parameters = [("q", Some(query.trim())), ("format", Some(format))];
    let mut printed = Ok(());
    server.pieces(&path_with("/attempts/rows", &parameters), &mut |piece| {
        printed = output.piece(piece);
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    printed.map(|()| Exit::Ok)
}

/// `trace --follow`: attempts as they come, until somebody interrupts it.
/// A connection that breaks is made again, and goes on where it was.
///
/// # Errors
/// The query cannot be understood, or the server not be asked even once.
pub(super) fn follow(global: &Global, query: &str) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let mut output = Output::new(global.json);
    let path = path_with("/attempts/stream", &[("q", Some(query.trim()))]);
    let mut last: Option<String> = None;
    let mut printed = Ok(());
    loop {
        let from = last.clone();
        let ended = server.events(&path, from.as_deref(), &mut |event| {
            if event.id.is_some() {
                last = event.id;
            }
            printed = match event.kind.as_str() {
                "attempt" => match serde_json::from_str::<Json>(&event.data) {
                    Ok(row) => {
                        let written = output.list(COLUMNS, &[row]);
                        output = output.going_on();
                        written
                    }
                    Err(_) => Ok(()),
                },
                "gap" | "cut" => {
                    output.note(&event.data);
                    Ok(())
                }
                _ => Ok(()),
            };
            if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match ended {
            _ if printed.is_err() => return printed.map(|()| Exit::Ok),
            // What the server refuses it would refuse again.
            Err(error @ ClientError::Refused(_)) => return Err(error.into()),
            Err(error) if last.is_none() => return Err(error.into()),
            Err(error) => output.note(&format!("{error}; trying again")),
            Ok(()) => {}
        }
        std::thread::sleep(TRY_AGAIN_AFTER);
    }
}

/// `why`: explains one attempt.
///
/// # Errors
/// There is no such attempt, or the server cannot be asked.
pub(super) fn why(global: &Global, reference: &str) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let path = format!("/attempts/{}", encoded(reference.trim()));
    let explanation: Explanation = server.get(&path)?;
    print(global, &json!(explanation), &explanation.to_string())
}

/// `life`: the story of one message for one person.
///
/// # Errors
/// There is no such life-line, or the server cannot be asked.
pub(super) fn life(global: &Global, id: &str) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let story: Story = server.get(&format!("/lifelines/{}", encoded(id.trim())))?;
    print(global, &json!(story), &story.to_string())
}

fn print(global: &Global, object: &Json, text: &str) -> Result<Exit, Failure> {
    let output = Output::new(global.json);
    match global.json {
        true => output.object(object)?,
        false => output.text(text.trim_end())?,
    }
    Ok(Exit::Ok)
}
