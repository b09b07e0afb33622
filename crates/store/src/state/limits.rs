//! How the limit of an account is kept: as the list of its domains, or where
//! it has groups as an object of both.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use types::Limit;
use types::policy::DomainPattern;

use super::database::refused;
use super::rows::{json, parse};
use crate::contract::StoreError;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Domains(Vec<DomainPattern>),
    Both { domains: Vec<DomainPattern>, groups: Vec<String> },
}

/// A limit as it is kept; nothing where there is none.
pub(super) fn kept(limit: Option<&Limit>) -> Result<Option<String>, StoreError> {
    let Some(limit) = limit else { return Ok(None) };
    let (domains, groups) = (limit.domains().to_vec(), limit.groups().to_vec());
    let kept = match groups.is_empty() {
        true => Kept::Domains(domains),
        false => Kept::Both { domains, groups },
    };
    json(&kept).map(Some)
}

/// A limit out of what is kept. One that is damaged or empty is no reason to
/// show everything.
pub(super) fn read(text: Option<&str>) -> Result<Option<Limit>, StoreError> {
    let Some(text) = text else { return Ok(None) };
    let (domains, groups) = match parse(text, "limit of an account")? {
        Kept::Domains(domains) => (domains, Vec::new()),
        Kept::Both { domains, groups } => (domains, groups),
    };
    let damaged = |error| StoreError::Damaged(format!("limit of an account: {error}"));
    Limit::new(domains, groups).map(Some).map_err(damaged)
}

/// The account that is limited to a group, if there is one: the first by
/// name.
pub(super) fn whom(connection: &Connection, group: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT name, domains FROM accounts WHERE domains IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let mut rows = statement.query(()).map_err(refused)?;
    while let Some(row) = rows.next().map_err(refused)? {
        let (name, text): (String, String) =
            (row.get(0).map_err(refused)?, row.get(1).map_err(refused)?);
        let limit = read(Some(&text))?;
        if limit.is_some_and(|limit| limit.groups().iter().any(|one| one == group)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
