//! What is changed of accounts, inside the transaction that also notes it in
//! the audit log.

use rusqlite::{Connection, Params, Row, params};
use types::{AccountId, Limit, RoleName, Timestamp, TokenId};

use super::accounts::{
    AccountChanges, NewAccount, NewPassword, SecretHash, StoredAccount, StoredIdentity, StoredLink,
    StoredRole, StoredSession, StoredToken,
};
use super::database::refused;
use super::limits;
use super::rows::{json, number};
use super::sqlite_accounts::{ACCOUNT, account, kept_kind, link, unsigned};
use crate::contract::StoreError;

/// A connection somebody else holds, in or outside of a transaction.
pub(super) struct Inside<'a>(pub(super) &'a Connection);

impl Inside<'_> {
    /// Runs one statement; gives how many rows it changed.
    pub(super) fn run(&self, sql: &str, values: impl Params) -> Result<usize, StoreError> {
        let mut statement = self.0.prepare_cached(sql).map_err(refused)?;
        statement.execute(values).map_err(refused)
    }

    /// Changes one account.
    fn on_account(&self, id: AccountId, sql: &str, values: impl Params) -> Result<(), StoreError> {
        match self.run(sql, values)? {
            0 => Err(StoreError::NotFound(format!("account {}", id.0))),
            _ => Ok(()),
        }
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.0.prepare_cached(sql).map_err(refused)?;
        let mut rows = statement.query(values).map_err(refused)?;
        rows.next().map_err(refused)?.map(read).transpose()
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.0.prepare_cached(sql).map_err(refused)?;
        let mut rows = statement.query(values).map_err(refused)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(refused)? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}

impl AccountChanges for Inside<'_> {
    fn accounts(&self) -> Result<Vec<StoredAccount>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM accounts a ORDER BY a.name");
        self.all(&sql, (), |row| account(row, 0))
    }

    fn add_account(&self, new: &NewAccount) -> Result<Option<AccountId>, StoreError> {
        let sql = "INSERT INTO accounts
            (name, role, password, preferences, created, created_by, domains, emergency)
            VALUES (?1, ?2, ?3, '{}', ?4, ?5, ?6, ?7) ON CONFLICT (name) DO NOTHING RETURNING id";
        let NewAccount { name, role, limit, emergency, password, at, by } = new;
        let (role, at) = (role.as_str(), at.as_millis());
        let domains = limits::kept(limit.as_ref())?;
        let values = params![name, role, password, at, by, domains, emergency];
        Ok(self.one(sql, values, |row| unsigned(row, 0))?.map(AccountId))
    }

    fn remove_account(&self, id: AccountId) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM accounts WHERE id = ?1", [number(id.0)])? > 0)
    }

    fn set_role(&self, id: AccountId, role: &RoleName) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET role = ?2 WHERE id = ?1";
        self.on_account(id, sql, params![number(id.0), role.as_str()])
    }

    fn set_limit(&self, id: AccountId, limit: Option<&Limit>) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET domains = ?2 WHERE id = ?1";
        self.on_account(id, sql, params![number(id.0), limits::kept(limit)?])
    }

    fn set_disabled(&self, id: AccountId, disabled: bool) -> Result<(), StoreError> {
        let account = number(id.0);
        let sql = "UPDATE accounts SET disabled = ?2 WHERE id = ?1";
        self.on_account(id, sql, params![account, disabled])?;
        if disabled {
            self.run("DELETE FROM sessions WHERE account = ?1", [account])?;
            self.run("DELETE FROM links WHERE account = ?1", [account])?;
        }
        Ok(())
    }

    fn add_identity(&self, new: &StoredIdentity) -> Result<bool, StoreError> {
        let StoredIdentity { id: _, issuer, subject, account, gives_role, linked, linked_by } = new;
        let sql = "INSERT OR IGNORE INTO identities
            (issuer, subject, account, gives_role, linked, linked_by)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (account, linked) = (number(account.0), linked.as_millis());
        let values = params![issuer, subject, account, gives_role, linked, linked_by];
        Ok(self.run(sql, values)? > 0)
    }

    fn remove_identity(&self, account: AccountId, id: u64) -> Result<bool, StoreError> {
        let sql = "DELETE FROM identities WHERE account = ?1 AND id = ?2";
        Ok(self.run(sql, [number(account.0), number(id)])? > 0)
    }

    fn put_role(&self, role: &StoredRole) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO roles (name, permissions, note, changed, changed_by)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let StoredRole { name, permissions, note, changed, changed_by } = role;
        let (name, permissions) = (name.as_str(), json(permissions)?);
        self.run(sql, params![name, permissions, note, changed.as_millis(), changed_by]).map(drop)
    }

    fn remove_role(&self, name: &RoleName) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM roles WHERE name = ?1", [name.as_str()])? > 0)
    }

    fn set_password(&self, id: AccountId, new: &NewPassword<'_>) -> Result<(), StoreError> {
        let account = number(id.0);
        let sql = "UPDATE accounts SET password = ?2 WHERE id = ?1";
        self.on_account(id, sql, params![account, new.hash])?;
        let sql = "DELETE FROM sessions WHERE account = ?1 AND id IS NOT ?2";
        self.run(sql, params![account, new.keep_session.map(number)])?;
        self.run("DELETE FROM links WHERE account = ?1", [account])?;
        if new.end_tokens {
            self.run("DELETE FROM tokens WHERE account = ?1", [account])?;
        }
        if new.end_identities {
            self.run("DELETE FROM identities WHERE account = ?1", [account])?;
        }
        Ok(())
    }

    fn set_preferences(&self, id: AccountId, preferences: &str) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET preferences = ?2 WHERE id = ?1";
        self.on_account(id, sql, params![number(id.0), preferences])
    }

    fn set_totp(
        &self,
        id: AccountId,
        secret: Option<&[u8]>,
        recovery_codes: &[SecretHash],
    ) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET totp_secret = ?2, totp_step = NULL WHERE id = ?1";
        if self.run(sql, params![number(id.0), secret])? == 0 {
            return Err(StoreError::NotFound(format!("account {}", id.0)));
        }
        let sql = "DELETE FROM recovery_codes WHERE account = ?1";
        self.run(sql, [number(id.0)])?;
        for code in recovery_codes {
            let sql = "INSERT INTO recovery_codes (account, hash) VALUES (?1, ?2)";
            self.run(sql, params![number(id.0), code])?;
        }
        Ok(())
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
        let account = number(session.account.0);
        let created = session.created.as_millis();
        let sql = "UPDATE accounts SET signed_in = ?2 WHERE id = ?1";
        if self.run(sql, params![account, created])? == 0 {
            return Err(StoreError::NotFound(format!("account {}", session.account.0)));
        }
        let sql =
            "INSERT INTO sessions (hash, account, created, last_seen, expires, address, agent)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (seen, expires) = (session.last_seen.as_millis(), session.expires.as_millis());
        let address = session.address.to_string();
        let values = params![hash, account, created, seen, expires, address, session.agent];
        self.run(sql, values)?;
        let id = u64::try_from(self.0.last_insert_rowid()).unwrap_or(0);
        let sql = "DELETE FROM sessions WHERE account = ?1 AND id NOT IN
            (SELECT id FROM sessions WHERE account = ?1 ORDER BY last_seen DESC, id DESC LIMIT ?2)";
        let most = number(sessions_max as u64);
        self.run(sql, params![account, most])?;
        Ok(id)
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

    fn remove_token(&self, id: TokenId) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM tokens WHERE id = ?1", [number(id.0)])? > 0)
    }

    fn put_link(&self, hash: &SecretHash, link: &StoredLink) -> Result<(), StoreError> {
        let (kind, account) = kept_kind(link.kind);
        let sql = "DELETE FROM links WHERE kind = ?1 AND account IS ?2";
        self.run(sql, params![kind, account])?;
        let sql = "INSERT INTO links (hash, kind, account, expires) VALUES (?1, ?2, ?3, ?4)";
        let values = params![hash, kind, account, link.expires.as_millis()];
        self.run(sql, values)?;
        Ok(())
    }

    fn take_link(&self, hash: &SecretHash) -> Result<Option<StoredLink>, StoreError> {
        let sql = "DELETE FROM links WHERE hash = ?1 RETURNING kind, account, expires";
        let mut statement = self.0.prepare_cached(sql).map_err(refused)?;
        // Read to its end: a statement that is left before may not take effect.
        let rows = statement.query_map([hash], |row| Ok(link(row))).map_err(refused)?;
        let mut taken: Vec<_> = rows.collect::<Result<_, _>>().map_err(refused)?;
        taken.pop().transpose()
    }
}
