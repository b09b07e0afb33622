//! `trace`, `why`, `life`: what happened, and why.

use api::client::{encoded, path_with};
use center::explain::life_line::Story;
use center::{AttemptPage, Explanation};
use serde_json::{Value as Json, json};

use super::arguments::Global;
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

/// Most rows the server gives at once.
const PAGE_ROWS: usize = 1_000;

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
            [("q", Some(query)), ("limit", Some(wanted.as_str())), ("after", after.as_deref())];
        let page: AttemptPage = server.get(&path_with("/attempts", &parameters))?;
        rows.extend(page.rows.iter().map(|row| json!(row)));
        after = page.next.map(|next| next.to_string());
        if after.is_none() || rows.len() >= limit {
            break after.is_some();
        }
    };
    let otherwise = match query.is_empty() {
        true => "no attempt is kept yet (retention.metadata says how long they are)",
        false => {
            "leave out a term of the query, or widen its time (`time:7d`); without a query every attempt is shown"
        }
    };
    output.found(COLUMNS, &rows, otherwise)?;
    if more && !global.json {
        output.note(&format!("{limit} rows shown; there are more (--limit)"));
    }
    Ok(Exit::Ok)
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
