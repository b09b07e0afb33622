//! Recipients known by name, beside the policies in the same file, over a
//! connection of their own.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Row, TransactionBehavior, params};
use types::{KnownRecipient, Timestamp};

use super::database::{self, refused};
use crate::contract::StoreError;

/// Recipients that are kept or were forgotten, and domains with when their
/// learning began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredRecipients {
    /// Those that are known.
    pub kept: Vec<KnownRecipient>,
    /// Addresses that are known no more; nothing in what is read.
    pub forgotten: Vec<String>,
    /// Domains that have begun to learn.
    pub begun: Vec<LearningDomain>,
    /// Domains that are forgotten; nothing in what is read.
    pub ended: Vec<String>,
}

/// A domain that has begun to learn its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearningDomain {
    /// The domain in comparable form.
    pub domain: String,
    /// When it began.
    pub since: Timestamp,
    /// When it lost recipients for lack of room, if that is why.
    pub pushed_out: Option<Timestamp>,
}

/// Recipients known by name.
///
/// A locked or missing database is [`StoreError::Database`].
pub trait RecipientState: Send + Sync {
    /// All that is kept.
    fn recipients(&self) -> Result<StoredRecipients, StoreError>;

    /// Keeps and forgets, all or nothing.
    fn keep_recipients(&self, changes: &StoredRecipients) -> Result<(), StoreError>;
}

/// The embedded implementation of [`RecipientState`].
#[derive(Debug)]
pub struct SqliteRecipients {
    connection: Mutex<Connection>,
}

impl SqliteRecipients {
    /// Opens the state database at `path`, which is made if it is not there,
    /// in a folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteRecipients { connection: Mutex::new(database::open(path)?) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panicking thread began is undone when its transaction is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn recipient(row: &Row<'_>) -> rusqlite::Result<KnownRecipient> {
    let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
    Ok(KnownRecipient {
        address: row.get(0)?,
        imported: row.get(1)?,
        learned: time(row.get(2)?),
        confirmed: time(row.get(3)?),
    })
}

fn domain(row: &Row<'_>) -> rusqlite::Result<LearningDomain> {
    let pushed_out: Option<i64> = row.get(2)?;
    Ok(LearningDomain {
        domain: row.get(0)?,
        since: Timestamp::from_millis(row.get(1)?),
        pushed_out: pushed_out.map(Timestamp::from_millis),
    })
}

impl RecipientState for SqliteRecipients {
    fn recipients(&self) -> Result<StoredRecipients, StoreError> {
        let connection = self.connection();
        let sql = "SELECT address, imported, learned, confirmed FROM recipients";
        let mut statement = connection.prepare_cached(sql).map_err(refused)?;
        let rows = statement.query_map([], recipient).map_err(refused)?;
        let kept = rows.collect::<Result<_, _>>().map_err(refused)?;
        let sql = "SELECT domain, since, pushed_out FROM recipient_domains";
        let mut statement = connection.prepare_cached(sql).map_err(refused)?;
        let rows = statement.query_map([], domain).map_err(refused)?;
        let begun = rows.collect::<Result<_, _>>().map_err(refused)?;
        Ok(StoredRecipients { kept, begun, ..StoredRecipients::default() })
    }

    fn keep_recipients(&self, changes: &StoredRecipients) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        for KnownRecipient { address, imported, learned, confirmed } in &changes.kept {
            let sql = "INSERT OR REPLACE INTO recipients (address, imported, learned, confirmed)
                VALUES (?1, ?2, ?3, ?4)";
            let millis = |at: &Option<Timestamp>| at.map(Timestamp::as_millis);
            let row = params![address, imported, millis(learned), millis(confirmed)];
            let mut statement = transaction.prepare_cached(sql).map_err(refused)?;
            statement.execute(row).map_err(refused)?;
        }
        for address in &changes.forgotten {
            let sql = "DELETE FROM recipients WHERE address = ?1";
            let mut statement = transaction.prepare_cached(sql).map_err(refused)?;
            statement.execute(params![address]).map_err(refused)?;
        }
        for LearningDomain { domain, since, pushed_out } in &changes.begun {
            let sql = "INSERT OR REPLACE INTO recipient_domains (domain, since, pushed_out)
                VALUES (?1, ?2, ?3)";
            let row = params![domain, since.as_millis(), pushed_out.map(Timestamp::as_millis)];
            transaction.execute(sql, row).map_err(refused)?;
        }
        for domain in &changes.ended {
            let sql = "DELETE FROM recipient_domains WHERE domain = ?1";
            transaction.execute(sql, params![domain]).map_err(refused)?;
        }
        transaction.commit().map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_kept_replaced_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let at = Timestamp::from_millis;
        let known = |who: &str, imported, learned: Option<i64>| KnownRecipient {
            address: format!("{who}@corp.example"),
            imported,
            learned: learned.map(at),
            confirmed: learned.map(at),
        };
        let begun = |domain: &str, since, pushed_out: Option<i64>| LearningDomain {
            domain: domain.to_owned(),
            since: at(since),
            pushed_out: pushed_out.map(at),
        };
        let first = StoredRecipients {
            kept: vec![known("ann", true, None), known("bob", false, Some(5))],
            begun: vec![begun("corp.example", 1, None), begun("old.example", 1, None)],
            ..StoredRecipients::default()
        };
        let state = SqliteRecipients::open(&path).unwrap();
        state.keep_recipients(&first).unwrap();
        assert_eq!(SqliteRecipients::open(&path).unwrap().recipients().unwrap(), first);
        let second = StoredRecipients {
            kept: vec![known("bob", true, Some(5))],
            forgotten: vec!["ann@corp.example".to_owned(), "eve@corp.example".to_owned()],
            begun: vec![begun("corp.example", 2, Some(2))],
            ended: vec!["old.example".to_owned()],
        };
        state.keep_recipients(&second).unwrap();
        let expected = StoredRecipients { forgotten: Vec::new(), ended: Vec::new(), ..second };
        assert_eq!(state.recipients().unwrap(), expected);
    }
}
