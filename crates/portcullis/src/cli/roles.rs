//! `role …`

use api::client::encoded;
use serde_json::{Value as Json, json};

use super::accounts::{permissions_of, role_of};
use super::arguments::{Global, RoleCommand};
use super::exit::{Exit, Failure};
use super::output::{Column, Output};
use super::server::{Server, confirm};

const ROLES: &[Column] = &[
    ("Name", "/name"),
    ("For", "/note"),
    ("Allows", "/permissions"),
    ("Accounts", "/accounts"),
    ("Changed by", "/changed_by"),
];

/// `role …`
///
/// # Errors
/// The server cannot be asked or refuses.
pub(super) fn role(global: &Global, command: &RoleCommand) -> Result<Exit, Failure> {
    let (server, output) = (Server::of(global)?, Output::new(global.json));
    let at = |name: &str| role_of(name).map(|name| format!("/roles/{}", encoded(name.as_str())));
    match command {
        RoleCommand::List => {
            let rows: Vec<Json> = server.get("/roles")?;
            output.found(ROLES, &rows, "there are no roles")?;
        }
        RoleCommand::Set { name, permissions, note } => {
            let (place, wanted) = (at(name)?, permissions_of(permissions)?);
            confirm(global, &format!("let the role {name:?} allow this and nothing else"))?;
            let done = server.put(&place, &json!({ "permissions": wanted, "note": note }))?;
            output.object(&done)?;
        }
        RoleCommand::Switch { name, permission, state } => {
            let place = at(name)?;
            let switched = permissions_of(std::slice::from_ref(permission))?;
            let rows: Vec<Json> = server.get("/roles")?;
            let found = rows.iter().find(|row| row["name"] == *name);
            let Some(row) = found else {
                return Err(Failure::new(Exit::NotFound, format!("there is no role {name:?}")));
            };
            let switched: Vec<Json> = switched.iter().map(|one| json!(one)).collect();
            let mut allowed = row["permissions"].as_array().cloned().unwrap_or_default();
            allowed.retain(|one| !switched.contains(one));
            if state == "on" {
                allowed.extend(switched);
            }
            let note = if row["built_in"] == true { json!("") } else { row["note"].clone() };
            confirm(global, &format!("switch {permission} of the role {name:?} {state}"))?;
            let done = server.put(&place, &json!({ "permissions": allowed, "note": note }))?;
            output.object(&done)?;
        }
        RoleCommand::Remove { name } => {
            let place = at(name)?;
            confirm(global, &format!("remove the role {name:?}"))?;
            let done = server.delete(&place)?;
            output.object(&done)?;
        }
    }
    Ok(Exit::Ok)
}
