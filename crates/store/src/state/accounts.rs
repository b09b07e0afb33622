//! Who may come in: the contract of the store for accounts, sessions, tokens
//! and links, and what is stored of each.
//!
//! What is only recognised again (session, token, link, recovery code) is
//! given and kept as a hash. What a name, a role or an expiry means is not
//! known here: an expired session is one like any other until it is removed.

use std::net::IpAddr;

use ipnet::IpNet;
use types::lists::Group;
use types::{AccountId, AuditNote, Limit, Permissions, RoleName, Timestamp, TokenId};

use crate::contract::StoreError;

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAccount {
    /// Its number.
    pub id: AccountId,
    /// Its name, in comparable form.
    pub name: String,
    /// What it may do, by name.
    pub role: RoleName,
    /// What is kept about that role.
    pub of_role: Option<Permissions>,
    /// To whose mail it is limited; nothing if to nobody's.
    pub limit: Option<Limit>,
    /// Whether nobody can come in with it.
    pub disabled: bool,
    /// Whether it is for emergencies: whoever comes in with it is told of.
    pub emergency: bool,
    /// Whether a sign-in service decides what it may do and see.
    pub role_is_given: bool,
    /// The password's hash as a PHC string; nothing until one was chosen.
    pub password: Option<String>,
    /// The shared secret of time-based codes (RFC 6238), if they are on.
    pub totp_secret: Option<Vec<u8>>,
    /// Recovery codes that were not used yet.
    pub recovery_codes_left: u32,
    /// What the person chose, as JSON of its owner's making.
    pub preferences: String,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// The last sign-in.
    pub signed_in: Option<Timestamp>,
}

impl StoredAccount {
    /// What it may do.
    pub fn permissions(&self) -> Permissions {
        let allowed = self.role.permissions(self.of_role);
        if self.limit.is_some() { allowed.of_recipients() } else { allowed }
    }
}

/// What is kept about a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRole {
    /// Its name.
    pub name: RoleName,
    /// Of a role there is from the start what is switched on; else all it
    /// allows.
    pub permissions: Permissions,
    /// What it is for, one line.
    pub note: String,
    /// When it was changed last.
    pub changed: Timestamp,
    /// By whom.
    pub changed_by: String,
}

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name, in comparable form.
    pub name: String,
    /// What it may do.
    pub role: RoleName,
    /// To whose mail it is limited; nothing if to nobody's.
    pub limit: Option<Limit>,
    /// Whether it is for emergencies.
    pub emergency: bool,
    /// The password's hash, if it has one already.
    pub password: Option<String>,
    /// When it is made.
    pub at: Timestamp,
    /// Who makes it.
    pub by: String,
}

/// A person as a sign-in service knows them, and the account they are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredIdentity {
    /// Its number.
    pub id: u64,
    /// The service.
    pub issuer: String,
    /// Who it is there, for ever.
    pub subject: String,
    /// Who it is here.
    pub account: AccountId,
    /// Whether the service decides what the account may do and see.
    pub gives_role: bool,
    /// Since when.
    pub linked: Timestamp,
    /// Who said so.
    pub linked_by: String,
}

/// One signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Its number; the secret is not kept.
    pub id: u64,
    /// Whose it is.
    pub account: AccountId,
    /// When the person signed in.
    pub created: Timestamp,
    /// The last request, as of about a minute.
    pub last_seen: Timestamp,
    /// When it ends however busy it is.
    pub expires: Timestamp,
    /// Where the last request came from.
    pub address: IpAddr,
    /// The browser's name for itself, shortened.
    pub agent: String,
}

/// One token for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// Its number.
    pub id: TokenId,
    /// Whose it is; it may no more than that account.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// From where it may be used; empty means from everywhere.
    pub networks: Vec<IpNet>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; nothing means never.
    pub expires: Option<Timestamp>,
    /// The last use, as of about a minute, and where it came from.
    pub last_used: Option<(Timestamp, IpAddr)>,
}

/// What a link in somebody's hands is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Makes an account that may do everything.
    Owner,
    /// Sets the password of this account.
    Password(AccountId),
    /// Signs this account in.
    SignIn(AccountId),
}

/// A link that works once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredLink {
    /// What it is for.
    pub kind: LinkKind,
    /// Until when it works.
    pub expires: Timestamp,
}

/// A new password, and what ends with the old one. Links of the account end
/// in any case: they were given to whoever the old one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPassword<'a> {
    /// Its hash as a PHC string.
    pub hash: &'a str,
    /// The session that goes on; all others end.
    pub keep_session: Option<u64>,
    /// Whether the account's tokens end too.
    pub end_tokens: bool,
    /// Whether it is forgotten who its person is at sign-in services.
    pub end_identities: bool,
}

/// The accounts and everything that lets somebody in.
///
/// A locked or missing database is [`StoreError::Database`]; an account that
/// is gone is [`StoreError::NotFound`] where it is to be changed.
pub trait AccountState: Send + Sync {
    /// How many accounts there are.
    fn count(&self) -> Result<usize, StoreError>;

    /// All accounts, by name.
    fn accounts(&self) -> Result<Vec<StoredAccount>, StoreError>;

    /// One account.
    fn account(&self, id: AccountId) -> Result<Option<StoredAccount>, StoreError>;

    /// The account of this name, in comparable form.
    fn account_named(&self, name: &str) -> Result<Option<StoredAccount>, StoreError>;

    /// The identity of this subject of this issuer.
    fn identity(&self, issuer: &str, subject: &str) -> Result<Option<StoredIdentity>, StoreError>;

    /// The identities of an account, or all, oldest first.
    fn identities(&self, account: Option<AccountId>) -> Result<Vec<StoredIdentity>, StoreError>;

    /// All groups that accounts can be limited to, with the version of the
    /// policy set they are of; nothing if that is still `known`.
    fn groups(&self, known: Option<u64>) -> Result<Option<(u64, Vec<Group>)>, StoreError>;

    /// What is kept about roles, by name.
    fn roles(&self) -> Result<Vec<StoredRole>, StoreError>;

    /// Uses the code of a time step; false if that or a later one was used.
    fn use_totp_step(&self, id: AccountId, step: u64) -> Result<bool, StoreError>;

    /// The session of this secret with its account.
    fn session(
        &self,
        hash: &SecretHash,
    ) -> Result<Option<(StoredSession, StoredAccount)>, StoreError>;

    /// Notes a request.
    fn touch_session(&self, id: u64, at: Timestamp, from: IpAddr) -> Result<(), StoreError>;

    /// The sessions of an account, seen last first.
    fn sessions(&self, account: AccountId) -> Result<Vec<StoredSession>, StoreError>;

    /// The token of this secret with its account.
    fn token(&self, hash: &SecretHash) -> Result<Option<(StoredToken, StoredAccount)>, StoreError>;

    /// Notes a use.
    fn touch_token(&self, id: TokenId, at: Timestamp, from: IpAddr) -> Result<(), StoreError>;

    /// The tokens of an account, or all, newest first.
    fn tokens(&self, account: Option<AccountId>) -> Result<Vec<StoredToken>, StoreError>;

    /// The link of this secret, which stays.
    fn link(&self, hash: &SecretHash) -> Result<Option<StoredLink>, StoreError>;

    /// Removes sessions that ended before `now` or were seen last before
    /// `idle_since`, and links that ended before `now`.
    fn remove_expired(&self, now: Timestamp, idle_since: Timestamp) -> Result<(), StoreError>;

    /// Makes changes together with their entry in the audit log, all or none:
    /// what `work` does is undone, and nothing noted, if it gives an error or
    /// says that nothing is to be changed. Gives what it said.
    fn change(
        &self,
        note: &AuditNote,
        work: &mut dyn FnMut(&dyn AccountChanges) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError>;
}

/// What can be changed inside [`AccountState::change`], and nowhere else, so
/// that no change goes without its entry in the audit log. What is read here
/// is what the changes before it made.
pub trait AccountChanges {
    /// All accounts, by name.
    fn accounts(&self) -> Result<Vec<StoredAccount>, StoreError>;

    /// Makes an account; nothing if the name is taken.
    fn add_account(&self, new: &NewAccount) -> Result<Option<AccountId>, StoreError>;

    /// Removes an account with its sessions, tokens, codes, links and
    /// identities. Whether it was there.
    fn remove_account(&self, id: AccountId) -> Result<bool, StoreError>;

    /// Gives an account another role.
    fn set_role(&self, id: AccountId, role: &RoleName) -> Result<(), StoreError>;

    /// Sets to whose mail an account is limited; nothing for everybody's.
    fn set_limit(&self, id: AccountId, limit: Option<&Limit>) -> Result<(), StoreError>;

    /// Lets nobody in with an account any more, and ends its sessions and the
    /// links made for it; or lets them in again.
    fn set_disabled(&self, id: AccountId, disabled: bool) -> Result<(), StoreError>;

    /// Keeps an identity, whose number is ignored; false if that subject of
    /// that issuer is somebody already.
    fn add_identity(&self, new: &StoredIdentity) -> Result<bool, StoreError>;

    /// Forgets one identity of an account; whether it was there.
    fn remove_identity(&self, account: AccountId, id: u64) -> Result<bool, StoreError>;

    /// Keeps what there is to know about a role, in place of what was kept.
    fn put_role(&self, role: &StoredRole) -> Result<(), StoreError>;

    /// Forgets what is kept about a role; whether there was something.
    fn remove_role(&self, name: &RoleName) -> Result<bool, StoreError>;

    /// Sets the password's hash and ends what hung on the old one, all of it
    /// or nothing.
    fn set_password(&self, id: AccountId, new: &NewPassword<'_>) -> Result<(), StoreError>;

    /// Sets what the person chose.
    fn set_preferences(&self, id: AccountId, preferences: &str) -> Result<(), StoreError>;

    /// Turns time-based codes on with this secret and these recovery codes,
    /// or off; what there was of both is gone.
    fn set_totp(
        &self,
        id: AccountId,
        secret: Option<&[u8]>,
        recovery_codes: &[SecretHash],
    ) -> Result<(), StoreError>;

    /// Uses up a recovery code; false if there is none such.
    fn use_recovery_code(&self, id: AccountId, code: &SecretHash) -> Result<bool, StoreError>;

    /// Keeps a session, whose number is ignored, and notes the sign-in. Of
    /// the account's sessions the `sessions_max` seen last stay.
    fn add_session(
        &self,
        hash: &SecretHash,
        session: &StoredSession,
        sessions_max: usize,
    ) -> Result<u64, StoreError>;

    /// Ends one session of an account; whether it was there.
    fn end_session(&self, account: AccountId, id: u64) -> Result<bool, StoreError>;

    /// Ends all sessions of an account but one; gives how many.
    fn end_sessions(&self, account: AccountId, but: Option<u64>) -> Result<usize, StoreError>;

    /// Keeps a token, whose number is ignored.
    fn add_token(&self, hash: &SecretHash, token: &StoredToken) -> Result<TokenId, StoreError>;

    /// Removes a token; whether it was there.
    fn remove_token(&self, id: TokenId) -> Result<bool, StoreError>;

    /// Keeps a link; others of its kind (and account) are gone.
    fn put_link(&self, hash: &SecretHash, link: &StoredLink) -> Result<(), StoreError>;

    /// Takes the link of this secret away: only one caller gets it.
    fn take_link(&self, hash: &SecretHash) -> Result<Option<StoredLink>, StoreError>;
}
