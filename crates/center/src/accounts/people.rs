//! Accounts of other people: adding, listing, removing.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::StoreError;
use store::state::AccountChanges;
use store::state::accounts::{NewAccount, StoredAccount};
use types::policy::DomainPattern;
use types::{AuditAction, Caller, Limit, Role, RoleName, Timestamp};

use super::names::{check_free_name, comparable, name_taken};
use super::{Accounts, IdentityRow, Tokens, limits, password, permit_accounts, permit_all};
use crate::CenterError;

/// A person to be given an account.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NewPerson {
    /// What they sign in with.
    pub name: String,
    /// What they may do.
    pub role: RoleName,
    /// The recipient domains whose mail they see; everybody's if there are
    /// neither domains nor groups.
    #[serde(default)]
    pub domains: Vec<DomainPattern>,
    /// The groups whose members' mail they see, by name.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What is to be different about an account; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// What it may do.
    #[serde(default)]
    pub role: Option<RoleName>,
    /// The recipient domains whose mail it sees. Without domains and groups
    /// it sees everybody's.
    #[serde(default)]
    pub domains: Option<Vec<DomainPattern>>,
    /// The groups whose members' mail it sees, by name.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    /// Whether nobody can come in with it.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// One account, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AccountRow {
    /// What the person signs in with.
    pub name: String,
    /// What they may do, by name.
    pub role: RoleName,
    /// The recipient domains whose mail they see; everybody's if there are
    /// neither domains nor groups.
    #[serde(default)]
    pub domains: Vec<DomainPattern>,
    /// The groups whose members' mail they see, by name.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Those of them that are not there any more: of these they see nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups_missing: Vec<String>,
    /// Whether nobody can come in with it.
    #[serde(default)]
    pub disabled: bool,
    /// Whether it is for emergencies.
    #[serde(default)]
    pub emergency: bool,
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
    /// Who the person is at the sign-in service.
    #[serde(default)]
    pub identities: Vec<IdentityRow>,
}

impl Accounts {
    /// All accounts, by name.
    ///
    /// # Errors
    ///
    /// The caller may not, or the store fails.
    pub fn accounts(&self, caller: &Caller) -> Result<Vec<AccountRow>, CenterError> {
        permit_accounts(caller)?;
        let mut linked = self.identity_rows(None)?;
        let accounts = self.state.accounts()?.into_iter();
        let filled = |account: StoredAccount| {
            let of_it = linked.extract_if(.., |(of, _)| *of == account.id);
            let identities = of_it.map(|(_, identity)| identity).collect();
            let row = row(account);
            let groups_missing = self.missing(&row.groups)?;
            Ok(AccountRow { identities, groups_missing, ..row })
        };
        accounts.map(filled).collect()
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
        permit_all(caller, self.allowed_by(&new.role)?)?;
        let name = comparable(&new.name);
        check_free_name(&name)?;
        let (at, by) = (self.clock.now(), caller.name.to_string());
        let (role, limit) = (new.role.clone(), self.limit(&new.domains, &new.groups)?);
        let details = limits::told(&role, limit.as_ref());
        let new = NewAccount { name, role, limit, emergency: false, password: None, at, by };
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
    /// As [`Accounts::change_account`].
    pub fn set_role(
        &self,
        caller: &Caller,
        name: &str,
        role: impl Into<RoleName>,
    ) -> Result<(), CenterError> {
        let change = AccountChange { role: Some(role.into()), ..AccountChange::default() };
        self.change_account(caller, name, &change)
    }

    /// Changes what an account may do, whose mail it sees, and whether
    /// anybody can come in with it; what its tokens may follows.
    ///
    /// # Errors
    ///
    /// The caller may not, or not that much; there is no such account or
    /// role; nobody would be left who may do everything; they would shut
    /// themselves out; or the store fails.
    pub fn change_account(
        &self,
        caller: &Caller,
        name: &str,
        change: &AccountChange,
    ) -> Result<(), CenterError> {
        let account = self.other(caller, name)?;
        let limit = self.changed_limit(&account, change)?;
        // What the account may do now was asked for by [`Self::other`]; here,
        // what it will do: a role, or a limit taken away, can give more.
        let allowed = match &change.role {
            Some(role) if *role != account.role => self.allowed_by(role)?,
            _ => account.role.permissions(account.of_role),
        };
        let is_limited = limit.as_ref().unwrap_or(&account.limit).is_some();
        permit_all(caller, if is_limited { allowed.of_recipients() } else { allowed })?;
        let own = caller.account() == Some(account.id);
        if own && change.disabled == Some(true) {
            return Err(CenterError::invalid(
                "this is your own account; somebody else disables it",
            ));
        }
        let before = row(account.clone());
        let mut after = before.clone();
        after.role = change.role.clone().unwrap_or(after.role);
        if let Some(limit) = &limit {
            after.domains = limits::domains(limit.as_ref());
            after.groups = limits::groups(limit.as_ref());
        }
        after.disabled = change.disabled.unwrap_or(after.disabled);
        if before == after {
            return Ok(());
        }
        let given = |row: &AccountRow| (row.role.clone(), row.domains.clone(), row.groups.clone());
        if account.role_is_given && given(&before) != given(&after) {
            return Err(CenterError::invalid(
                "what this account may do and see is decided by the sign-in service, each time its \
                 person comes in; change it there, or unlink the account first",
            ));
        }
        let told = |row: &AccountRow| {
            json!({
                "role": row.role, "domains": row.domains, "groups": row.groups,
                "disabled": row.disabled,
            })
        };
        let details = json!({ "before": told(&before), "after": told(&after) });
        let action = match before.role == after.role {
            true => AuditAction::AccountChanged,
            false => AuditAction::RoleGiven,
        };
        let note = self.note(caller, action, &account.name).with_details(details.to_string());
        let given = self.changed(&note, |to| {
            if let Some(role) = &change.role {
                to.set_role(account.id, role)?;
            }
            if let Some(limit) = &limit {
                to.set_limit(account.id, limit.as_ref())?;
            }
            if let Some(disabled) = change.disabled {
                to.set_disabled(account.id, disabled)?;
            }
            owner_left(to, &account)
        })?;
        given.ok_or_else(last_owner)
    }

    /// The limit that a change makes; nothing if it leaves it as it is. What
    /// it does not name of domains and groups stays.
    fn changed_limit(
        &self,
        account: &StoredAccount,
        change: &AccountChange,
    ) -> Result<Option<Option<Limit>>, CenterError> {
        let before = account.limit.as_ref();
        let (domains, groups) = match (&change.domains, &change.groups) {
            (None, None) => return Ok(None),
            (domains, groups) => (
                domains.clone().unwrap_or_else(|| limits::domains(before)),
                groups.clone().unwrap_or_else(|| limits::groups(before)),
            ),
        };
        // What is limited to a group that is gone can be saved as it is.
        match groups == limits::groups(before) {
            true => limits::limit(&domains, &groups).map(Some),
            false => self.limit(&domains, &groups).map(Some),
        }
    }

    /// Removes an account with its sessions, tokens, links and identities.
    ///
    /// # Errors
    ///
    /// As [`Accounts::set_role`].
    pub fn remove_account(&self, caller: &Caller, name: &str) -> Result<(), CenterError> {
        let account = self.other(caller, name)?;
        let details = json!({ "before": account.role });
        let note = self
            .note(caller, AuditAction::AccountRemoved, &account.name)
            .with_details(details.to_string());
        let removed = self.changed(&note, |to| {
            to.remove_account(account.id)?;
            owner_left(to, &account)
        })?;
        removed.ok_or_else(last_owner)
    }

    /// Sets the password of an account, which ends its sessions and the links
    /// made for it, and unlinks it from the sign-in service; `tokens` says
    /// what becomes of those.
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
        no_way_around(&account)?;
        password::check(new, &account.name)?;
        let hash = self.hasher.hash(new)?;
        let note = self.note(caller, AuditAction::PasswordSet, &account.name);
        let note = note.with_details(self.told_unlinked(&account)?);
        self.change(&note, &account, &tokens.anew(&hash, &account))
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

    /// Who an account is at the sign-in service, for the entry about a new
    /// password, with which that ends.
    pub(super) fn told_unlinked(&self, account: &StoredAccount) -> Result<String, CenterError> {
        let linked = self.identity_rows(Some(account.id))?;
        let subjects: Vec<String> = linked.into_iter().map(|(_, row)| row.subject).collect();
        Ok(match subjects.is_empty() || account.password.is_none() {
            true => String::new(),
            false => json!({ "unlinked": subjects }).to_string(),
        })
    }

    /// The account of this name.
    pub(super) fn named(&self, name: &str) -> Result<StoredAccount, CenterError> {
        let found = self.state.account_named(&comparable(name))?;
        found.ok_or_else(|| CenterError::NotFound("account of this name".to_owned()))
    }

    /// An account that the caller may change: nobody changes one that may
    /// more than they do, or they would have its permissions.
    pub(super) fn other(&self, caller: &Caller, name: &str) -> Result<StoredAccount, CenterError> {
        permit_accounts(caller)?;
        let account = self.named(name)?;
        permit_all(caller, account.permissions())?;
        Ok(account)
    }
}

/// Refuses a password beside the sign-in service that decides about an
/// account: whom it turns away would come in with that.
pub(super) fn no_way_around(account: &StoredAccount) -> Result<(), CenterError> {
    match account.role_is_given {
        true => Err(CenterError::invalid(
            "whoever has this account comes in through the sign-in service, which decides about \
             it; unlink the account before it gets a password",
        )),
        false => Ok(()),
    }
}

/// Nothing if `before` was an owner and nobody is left who may do everything.
/// Asked inside the change: two owners who demote each other at once must not
/// both succeed.
fn owner_left(
    changed: &dyn AccountChanges,
    before: &StoredAccount,
) -> Result<Option<()>, StoreError> {
    let left = !stays_owner(before) || changed.accounts()?.iter().any(stays_owner);
    Ok(left.then_some(()))
}

/// Whether an account is an owner who can come in, whatever becomes of the
/// sign-in service: one that never chose a password cannot, and whom the
/// service made an owner it can make less at any time.
fn stays_owner(account: &StoredAccount) -> bool {
    is_owner(account) && !account.role_is_given && account.password.is_some()
}

/// Whether an account may do everything, every day: one for emergencies does
/// not count, since it is not there to be used.
pub(super) fn is_owner(account: &StoredAccount) -> bool {
    account.role == Role::Owner
        && account.limit.is_none()
        && !account.disabled
        && !account.emergency
}

fn last_owner() -> CenterError {
    let text = "this is the last owner who has a password and sees everything; make another one \
                first, who has chosen theirs, or nobody could give permissions any more";
    CenterError::invalid(text)
}

fn row(account: StoredAccount) -> AccountRow {
    AccountRow {
        name: account.name,
        role: account.role,
        domains: limits::domains(account.limit.as_ref()),
        groups: limits::groups(account.limit.as_ref()),
        groups_missing: Vec::new(),
        disabled: account.disabled,
        emergency: account.emergency,
        has_password: account.password.is_some(),
        has_totp: account.totp_secret.is_some(),
        created: account.created,
        created_by: account.created_by,
        signed_in: account.signed_in,
        identities: Vec::new(),
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
