//! Who may come in: accounts, sessions, tokens, and the links that make the
//! first of them.
//!
//! ```text
//! name + password ─ tries ─ argon2id ─ code? ─ session ─► Caller
//!                   bearer token ─ expiry ─ network ────► Caller
//! link ─ set-up (an owner, or a new password) ─ session
//! a sign-in service's word ─ role of its groups ─ session
//! ```
//!
//! What a browser or a program shows again is 256 random bits of which only
//! the hash is kept. Everything a stranger can make us remember is bounded.
//! All functions block for the database, and those that take a password for
//! tens of milliseconds of processor time; asynchronous callers keep them off
//! their workers.

mod emergency;
mod form;
mod identities;
#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod limit_tests;
mod limits;
mod linking;
mod links;
mod names;
mod noted;
mod password;
mod people;
mod preferences;
mod provider;
#[cfg(test)]
mod role_tests;
mod roles;
mod secret;
mod sessions;
mod sign_in;
#[cfg(test)]
mod tests;
mod tokens;
mod totp;
mod tries;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::state::accounts::{NewPassword, StoredAccount};
use store::state::{AccountState, AuditState};
use types::{AccountId, AuditNote, Caller, Permission, Permissions, TokenId, Via};
use world::{Chance, Clock};

pub use emergency::{EMERGENCY_TOLD_FOR, EmergencyAlarm, EmergencyUse};
pub use form::FormToken;
pub use identities::IdentityRefusal;
pub use linking::IdentityRow;
pub use links::{Demo, LINK_VALID, LinkPurpose};
pub use names::NAME_CHARS_MAX;
pub use password::{PASSWORD_CHARS_MIN, PASSWORD_OCTETS_MAX};
pub use people::{AccountChange, AccountRow, NewPerson};
pub use preferences::{COLUMNS_MAX, Density, Preferences, Theme};
pub use provider::{GroupRole, Identity, Newcomers, ProviderRules};
pub use roles::{ROLES_MAX, RoleBody, RoleRow};
pub use secret::Secret;
pub use sessions::{PasswordChange, Session, SessionRow};
pub use sign_in::{SignInRefusal, Step};
pub use tokens::{MadeToken, NewToken, TokenRefusal, TokenRow};
pub use totp::{Enrolment, RecoveryCodes};

pub(crate) use names::{check_name, comparable};
pub(crate) use password::{Busy, Hasher, check as check_password};
pub(crate) use tries::Tries;

use crate::{CenterError, permit};

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// Without a request.
    pub idle: Duration,
    /// However busy it is.
    pub at_most: Duration,
    /// The same for one that a sign-in service began: then it is asked anew
    /// who the person is and what their groups give.
    pub by_provider: Duration,
}

impl Default for SessionTimes {
    fn default() -> Self {
        SessionTimes {
            idle: Duration::from_secs(12 * 3_600),
            at_most: Duration::from_secs(7 * 86_400),
            by_provider: Duration::from_secs(10 * 3_600),
        }
    }
}

/// What the accounts are made of.
pub struct AccountParts {
    /// Where they are kept.
    pub state: Arc<dyn AccountState>,
    /// The audit log, for what changes nothing: sign-ins that fail.
    pub audit: Arc<dyn AuditState>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where secrets come from.
    pub chance: Arc<dyn Chance>,
    /// How long sessions last.
    pub times: SessionTimes,
}

/// What becomes of the tokens of an account that gets a new password. Whoever
/// changes it says so: programs stop if they are revoked, and if the password
/// was stolen a thief may have made one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// They go on working.
    #[default]
    Keep,
    /// They work no more.
    Revoke,
}

impl Tokens {
    /// The new password of this hash; all sessions but one end.
    fn with(self, hash: &str, keep_session: Option<u64>) -> NewPassword<'_> {
        let end_tokens = self == Tokens::Revoke;
        NewPassword { hash, keep_session, end_tokens, end_identities: false }
    }

    /// The same where somebody else gives it, or a link. Whoever had the old
    /// one may have linked the account to themselves, and would still come in.
    fn anew<'a>(self, hash: &'a str, account: &StoredAccount) -> NewPassword<'a> {
        NewPassword { end_identities: account.password.is_some(), ..self.with(hash, None) }
    }
}

/// Who is on the other end, as far as the connection says.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The address; behind a trusted proxy the one it names.
    pub address: IpAddr,
    /// The browser's name for itself, of any length and content.
    pub agent: String,
}

/// The accounts and everything that lets somebody in.
pub struct Accounts {
    state: Arc<dyn AccountState>,
    audit: Arc<dyn AuditState>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    times: SessionTimes,
    hasher: Hasher,
    memory: Mutex<Memory>,
    alarm: Option<Arc<dyn EmergencyAlarm>>,
    provider: Option<Arc<ProviderRules>>,
    groups: Mutex<limits::Groups>,
}

/// What is forgotten when the process ends.
#[derive(Default)]
struct Memory {
    tries: Tries,
    /// Sign-ins that wait for their code.
    waiting: sign_in::Waiting,
    /// Secrets shown and not confirmed yet.
    enrolling: totp::Enrolling,
    /// Failed sign-ins of this hour.
    failures: noted::Failures,
    /// Those of this hour who came back from the sign-in service in vain.
    strays: noted::Failures,
    /// The last use of an account for emergencies, once it was looked up.
    emergency: Option<Option<EmergencyUse>>,
}

impl Accounts {
    /// Over these parts; nothing is read or written.
    pub fn new(parts: AccountParts) -> Self {
        let AccountParts { state, audit, clock, chance, times } = parts;
        let hasher = Hasher::new(Arc::clone(&chance));
        let memory = Mutex::default();
        let (alarm, provider, groups) = (None, None, Mutex::default());
        Accounts { state, audit, clock, chance, times, hasher, memory, alarm, provider, groups }
    }

    /// The names of those who may do everything: they can grant permissions.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn owners(&self) -> Result<Vec<String>, CenterError> {
        let accounts = self.state.accounts()?;
        let owners = accounts.into_iter().filter(people::is_owner);
        Ok(owners.map(|account| account.name).collect())
    }

    /// Who an account, or a token of it, is now; nothing if it is closed, over
    /// or gone.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub(crate) fn as_it_is_now(
        &self,
        account: AccountId,
        token: Option<TokenId>,
    ) -> Result<Option<Caller>, CenterError> {
        let Some(account) = self.state.account(account)?.filter(|account| !account.disabled) else {
            return Ok(None);
        };
        let Some(token) = token else { return self.caller_of(&account).map(Some) };
        let tokens = self.state.tokens(Some(account.id))?;
        let valid = |end: Option<types::Timestamp>| end.is_none_or(|end| end > self.clock.now());
        let found = tokens.iter().find(|one| one.id == token && valid(one.expires));
        found.map(|token| self.of_token(&account, token)).transpose()
    }

    /// The present, as ends of tokens are reckoned from.
    pub fn now(&self) -> types::Timestamp {
        self.clock.now()
    }

    /// A secret for a browser nobody is signed in with, for its forms.
    pub fn visitor_secret(&self) -> Secret {
        Secret::fresh(&*self.chance)
    }

    /// The token as it is to stand in the forms of one page.
    pub fn masked(&self, token: &FormToken) -> String {
        token.masked(&*self.chance)
    }

    /// Removes what is over; called from time to time.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn tidy(&self) -> Result<(), CenterError> {
        let now = self.clock.now();
        self.tell_failures(now)?;
        Ok(self.state.remove_expired(now, now - self.times.idle)?)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of a person who is signed in. A token is not a person: it
    /// cannot change the password of its owner.
    fn myself(&self, caller: &Caller) -> Result<StoredAccount, CenterError> {
        let Via::Account(id) = caller.via else {
            return Err(CenterError::invalid("this is for people who are signed in"));
        };
        self.stored(id)
    }

    /// Gives an account a new password. What hung on the old one ends, and so
    /// do sign-ins that wait for their code.
    fn change(
        &self,
        note: &AuditNote,
        account: &StoredAccount,
        new: &NewPassword<'_>,
    ) -> Result<(), CenterError> {
        self.done(note, |to| to.set_password(account.id, new))?;
        self.forget_proofs(account.id);
        Ok(())
    }

    fn stored(&self, id: AccountId) -> Result<StoredAccount, CenterError> {
        let found = self.state.account(id)?;
        found.ok_or_else(|| CenterError::NotFound("such account".to_owned()))
    }
}

/// Refuses a caller who would give away or take over more than they have.
fn permit_all(caller: &Caller, wanted: Permissions) -> Result<(), CenterError> {
    match wanted.iter().find(|permission| !caller.may(*permission)) {
        Some(permission) => Err(CenterError::Denied { permission }),
        None => Ok(()),
    }
}

/// Refuses whoever may not manage accounts.
fn permit_accounts(caller: &Caller) -> Result<(), CenterError> {
    permit(caller, Permission::ManageAccounts)
}
