//! Accounts in SQLite, beside the policies in the same file, over a
//! connection of its own: a sign-in does not wait for an import of senders.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Params, Row, TransactionBehavior, params};
use types::lists::Group;
use types::{AccountId, AuditNote, Timestamp, TokenId};

use super::accounts::{
    AccountChanges, AccountState, LinkKind, SecretHash, StoredAccount, StoredIdentity, StoredLink,
    StoredRole, StoredSession, StoredToken,
};
use super::database::{self, refused};
use super::rows::{number, parse};
use super::sqlite_account_changes::Inside;
use super::sqlite_audit;
use super::{draft, limits};
use crate::contract::StoreError;

/// The columns of an account, in this order.
pub(super) const ACCOUNT: &str =
    "a.id, a.name, a.role, a.password, a.totp_secret, a.preferences, a.created,
    a.created_by, a.signed_in, (SELECT count(*) FROM recovery_codes WHERE account = a.id),
    a.domains, a.disabled, a.emergency, (SELECT permissions FROM roles WHERE name = a.role),
    EXISTS (SELECT 1 FROM identities WHERE account = a.id AND gives_role)";
/// How many those are.
const ACCOUNT_COLUMNS: usize = 15;
/// The columns of an identity.
const IDENTITY: &str = "id, issuer, subject, account, gives_role, linked, linked_by";
/// The columns of a session.
const SESSION: &str = "s.id, s.account, s.created, s.last_seen, s.expires, s.address, s.agent";
/// The columns of a token.
const TOKEN: &str = "t.id, t.account, t.name, t.permissions, t.networks, t.created, t.expires,
    t.last_used, t.last_address";

/// The embedded implementation of [`AccountState`].
#[derive(Debug)]
pub struct SqliteAccounts {
    connection: Mutex<Connection>,
}

impl SqliteAccounts {
    /// Opens the state database at `path`, which is made if it is not there,
    /// in a folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = database::open(path)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(refused)?;
        Ok(SqliteAccounts { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panicking thread began is undone when its transaction is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one statement; gives how many rows it changed.
    fn run(&self, sql: &str, values: impl Params) -> Result<usize, StoreError> {
        Inside(&self.connection()).run(sql, values)
    }

    fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Inside(&self.connection()).one(sql, values, read)
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        Inside(&self.connection()).all(sql, values, read)
    }
}

impl AccountState for SqliteAccounts {
    fn count(&self) -> Result<usize, StoreError> {
        let sql = "SELECT count(*) FROM accounts";
        let count = self.one(sql, (), |row| unsigned(row, 0))?.unwrap_or(0);
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn accounts(&self) -> Result<Vec<StoredAccount>, StoreError> {
        Inside(&self.connection()).accounts()
    }

    fn account(&self, id: AccountId) -> Result<Option<StoredAccount>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM accounts a WHERE a.id = ?1");
        self.one(&sql, [number(id.0)], |row| account(row, 0))
    }

    fn account_named(&self, name: &str) -> Result<Option<StoredAccount>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM accounts a WHERE a.name = ?1");
        self.one(&sql, [name], |row| account(row, 0))
    }

    fn identity(&self, issuer: &str, subject: &str) -> Result<Option<StoredIdentity>, StoreError> {
        let sql = format!("SELECT {IDENTITY} FROM identities WHERE issuer = ?1 AND subject = ?2");
        self.one(&sql, [issuer, subject], identity)
    }

    fn identities(&self, account: Option<AccountId>) -> Result<Vec<StoredIdentity>, StoreError> {
        let sql = format!(
            "SELECT {IDENTITY} FROM identities WHERE ?1 IS NULL OR account = ?1 ORDER BY id"
        );
        self.all(&sql, [account.map(|id| number(id.0))], identity)
    }

    fn groups(&self, known: Option<u64>) -> Result<Option<(u64, Vec<Group>)>, StoreError> {
        let connection = self.connection();
        // Before they are read: a change in between is noticed the next time.
        let version = draft::version(&connection)?;
        if known == Some(version) {
            return Ok(None);
        }
        let sql = "SELECT body FROM groups ORDER BY name";
        let groups = Inside(&connection).all(sql, (), |row| {
            let body: String = row.get(0).map_err(refused)?;
            parse(&body, "stored group")
        })?;
        Ok(Some((version, groups)))
    }

    fn roles(&self) -> Result<Vec<StoredRole>, StoreError> {
        let sql = "SELECT name, permissions, note, changed, changed_by FROM roles ORDER BY name";
        self.all(sql, (), role)
    }

    fn use_totp_step(&self, id: AccountId, step: u64) -> Result<bool, StoreError> {
        let sql = "UPDATE accounts SET totp_step = ?2
            WHERE id = ?1 AND totp_secret IS NOT NULL AND coalesce(totp_step, -1) < ?2";
        Ok(self.run(sql, params![number(id.0), number(step)])? > 0)
    }

    fn session(
        &self,
        hash: &SecretHash,
    ) -> Result<Option<(StoredSession, StoredAccount)>, StoreError> {
        let sql = format!(
            "SELECT {ACCOUNT}, {SESSION} FROM sessions s JOIN accounts a ON a.id = s.account
            WHERE s.hash = ?1"
        );
        self.one(&sql, [hash], |row| Ok((session(row, ACCOUNT_COLUMNS)?, account(row, 0)?)))
    }

    fn touch_session(&self, id: u64, at: Timestamp, from: IpAddr) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET last_seen = ?2, address = ?3 WHERE id = ?1";
        self.run(sql, params![number(id), at.as_millis(), from.to_string()]).map(drop)
    }

    fn sessions(&self, account: AccountId) -> Result<Vec<StoredSession>, StoreError> {
        let sql = format!(
            "SELECT {SESSION} FROM sessions s WHERE s.account = ?1 ORDER BY s.last_seen DESC, s.id"
        );
        self.all(&sql, [number(account.0)], |row| session(row, 0))
    }

    fn token(&self, hash: &SecretHash) -> Result<Option<(StoredToken, StoredAccount)>, StoreError> {
        let sql = format!(
            "SELECT {ACCOUNT}, {TOKEN} FROM tokens t JOIN accounts a ON a.id = t.account
            WHERE t.hash = ?1"
        );
        self.one(&sql, [hash], |row| Ok((token(row, ACCOUNT_COLUMNS)?, account(row, 0)?)))
    }

    fn touch_token(&self, id: TokenId, at: Timestamp, from: IpAddr) -> Result<(), StoreError> {
        let sql = "UPDATE tokens SET last_used = ?2, last_address = ?3 WHERE id = ?1";
        self.run(sql, params![number(id.0), at.as_millis(), from.to_string()]).map(drop)
    }

    fn tokens(&self, account: Option<AccountId>) -> Result<Vec<StoredToken>, StoreError> {
        let sql = format!(
            "SELECT {TOKEN} FROM tokens t WHERE ?1 IS NULL OR t.account = ?1 ORDER BY t.id DESC"
        );
        self.all(&sql, [account.map(|id| number(id.0))], |row| token(row, 0))
    }

    fn link(&self, hash: &SecretHash) -> Result<Option<StoredLink>, StoreError> {
        self.one("SELECT kind, account, expires FROM links WHERE hash = ?1", [hash], link)
    }

    fn remove_expired(&self, now: Timestamp, idle_since: Timestamp) -> Result<(), StoreError> {
        let sql = "DELETE FROM sessions WHERE expires <= ?1 OR last_seen < ?2";
        self.run(sql, [now.as_millis(), idle_since.as_millis()])?;
        self.run("DELETE FROM links WHERE expires <= ?1", [now.as_millis()]).map(drop)
    }

    fn change(
        &self,
        note: &AuditNote,
        work: &mut dyn FnMut(&dyn AccountChanges) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        let changed = work(&Inside(&transaction))?;
        if changed {
            sqlite_audit::append(&transaction, note)?;
            transaction.commit().map_err(refused)?;
        }
        Ok(changed)
    }
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.get::<_, i64>(column).map_err(refused)?).unwrap_or(0))
}

fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, StoreError> {
    row.get(column).map(Timestamp::from_millis).map_err(refused)
}

fn time_or_none(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    let millis: Option<i64> = row.get(column).map_err(refused)?;
    Ok(millis.map(Timestamp::from_millis))
}

/// An address out of a text of our own; one that is damaged becomes one that
/// nobody has, since nothing is decided by it.
fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// An account out of the columns [`ACCOUNT`], which begin at `first`.
pub(super) fn account(row: &Row<'_>, first: usize) -> Result<StoredAccount, StoreError> {
    let role: String = row.get(first + 2).map_err(refused)?;
    let role = role.parse().map_err(|_| StoreError::Damaged(format!("account role {role:?}")))?;
    let domains: Option<String> = row.get(first + 10).map_err(refused)?;
    let of_role: Option<String> = row.get(first + 13).map_err(refused)?;
    Ok(StoredAccount {
        id: AccountId(unsigned(row, first)?),
        name: row.get(first + 1).map_err(refused)?,
        role,
        of_role: of_role.map(|text| parse(&text, "permissions of a role")).transpose()?,
        limit: limits::read(domains.as_deref())?,
        disabled: row.get(first + 11).map_err(refused)?,
        emergency: row.get(first + 12).map_err(refused)?,
        role_is_given: row.get(first + 14).map_err(refused)?,
        password: row.get(first + 3).map_err(refused)?,
        totp_secret: row.get(first + 4).map_err(refused)?,
        preferences: row.get(first + 5).map_err(refused)?,
        created: time(row, first + 6)?,
        created_by: row.get(first + 7).map_err(refused)?,
        signed_in: time_or_none(row, first + 8)?,
        recovery_codes_left: row.get(first + 9).map_err(refused)?,
    })
}

/// A role out of its five columns.
fn role(row: &Row<'_>) -> Result<StoredRole, StoreError> {
    let name: String = row.get(0).map_err(refused)?;
    let permissions: String = row.get(1).map_err(refused)?;
    Ok(StoredRole {
        name: name.parse().map_err(|_| StoreError::Damaged(format!("role {name:?}")))?,
        permissions: parse(&permissions, "permissions of a role")?,
        note: row.get(2).map_err(refused)?,
        changed: time(row, 3)?,
        changed_by: row.get(4).map_err(refused)?,
    })
}

/// An identity out of the columns [`IDENTITY`].
fn identity(row: &Row<'_>) -> Result<StoredIdentity, StoreError> {
    Ok(StoredIdentity {
        id: unsigned(row, 0)?,
        issuer: row.get(1).map_err(refused)?,
        subject: row.get(2).map_err(refused)?,
        account: AccountId(unsigned(row, 3)?),
        gives_role: row.get(4).map_err(refused)?,
        linked: time(row, 5)?,
        linked_by: row.get(6).map_err(refused)?,
    })
}

/// A session out of the columns [`SESSION`].
fn session(row: &Row<'_>, first: usize) -> Result<StoredSession, StoreError> {
    Ok(StoredSession {
        id: unsigned(row, first)?,
        account: AccountId(unsigned(row, first + 1)?),
        created: time(row, first + 2)?,
        last_seen: time(row, first + 3)?,
        expires: time(row, first + 4)?,
        address: address(&row.get::<_, String>(first + 5).map_err(refused)?),
        agent: row.get(first + 6).map_err(refused)?,
    })
}

/// A token out of the columns [`TOKEN`].
fn token(row: &Row<'_>, first: usize) -> Result<StoredToken, StoreError> {
    let permissions: String = row.get(first + 3).map_err(refused)?;
    let networks: String = row.get(first + 4).map_err(refused)?;
    let last_address: Option<String> = row.get(first + 8).map_err(refused)?;
    let last_used = time_or_none(row, first + 7)?;
    Ok(StoredToken {
        id: TokenId(unsigned(row, first)?),
        account: AccountId(unsigned(row, first + 1)?),
        name: row.get(first + 2).map_err(refused)?,
        permissions: parse(&permissions, "permissions of a token")?,
        networks: parse(&networks, "networks of a token")?,
        created: time(row, first + 5)?,
        expires: time_or_none(row, first + 6)?,
        last_used: last_used.map(|at| (at, address(last_address.as_deref().unwrap_or("")))),
    })
}

/// The kind of a link as two columns.
pub(super) fn kept_kind(kind: LinkKind) -> (&'static str, Option<i64>) {
    match kind {
        LinkKind::Owner => ("owner", None),
        LinkKind::Password(account) => ("password", Some(number(account.0))),
        LinkKind::SignIn(account) => ("sign_in", Some(number(account.0))),
    }
}

pub(super) fn link(row: &Row<'_>) -> Result<StoredLink, StoreError> {
    let kind: String = row.get(0).map_err(refused)?;
    let account: Option<i64> = row.get(1).map_err(refused)?;
    let account = account.and_then(|id| u64::try_from(id).ok()).map(AccountId);
    let kind = match (kind.as_str(), account) {
        ("owner", None) => LinkKind::Owner,
        ("password", Some(account)) => LinkKind::Password(account),
        ("sign_in", Some(account)) => LinkKind::SignIn(account),
        (other, _) => return Err(StoreError::Damaged(format!("link of kind {other:?}"))),
    };
    Ok(StoredLink { kind, expires: time(row, 2)? })
}
