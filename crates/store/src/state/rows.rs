//! Objects as rows: the body as JSON, and beside it what is searched or sorted by.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use types::lists::ManagedSender;
use types::{Policy, PolicyId, Timestamp};

use super::database::refused;
use super::objects::{
    Hits, Object, ObjectKey, Origin, Provenance, StoredDefinition, StoredGroup, StoredPolicy,
    StoredSender,
};
use crate::contract::StoreError;

/// The columns that every kind of object has, in this order.
pub(super) const KEPT: &str = "body, version, origin, created, created_by, changed, changed_by";

/// A number as SQLite stores it.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

/// A stored text that should be JSON of `T`.
pub(super) fn parse<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
}

/// JSON of what has no reason not to be written as such.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Database(error.to_string()))
}

/// An origin as it is stored.
pub(super) fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::People => "people",
        Origin::File => "file",
        Origin::Directory => "directory",
        Origin::Gone => "gone",
    }
}

fn origin_of(word: &str) -> Origin {
    let managed = [Origin::File, Origin::Directory, Origin::Gone];
    managed.into_iter().find(|origin| origin_word(*origin) == word).unwrap_or_default()
}

/// Body and provenance out of the columns [`KEPT`].
fn kept(row: &Row<'_>) -> rusqlite::Result<(String, Provenance)> {
    let origin: String = row.get(2)?;
    let provenance = Provenance {
        version: unsigned(row, 1)?,
        origin: origin_of(&origin),
        created: Timestamp::from_millis(row.get(3)?),
        created_by: row.get(4)?,
        changed: Timestamp::from_millis(row.get(5)?),
        changed_by: row.get(6)?,
    };
    Ok((row.get(0)?, provenance))
}

/// Hits out of the two columns after [`KEPT`].
fn hits(row: &Row<'_>) -> rusqlite::Result<Hits> {
    let last: Option<i64> = row.get(8)?;
    Ok(Hits { count: unsigned(row, 7)?, last: last.map(Timestamp::from_millis) })
}

/// A policy out of [`KEPT`] and the hits.
pub(super) fn policy(row: &Row<'_>) -> Result<StoredPolicy, StoreError> {
    let (body, provenance) = kept(row).map_err(refused)?;
    let policy = parse(&body, "stored policy")?;
    Ok(StoredPolicy { policy, provenance, hits: hits(row).map_err(refused)? })
}

/// A managed sender out of [`KEPT`] and the hits.
pub(super) fn sender(row: &Row<'_>) -> Result<StoredSender, StoreError> {
    let (body, provenance) = kept(row).map_err(refused)?;
    let sender = parse(&body, "stored managed sender")?;
    Ok(StoredSender { sender, provenance, hits: hits(row).map_err(refused)? })
}

/// A group out of [`KEPT`].
pub(super) fn group(row: &Row<'_>) -> Result<StoredGroup, StoreError> {
    let (body, provenance) = kept(row).map_err(refused)?;
    Ok(StoredGroup { group: parse(&body, "stored group")?, provenance })
}

/// A definition out of [`KEPT`].
pub(super) fn definition(row: &Row<'_>) -> Result<StoredDefinition, StoreError> {
    let (body, provenance) = kept(row).map_err(refused)?;
    Ok(StoredDefinition { definition: parse(&body, "stored definition")?, provenance })
}

/// What is stored under `key`.
pub(super) fn stored(
    connection: &Connection,
    key: &ObjectKey,
) -> Result<Option<(Object, Provenance)>, StoreError> {
    let (table, column) = place(key);
    let sql = format!("SELECT {KEPT} FROM {table} WHERE {column} = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
    let found = match key {
        ObjectKey::Group(name) | ObjectKey::Definition(name) => {
            statement.query_row(params![name], kept)
        }
        ObjectKey::Policy(id) | ObjectKey::Sender(id) => {
            statement.query_row(params![number(id.0)], kept)
        }
    };
    let Some((body, provenance)) = found.optional().map_err(refused)? else { return Ok(None) };
    let what = key.to_string();
    let object = match key {
        ObjectKey::Policy(_) => Object::Policy(parse(&body, &what)?),
        ObjectKey::Group(_) => Object::Group(parse(&body, &what)?),
        ObjectKey::Definition(_) => Object::Definition(parse(&body, &what)?),
        ObjectKey::Sender(_) => Object::Sender(parse(&body, &what)?),
    };
    Ok(Some((object, provenance)))
}

fn place(key: &ObjectKey) -> (&'static str, &'static str) {
    match key {
        ObjectKey::Policy(_) => ("policies", "id"),
        ObjectKey::Group(_) => ("groups", "name"),
        ObjectKey::Definition(_) => ("definitions", "name"),
        ObjectKey::Sender(_) => ("senders", "id"),
    }
}

/// Removes the row of `key`.
pub(super) fn remove(connection: &Connection, key: &ObjectKey) -> Result<(), StoreError> {
    let (table, column) = place(key);
    let sql = format!("DELETE FROM {table} WHERE {column} = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
    let removed = match key {
        ObjectKey::Group(name) | ObjectKey::Definition(name) => statement.execute(params![name]),
        ObjectKey::Policy(id) | ObjectKey::Sender(id) => statement.execute(params![number(id.0)]),
    };
    removed.map(drop).map_err(refused)
}

/// Writes the row of `object` under `key`; hits of a row that is there stay.
pub(super) fn put(
    connection: &Connection,
    key: &ObjectKey,
    object: &Object,
    kept: &Provenance,
) -> Result<(), StoreError> {
    match (key, object) {
        (ObjectKey::Policy(id), Object::Policy(policy)) => {
            put_policy(connection, *id, policy, kept)
        }
        (ObjectKey::Sender(id), Object::Sender(sender)) => {
            put_sender(connection, *id, sender, kept)
        }
        (ObjectKey::Group(name), Object::Group(group)) => {
            put_named(connection, "groups", name, &json(group)?, kept)
        }
        (ObjectKey::Definition(name), Object::Definition(definition)) => {
            put_named(connection, "definitions", name, &json(definition)?, kept)
        }
        (key, _) => Err(StoreError::Damaged(format!("{key} with an object of another kind"))),
    }
}

/// Writes the row of an object that is known by its name.
fn put_named(
    connection: &Connection,
    table: &str,
    name: &str,
    body: &str,
    kept: &Provenance,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {table} (name, body, version, origin, created, created_by,
            changed, changed_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (name) DO UPDATE SET body = ?2, version = ?3, origin = ?4,
            created = ?5, created_by = ?6, changed = ?7, changed_by = ?8"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
    let (created, changed) = (kept.created.as_millis(), kept.changed.as_millis());
    let (origin, version) = (origin_word(kept.origin), number(kept.version));
    let (by, last_by) = (&kept.created_by, &kept.changed_by);
    let row = params![name, body, version, origin, created, by, changed, last_by];
    statement.execute(row).map(drop).map_err(refused)
}

fn put_policy(
    connection: &Connection,
    id: PolicyId,
    policy: &Policy,
    kept: &Provenance,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO policies (id, body, version, origin, created, created_by, changed,
            changed_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (id) DO UPDATE SET body = ?2, version = ?3, origin = ?4, created = ?5,
            created_by = ?6, changed = ?7, changed_by = ?8";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let (created, changed) = (kept.created.as_millis(), kept.changed.as_millis());
    let (origin, version) = (origin_word(kept.origin), number(kept.version));
    let (by, last_by) = (&kept.created_by, &kept.changed_by);
    let row = params![number(id.0), json(policy)?, version, origin, created, by, changed, last_by];
    statement.execute(row).map(drop).map_err(refused)
}

fn put_sender(
    connection: &Connection,
    id: PolicyId,
    sender: &ManagedSender,
    kept: &Provenance,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO senders (id, body, version, origin, created, created_by, changed,
            changed_by, recipient, sender, action, sought, kind, authenticated_only)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
        ON CONFLICT (id) DO UPDATE SET body = ?2, version = ?3, origin = ?4, created = ?5,
            created_by = ?6, changed = ?7, changed_by = ?8, recipient = ?9, sender = ?10,
            action = ?11, sought = ?12, kind = ?13, authenticated_only = ?14";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let (created, changed) = (kept.created.as_millis(), kept.changed.as_millis());
    let (origin, version) = (origin_word(kept.origin), number(kept.version));
    let (recipient, pattern) = pair(sender);
    let sought = format!("{recipient}\n{pattern}\n{}", sender.note.to_lowercase());
    let (by, last_by) = (&kept.created_by, &kept.changed_by);
    let body = json(sender)?;
    let action = sender.action.slug();
    let row = params![
        number(id.0),
        body,
        version,
        origin,
        created,
        by,
        changed,
        last_by,
        recipient,
        pattern,
        action,
        sought,
        sender.sender.kind().slug(),
        sender.authenticated_only
    ];
    statement.execute(row).map(drop).map_err(refused)
}

/// The recipient and the sender of an entry in comparable form.
pub(super) fn pair(sender: &ManagedSender) -> (String, String) {
    (sender.recipient.key().to_owned(), sender.sender.key())
}

/// The number of the entry of this pair, if there is one.
pub(super) fn sender_of_pair(
    connection: &Connection,
    sender: &ManagedSender,
) -> Result<Option<PolicyId>, StoreError> {
    let (recipient, pattern) = pair(sender);
    let sql = "SELECT id FROM senders WHERE recipient = ?1 AND sender = ?2";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let id = statement.query_row(params![recipient, pattern], |row| unsigned(row, 0));
    Ok(id.optional().map_err(refused)?.map(PolicyId))
}
