//! `audit …`

use std::ops::ControlFlow;

use api::client::path_with;
use serde_json::Value as Json;

use super::arguments::{AuditCommand, AuditFilter, Global};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::Server;

const ENTRIES: &[Column] = &[
    ("No", "/number"),
    ("Time", "/at"),
    ("Who", "/who"),
    ("Address", "/address"),
    ("Action", "/action"),
    ("What", "/subject"),
    ("Row", "/row"),
    ("Version", "/version"),
    ("Note", "/note"),
];
/// Entries asked for at once.
const PAGE: usize = 500;

/// `audit …`
///
/// # Errors
/// The server cannot be asked or refuses.
pub(super) fn audit(global: &Global, command: &AuditCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    match command {
        AuditCommand::List { filter, limit } => list(&server, output, filter, *limit),
        AuditCommand::Show { number } => {
            output.object(&server.get::<Json>(&format!("/audit/{number}"))?)?;
            Ok(Exit::Ok)
        }
        AuditCommand::Export { filter, format } => {
            let path = asked("/audit/export", filter, &[("format", Some(format))]);
            let mut printed = Ok(());
            server.pieces(&path, &mut |piece| {
                printed = output.piece(piece);
                if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            printed.map(|()| Exit::Ok)
        }
        AuditCommand::Verify { head } => verify(&server, output, head.as_deref()),
    }
}

fn list(
    server: &Server,
    output: Output,
    filter: &AuditFilter,
    limit: usize,
) -> Result<Exit, Failure> {
    let mut rows: Vec<Json> = Vec::new();
    let mut before: Option<String> = None;
    while rows.len() < limit {
        let wanted = (limit - rows.len()).min(PAGE).to_string();
        let more = [("limit", Some(wanted.as_str())), ("before", before.as_deref())];
        let mut page: Json = server.get(&asked("/audit", filter, &more))?;
        let Some(found) = page.get_mut("rows").and_then(Json::as_array_mut) else { break };
        rows.append(found);
        match page.get("before").and_then(Json::as_u64) {
            Some(number) => before = Some(number.to_string()),
            None => break,
        }
    }
    output.found(ENTRIES, &rows, "nothing in the audit log matches")?;
    Ok(Exit::Ok)
}

fn verify(server: &Server, output: Output, head: Option<&str>) -> Result<Exit, Failure> {
    let path = match head.map(|head| head.split_once(':')) {
        None => "/audit/verify".to_owned(),
        Some(Some((number, hash))) if number.parse::<u64>().is_ok() => {
            path_with("/audit/verify", &[("number", Some(number)), ("hash", Some(hash))])
        }
        Some(_) => {
            let text = "--head is written NUMBER:HASH, as `audit verify` prints it";
            return Err(Failure::new(Exit::Usage, text));
        }
    };
    let found: Json = server.get(&path)?;
    let broken = found.get("broken").and_then(Json::as_str);
    if output.is_json() {
        output.object(&found)?;
    } else {
        let number = found.get("number").and_then(Json::as_u64).unwrap_or(0);
        let hash = found.get("hash").and_then(Json::as_str).unwrap_or_default();
        output.text(&format!("{number}:{hash}"))?;
        match broken {
            None => {
                output.note("the audit log is whole; keep this line elsewhere to prove it later")
            }
            Some(_) => output.note("whole up to here"),
        }
    }
    match broken {
        None => Ok(Exit::Ok),
        Some(why) => Err(Failure::new(Exit::Error, why)),
    }
}

/// The filter as the query of an address, with what else is to be said.
fn asked<'a>(path: &str, filter: &'a AuditFilter, more: &[(&'a str, Option<&'a str>)]) -> String {
    let given = |text: &'a str| Some(text).filter(|text| !text.is_empty());
    let mut pairs = vec![
        ("q", given(&filter.text)),
        ("action", given(&filter.action)),
        ("who", given(&filter.by)),
        ("row", filter.row.as_deref()),
        ("from", given(&filter.from)),
        ("to", given(&filter.to)),
    ];
    pairs.extend_from_slice(more);
    path_with(path, &pairs)
}
