//! Sessions: recognising one, and what a person does with their own.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use store::state::accounts::{StoredAccount, StoredSession};
use types::{AuditAction, Caller, RoleName, Timestamp, Via};

use super::{Accounts, Preferences, Tokens, password, secret};
use crate::CenterError;

/// How exactly the last request of a session or token is kept: more would be
/// a write to the disk with each.
pub(super) const SEEN_EVERY: Duration = Duration::from_secs(60);

/// A person who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who they are for the message center.
    pub caller: Caller,
    /// The number of the session.
    pub id: u64,
    /// What the account may do, by name.
    pub role: RoleName,
    /// Whether the account is for emergencies.
    pub emergency: bool,
    /// How they want to see things.
    pub preferences: Preferences,
    /// Whether a code is asked for at sign-in.
    pub has_totp: bool,
    /// Recovery codes left.
    pub recovery_codes_left: u32,
}

/// What a person says to change their password.
#[derive(Clone, Copy)]
pub struct PasswordChange<'a> {
    /// The present one.
    pub present: &'a str,
    /// The one to be.
    pub new: &'a str,
    /// What becomes of their tokens; to be said by who has some.
    pub tokens: Option<Tokens>,
}

/// One session, for its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct SessionRow {
    /// Its number.
    pub id: u64,
    /// Since when.
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

impl Accounts {
    /// The session of this secret, if it is one that has not ended.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn session(&self, secret: &str, from: IpAddr) -> Result<Option<Session>, CenterError> {
        let now = self.clock.now();
        let found = self.state.session(&secret::hash(secret))?;
        let living = |(session, account): &(StoredSession, StoredAccount)| {
            self.lives(session, now) && !account.disabled
        };
        let Some((session, account)) = found.filter(living) else { return Ok(None) };
        let from = from.to_canonical();
        if now.since(session.last_seen) >= SEEN_EVERY || session.address != from {
            // A database that is busy for a moment must not sign people out;
            // the next request notes it.
            let _ = self.state.touch_session(session.id, now, from);
        }
        Ok(Some(Session {
            caller: self.caller_of(&account)?.from_address(from),
            id: session.id,
            role: account.role.clone(),
            emergency: account.emergency,
            preferences: preferences_of(&account),
            has_totp: account.totp_secret.is_some(),
            recovery_codes_left: account.recovery_codes_left,
        }))
    }

    fn lives(&self, session: &StoredSession, now: Timestamp) -> bool {
        session.expires > now && now.since(session.last_seen) < self.times.idle
    }

    /// The caller's sessions, seen last first.
    ///
    /// # Errors
    ///
    /// The caller is no person, or the store fails.
    pub fn sessions(&self, caller: &Caller) -> Result<Vec<SessionRow>, CenterError> {
        let account = self.myself(caller)?;
        let now = self.clock.now();
        let sessions = self.state.sessions(account.id)?;
        let living = sessions.into_iter().filter(|session| self.lives(session, now));
        Ok(living.map(row).collect())
    }

    /// Ends one of the caller's sessions, or with nothing all but the one
    /// given as `but`.
    ///
    /// # Errors
    ///
    /// There is no such session, the caller is no person, or the store fails.
    pub fn end_session(&self, caller: &Caller, id: u64) -> Result<(), CenterError> {
        let account = self.myself(caller)?;
        let note = self.note(caller, AuditAction::SignedOut, "one session");
        let ended = self.changed(&note, |to| Ok(to.end_session(account.id, id)?.then_some(())))?;
        ended.ok_or_else(|| CenterError::NotFound("such session".to_owned()))
    }

    /// Ends all of the caller's sessions but this one; gives how many.
    ///
    /// # Errors
    ///
    /// The caller is no person, or the store fails.
    pub fn end_sessions(&self, caller: &Caller, but: Option<u64>) -> Result<usize, CenterError> {
        let account = self.myself(caller)?;
        let note = self.note(caller, AuditAction::SignedOut, "all other sessions");
        let ended = self.changed(&note, |to| {
            let count = to.end_sessions(account.id, but)?;
            Ok((count > 0).then_some(count))
        })?;
        Ok(ended.unwrap_or(0))
    }

    /// Changes the caller's password. Their other sessions and the links made
    /// for them end.
    ///
    /// # Errors
    ///
    /// The present password is wrong, the new one too easy, nothing is said of
    /// tokens though there are some, the caller is no
    /// person, or the store fails.
    pub fn change_password(
        &self,
        caller: &Caller,
        change: &PasswordChange<'_>,
        from: IpAddr,
        session: Option<u64>,
    ) -> Result<(), CenterError> {
        let account = self.myself(caller)?;
        let PasswordChange { present, new, tokens } = *change;
        password::check(new, &account.name)?;
        let tokens = match tokens {
            Some(said) => said,
            None if self.state.tokens(Some(account.id))?.is_empty() => Tokens::Keep,
            None => return Err(CenterError::invalid("say whether your tokens go on working")),
        };
        self.prove(&account, present, from)?;
        let hash = self.hasher.hash(new)?;
        let note = self.note(caller, AuditAction::PasswordSet, &account.name);
        self.change(&note, &account, &tokens.with(&hash, session))
    }

    /// Whoever was let in, as of now: nothing if their session or token has
    /// ended meanwhile. For answers that go on for hours; it does not count
    /// as a request of the session.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn again(
        &self,
        caller: &Caller,
        session: Option<u64>,
    ) -> Result<Option<Caller>, CenterError> {
        let now = self.clock.now();
        let same_place = |now: Caller| Caller { from: caller.from, row: caller.row, ..now };
        let Some(account) = caller.account() else { return Ok(Some(caller.clone())) };
        let account = self.state.account(account)?.filter(|account| !account.disabled);
        let Some(account) = account else { return Ok(None) };
        if let Via::Token { token, .. } = caller.via {
            let tokens = self.state.tokens(Some(account.id))?;
            let found = tokens.into_iter().find(|found| found.id == token);
            let living = found.filter(|found| found.expires.is_none_or(|end| end > now));
            let caller = living.map(|token| self.of_token(&account, &token)).transpose()?;
            return Ok(caller.map(same_place));
        }
        let sessions = self.state.sessions(account.id)?;
        let living = |found: &StoredSession| Some(found.id) == session && self.lives(found, now);
        match sessions.iter().any(living) {
            true => self.caller_of(&account).map(|caller| Some(same_place(caller))),
            false => Ok(None),
        }
    }

    /// The caller that an account is, with the members that the groups it is
    /// limited to have now.
    pub(super) fn caller_of(&self, account: &StoredAccount) -> Result<Caller, CenterError> {
        Ok(Caller {
            name: account.name.as_str().into(),
            permissions: account.permissions(),
            sight: self.sight(account.limit.as_ref())?,
            via: Via::Account(account.id),
            from: None,
            row: None,
        })
    }

    /// Sets the caller's preferences.
    ///
    /// # Errors
    ///
    /// They cannot be shown, the caller is no person, or the store fails.
    pub fn set_preferences(
        &self,
        caller: &Caller,
        preferences: &Preferences,
    ) -> Result<(), CenterError> {
        preferences.check()?;
        let account = self.myself(caller)?;
        let text = serde_json::to_string(preferences)
            .map_err(|error| CenterError::invalid(error.to_string()))?;
        let details = format!("{{\"before\":{},\"after\":{text}}}", account.preferences);
        let note =
            self.note(caller, AuditAction::PreferencesSet, &account.name).with_details(details);
        self.done(&note, |to| to.set_preferences(account.id, &text))
    }
}

/// What the account chose; what another version wrote and this one cannot
/// read counts as nothing chosen.
pub(super) fn preferences_of(account: &StoredAccount) -> Preferences {
    serde_json::from_str(&account.preferences).unwrap_or_default()
}

fn row(session: StoredSession) -> SessionRow {
    let StoredSession { id, created, last_seen, expires, address, agent, .. } = session;
    SessionRow { id, created, last_seen, expires, address, agent }
}
