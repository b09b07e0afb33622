//! Linking accounts to who their people are at the sign-in service, and
//! forgetting it again.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::state::accounts::{StoredAccount, StoredIdentity};
use types::{AccountId, AuditAction, Caller, Timestamp};

use super::people::not_oneself;
use super::{Accounts, ProviderRules, permit_accounts};
use crate::CenterError;

/// Longest subject, in octets (OpenID Connect Core section 2).
const SUBJECT_OCTETS_MAX: usize = 255;
/// Most identities of one account.
const IDENTITIES_MAX: usize = 10;

/// Who an account is at a sign-in service, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IdentityRow {
    /// Its number.
    pub id: u64,
    /// The service.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// Whether the service decides what the account may do and see.
    pub gives_role: bool,
    /// Since when.
    pub linked: Timestamp,
    /// Who linked it.
    pub linked_by: String,
}

impl Accounts {
    /// Whom an account is linked to, oldest first.
    pub(super) fn identity_rows(
        &self,
        account: Option<AccountId>,
    ) -> Result<Vec<(AccountId, IdentityRow)>, CenterError> {
        Ok(self.state.identities(account)?.into_iter().map(row).collect())
    }

    /// The caller's own identities.
    ///
    /// # Errors
    ///
    /// The caller is no person, or the store fails.
    pub fn identities(&self, caller: &Caller) -> Result<Vec<IdentityRow>, CenterError> {
        let account = self.myself(caller)?;
        Ok(self.identity_rows(Some(account.id))?.into_iter().map(|(_, row)| row).collect())
    }

    /// Whether a person who is signed in may go and link who they are at the
    /// service: asks for the password, as whoever has got hold of a session
    /// would otherwise have a way in that lasts.
    ///
    /// # Errors
    ///
    /// The password is wrong or none, the account is for emergencies, the
    /// caller is no person, or the store fails.
    pub fn may_link(
        &self,
        caller: &Caller,
        password: &str,
        from: IpAddr,
    ) -> Result<(), CenterError> {
        self.rules()?;
        let account = self.myself(caller)?;
        linkable(&account)?;
        if account.password.is_none() {
            let text = "this account has no password to prove that it is you; whoever manages \
                        accounts can link it";
            return Err(CenterError::invalid(text));
        }
        self.prove(&account, password, from)
    }

    /// Links the caller's account to who they are at the service. That they
    /// may was found out by [`Accounts::may_link`] on the way there.
    ///
    /// # Errors
    ///
    /// They are somebody else here already, the caller is no person, or the
    /// store fails.
    pub fn link_oneself(&self, caller: &Caller, subject: &str) -> Result<(), CenterError> {
        let account = self.myself(caller)?;
        self.add_link(caller, &account, subject)
    }

    /// Links an account to who somebody is at the service. It keeps its role.
    ///
    /// # Errors
    ///
    /// The caller may not, it is their own, that subject is somebody already,
    /// there is no such account, or the store fails.
    pub fn link_account(
        &self,
        caller: &Caller,
        name: &str,
        subject: &str,
    ) -> Result<(), CenterError> {
        let account = self.other(caller, name)?;
        not_oneself(caller, &account)?;
        self.add_link(caller, &account, subject)
    }

    fn add_link(
        &self,
        caller: &Caller,
        account: &StoredAccount,
        subject: &str,
    ) -> Result<(), CenterError> {
        let rules = self.rules()?;
        linkable(account)?;
        check_subject(subject)?;
        if account.role_is_given {
            // By a second link its role would hang on no group.
            let text = format!("{} decides about this account; unlink it first", rules.name);
            return Err(CenterError::invalid(text));
        }
        if self.state.identities(Some(account.id))?.len() >= IDENTITIES_MAX {
            let text = format!("an account has at most {IDENTITIES_MAX} links");
            return Err(CenterError::invalid(text));
        }
        let identity = stored(&rules, subject, account.id, false, self.clock.now(), &caller.name);
        let details = json!({ "issuer": rules.issuer, "subject": subject });
        let note = self.note(caller, AuditAction::IdentityLinked, &account.name);
        let added = self.changed(&note.with_details(details.to_string()), |to| {
            Ok(to.add_identity(&identity)?.then_some(()))
        })?;
        added.ok_or_else(|| {
            let text = format!(
                "{} knows this person as somebody who has an account here already; \
                unlink that first",
                rules.name
            );
            CenterError::invalid(text)
        })
    }

    /// Forgets one of the caller's identities.
    ///
    /// # Errors
    ///
    /// There is no such identity, it is the only way in, the caller is no
    /// person, or the store fails.
    pub fn unlink_oneself(&self, caller: &Caller, id: u64) -> Result<(), CenterError> {
        let account = self.myself(caller)?;
        if account.password.is_none() {
            let text = "this account has no password, so nobody could come in with it any more";
            return Err(CenterError::invalid(text));
        }
        self.remove_link(caller, &account, id)
    }

    /// Forgets one identity of an account, which from then on keeps the role
    /// it has.
    ///
    /// # Errors
    ///
    /// The caller may not, there is no such account or identity, or the store
    /// fails.
    pub fn unlink_account(&self, caller: &Caller, name: &str, id: u64) -> Result<(), CenterError> {
        permit_accounts(caller)?;
        let account = self.other(caller, name)?;
        self.remove_link(caller, &account, id)
    }

    fn remove_link(
        &self,
        caller: &Caller,
        account: &StoredAccount,
        id: u64,
    ) -> Result<(), CenterError> {
        let missing = || CenterError::NotFound("such link of this account".to_owned());
        let rows = self.state.identities(Some(account.id))?;
        let found = rows.into_iter().find(|row| row.id == id).ok_or_else(missing)?;
        let details = json!({ "issuer": found.issuer, "subject": found.subject });
        let note = self.note(caller, AuditAction::IdentityUnlinked, &account.name);
        let of_oneself = caller.account() == Some(account.id);
        let removed = self.changed(&note.with_details(details.to_string()), |to| {
            if !to.remove_identity(account.id, id)? {
                return Ok(None);
            }
            if !of_oneself {
                // Whoever came in by it is out.
                to.end_sessions(account.id, None)?;
            }
            Ok(Some(()))
        })?;
        removed.ok_or_else(missing)
    }
}

/// The account for emergencies is there for the day on which the service is
/// not, and its use is to be noticed.
fn linkable(account: &StoredAccount) -> Result<(), CenterError> {
    match account.emergency {
        true => Err(CenterError::invalid("an account for emergencies is not linked")),
        false => Ok(()),
    }
}

pub(super) fn check_subject(subject: &str) -> Result<(), CenterError> {
    let fits = (1..=SUBJECT_OCTETS_MAX).contains(&subject.len());
    match fits && !subject.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(CenterError::invalid(
            "a subject has 1 to 255 characters: what the service writes into the claim sub",
        )),
    }
}

pub(super) fn stored(
    rules: &ProviderRules,
    subject: &str,
    account: AccountId,
    gives_role: bool,
    linked: Timestamp,
    by: &str,
) -> StoredIdentity {
    let (issuer, subject, linked_by) = (rules.issuer.clone(), subject.to_owned(), by.to_owned());
    StoredIdentity { id: 0, issuer, subject, account, gives_role, linked, linked_by }
}

fn row(stored: StoredIdentity) -> (AccountId, IdentityRow) {
    let StoredIdentity { id, issuer, subject, account, gives_role, linked, linked_by } = stored;
    (account, IdentityRow { id, issuer, subject, gives_role, linked, linked_by })
}
