//! The audit log in SQLite, beside what it tells of in the same file, so that
//! a change and its entry are one transaction.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params, params_from_iter};
use types::{AccountId, Actor, AuditNote, Timestamp, TokenId, Via};

use super::audit::{
    AuditEntry, AuditQuery, AuditState, CHAIN_START, ChainBreak, ChainHash, ChainHead, Verified,
    chain_hash, via_columns,
};
use super::database::{self, refused};
use super::noted;
use super::rows::number;
use crate::contract::StoreError;

const COLUMNS: &str = "number, at, action, actor, via, account, token, address, reference, subject,
    note, version, details, hash, sought";

/// The embedded implementation of [`AuditState`].
#[derive(Debug)]
pub struct SqliteAudit {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteAudit {
    /// Opens the state database at `path`, which is made if it is not there,
    /// in a folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Mutex::new(database::open(path)?);
        Ok(SqliteAudit { path: path.to_owned(), connection })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panicking thread began is undone when its transaction is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditState for SqliteAudit {
    fn record(&self, note: &AuditNote) -> Result<u64, StoreError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        let number = append(&transaction, note)?;
        transaction.commit().map_err(refused)?;
        Ok(number)
    }

    fn entries(
        &self,
        query: &AuditQuery,
        before: Option<u64>,
        max: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (conditions, mut values) = conditions(query);
        let sql = format!(
            "SELECT {COLUMNS} FROM audit WHERE number < ? AND {conditions}
            ORDER BY number DESC LIMIT ?"
        );
        values.insert(0, Value::from(before.map_or(i64::MAX, number)));
        values.push(Value::from(number(max as u64)));
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(refused)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(refused)? {
            found.push(entry(row)?);
        }
        Ok(found)
    }

    fn entry(&self, wanted: u64) -> Result<Option<AuditEntry>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE number = ?1");
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
        let mut rows = statement.query([number(wanted)]).map_err(refused)?;
        rows.next().map_err(refused)?.map(entry).transpose()
    }

    fn head(&self) -> Result<ChainHead, StoreError> {
        head(&self.connection())
    }

    fn verify(&self) -> Result<Verified, StoreError> {
        let mut connection = database::open_to_read(&self.path)?;
        let moment = connection.transaction().map_err(refused)?;
        let sequence = sequence(&moment)?;
        let mut statement = moment
            .prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY number"))
            .map_err(refused)?;
        let mut rows = statement.query([]).map_err(refused)?;
        let mut head = ChainHead { number: 0, hash: CHAIN_START };
        while let Some(row) = rows.next().map_err(refused)? {
            match next(&moment, &head, row)? {
                Ok(reached) => head = reached,
                Err(broken) => return Ok(Verified { head, broken: Some(broken) }),
            }
        }
        let broken =
            (sequence > head.number).then(|| ChainBreak::Missing(head.number + 1..sequence + 1));
        Ok(Verified { head, broken })
    }
}

/// Adds an entry inside the transaction of what it tells of, which must have
/// begun as one that writes: two that read the same head would break the chain.
pub(super) fn append(connection: &Connection, note: &AuditNote) -> Result<u64, StoreError> {
    let last = head(connection)?;
    // After a loss of the newest entries the numbers go on, so that it shows.
    let next = last.number.max(sequence(connection)?) + 1;
    let hash = chain_hash(&last.hash, next, note);
    let (via, account, token) = via_columns(&note.actor.via);
    let sql = "INSERT INTO audit (number, at, action, actor, via, account, token, address,
        reference, subject, note, version, details, sought, hash)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let values = params![
        number(next),
        note.at.as_millis(),
        note.action.slug(),
        &*note.actor.name,
        via,
        account.map(number),
        token.map(number),
        note.actor.from.map(|from| from.to_string()),
        note.actor.row.map(|row| row.to_string()),
        note.subject,
        note.note,
        note.version.map(number),
        note.details,
        sought(note),
        hash,
    ];
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    statement.execute(values).map_err(refused)?;
    Ok(next)
}

/// What a search looks through.
fn sought(note: &AuditNote) -> String {
    let address = note.actor.from.map(|from| from.to_string()).unwrap_or_default();
    let row = note.actor.row.map(|row| row.to_string()).unwrap_or_default();
    let texts =
        [&*note.actor.name, &address, &row, &note.subject, &note.note, &note.details].join("\n");
    texts.to_lowercase()
}

fn head(connection: &Connection) -> Result<ChainHead, StoreError> {
    let sql = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let found = statement
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, ChainHash>(1)?)))
        .optional()
        .map_err(refused)?;
    let (number, hash) = found.unwrap_or((0, CHAIN_START));
    Ok(ChainHead { number: u64::try_from(number).unwrap_or(0), hash })
}

/// The highest number there ever was.
fn sequence(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'audit'";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let found: Option<i64> =
        statement.query_row([], |row| row.get(0)).optional().map_err(refused)?;
    Ok(found.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0))
}

/// Follows the chain by one row.
fn next(
    connection: &Connection,
    head: &ChainHead,
    row: &Row<'_>,
) -> Result<Result<ChainHead, ChainBreak>, StoreError> {
    let found = u64::try_from(row.get::<_, i64>(0).map_err(refused)?).unwrap_or(0);
    if found > head.number + 1 {
        return Ok(Err(ChainBreak::Missing(head.number + 1..found)));
    }
    let entry = match entry(row) {
        Ok(entry) => entry,
        Err(error) => return Ok(Err(ChainBreak::Unreadable(found, error.to_string()))),
    };
    let same_text = row.get::<_, String>(14).is_ok_and(|text| text == sought(&entry.note));
    if entry.hash != chain_hash(&head.hash, found, &entry.note) || !same_text {
        return Ok(Err(ChainBreak::Changed(found)));
    }
    if let Some(version) = entry.note.version
        && !noted::is_as_noted(connection, version, &entry.note.details)?
    {
        return Ok(Err(ChainBreak::History { number: found, version }));
    }
    Ok(Ok(ChainHead { number: found, hash: entry.hash }))
}

fn conditions(query: &AuditQuery) -> (String, Vec<Value>) {
    let mut wanted = vec!["TRUE".to_owned()];
    let mut values = Vec::new();
    let mut also = |condition: &str, value: Value| {
        wanted.push(condition.to_owned());
        values.push(value);
    };
    if let Some(account) = query.account {
        also("account = ?", Value::from(number(account.0)));
    }
    if let Some(text) = &query.text {
        also("instr(sought, ?) > 0", Value::from(text.to_lowercase()));
    }
    if let Some(actor) = &query.actor {
        also("actor = ?", Value::from(actor.clone()));
    }
    if let Some(row) = query.row {
        also("reference = ?", Value::from(row.to_string()));
    }
    if let Some(version) = query.version {
        also("version = ?", Value::from(number(version)));
    }
    if let Some(times) = &query.times {
        also("at >= ?", Value::from(times.start.as_millis()));
        also("at < ?", Value::from(times.end.as_millis()));
    }
    if !query.actions.is_empty() {
        let places = vec!["?"; query.actions.len()].join(", ");
        wanted.push(format!("action IN ({places})"));
        values.extend(query.actions.iter().map(|action| Value::from(action.slug().to_owned())));
    }
    (wanted.join(" AND "), values)
}

/// An entry out of [`COLUMNS`].
fn entry(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("audit log: {what}"));
    let unsigned = |column: usize| -> Result<Option<u64>, StoreError> {
        let value: Option<i64> = row.get(column).map_err(refused)?;
        Ok(value.and_then(|value| u64::try_from(value).ok()))
    };
    let text = |column: usize| row.get::<_, Option<String>>(column).map_err(refused);
    let needed = |column: usize| row.get::<_, String>(column).map_err(refused);
    let (account, token) = (unsigned(5)?.map(AccountId), unsigned(6)?.map(TokenId));
    let via = match (needed(4)?.as_str(), account, token) {
        ("machine", None, None) => Via::Machine,
        ("visitor", None, None) => Via::Visitor,
        ("account", Some(account), None) => Via::Account(account),
        ("token", Some(account), Some(token)) => Via::Token { account, token },
        _ => return Err(damaged("who came in which way")),
    };
    let from = text(7)?.map(|text| text.parse()).transpose();
    let place = text(8)?.map(|text| text.parse()).transpose();
    let actor = Actor {
        name: needed(3)?.into(),
        via,
        from: from.map_err(|_| damaged("an address"))?,
        row: place.map_err(|_| damaged("a reference"))?,
    };
    let action = needed(2)?;
    let note = AuditNote {
        at: Timestamp::from_millis(row.get(1).map_err(refused)?),
        actor,
        action: action.parse().map_err(|_| damaged(&format!("action {action:?}")))?,
        subject: needed(9)?,
        note: needed(10)?,
        version: unsigned(11)?,
        details: needed(12)?,
    };
    let hash = row.get(13).map_err(refused)?;
    Ok(AuditEntry { number: unsigned(0)?.unwrap_or(0), note, hash })
}
