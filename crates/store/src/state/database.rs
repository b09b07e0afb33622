//! Opening the state database, and what its errors mean.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::contract::StoreError;

/// The format this program writes.
const FORMAT: u32 = 18;
/// The steps from each format to the next.
const STEPS: [&str; FORMAT as usize] = [
    include_str!("schema.sql"),
    include_str!("accounts.sql"),
    include_str!("views.sql"),
    include_str!("definitions.sql"),
    include_str!("requests.sql"),
    include_str!("audit.sql"),
    include_str!("roles.sql"),
    include_str!("audit_rows.sql"),
    include_str!("identities.sql"),
    include_str!("alerts.sql"),
    include_str!("destinations.sql"),
    include_str!("recipients.sql"),
    include_str!("submitters.sql"),
    include_str!("transport.sql"),
    include_str!("pushed_out.sql"),
    include_str!("directory_groups.sql"),
    include_str!("sender_kinds.sql"),
    include_str!("attribute_scopes.sql"),
];
/// How long to wait for another process that holds the database.
const BUSY: Duration = Duration::from_secs(2);
/// Statements kept prepared.
const STATEMENTS_MAX: usize = 64;

/// Opens the database for reading and writing, and makes or renews its tables.
///
/// WAL, so that readers see one moment while others write; `FULL`, so that a
/// change survives a power cut once it is reported.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    // Made before SQLite makes it, because only its owner may read it.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::Io { doing: "opening the state", error: Arc::new(error) })?;
    let mut connection = Connection::open(path).map_err(refused)?;
    prepare(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(refused)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(refused)?;
    renew(&mut connection)?;
    Ok(connection)
}

/// Opens it a second time, for a long look at one moment.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(refused)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.busy_timeout(BUSY).map_err(refused)
}

/// Brings the tables to the present format, one step after the other.
fn renew(connection: &mut Connection) -> Result<(), StoreError> {
    // Most of the time there is nothing to do, and nobody is to wait for it.
    while format(connection)? < FORMAT {
        // After an upgrade the server and the command line can both be here.
        // Only who holds the database may say which step is next.
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        let found = format(&transaction)?;
        if let Some(step) = STEPS.get(found as usize) {
            transaction.execute_batch(step).map_err(refused)?;
            transaction.pragma_update(None, "user_version", found + 1).map_err(refused)?;
        }
        transaction.commit().map_err(refused)?;
    }
    Ok(())
}

/// The format of the tables.
///
/// # Errors
/// The database cannot be read, or a newer program wrote it.
fn format(connection: &Connection) -> Result<u32, StoreError> {
    let found =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(refused)?;
    if found > FORMAT {
        return Err(StoreError::Database(format!(
            "its format {found} is newer than this program, which knows {FORMAT}"
        )));
    }
    Ok(found)
}

/// What a refusal of the database is to us.
pub(super) fn refused(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        _ => StoreError::Database(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Server and command line after an upgrade: both see the old format, and
    /// one of them is quicker.
    #[test]
    fn a_step_that_another_process_has_done_meanwhile_is_not_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (last, before) = STEPS.split_last().unwrap();
        let quicker = Connection::open(&path).unwrap();
        quicker.pragma_update(None, "journal_mode", "WAL").unwrap();
        before.iter().for_each(|step| quicker.execute_batch(step).unwrap());
        quicker.pragma_update(None, "user_version", FORMAT - 1).unwrap();
        quicker.execute_batch("BEGIN IMMEDIATE").unwrap();
        let slower = std::thread::spawn({
            let path = path.clone();
            move || open(&path).map(drop)
        });
        // Long enough for the other to have seen the old format.
        std::thread::sleep(BUSY / 4);
        quicker.execute_batch(last).unwrap();
        quicker.pragma_update(None, "user_version", FORMAT).unwrap();
        quicker.execute_batch("COMMIT").unwrap();
        slower.join().unwrap().unwrap();
        assert_eq!(format(&quicker).unwrap(), FORMAT);
    }
}
