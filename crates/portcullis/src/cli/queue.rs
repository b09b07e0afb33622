//! `queue …` and `greylist …`: what waits, and what people can do about it.

use api::client::{encoded, path_with};
use center::{GreylistPair, GreylistRow, GreylistShown};
use serde_json::{Value as Json, json};

use super::arguments::{Global, GreylistCommand, QueueCommand, Which};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::{Server, confirm};

const QUEUE: &[Column] = &[
    ("Id", "/id"),
    ("Arrived", "/arrived"),
    ("Size", "/size_octets"),
    ("From", "/from"),
    ("To", "/to"),
    ("State", "/state"),
    ("Tries", "/attempts"),
    ("Next try", "/due"),
    ("Why", "/why"),
];

const TRIPLETS: &[Column] = &[
    ("Client", "/client"),
    ("Known by", "/identity"),
    ("From", "/from"),
    ("To", "/to"),
    ("State", "/state"),
    ("First seen", "/first_seen"),
    ("Last used", "/last_used"),
    ("Attempts", "/attempts"),
];

const DELAYS: &[Column] = &[
    ("Sender domain", "/domain"),
    ("Came back", "/returned"),
    ("Never did", "/never"),
    ("p50", "/p50"),
    ("p95", "/p95"),
    ("Suggestion", "/suggestion/text"),
];

/// Most messages the server lists at once.
const PAGE_ROWS: usize = 500;

/// `queue …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn queue(global: &Global, command: &QueueCommand) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    match command {
        QueueCommand::List { limit } => {
            let messages = messages(&server, *limit)?;
            match global.json {
                true => output.list(&[], &messages)?,
                false => output.found(QUEUE, &recipients(&messages), "the queue is empty")?,
            }
        }
        QueueCommand::Show { id } => {
            let message: Json = server.get(&format!("/queue/{}", encoded(&whole(&server, id)?)))?;
            output.object(&message)?;
        }
        QueueCommand::Hold(which) => act(global, &server, "hold", which)?,
        QueueCommand::Release(which) => act(global, &server, "release", which)?,
        QueueCommand::Retry(which) => act(global, &server, "retry", which)?,
        QueueCommand::Delete(which) => act(global, &server, DELETE, which)?,
        QueueCommand::Shape => shape(output, &server.get("/queue/shape")?)?,
    }
    Ok(Exit::Ok)
}

/// Messages in order of arrival, at most `limit`.
fn messages(server: &Server, limit: usize) -> Result<Vec<Json>, Failure> {
    let mut messages: Vec<Json> = Vec::new();
    loop {
        let wanted = limit.saturating_sub(messages.len()).min(PAGE_ROWS);
        if wanted == 0 {
            return Ok(messages);
        }
        let after = messages.last().and_then(|row| row.get("id")?.as_str()).map(str::to_owned);
        let wanted_text = wanted.to_string();
        let parameters = [("after", after.as_deref()), ("limit", Some(wanted_text.as_str()))];
        let page: Vec<Json> = server.get(&path_with("/queue", &parameters))?;
        let last = page.is_empty();
        messages.extend(page);
        if last {
            return Ok(messages);
        }
    }
}

/// One row per recipient, with what its message has.
fn recipients(messages: &[Json]) -> Vec<Json> {
    let mut rows = Vec::new();
    for message in messages {
        let Some(entries) = message.get("recipients").and_then(Json::as_array) else { continue };
        for entry in entries {
            let (Json::Object(mut row), Json::Object(entry)) = (message.clone(), entry.clone())
            else {
                continue;
            };
            row.extend(entry);
            rows.push(Json::Object(row));
        }
    }
    rows
}

/// The whole id of a message from its id, from the reference it ends with, or
/// from that of one of its recipients' attempts, which replies quote.
fn whole(server: &Server, name: &str) -> Result<String, Failure> {
    if name.parse::<types::QueueId>().is_ok() {
        return Ok(name.to_owned());
    }
    let unknown = || Failure::new(Exit::NotFound, format!("there is no queued message {name}"));
    let reference: types::Reference = name.parse().map_err(|_| unknown())?;
    let messages = messages(server, usize::MAX)?;
    let found = messages.iter().find(|message| is_called(message, reference));
    found.and_then(|row| Some(row.get("id")?.as_str()?.to_owned())).ok_or_else(unknown)
}

/// Whether people may call a message by this reference.
fn is_called(message: &Json, reference: types::Reference) -> bool {
    let ends = |id: Option<&Json>| {
        let id = id.and_then(Json::as_str).and_then(|id| id.parse::<types::EventId>().ok());
        id.is_some_and(|id| id.reference() == reference)
    };
    let recipients = message.get("recipients").and_then(Json::as_array);
    ends(message.get("id"))
        || recipients.is_some_and(|all| all.iter().any(|one| ends(one.get("event"))))
}

fn act(global: &Global, server: &Server, action: &str, which: &Which) -> Result<(), Failure> {
    if action == DELETE && which.note.trim().is_empty() {
        let text = "say why with --note: nobody can look at what is deleted";
        return Err(Failure::new(Exit::Usage, text));
    }
    let ids: Vec<String> = match which.all {
        true => messages(server, usize::MAX)?
            .iter()
            .filter_map(|row| Some(row.get("id")?.as_str()?.to_owned()))
            .collect(),
        false => which.ids.iter().map(|id| whole(server, id)).collect::<Result<_, _>>()?,
    };
    confirm(global, &format!("{action} {} messages", ids.len()))?;
    let order = json!({ "action": action, "ids": ids, "note": which.note });
    let done = server.post("/queue/actions", &order)?;
    let output = Output::new(global.json);
    match output.is_json() {
        true => output.object(&done)?,
        false => output.text(&told(action, &done))?,
    }
    let several = |name: &str| done.get(name).and_then(Json::as_array).map_or(0, Vec::len);
    match done.get("recipients").and_then(Json::as_u64) {
        _ if several("missing") > 0 => {
            Err(Failure::new(Exit::NotFound, "some messages are not in the queue any more"))
        }
        Some(0) if several("unchanged") > 0 => {
            Err(Failure::new(Exit::Refused, "nothing was changed"))
        }
        _ => Ok(()),
    }
}

/// What needs a reason.
const DELETE: &str = "delete";

/// What a command did, in words.
fn told(action: &str, done: &Json) -> String {
    let count = |name: &str| done.get(name).and_then(Json::as_u64).unwrap_or(0);
    let (messages, recipients) = (count("messages"), count("recipients"));
    let did = match action {
        "hold" => "held back until released",
        "release" => "released; the next hop is tried now",
        "retry" => "due now; the next hop is tried at once, whether or not it failed before",
        _ => "given up without telling the sender",
    };
    let mut text = match recipients {
        0 => "no message was changed".to_owned(),
        _ => format!(
            "{did}: {} for {}",
            counted(messages, "message"),
            counted(recipients, "recipient")
        ),
    };
    for one in done.get("unchanged").and_then(Json::as_array).into_iter().flatten() {
        let field = |name: &str| one.get(name).and_then(Json::as_str).unwrap_or_default();
        text += &format!("\n{} for {}: {}", field("id"), field("to"), field("why"));
    }
    for id in done.get("missing").and_then(Json::as_array).into_iter().flatten() {
        text += &format!("\n{}: not in the queue", id.as_str().unwrap_or_default());
    }
    text
}

/// `1 message`, `2 messages`.
fn counted(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// A table of domains by age.
fn shape(output: Output, shape: &Json) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(shape);
    }
    let ages = shape.get("ages_min").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut heading = vec!["domain".to_owned(), "total".to_owned()];
    heading.extend(ages.iter().map(|age| format!("<{age}m")));
    heading.push("older".to_owned());
    let rows = shape.get("rows").and_then(Json::as_array).cloned().unwrap_or_default();
    let cells = rows.iter().map(|row| {
        let mut cells = vec![row.get("domain").cloned(), row.get("total").cloned()];
        let counts = row.get("counts").and_then(Json::as_array).cloned().unwrap_or_default();
        cells.extend(counts.into_iter().map(Some));
        cells.into_iter().map(Option::unwrap_or_default).collect()
    });
    output.table(&heading, &cells.collect::<Vec<Vec<Json>>>())
}

/// What is known of a pair, in lines.
fn pair_words(pair: &GreylistPair) -> String {
    let mut lines = vec![format!("{} to {}", pair.from, pair.to)];
    if !pair.text.is_empty() {
        lines.push(pair.text.clone());
    }
    for GreylistShown { row, known_by, reference, returns, passes, .. } in &pair.triplets {
        let GreylistRow { client, state, first_seen, last_used, attempts, .. } = row;
        lines.push(format!("\n{client}, {known_by}: {state}"));
        lines.push(format!("  first seen {first_seen} ({reference}), last {last_used}"));
        lines.push(format!("  {attempts} attempts in this window"));
        lines.extend(returns.iter().map(|told| format!("  expected: {}", told.text)));
        lines.extend(passes.iter().map(|way| format!("  lets it in: {way}")));
    }
    lines.join("\n")
}

/// `greylist …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn greylist(global: &Global, command: &GreylistCommand) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    match command {
        GreylistCommand::List { text, limit } => {
            let limit = limit.to_string();
            let parameters = [("text", Some(text.as_str())), ("limit", Some(limit.as_str()))];
            let rows: Vec<Json> = server.get(&path_with("/greylist", &parameters))?;
            let otherwise = match text.is_empty() {
                true => "the greylist is empty",
                false => {
                    "no triplet has this text in client, sender or recipient; without a text all are listed"
                }
            };
            output.found(TRIPLETS, &rows, otherwise)?;
        }
        GreylistCommand::Show { sender, recipient, client } => {
            let asked = [
                ("from", Some(sender.as_str())),
                ("to", Some(recipient.as_str())),
                ("client", client.as_deref()),
            ];
            let pair: GreylistPair = server.get(&path_with("/greylist/pair", &asked))?;
            match output.is_json() {
                true => output.object(&json!(pair))?,
                false => output.text(&pair_words(&pair))?,
            }
        }
        GreylistCommand::Pass { text } => {
            confirm(global, &format!("let the triplets that contain {text:?} pass"))?;
            output.object(&server.post("/greylist/pass", &json!({ "text": text }))?)?;
        }
        GreylistCommand::LetIn { reference } => {
            return super::letting::let_in(global, reference);
        }
        GreylistCommand::Delays { days, limit } => {
            let (days, limit) = (days.to_string(), limit.to_string());
            let parameters = [("days", Some(days.as_str())), ("limit", Some(limit.as_str()))];
            let report: Json = server.get(&path_with("/greylist/delays", &parameters))?;
            let rows = report.get("rows").and_then(Json::as_array).cloned().unwrap_or_default();
            output.found(DELAYS, &rows, "nothing was counted yet, or nobody had to come back")?;
        }
        GreylistCommand::Forget { text } => {
            confirm(global, &format!("forget the triplets that contain {text:?}"))?;
            output.object(&server.post("/greylist/forget", &json!({ "text": text }))?)?;
        }
    }
    Ok(Exit::Ok)
}
