//! Accounts in SQLite, beside the policies in the same file, over a
//! connection of its own: a sign-in does not wait for an import of senders.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Params, Row, params};
use types::{AccountId, Role, Timestamp, TokenId};

use super::accounts::{
    AccountState, LinkKind, NewAccount, SecretHash, StoredAccount, StoredLink, StoredSession,
    StoredToken,
};
use super::database::{self, refused};
use super::rows::{json, number, parse};
use crate::contract::StoreError;

/// The columns of an account, in this order.
const ACCOUNT: &str = "a.id, a.name, a.role, a.password, a.totp_secret, a.preferences, a.created,
    a.created_by, a.signed_in, (SELECT count(*) FROM recovery_codes WHERE account = a.id)";
/// How many those are.
const ACCOUNT_COLUMNS: usize = 10;
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
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql).map_err(refused)?;
        statement.execute(values).map_err(refused)
    }

    /// Changes one account.
    fn change(&self, id: AccountId, sql: &str, values: impl Params) -> Result<(), StoreError> {
        match self.run(sql, values)? {
            0 => Err(StoreError::NotFound(format!("account {}", id.0))),
            _ => Ok(()),
        }
    }

    fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql).map_err(refused)?;
        let mut rows = statement.query(values).map_err(refused)?;
        rows.next().map_err(refused)?.map(read).transpose()
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql).map_err(refused)?;
        let mut rows = statement.query(values).map_err(refused)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(refused)? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}

impl AccountState for SqliteAccounts {
    fn count(&self) -> Result<usize, StoreError> {
        let sql = "SELECT count(*) FROM accounts";
        let count = self.one(sql, (), |row| unsigned(row, 0))?.unwrap_or(0);
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn accounts(&self) -> Result<Vec<StoredAccount>, StoreError> {
        self.all(&format!("SELECT {ACCOUNT} FROM accounts a ORDER BY a.name"), (), |row| {
            account(row, 0)
        })
    }

    fn account(&self, id: AccountId) -> Result<Option<StoredAccount>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM accounts a WHERE a.id = ?1");
        self.one(&sql, [number(id.0)], |row| account(row, 0))
    }

    fn account_named(&self, name: &str) -> Result<Option<StoredAccount>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM accounts a WHERE a.name = ?1");
        self.one(&sql, [name], |row| account(row, 0))
    }

    fn add_account(&self, new: &NewAccount) -> Result<Option<AccountId>, StoreError> {
        let sql = "INSERT INTO accounts (name, role, password, preferences, created, created_by)
            VALUES (?1, ?2, ?3, '{}', ?4, ?5) ON CONFLICT (name) DO NOTHING RETURNING id";
        let NewAccount { name, role, password, at, by } = new;
        let values = params![name, role.slug(), password, at.as_millis(), by];
        Ok(self.one(sql, values, |row| unsigned(row, 0))?.map(AccountId))
    }

    fn remove_account(&self, id: AccountId) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM accounts WHERE id = ?1", [number(id.0)])? > 0)
    }

    fn set_role(&self, id: AccountId, role: Role) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET role = ?2 WHERE id = ?1";
        self.change(id, sql, params![number(id.0), role.slug()])
    }

    fn set_password(&self, id: AccountId, password: &str) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET password = ?2 WHERE id = ?1";
        self.change(id, sql, params![number(id.0), password])
    }

    fn set_preferences(&self, id: AccountId, preferences: &str) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET preferences = ?2 WHERE id = ?1";
        self.change(id, sql, params![number(id.0), preferences])
    }

    fn set_totp(
        &self,
        id: AccountId,
        secret: Option<&[u8]>,
        recovery_codes: &[SecretHash],
    ) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(refused)?;
        let sql = "UPDATE accounts SET totp_secret = ?2, totp_step = NULL WHERE id = ?1";
        if transaction.execute(sql, params![number(id.0), secret]).map_err(refused)? == 0 {
            return Err(StoreError::NotFound(format!("account {}", id.0)));
        }
        let sql = "DELETE FROM recovery_codes WHERE account = ?1";
        transaction.execute(sql, [number(id.0)]).map_err(refused)?;
        for code in recovery_codes {
            let sql = "INSERT INTO recovery_codes (account, hash) VALUES (?1, ?2)";
            transaction.execute(sql, params![number(id.0), code]).map_err(refused)?;
        }
        transaction.commit().map_err(refused)
    }

    fn use_totp_step(&self, id: AccountId, step: u64) -> Result<bool, StoreError> {
        let sql = "UPDATE accounts SET totp_step = ?2
            WHERE id = ?1 AND totp_secret IS NOT NULL AND coalesce(totp_step, -1) < ?2";
        Ok(self.run(sql, params![number(id.0), number(step)])? > 0)
    }

    fn use_recovery_code(&self, id: AccountId, code: &SecretHash) -> Result<bool, StoreError> {
        let sql = "DELETE FROM recovery_codes WHERE account = ?1 AND hash = ?2";
        Ok(self.run(sql, params![number(id.0), code])? > 0)
    }

    fn add_session(
        &self,
        hash: &SecretHash,
        session: &StoredSession,
        sessions_max: usize,
    ) -> Result<u64, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(refused)?;
        let account = number(session.account.0);
        let created = session.created.as_millis();
        let sql = "UPDATE accounts SET signed_in = ?2 WHERE id = ?1";
        if transaction.execute(sql, params![account, created]).map_err(refused)? == 0 {
            return Err(StoreError::NotFound(format!("account {}", session.account.0)));
        }
        let sql =
            "INSERT INTO sessions (hash, account, created, last_seen, expires, address, agent)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (seen, expires) = (session.last_seen.as_millis(), session.expires.as_millis());
        let address = session.address.to_string();
        let values = params![hash, account, created, seen, expires, address, session.agent];
        transaction.execute(sql, values).map_err(refused)?;
        let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or(0);
        let sql = "DELETE FROM sessions WHERE account = ?1 AND id NOT IN
            (SELECT id FROM sessions WHERE account = ?1 ORDER BY last_seen DESC, id DESC LIMIT ?2)";
        let most = number(sessions_max as u64);
        transaction.execute(sql, params![account, most]).map_err(refused)?;
        transaction.commit().map_err(refused)?;
        Ok(id)
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

    fn end_session(&self, account: AccountId, id: u64) -> Result<bool, StoreError> {
        let sql = "DELETE FROM sessions WHERE account = ?1 AND id = ?2";
        Ok(self.run(sql, [number(account.0), number(id)])? > 0)
    }

    fn end_sessions(&self, account: AccountId, but: Option<u64>) -> Result<usize, StoreError> {
        let sql = "DELETE FROM sessions WHERE account = ?1 AND id <> ?2";
        self.run(sql, [number(account.0), but.map_or(-1, number)])
    }

    fn add_token(&self, hash: &SecretHash, token: &StoredToken) -> Result<TokenId, StoreError> {
        let sql =
            "INSERT INTO tokens (hash, account, name, permissions, networks, created, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";
        let account = number(token.account.0);
        let (permissions, networks) = (json(&token.permissions)?, json(&token.networks)?);
        let (created, expires) =
            (token.created.as_millis(), token.expires.map(Timestamp::as_millis));
        let values = params![hash, account, token.name, permissions, networks, created, expires];
        let id = self.one(sql, values, |row| unsigned(row, 0))?;
        id.map(TokenId).ok_or_else(|| StoreError::NotFound("the new token".to_owned()))
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

    fn remove_token(&self, id: TokenId) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM tokens WHERE id = ?1", [number(id.0)])? > 0)
    }

    fn put_link(&self, hash: &SecretHash, link: &StoredLink) -> Result<(), StoreError> {
        let (kind, account) = kept_kind(link.kind);
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(refused)?;
        let sql = "DELETE FROM links WHERE kind = ?1 AND account IS ?2";
        transaction.execute(sql, params![kind, account]).map_err(refused)?;
        let sql = "INSERT INTO links (hash, kind, account, expires) VALUES (?1, ?2, ?3, ?4)";
        let values = params![hash, kind, account, link.expires.as_millis()];
        transaction.execute(sql, values).map_err(refused)?;
        transaction.commit().map_err(refused)
    }

    fn link(&self, hash: &SecretHash) -> Result<Option<StoredLink>, StoreError> {
        self.one("SELECT kind, account, expires FROM links WHERE hash = ?1", [hash], link)
    }

    fn take_link(&self, hash: &SecretHash) -> Result<Option<StoredLink>, StoreError> {
        let sql = "DELETE FROM links WHERE hash = ?1 RETURNING kind, account, expires";
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql).map_err(refused)?;
        // Read to its end: a statement that is left before may not take effect.
        let rows = statement.query_map([hash], |row| Ok(link(row))).map_err(refused)?;
        let mut taken: Vec<_> = rows.collect::<Result<_, _>>().map_err(refused)?;
        taken.pop().transpose()
    }

    fn remove_expired(&self, now: Timestamp, idle_since: Timestamp) -> Result<(), StoreError> {
        let sql = "DELETE FROM sessions WHERE expires <= ?1 OR last_seen < ?2";
        self.run(sql, [now.as_millis(), idle_since.as_millis()])?;
        self.run("DELETE FROM links WHERE expires <= ?1", [now.as_millis()]).map(drop)
    }
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
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
fn account(row: &Row<'_>, first: usize) -> Result<StoredAccount, StoreError> {
    let role: String = row.get(first + 2).map_err(refused)?;
    let role = role.parse().map_err(|_| StoreError::Damaged(format!("account role {role:?}")))?;
    Ok(StoredAccount {
        id: AccountId(unsigned(row, first)?),
        name: row.get(first + 1).map_err(refused)?,
        role,
        password: row.get(first + 3).map_err(refused)?,
        totp_secret: row.get(first + 4).map_err(refused)?,
        preferences: row.get(first + 5).map_err(refused)?,
        created: time(row, first + 6)?,
        created_by: row.get(first + 7).map_err(refused)?,
        signed_in: time_or_none(row, first + 8)?,
        recovery_codes_left: row.get(first + 9).map_err(refused)?,
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
fn kept_kind(kind: LinkKind) -> (&'static str, Option<i64>) {
    match kind {
        LinkKind::Owner => ("owner", None),
        LinkKind::Password(account) => ("password", Some(number(account.0))),
        LinkKind::SignIn(account) => ("sign_in", Some(number(account.0))),
    }
}

fn link(row: &Row<'_>) -> Result<StoredLink, StoreError> {
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
