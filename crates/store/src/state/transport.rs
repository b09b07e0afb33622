//! Policies of other domains about how mail goes to them (MTA-STS), beside
//! our own in the same file, over a connection of their own.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Row, TransactionBehavior, params};
use types::Timestamp;

use super::database::{self, refused};
use crate::contract::StoreError;

/// The policy of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTransportPolicy {
    /// The domain, in comparable form.
    pub domain: String,
    /// Which version of its policy it is.
    pub id: String,
    /// The policy as text.
    pub document: String,
    /// When it was fetched.
    pub fetched: Timestamp,
    /// When mail last went by it.
    pub used: Timestamp,
    /// On how many days mail went by it.
    pub days: u32,
}

/// Policies of other domains.
///
/// A locked or missing database is [`StoreError::Database`].
pub trait TransportPolicyState: Send + Sync {
    /// All that are kept.
    fn transport_policies(&self) -> Result<Vec<StoredTransportPolicy>, StoreError>;

    /// Keeps these and forgets those of `forgotten` domains, all or nothing.
    fn keep_transport_policies(
        &self,
        kept: &[StoredTransportPolicy],
        forgotten: &[String],
    ) -> Result<(), StoreError>;
}

/// The embedded implementation of [`TransportPolicyState`].
#[derive(Debug)]
pub struct SqliteTransportPolicies {
    connection: Mutex<Connection>,
}

impl SqliteTransportPolicies {
    /// Opens the state database at `path`, which is made if it is not there,
    /// in a folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteTransportPolicies { connection: Mutex::new(database::open(path)?) })
    }

    /// Opens it to be read alone, while somebody else may write; an older
    /// program's is no database then.
    ///
    /// # Errors
    /// The file is not there, or is no database.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteTransportPolicies { connection: Mutex::new(database::open_to_read(path)?) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panicking thread began is undone when its transaction is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn policy(row: &Row<'_>) -> rusqlite::Result<StoredTransportPolicy> {
    Ok(StoredTransportPolicy {
        domain: row.get(0)?,
        id: row.get(1)?,
        document: row.get(2)?,
        fetched: Timestamp::from_millis(row.get(3)?),
        used: Timestamp::from_millis(row.get(4)?),
        days: row.get(5)?,
    })
}

impl TransportPolicyState for SqliteTransportPolicies {
    fn transport_policies(&self) -> Result<Vec<StoredTransportPolicy>, StoreError> {
        let connection = self.connection();
        let sql = "SELECT domain, id, document, fetched, used, days FROM transport_policies";
        let mut statement = connection.prepare_cached(sql).map_err(refused)?;
        let rows = statement.query_map([], policy).map_err(refused)?;
        rows.collect::<Result<_, _>>().map_err(refused)
    }

    fn keep_transport_policies(
        &self,
        kept: &[StoredTransportPolicy],
        forgotten: &[String],
    ) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        for one in kept {
            let StoredTransportPolicy { domain, id, document, fetched, used, days } = one;
            let sql = "INSERT OR REPLACE INTO transport_policies
                (domain, id, document, fetched, used, days) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let mut statement = transaction.prepare_cached(sql).map_err(refused)?;
            let (fetched, used) = (fetched.as_millis(), used.as_millis());
            let row = params![domain, id, document, fetched, used, days];
            statement.execute(row).map_err(refused)?;
        }
        for domain in forgotten {
            let sql = "DELETE FROM transport_policies WHERE domain = ?1";
            let mut statement = transaction.prepare_cached(sql).map_err(refused)?;
            statement.execute(params![domain]).map_err(refused)?;
        }
        transaction.commit().map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_kept_replaced_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let policy = |domain: &str, id: &str| StoredTransportPolicy {
            domain: domain.to_owned(),
            id: id.to_owned(),
            document: "version: STSv1\n".to_owned(),
            fetched: Timestamp::from_millis(1),
            used: Timestamp::from_millis(2),
            days: 3,
        };
        assert!(SqliteTransportPolicies::open_to_read(&path).is_err());
        let state = SqliteTransportPolicies::open(&path).unwrap();
        let first = [policy("a.example", "1"), policy("b.example", "1")];
        state.keep_transport_policies(&first, &[]).unwrap();
        let read = SqliteTransportPolicies::open_to_read(&path).unwrap();
        assert_eq!(read.transport_policies().unwrap(), first);
        let second = policy("b.example", "2");
        let forgotten = ["a.example".to_owned(), "c.example".to_owned()];
        state.keep_transport_policies(std::slice::from_ref(&second), &forgotten).unwrap();
        assert_eq!(read.transport_policies().unwrap(), [second]);
    }
}
