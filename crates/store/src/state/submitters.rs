//! Devices and programs that send mail with a name and password, beside the
//! policies in the same file, over a connection of its own: a sender that
//! proves itself does not wait for an import.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use types::lists::Pattern;
use types::{AuditNote, Timestamp};

use super::database::{self, refused};
use super::rows::{json, parse};
use super::sqlite_audit;
use crate::contract::StoreError;

/// One submitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSubmitter {
    /// Its name, in comparable form.
    pub name: String,
    /// The hash of its password, as a PHC string.
    pub password: String,
    /// What it may send as.
    pub senders: Vec<Pattern>,
    /// Where it may come from; anywhere if there are none.
    pub networks: Vec<IpNet>,
    /// What it is, for people.
    pub note: String,
    /// Whether it may not send any more.
    pub disabled: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it proved itself last, and from where.
    pub last_used: Option<(Timestamp, IpAddr)>,
}

/// One change of submitters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitterChange {
    /// Makes one, if its name is free and there are fewer than `max`.
    Add {
        /// It.
        new: StoredSubmitter,
        /// The most there may be.
        max: usize,
    },
    /// Gives the one of this name everything that people choose but its
    /// password, and leaves its use alone.
    Put(StoredSubmitter),
    /// Gives one another password, and leaves everything else as it is: a hash
    /// takes time, in which somebody may have closed it.
    Password {
        /// Its name.
        name: String,
        /// The hash, as a PHC string.
        hash: String,
    },
    /// Removes the one of this name.
    Remove(String),
}

/// That a submitter proved itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitterUse {
    /// Its name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub from: IpAddr,
}

/// Devices and programs that send mail with a name and password. Who asks for
/// them does not wait for whoever writes.
///
/// A locked or missing database is [`StoreError::Database`].
pub trait SubmitterState: Send + Sync {
    /// All, by name.
    fn submitters(&self) -> Result<Vec<StoredSubmitter>, StoreError>;

    /// The one of this name.
    fn submitter(&self, name: &str) -> Result<Option<StoredSubmitter>, StoreError>;

    /// Makes a change together with its entry in the audit log; false if
    /// nothing was to be changed, and then nothing is noted.
    fn change_submitters(
        &self,
        note: &AuditNote,
        change: &SubmitterChange,
    ) -> Result<bool, StoreError>;

    /// Writes down when submitters proved themselves last, all or nothing.
    /// Those that are gone are left out.
    fn keep_uses(&self, uses: &[SubmitterUse]) -> Result<(), StoreError>;
}

/// The embedded implementation of [`SubmitterState`].
#[derive(Debug)]
pub struct SqliteSubmitters {
    /// For looking: a session waits for it.
    reading: Mutex<Connection>,
    /// For changing, which may wait for others that write and for the disk.
    writing: Mutex<Connection>,
}

const COLUMNS: &str = "name, password, senders, networks, note, disabled, created, created_by,
    last_used, last_address";

impl SqliteSubmitters {
    /// Opens the state database at `path`, which is made if it is not there,
    /// in a folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writing = Mutex::new(database::open(path)?);
        Ok(SqliteSubmitters { reading: Mutex::new(database::open(path)?), writing })
    }

    fn reading(&self) -> MutexGuard<'_, Connection> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, Connection> {
        // What a panicking thread began is undone when its transaction is dropped.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SubmitterState for SqliteSubmitters {
    fn submitters(&self) -> Result<Vec<StoredSubmitter>, StoreError> {
        let connection = self.reading();
        let sql = format!("SELECT {COLUMNS} FROM submitters ORDER BY name");
        let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
        let mut rows = statement.query(()).map_err(refused)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(refused)? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    fn submitter(&self, name: &str) -> Result<Option<StoredSubmitter>, StoreError> {
        let connection = self.reading();
        let sql = format!("SELECT {COLUMNS} FROM submitters WHERE name = ?1");
        let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
        statement.query_row([name], |row| Ok(read(row))).optional().map_err(refused)?.transpose()
    }

    fn change_submitters(
        &self,
        note: &AuditNote,
        change: &SubmitterChange,
    ) -> Result<bool, StoreError> {
        let mut connection = self.writing();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        let changed = apply(&transaction, change)? > 0;
        if changed {
            sqlite_audit::append(&transaction, note)?;
            transaction.commit().map_err(refused)?;
        }
        Ok(changed)
    }

    fn keep_uses(&self, uses: &[SubmitterUse]) -> Result<(), StoreError> {
        let mut connection = self.writing();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        let sql = "UPDATE submitters SET last_used = ?2, last_address = ?3 WHERE name = ?1";
        for SubmitterUse { name, at, from } in uses {
            let values = params![name, at.as_millis(), from.to_string()];
            let mut statement = transaction.prepare_cached(sql).map_err(refused)?;
            statement.execute(values).map_err(refused)?;
        }
        transaction.commit().map_err(refused)
    }
}

/// Makes a change; gives how many submitters it changed.
fn apply(connection: &Connection, change: &SubmitterChange) -> Result<usize, StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.execute(sql, values).map_err(refused)
    };
    match change {
        SubmitterChange::Add { new, max } => {
            let (senders, networks) = (json(&new.senders)?, json(&new.networks)?);
            let sql = "INSERT INTO submitters (name, password, senders, networks, note, disabled,
                created, created_by) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
                WHERE (SELECT count(*) FROM submitters) < ?9 ON CONFLICT (name) DO NOTHING";
            let max = i64::try_from(*max).unwrap_or(i64::MAX);
            let created = new.created.as_millis();
            run(
                sql,
                params![
                    new.name,
                    new.password,
                    senders,
                    networks,
                    new.note,
                    new.disabled,
                    created,
                    new.created_by,
                    max
                ],
            )
        }
        SubmitterChange::Put(it) => {
            let (senders, networks) = (json(&it.senders)?, json(&it.networks)?);
            let sql = "UPDATE submitters SET senders = ?2, networks = ?3, note = ?4, disabled = ?5
                WHERE name = ?1";
            run(sql, params![it.name, senders, networks, it.note, it.disabled])
        }
        SubmitterChange::Password { name, hash } => {
            run("UPDATE submitters SET password = ?2 WHERE name = ?1", params![name, hash])
        }
        SubmitterChange::Remove(name) => {
            run("DELETE FROM submitters WHERE name = ?1", params![name])
        }
    }
}

fn read(row: &Row<'_>) -> Result<StoredSubmitter, StoreError> {
    let text = |column: usize| row.get::<_, String>(column).map_err(refused);
    let time = |column: usize| {
        let millis: Option<i64> = row.get(column).map_err(refused)?;
        Ok::<_, StoreError>(millis.map(Timestamp::from_millis))
    };
    let address: Option<String> = row.get(9).map_err(refused)?;
    // One that cannot be read is shown as one that nobody has: nothing is
    // decided by it.
    let address = address.and_then(|text| text.parse().ok());
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    Ok(StoredSubmitter {
        name: text(0)?,
        password: text(1)?,
        senders: parse(&text(2)?, "senders of a submitter")?,
        networks: parse(&text(3)?, "networks of a submitter")?,
        note: text(4)?,
        disabled: row.get(5).map_err(refused)?,
        created: time(6)?.unwrap_or_default(),
        created_by: text(7)?,
        last_used: time(8)?.map(|at| (at, address)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::audit::AuditQuery;
    use crate::state::{AuditState, SqliteAudit};
    use types::{Actor, AuditAction};

    fn submitter(name: &str) -> StoredSubmitter {
        StoredSubmitter {
            name: name.to_owned(),
            password: "$argon2id$x".to_owned(),
            senders: vec!["corp.example".parse().unwrap(), "a@b.example".parse().unwrap()],
            networks: vec!["192.0.2.0/28".parse().unwrap()],
            note: "second floor".to_owned(),
            disabled: false,
            created: Timestamp::from_millis(5),
            created_by: "ana".to_owned(),
            last_used: None,
        }
    }

    #[test]
    fn submitters_are_kept_with_their_entries_and_their_number_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = SqliteSubmitters::open(&path).unwrap();
        let note =
            |action| AuditNote::new(Actor::machine("x"), action, "printer", Timestamp::EPOCH);
        let change = |action, change: &SubmitterChange| {
            state.change_submitters(&note(action), change).unwrap()
        };
        let add = |name: &str| SubmitterChange::Add { new: submitter(name), max: 2 };
        assert!(change(AuditAction::SubmitterAdded, &add("printer")));
        assert!(!change(AuditAction::SubmitterAdded, &add("printer")), "the name is taken");
        assert!(change(AuditAction::SubmitterAdded, &add("app")));
        assert!(!change(AuditAction::SubmitterAdded, &add("third")), "two is the most");
        let names: Vec<String> =
            state.submitters().unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["app", "printer"]);
        assert_eq!(state.submitter("printer").unwrap(), Some(submitter("printer")));

        let from = "192.0.2.9".parse().unwrap();
        let used = |name: &str| SubmitterUse {
            name: name.to_owned(),
            at: Timestamp::from_millis(9),
            from,
        };
        state.keep_uses(&[used("printer"), used("gone")]).unwrap();
        // Whoever closes it while a password is hashed finds it closed.
        let password = SubmitterChange::Password { name: "printer".into(), hash: "new".into() };
        let changed = StoredSubmitter { disabled: true, ..submitter("printer") };
        assert!(change(AuditAction::SubmitterChanged, &SubmitterChange::Put(changed.clone())));
        assert!(change(AuditAction::SubmitterPassword, &password));
        let used = Some((Timestamp::from_millis(9), from));
        let expected = StoredSubmitter { last_used: used, password: "new".into(), ..changed };
        let again = SqliteSubmitters::open(&path).unwrap();
        assert_eq!(again.submitter("printer").unwrap(), Some(expected));

        let remove = SubmitterChange::Remove("printer".to_owned());
        assert!(change(AuditAction::SubmitterRemoved, &remove));
        assert!(!change(AuditAction::SubmitterRemoved, &remove), "it is gone");
        assert_eq!(state.submitter("printer").unwrap(), None);
        let audit = SqliteAudit::open(&path).unwrap();
        let noted = audit.entries(&AuditQuery::default(), None, 10).unwrap();
        assert_eq!(noted.len(), 5, "what changed nothing is not noted");
    }
    #[test]
    fn who_asks_does_not_wait_for_whoever_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = SqliteSubmitters::open(&path).unwrap();
        let other = database::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let name = "printer".to_owned();
        let uses = [SubmitterUse { name, at: Timestamp::EPOCH, from: Ipv4Addr::LOCALHOST.into() }];
        std::thread::scope(|threads| {
            let writing = threads.spawn(|| state.keep_uses(&uses));
            for _ in 0..20 {
                assert_eq!(state.submitter("printer").unwrap(), None);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            other.execute_batch("ROLLBACK").unwrap();
            // Had one of them waited, this would have given up before.
            writing.join().unwrap().unwrap();
        });
    }
}
