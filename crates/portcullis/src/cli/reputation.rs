//! `reputation …`: what was learned of clients.

use api::client::path_with;
use serde_json::Value as Json;

use super::arguments::{Global, ReputationCommand};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::{Server, confirm};

const CLIENTS: &[Column] = &[("Client", "/ip"), ("Score", "/score"), ("Counted", "/text")];

/// `reputation …`
///
/// # Errors
/// The server cannot be asked, or refuses.
pub(super) fn reputation(global: &Global, command: &ReputationCommand) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    match command {
        ReputationCommand::List { limit } => {
            let limit = limit.to_string();
            let path = path_with("/reputation", &[("limit", Some(limit.as_str()))]);
            let rows: Vec<Json> = server.get(&path)?;
            output.found(CLIENTS, &rows, "nothing speaks against any client")?;
        }
        ReputationCommand::Show { ip } => {
            output.list(CLIENTS, &[server.get::<Json>(&format!("/reputation/{ip}"))?])?;
        }
        ReputationCommand::Reset { ip } => {
            confirm(global, &format!("forget what {ip} did"))?;
            output.object(&server.delete(&format!("/reputation/{ip}"))?)?;
        }
    }
    Ok(Exit::Ok)
}
