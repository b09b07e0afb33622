//! `senders auto …`: to whom people wrote, and who may therefore answer.

use api::client::path_with;
use center::AutoAllowImported;
use serde_json::{Value as Json, json};
use types::EmailAddress;

use super::arguments::{AutoAllowCommand, Global};
use super::exit::{Exit, Failure};
use super::importing;
use super::output::{Column, Output};
use super::policies::typed;
use super::server::{Server, confirm, read_text};

const PAIRS: &[Column] = &[
    ("May answer", "/sender"),
    ("Wrote to them", "/recipient"),
    ("Last", "/wrote"),
    ("Until", "/until"),
];

/// `senders auto …`
///
/// # Errors
/// The server cannot be asked, or refuses; a file cannot be read.
pub(super) fn auto_allow(global: &Global, command: &AutoAllowCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    let given = |text: &'_ str| !text.is_empty();
    match command {
        AutoAllowCommand::List { text, limit } => {
            let limit = limit.to_string();
            let text = Some(text.as_str()).filter(|text| given(text));
            let parameters = [("text", text), ("limit", Some(limit.as_str()))];
            let rows: Vec<Json> = server.get(&path_with("/senders/auto", &parameters))?;
            let otherwise = match text {
                None => "nobody has written to anybody yet",
                Some(_) => "no pair has this text in an address; without a text all are listed",
            };
            output.found(PAIRS, &rows, otherwise)?;
        }
        AutoAllowCommand::Purge { text, sender, recipient } => {
            let address = |what, text: &Option<String>| {
                text.as_deref().map(|text| typed::<EmailAddress>(what, text)).transpose()
            };
            let sender = address("--sender", sender)?;
            let recipient = address("--recipient", recipient)?;
            confirm(global, "forget who may answer")?;
            let parameters = [
                ("text", Some(text.as_str()).filter(|text| given(text))),
                ("sender", sender.as_ref().map(EmailAddress::as_str)),
                ("recipient", recipient.as_ref().map(EmailAddress::as_str)),
            ];
            output.object(&server.delete(&path_with("/senders/auto", &parameters))?)?;
        }
        AutoAllowCommand::Import { file, dry_run, partial } => {
            let text = read_text(file)?;
            if !*dry_run {
                confirm(global, "take over the list")?;
            }
            let is = |yes: bool| Some(if yes { "true" } else { "false" });
            let parameters = [("dry_run", is(*dry_run)), ("partial", is(*partial))];
            let path = path_with("/senders/auto/import", &parameters);
            let told: AutoAllowImported = serde_json::from_value(server.post_text(&path, text)?)
                .map_err(|error| Failure::new(Exit::Error, error.to_string()))?;
            match output.is_json() {
                true => output.object(&json!(told))?,
                false => output.text(&report(&told))?,
            }
        }
        AutoAllowCommand::Export { text } => {
            let text = Some(text.as_str()).filter(|text| given(text));
            output
                .document(&server.text(&path_with("/senders/auto/export", &[("text", text)]))?)?;
        }
    }
    Ok(Exit::Ok)
}

/// Every bad line, and the sums.
fn report(told: &AutoAllowImported) -> String {
    let AutoAllowImported { new, renewed, unchanged, left_out, problems, dry_run } = told;
    let room = match left_out {
        0 => String::new(),
        count => format!(", no room for {count}"),
    };
    importing::bad_lines(problems)
        + &format!(
            "{new} pairs {}, {renewed} renewed, {unchanged} without a change, {} bad lines{room}{}",
            if *dry_run { "would be new" } else { "are new" },
            problems.len(),
            if *dry_run { "; nothing is changed" } else { "" },
        )
}
