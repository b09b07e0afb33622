//! `definition …`

use std::path::Path;

use api::client::encoded;
use serde_json::{Value as Json, json};
use types::Definition;

use super::arguments::{DefinitionCommand, Global};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::policies::{changed, noted};
use super::server::{Server, confirm, read_text};

const DEFINITIONS: &[Column] = &[
    ("Name", "/definition/name"),
    ("Type", "/kind"),
    ("Used by", "/used_by"),
    ("Narrative", "/definition/narrative"),
    ("Origin", "/provenance/origin"),
];

/// `definition …`
///
/// # Errors
/// The file is wrong, or the server cannot be asked or refuses.
pub(super) fn definition(global: &Global, command: &DefinitionCommand) -> Result<Exit, Failure> {
    let server = Server::of(global)?;
    let output = Output::new(global.json);
    let path = |name: &str| format!("/definitions/{}", encoded(name));
    match command {
        DefinitionCommand::List => {
            let rows: Vec<Json> = server.get("/definitions")?;
            let otherwise = "there are no definitions; `definition set` makes one";
            output.found(DEFINITIONS, &rows, otherwise)?;
        }
        DefinitionCommand::Show { name } => show(output, &server.get(&path(name))?)?,
        DefinitionCommand::Set { file, change } => {
            let definition = read(file)?;
            confirm(global, &format!("set the definition {:?}", definition.name))?;
            let path = path(&definition.name);
            let body = json!({ "definition": definition, "note": change.note });
            changed(output, &server.put(&path, &body)?)?;
        }
        DefinitionCommand::Remove { name, change } => {
            confirm(global, &format!("remove the definition {name:?}"))?;
            changed(output, &server.delete(&noted(&path(name), change))?)?;
        }
    }
    Ok(Exit::Ok)
}

fn read(file: &Path) -> Result<Definition, Failure> {
    policy::Document::parse_definition(&read_text(file)?).map_err(|error| {
        let text = format!("{}:{}: {}", file.display(), error.line, error.message);
        Failure::new(Exit::Error, text)
    })
}

/// One definition, as TOML that `definition set` reads back.
fn show(output: Output, row: &Json) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(row);
    }
    let failure = |error: &dyn std::fmt::Display| Failure::new(Exit::Error, error.to_string());
    let definition: Definition =
        serde_json::from_value(row.get("definition").cloned().unwrap_or_default())
            .map_err(|error| failure(&error))?;
    let document =
        policy::Document { definitions: vec![definition], ..policy::Document::default() };
    output.text(document.to_text().map_err(|error| failure(&error))?.trim_end())
}
