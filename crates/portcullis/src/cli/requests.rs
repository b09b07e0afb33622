//! `requests …`: what refused senders wrote on the page of a refusal.

use api::client::path_with;
use serde_json::{Value as Json, json};

use super::arguments::{Global, RequestsCommand};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::{Server, confirm};

const REQUESTS: &[Column] = &[
    ("Number", "/id"),
    ("Received", "/received"),
    ("Reference", "/ref"),
    ("Reason", "/attempt/label"),
    ("From", "/attempt/from"),
    ("To", "/attempt/to"),
    ("Contact", "/contact"),
    ("Text", "/text"),
    ("Answered", "/answer/time"),
    ("By", "/answer/by"),
];

/// `requests …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn requests(global: &Global, command: &RequestsCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    match command {
        RequestsCommand::List { text, all, limit } => {
            let list = if *all { "all" } else { "waiting" };
            let rows = rows(&server, list, text, *limit)?;
            output.found(REQUESTS, &rows, "no request waits; --all shows answered ones too")?;
        }
        RequestsCommand::Show { number } => {
            let request: Json = server.get(&format!("/requests/{number}"))?;
            output.object(&request)?;
        }
        RequestsCommand::Answer { numbers, note } => {
            confirm(global, &format!("mark {} as answered", counted(numbers)))?;
            each(&server, output, numbers, "answer", &json!({ "note": note }))?;
        }
        RequestsCommand::Reopen { numbers } => {
            confirm(global, &format!("take {} up again", counted(numbers)))?;
            each(&server, output, numbers, "reopen", &json!({}))?;
        }
    }
    Ok(Exit::Ok)
}

/// Requests, newest first, at most `limit`.
fn rows(server: &Server, list: &str, text: &str, limit: usize) -> Result<Vec<Json>, Failure> {
    let mut rows: Vec<Json> = Vec::new();
    while rows.len() < limit {
        let last = rows.last().and_then(|row| row.get("id")?.as_u64());
        let before = last.map(|number| number.to_string());
        let search = Some(text).filter(|text| !text.is_empty());
        let parameters = [("list", Some(list)), ("search", search), ("before", before.as_deref())];
        let page: Vec<Json> = server.get(&path_with("/requests", &parameters))?;
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    rows.truncate(limit);
    Ok(rows)
}

/// Does the same to each; the first that fails ends it, and says which.
fn each(
    server: &Server,
    output: Output,
    numbers: &[u64],
    what: &str,
    body: &Json,
) -> Result<(), Failure> {
    for number in numbers {
        let request = server.post(&format!("/requests/{number}/{what}"), body)?;
        match output.is_json() {
            true => output.object(&request)?,
            false => output.note(&format!("request {number}: done")),
        }
    }
    Ok(())
}

fn counted(numbers: &[u64]) -> String {
    match numbers {
        [one] => format!("request {one}"),
        many => format!("{} requests", many.len()),
    }
}
