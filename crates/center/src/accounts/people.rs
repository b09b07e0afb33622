//! Accounts of other people: adding, listing, removing.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::StoreError;
use store::state::AccountChanges;
use store::state::accounts::{NewAccount, StoredAccount};
use types::{AuditAction, Caller, Role, Timestamp};

use super::{Accounts, Tokens, password, permit_accounts, permit_all};
use crate::CenterError;

/// Longest name of an account, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// A person to be given an account.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NewPerson {
    /// What they sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// One account, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AccountRow {
    /// What the person signs in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether a password was chosen yet.
    pub has_password: bool,
    /// Whether a code is asked for at sign-in.
    pub has_totp: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// The last sign-in.
    pub signed_in: Option<Timestamp>,
}

impl Accounts {
    /// All accounts, by name.
    ///
    /// # Errors
    ///
    /// The caller may not, or the store fails.
    pub fn accounts(&self, caller: &Caller) -> Result<Vec<AccountRow>, CenterError> {
        permit_accounts(caller)?;
        Ok(self.state.accounts()?.into_iter().map(row).collect())
    }

    /// Adds an account, which nobody can use before a password was chosen:
    /// see [`Accounts::set_up_link`].
    ///
    /// # Errors
    ///
    /// The caller may not, or not that much; the name is taken or none; or
    /// the store fails.
    pub fn add_account(&self, caller: &Caller, new: &NewPerson) -> Result<(), CenterError> {
        permit_accounts(caller)?;
        permit_all(caller, new.role.permissions())?;
        let name = comparable(&new.name);
        check_name(&name)?;
        let (at, by) = (self.clock.now(), caller.name.to_string());
        let new = NewAccount { name, role: new.role, password: None, at, by };
        let details = json!({ "role": new.role.slug() });
        let note = self
            .note(caller, AuditAction::AccountAdded, &new.name)
            .with_details(details.to_string());
        let made = self.changed(&note, |to| to.add_account(&new))?;
        made.map(drop).ok_or_else(name_taken)
    }

    /// Gives an account another role; what its tokens may follows.
    ///
    /// # Errors
    ///
    /// The caller may not, there is no such account, it is the last owner, or
    /// the store fails.
    pub fn set_role(&self, caller: &Caller, name: &str, role: Role) -> Result<(), CenterError> {
        let account = self.other(caller, name)?;
        permit_all(caller, role.permissions())?;
        let details = json!({ "before": account.role.slug(), "after": role.slug() });
        let note = self
            .note(caller, AuditAction::RoleGiven, &account.name)
            .with_details(details.to_string());
        let given = self.changed(&note, |to| {
            to.set_role(account.id, role)?;
            owner_left(to)
        })?;
        given.ok_or_else(last_owner)
    }

    /// Removes an account with its sessions, tokens and links.
    ///
    /// # Errors
    ///
    /// As [`Accounts::set_role`].
    pub fn remove_account(&self, caller: &Caller, name: &str) -> Result<(), CenterError> {
        let account = self.other(caller, name)?;
        let details = json!({ "before": account.role.slug() });
        let note = self
            .note(caller, AuditAction::AccountRemoved, &account.name)
            .with_details(details.to_string());
        let removed = self.changed(&note, |to| {
            to.remove_account(account.id)?;
            owner_left(to)
        })?;
        removed.ok_or_else(last_owner)
    }

    /// Sets the password of an account, which ends its sessions and the links
    /// made for it; `tokens` says what becomes of those.
    ///
    /// # Errors
    ///
    /// The caller may not, there is no such account, the password is too
    /// easy, or the store fails.
    pub fn set_password(
        &self,
        caller: &Caller,
        name: &str,
        new: &str,
        tokens: Tokens,
    ) -> Result<(), CenterError> {
        let account = self.other(caller, name)?;
        not_oneself(caller, &account)?;
        password::check(new, &account.name)?;
        let hash = self.hasher.hash(new)?;
        let note = self.note(caller, AuditAction::PasswordSet, &account.name);
        self.change(&note, &account, &tokens.with(&hash, None))
    }

    /// Turns codes off for a person who has lost them, and ends their
    /// sessions.
    ///
    /// # Errors
    ///
    /// The caller may not, there is no such account, or the store fails.
    pub fn reset_totp(&self, caller: &Caller, name: &str) -> Result<(), CenterError> {
        let account = self.other(caller, name)?;
        not_oneself(caller, &account)?;
        let note = self.note(caller, AuditAction::CodesOff, &account.name);
        self.done(&note, |to| {
            to.set_totp(account.id, None, &[])?;
            to.end_sessions(account.id, None).map(drop)
        })
    }

    /// The account of this name.
    pub(super) fn named(&self, name: &str) -> Result<StoredAccount, CenterError> {
        let found = self.state.account_named(&comparable(name))?;
        found.ok_or_else(|| CenterError::NotFound("account of this name".to_owned()))
    }

    /// An account that the caller may change: nobody changes one that may
    /// more than they do, or they would have its permissions.
    fn other(&self, caller: &Caller, name: &str) -> Result<StoredAccount, CenterError> {
        permit_accounts(caller)?;
        let account = self.named(name)?;
        permit_all(caller, account.role.permissions())?;
        Ok(account)
    }
}

/// Nothing if nobody would be left who may do everything. Asked inside the
/// change: two owners who demote each other at once must not both succeed.
fn owner_left(changed: &dyn AccountChanges) -> Result<Option<()>, StoreError> {
    let owner = |account: &StoredAccount| account.role == Role::Owner;
    Ok(changed.accounts()?.iter().any(owner).then_some(()))
}

fn last_owner() -> CenterError {
    let text = "this is the last owner; make another one first, or nobody could come in";
    CenterError::invalid(text)
}

/// Somebody else is called so.
pub(super) fn name_taken() -> CenterError {
    CenterError::invalid("there is an account of this name already")
}

/// The form in which names are the same: without spaces around, in lower case.
pub(super) fn comparable(name: &str) -> String {
    name.trim().chars().flat_map(char::to_lowercase).take(NAME_CHARS_MAX + 1).collect()
}

/// Refuses a name that could not be told from another or typed: letters,
/// digits and a few signs of ASCII, as an address has.
pub(super) fn check_name(name: &str) -> Result<(), CenterError> {
    let sign = |octet: u8| octet.is_ascii_alphanumeric() || b"@._+-".contains(&octet);
    let fits = (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(sign);
    match fits && name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(CenterError::invalid(
            "a name has up to 64 letters, digits and @ . _ + - and begins with a letter or digit",
        )),
    }
}

fn row(account: StoredAccount) -> AccountRow {
    AccountRow {
        name: account.name,
        role: account.role,
        has_password: account.password.is_some(),
        has_totp: account.totp_secret.is_some(),
        created: account.created,
        created_by: account.created_by,
        signed_in: account.signed_in,
    }
}

/// Refuses to change one's own password or codes for others' sake: whoever
/// has got hold of a session or a token must not lock its owner out. One's
/// own are changed with a proof of who one is.
pub(super) fn not_oneself(caller: &Caller, account: &StoredAccount) -> Result<(), CenterError> {
    match caller.account() == Some(account.id) {
        true => Err(CenterError::invalid(
            "this is your own account: change its password and codes under /me, with your password",
        )),
        false => Ok(()),
    }
}
