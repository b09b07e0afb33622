//! `views …`: saved views and their alerts.

use center::alerts::{AlertWhen, NewAlert};
use center::{NewView, SearchRequest, View};
use clap::Subcommand;
use serde_json::{Value as Json, json};
use types::EmailAddress;

use super::arguments::Global;
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::policies::typed;
use super::server::{Server, confirm};

/// `views …`
#[derive(Debug, Subcommand)]
pub enum ViewsCommand {
    /// List saved views with their alerts: your own, and those that are shared.
    List,
    /// Save a query under a name, in place of the view that has it.
    Save {
        /// The name.
        name: String,
        /// The query, in the search language.
        #[arg(default_value = "")]
        query: String,
        /// The built-in list it narrows down.
        #[arg(long, default_value = "all", value_name = "LIST")]
        list: String,
        /// Whether everybody may use it.
        #[arg(long)]
        shared: bool,
    },
    /// Remove a saved view with its alert.
    Remove {
        /// Its number.
        number: u64,
    },
    /// Set the alert of a saved view, in place of the one it has.
    Alert(AlertArguments),
    /// Send a test to all whom an alert tells.
    AlertTest {
        /// The number of the view.
        number: u64,
    },
    /// Remove the alert of a saved view.
    AlertRemove {
        /// The number of the view.
        number: u64,
    },
}

/// `views alert …`
#[derive(Debug, clap::Args)]
pub struct AlertArguments {
    /// The number of the view.
    number: u64,
    /// Fire when more than so many come within `--minutes`.
    #[arg(long, value_name = "COUNT", conflicts_with = "first")]
    more_than: Option<u32>,
    /// The minutes they are counted in.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// Fire when one comes and none came in the quiet time before.
    #[arg(long, required_unless_present = "more_than")]
    first: bool,
    /// For so many minutes after it fired it is quiet.
    #[arg(long, default_value_t = 60, value_name = "MINUTES")]
    quiet: u32,
    /// Write to this address of one of our domains; may be given again.
    #[arg(long, value_name = "ADDRESS")]
    mail: Vec<String>,
    /// Post to this https:// address.
    #[arg(long, value_name = "ADDRESS")]
    webhook: Option<String>,
    /// Make a new secret for the webhook.
    #[arg(long)]
    new_secret: bool,
}

const ROWS: &[Column] = &[
    ("Number", "/id"),
    ("Name", "/name"),
    ("List", "/request/view"),
    ("Query", "/request/query"),
    ("Owner", "/owner"),
    ("Alert", "/alert/condition"),
    ("Last fired", "/alert/fired"),
    ("Not told", "/alert/failure/why"),
    ("Stopped", "/alert/stopped"),
];

/// `views …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn views(global: &Global, command: &ViewsCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    match command {
        ViewsCommand::List => {
            let rows: Vec<Json> = server.get("/saved-views")?;
            output.found(ROWS, &rows, "no view is saved")?;
        }
        ViewsCommand::Save { name, query, list, shared } => {
            let view: View = typed("--list", list)?;
            let request = SearchRequest { query: query.clone(), view, ..SearchRequest::default() };
            let new = NewView { name: name.clone(), shared: *shared, request };
            confirm(global, &format!("save the view {name}"))?;
            let saved = server.post("/saved-views", &new)?;
            let number = saved.get("id").and_then(Json::as_u64).unwrap_or_default();
            told(&output, &saved, &format!("saved as number {number}"))?;
        }
        ViewsCommand::Remove { number } => {
            confirm(global, &format!("remove view {number} with its alert"))?;
            server.delete(&format!("/saved-views/{number}"))?;
            output.note(&format!("view {number} is removed"));
        }
        ViewsCommand::Alert(arguments) => {
            let number = arguments.number;
            let alert = alert(arguments)?;
            confirm(global, &format!("set the alert of view {number}"))?;
            let set = server.put(&format!("/saved-views/{number}/alert"), &alert)?;
            let secret = set
                .get("secret")
                .and_then(Json::as_str)
                .map(|secret| format!("\nThe secret of the webhook, shown this once: {secret}"));
            let text = format!("view {number} fires at {}", alert.when.spoken());
            told(&output, &set, &format!("{text}{}", secret.unwrap_or_default()))?;
        }
        ViewsCommand::AlertTest { number } => {
            confirm(global, &format!("send a test of the alert of view {number}"))?;
            let alert = server.post(&format!("/saved-views/{number}/alert/test"), &json!({}))?;
            told(&output, &alert, "a test is on its way; `views list` says what came of it")?;
        }
        ViewsCommand::AlertRemove { number } => {
            confirm(global, &format!("remove the alert of view {number}"))?;
            server.delete(&format!("/saved-views/{number}/alert"))?;
            output.note(&format!("view {number} has no alert any more"));
        }
    }
    Ok(Exit::Ok)
}

fn alert(arguments: &AlertArguments) -> Result<NewAlert, Failure> {
    let AlertArguments { more_than, minutes, quiet, mail, webhook, new_secret, .. } = arguments;
    let address = |text: &String| typed::<EmailAddress>("--mail", text);
    Ok(NewAlert {
        when: match *more_than {
            Some(count) => AlertWhen::MoreThan { count, minutes: *minutes },
            None => AlertWhen::First,
        },
        quiet_minutes: *quiet,
        mail: mail.iter().map(address).collect::<Result<_, _>>()?,
        webhook: webhook.clone(),
        new_secret: *new_secret,
    })
}

fn told(output: &Output, answer: &Json, text: &str) -> Result<(), Failure> {
    match output.is_json() {
        true => output.object(answer),
        false => output.text(text),
    }
}
