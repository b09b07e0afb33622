//! Versions of the set, and what differs between two of them.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row, params};
use types::Timestamp;

use super::database::refused;
use super::draft::{Draft, version};
use super::objects::{Difference, Object, ObjectKey, Origin, Provenance, Version};
use super::rows::{self, number};
use crate::contract::StoreError;

/// Versions below `before`, newest first.
pub(super) fn versions(
    connection: &Connection,
    before: Option<u64>,
    max: usize,
) -> Result<Vec<Version>, StoreError> {
    let sql = "SELECT number, at, author, note, restores, differences FROM versions
        WHERE number < ?1 ORDER BY number DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let before = before.map_or(i64::MAX, number);
    let bounds = params![before, number(max as u64)];
    let rows = statement.query_map(bounds, read_version).map_err(refused)?;
    rows.collect::<Result<_, _>>().map_err(refused)
}

fn read_version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(Version {
        number: unsigned(row.get(0)?),
        at: Timestamp::from_millis(row.get(1)?),
        author: row.get(2)?,
        note: row.get(3)?,
        restores: row.get::<_, Option<i64>>(4)?.map(unsigned),
        differences: unsigned(row.get(5)?),
    })
}

/// An object's way from one version to a later one.
struct Way {
    key: ObjectKey,
    before: Option<Object>,
    provenance: Option<Provenance>,
    after: Option<Object>,
}

/// How objects went from version `from` to the later version `to`, one entry
/// per object that was touched between them.
fn ways(connection: &Connection, from: u64, to: u64) -> Result<Vec<Way>, StoreError> {
    let sql = "SELECT key, before, after, provenance FROM differences
        WHERE version > ?1 AND version <= ?2 ORDER BY version, place";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let mut found = statement.query(params![number(from), number(to)]).map_err(refused)?;
    let mut ways: Vec<Way> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    while let Some(row) = found.next().map_err(refused)? {
        let text = |column| row.get::<_, Option<String>>(column).map_err(refused);
        let key: String = row.get(0).map_err(refused)?;
        let what = "the history of the policy set";
        let parse = |text: Option<String>| text.map(|text| rows::parse(&text, what)).transpose();
        let after = parse(text(2)?)?;
        if let Some(way) = places.get(&key).and_then(|&place| ways.get_mut(place)) {
            way.after = after;
            continue;
        }
        let provenance = text(3)?.map(|text| rows::parse(&text, what)).transpose()?;
        let before = parse(text(1)?)?;
        let parsed = rows::parse(&key, what)?;
        places.insert(key, ways.len());
        ways.push(Way { key: parsed, before, provenance, after });
    }
    Ok(ways)
}

/// What differs between two versions, in either direction.
pub(super) fn differences(
    connection: &Connection,
    from: u64,
    to: u64,
) -> Result<Vec<Difference>, StoreError> {
    let present = version(connection)?;
    if let Some(missing) = [from, to].into_iter().find(|&wanted| wanted > present) {
        return Err(StoreError::NotFound(format!("version {missing}")));
    }
    let backwards = from > to;
    let ways = ways(connection, from.min(to), from.max(to))?;
    let difference = |way: Way| {
        let (before, after) =
            if backwards { (way.after, way.before) } else { (way.before, way.after) };
        Difference { key: way.key, before, after }
    };
    Ok(ways.into_iter().map(difference).filter(|d| d.before != d.after).collect())
}

/// Makes the set what it was at version `wanted`, as far as it belongs to
/// people: what is or was managed elsewhere is changed there.
pub(super) fn restore(draft: &mut Draft<'_>, wanted: u64) -> Result<(), StoreError> {
    let present = version(draft.connection())?;
    if wanted > present {
        return Err(StoreError::NotFound(format!("version {wanted}")));
    }
    let mut ways = ways(draft.connection(), wanted, present)?;
    let mut is_managed = HashSet::new();
    for way in &ways {
        let old = way.provenance.as_ref().map(|kept| kept.origin);
        let was = way.before.is_some() && old.is_some_and(Origin::is_managed);
        if was || draft.is_managed(&way.key, way.before.as_ref())? {
            is_managed.insert(way.key.clone());
        }
    }
    ways.retain(|way| !is_managed.contains(&way.key));
    // What goes goes first, and what had another pair too, so that pairs of
    // senders are free for their old entries.
    for way in ways.iter().filter(|way| pair(&way.before) != pair(&way.after)) {
        draft.remove(&way.key)?;
    }
    for way in ways {
        match &way.before {
            Some(object) => {
                draft.restore(way.key, object, way.provenance.unwrap_or_default())?;
            }
            None => draft.remove(&way.key)?,
        }
    }
    Ok(())
}

/// The pair of a managed sender; nothing for other objects and for none.
fn pair(object: &Option<Object>) -> Option<(String, String)> {
    match object {
        Some(Object::Sender(sender)) => Some(rows::pair(sender)),
        _ => None,
    }
}
