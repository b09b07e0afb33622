//! `expect …`: for a quarter of an hour, proven senders to one address are
//! not greylisted.

use center::Expectation;
use clap::Subcommand;
use serde_json::{Value as Json, json};
use types::{EmailAddress, Reference};

use super::arguments::Global;
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::policies::typed;
use super::server::{Server, confirm};

/// `expect …`
#[derive(Debug, Subcommand)]
pub enum ExpectCommand {
    /// Let senders whom SPF proves past greylisting for 15 minutes, if they
    /// write to this address.
    Begin {
        /// Who expects a mail.
        recipient: String,
        /// What is expected.
        #[arg(long, default_value = "")]
        note: String,
        /// The reference of the attempt that shows why.
        #[arg(long, value_name = "REFERENCE")]
        row: Option<String>,
    },
    /// List who expects a mail and what is left of it.
    List,
    /// End it before its time.
    End {
        /// The address, or the number from the list.
        which: String,
    },
}

const ROWS: &[Column] = &[
    ("Number", "/id"),
    ("Recipient", "/recipient"),
    ("Left", "/left"),
    ("What", "/narrative"),
    ("By", "/by"),
    ("Until", "/until"),
    ("Let past", "/hits"),
];

/// `expect …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn expect(global: &Global, command: &ExpectCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    match command {
        ExpectCommand::Begin { recipient, note, row } => {
            let row = row.as_deref().map(|row| typed::<Reference>("--row", row)).transpose()?;
            let recipient: EmailAddress = typed("recipient", recipient)?;
            confirm(global, &format!("expect a mail for {recipient}"))?;
            let body = json!({ "recipient": recipient, "note": note, "row": row });
            let begun = server.post("/expecting", &body)?;
            match output.is_json() {
                true => output.object(&begun)?,
                false => output.text(&format!(
                    "Proven senders to {} are not greylisted: {}. End it with: portcullis expect end {}",
                    field(&begun, "recipient"),
                    field(&begun, "left"),
                    field(&begun, "recipient"),
                ))?,
            }
        }
        ExpectCommand::List => {
            let rows: Vec<Json> = server.get("/expecting")?;
            output.found(ROWS, &rows, "nobody expects a mail")?;
        }
        ExpectCommand::End { which } => {
            let number = number(&server, which)?;
            confirm(global, &format!("end that {which} expects a mail"))?;
            server.delete(&format!("/expecting/{number}"))?;
            output.note(&format!("{which} expects a mail no longer"));
        }
    }
    Ok(Exit::Ok)
}

/// The number of what is meant: of an address, the one that runs.
fn number(server: &Server, which: &str) -> Result<u64, Failure> {
    if let Ok(number) = which.trim_start_matches('#').parse() {
        return Ok(number);
    }
    let rows: Vec<Expectation> = server.get("/expecting")?;
    let mut running = rows.iter().filter(|row| row.left_s.is_some());
    let found = running.find(|row| row.recipient.eq_ignore_ascii_case(which));
    let missing = || Failure::new(Exit::NotFound, format!("{which} expects no mail"));
    found.map(|row| row.id.0).ok_or_else(missing)
}

fn field<'a>(answer: &'a Json, name: &str) -> &'a str {
    answer.get(name).and_then(Json::as_str).unwrap_or_default()
}
