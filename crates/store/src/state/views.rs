//! Lists that somebody saved under a name, beside the policies in the same
//! file, over a connection of their own.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use types::{AuditNote, Timestamp};

use super::database::{self, refused};
use super::rows::number;
use super::sqlite_audit;
use crate::contract::StoreError;

/// A saved list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredView {
    /// Its number.
    pub id: u64,
    /// Whose it is, by the name callers have.
    pub owner: String,
    /// Its name, unique for its owner.
    pub name: String,
    /// Whether everybody may use it.
    pub shared: bool,
    /// What it asks for, as a document of the message center.
    pub request: String,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// Saved lists.
///
/// A locked or missing database is [`StoreError::Database`].
pub trait SavedViewState: Send + Sync {
    /// The views somebody may use: their own, then those that others share,
    /// each by name.
    fn views(&self, owner: &str) -> Result<Vec<StoredView>, StoreError>;

    /// One view, whoever may use it.
    fn view(&self, id: u64) -> Result<Option<StoredView>, StoreError>;

    /// Keeps a view under the name it has with its owner, in place of one
    /// that has the same; its number is ignored. Gives the number. The audit
    /// log gets `note` with it.
    fn keep_view(&self, view: &StoredView, note: &AuditNote) -> Result<u64, StoreError>;

    /// Forgets a view with its alert; says whether there was one. The audit
    /// log gets `note` if there was.
    fn forget_view(&self, id: u64, note: &AuditNote) -> Result<bool, StoreError>;
}

/// The embedded implementation of [`SavedViewState`].
#[derive(Debug)]
pub struct SqliteViews {
    connection: Mutex<Connection>,
}

const COLUMNS: &str = "id, owner, name, shared, request, changed";

impl SqliteViews {
    /// Opens the state database at `path`, which is made if it is not there,
    /// in a folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteViews { connection: Mutex::new(database::open(path)?) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panicking thread began is undone when its transaction is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<StoredView> {
    Ok(StoredView {
        id: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        owner: row.get(1)?,
        name: row.get(2)?,
        shared: row.get(3)?,
        request: row.get(4)?,
        changed: Timestamp::from_millis(row.get(5)?),
    })
}

impl SavedViewState for SqliteViews {
    fn views(&self, owner: &str) -> Result<Vec<StoredView>, StoreError> {
        let connection = self.connection();
        let sql = format!(
            "SELECT {COLUMNS} FROM saved_views WHERE owner = ?1 OR shared
            ORDER BY owner <> ?1, name COLLATE NOCASE, id"
        );
        let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
        let rows = statement.query_map(params![owner], read).map_err(refused)?;
        rows.collect::<Result<_, _>>().map_err(refused)
    }

    fn view(&self, id: u64) -> Result<Option<StoredView>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM saved_views WHERE id = ?1");
        let found = self.connection().query_row(&sql, params![number(id)], read);
        found.optional().map_err(refused)
    }

    fn keep_view(&self, view: &StoredView, note: &AuditNote) -> Result<u64, StoreError> {
        let sql = "INSERT INTO saved_views (owner, name, shared, request, changed)
            VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (owner, name) DO UPDATE SET shared = ?3, request = ?4, changed = ?5
            RETURNING id";
        let values =
            params![view.owner, view.name, view.shared, view.request, view.changed.as_millis()];
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        let id: i64 = transaction.query_row(sql, values, |row| row.get(0)).map_err(refused)?;
        // The alert of a list that asks for something else begins anew.
        let again = "UPDATE alerts SET since = ?2, fired = NULL WHERE view = ?1";
        transaction.execute(again, params![id, view.changed.as_millis()]).map_err(refused)?;
        sqlite_audit::append(&transaction, note)?;
        transaction.commit().map_err(refused)?;
        Ok(u64::try_from(id).unwrap_or(0))
    }

    fn forget_view(&self, id: u64, note: &AuditNote) -> Result<bool, StoreError> {
        let sql = "DELETE FROM saved_views WHERE id = ?1";
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        if transaction.execute(sql, params![number(id)]).map_err(refused)? == 0 {
            return Ok(false);
        }
        for sql in
            ["DELETE FROM alerts WHERE view = ?1", "DELETE FROM alert_tellings WHERE view = ?1"]
        {
            transaction.execute(sql, params![number(id)]).map_err(refused)?;
        }
        sqlite_audit::append(&transaction, note)?;
        transaction.commit().map_err(refused)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use types::{Actor, AuditAction};

    use super::*;

    fn note() -> AuditNote {
        let at = Timestamp::from_millis(5);
        AuditNote::new(Actor::machine("test"), AuditAction::ViewSaved, "a view", at)
    }

    fn of(owner: &str, name: &str, shared: bool) -> StoredView {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        let changed = Timestamp::from_millis(5);
        StoredView { id: 0, owner, name, shared, request: "{}".to_owned(), changed }
    }

    #[test]
    fn views_belong_to_somebody_and_may_be_shared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let views = SqliteViews::open(&path).unwrap();
        let mine = views.keep_view(&of("ann", "b", false), &note()).unwrap();
        views.keep_view(&of("ann", "A", true), &note()).unwrap();
        let hers = views.keep_view(&of("bea", "a", true), &note()).unwrap();
        views.keep_view(&of("bea", "secret", false), &note()).unwrap();
        let names = |owner: &str| -> Vec<(String, String)> {
            let found = views.views(owner).unwrap();
            found.into_iter().map(|view| (view.owner, view.name)).collect()
        };
        let pair = |owner: &str, name: &str| (owner.to_owned(), name.to_owned());
        assert_eq!(names("ann"), [pair("ann", "A"), pair("ann", "b"), pair("bea", "a")]);
        assert_eq!(names("cid"), [pair("ann", "A"), pair("bea", "a")]);
        let again = StoredView { request: "{\"query\":\"x\"}".to_owned(), ..of("ann", "b", true) };
        assert_eq!(
            views.keep_view(&again, &note()).unwrap(),
            mine,
            "the same name is the same view"
        );
        let found = SqliteViews::open(&path).unwrap().view(mine).unwrap().unwrap();
        assert_eq!(found, StoredView { id: mine, ..again });
        assert!(
            views.forget_view(hers, &note()).unwrap() && !views.forget_view(hers, &note()).unwrap()
        );
        assert_eq!(views.view(hers).unwrap(), None);
    }
}
