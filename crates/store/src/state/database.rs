//! Opening the state database, and what its errors mean.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::contract::StoreError;

/// The format this program writes.
const FORMAT: u32 = 17;
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
    let found: u32 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(refused)?;
    if found > FORMAT {
        return Err(StoreError::Database(format!(
            "its format {found} is newer than this program, which knows {FORMAT}"
        )));
    }
    for (step, to) in STEPS.iter().zip(1..).skip(found as usize) {
        let transaction = connection.transaction().map_err(refused)?;
        transaction.execute_batch(step).map_err(refused)?;
        transaction.pragma_update(None, "user_version", to).map_err(refused)?;
        transaction.commit().map_err(refused)?;
    }
    Ok(())
}

/// What a refusal of the database is to us.
pub(super) fn refused(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        _ => StoreError::Database(error.to_string()),
    }
}
