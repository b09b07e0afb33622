//! `submitters …`: devices and programs that send mail with a name and
//! password.

use api::client::encoded;
use center::{ReadyCheck, Status};
use serde_json::{Map, Value as Json, json};

use super::accounts::read_password;
use super::arguments::{Global, SubmittersCommand};
use super::exit::{Exit, Failure};
use super::output::{Column, Output, complain};
use super::server::{Server, confirm};
use crate::serve::SUBMITTERS_CHECK;

const SUBMITTERS: &[Column] = &[
    ("Name", "/name"),
    ("Sends as", "/senders"),
    ("From", "/networks"),
    ("Disabled", "/disabled"),
    ("Note", "/note"),
    ("Last use", "/last_used"),
    ("By", "/last_address"),
    ("Made by", "/created_by"),
];

/// `submitters …`
///
/// # Errors
/// The server cannot be asked or refuses.
pub(super) fn submitters(global: &Global, command: &SubmittersCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    let at = |name: &str, part: &str| format!("/submitters/{}{part}", encoded(name));
    match command {
        SubmittersCommand::List => {
            let rows: Vec<Json> = server.get("/submitters")?;
            output.found(
                SUBMITTERS,
                &rows,
                "there are no submitters; `submitters add` makes one",
            )?;
            note_lonely(&server, output);
        }
        SubmittersCommand::Add { name, senders, networks, note, own_password } => {
            let password = chosen(*own_password)?;
            confirm(global, &format!("let {name:?} send mail as {}", senders.join(", ")))?;
            let body = json!({
                "name": name, "senders": senders, "networks": networks, "note": note,
                "password": password,
            });
            told(output, &server.post("/submitters", &body)?)?;
            note_lonely(&server, output);
        }
        SubmittersCommand::Change { name, senders, networks, anywhere, note } => {
            let mut edit = Map::new();
            if !senders.is_empty() {
                edit.insert("senders".to_owned(), json!(senders));
            }
            if *anywhere || !networks.is_empty() {
                edit.insert("networks".to_owned(), json!(networks));
            }
            if let Some(note) = note {
                edit.insert("note".to_owned(), json!(note));
            }
            if edit.is_empty() {
                let text = "nothing is to be changed: give --sender, --from, --anywhere or --note";
                return Err(Failure::new(Exit::Usage, text));
            }
            confirm(global, &format!("change the submitter {name:?}"))?;
            output.object(&server.put(&at(name, ""), &Json::Object(edit))?)?;
        }
        SubmittersCommand::Password { name, own_password } => {
            let password = chosen(*own_password)?;
            confirm(global, &format!("give {name:?} a new password; the old one works no more"))?;
            let body = json!({ "password": password });
            told(output, &server.put(&at(name, "/password"), &body)?)?;
        }
        SubmittersCommand::Disable { name } => {
            confirm(global, &format!("take nothing from {name:?} any more"))?;
            output.object(&server.put(&at(name, ""), &json!({ "disabled": true }))?)?;
        }
        SubmittersCommand::Enable { name } => {
            confirm(global, &format!("take mail from {name:?} again"))?;
            output.object(&server.put(&at(name, ""), &json!({ "disabled": false }))?)?;
        }
        SubmittersCommand::Remove { name } => {
            confirm(global, &format!("remove the submitter {name:?}"))?;
            output.object(&server.delete(&at(name, ""))?)?;
        }
    }
    Ok(Exit::Ok)
}

/// Says where submitters and listeners do not find each other. Whoever may
/// not see the status is not told.
fn note_lonely(server: &Server, output: Output) {
    let Ok(Status { checks, .. }) = server.get("/status") else { return };
    let is_wrong = |check: &&ReadyCheck| check.name == SUBMITTERS_CHECK && !check.ok;
    if let Some(check) = checks.iter().find(is_wrong).filter(|_| !output.is_json()) {
        complain(&check.text);
    }
}

/// A password of one's own, or nothing for one that is made.
fn chosen(own: bool) -> Result<Option<String>, Failure> {
    own.then(read_password).transpose()
}

/// Prints the password that was made, if one was.
fn told(output: Output, made: &Json) -> Result<(), Failure> {
    match made.get("password").and_then(Json::as_str).filter(|_| !output.is_json()) {
        Some(password) => {
            output.note("this is its password, shown once:");
            output.text(password)
        }
        None => output.object(made),
    }
}
