//! Signing in: name and password, then a code if the account wants one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use store::state::accounts::{SecretHash, StoredAccount, StoredSession};
use types::time::spoken;
use types::{AccountId, AuditAction, Timestamp};

use super::names::comparable;
use super::password::Busy;
use super::{Accounts, Secret, Visitor, secret};
use crate::{CenterError, presentable_within};

/// How long a sign-in waits for its code.
const CODE_WITHIN: Duration = Duration::from_secs(5 * 60);
/// Wrong codes before a sign-in begins again.
const CODES_MAX: u32 = 5;
/// Sign-ins that wait for a code at once.
const WAITING_MAX: usize = 1_000;
/// Sessions of one account; the one seen longest ago gives way.
const SESSIONS_MAX: usize = 50;
/// Characters kept of a browser's name for itself.
const AGENT_CHARS_MAX: usize = 200;

/// Sign-ins that wait for their code.
pub(super) type Waiting = HashMap<SecretHash, Outstanding>;

/// The password was right.
#[derive(Clone)]
pub(super) struct Outstanding {
    account: AccountId,
    until: Timestamp,
    codes: u32,
}

/// What comes after a right password.
#[derive(Debug)]
pub enum Step {
    /// Nothing: here is the session's secret.
    Done(Secret),
    /// A code; this proves that the password was right.
    Code(Secret),
}

/// Why nobody was signed in. None says whether the account exists.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefusal {
    /// No such pair.
    #[error("the name or the password is wrong")]
    Wrong,
    /// Not this code, or not again.
    #[error("the code is wrong or was used already")]
    WrongCode,
    /// The account is closed; said only to who knows its password.
    #[error("this account is disabled; an owner can enable it")]
    Disabled,
    /// Too many tries.
    #[error("too many wrong tries; try again in {}", spoken(whole_seconds(*.0)))]
    Wait(Duration),
    /// Too many people at once.
    #[error("too many people are signing in; try again in some seconds")]
    Busy,
    /// The code came too late, or too many were wrong.
    #[error("this sign-in is over; begin again")]
    Over,
    /// Our failure.
    #[error(transparent)]
    Failed(#[from] CenterError),
}

/// Rounded up, so that whoever waits that long has waited long enough.
fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX))
}

impl From<Busy> for SignInRefusal {
    fn from(_: Busy) -> Self {
        SignInRefusal::Busy
    }
}

impl Accounts {
    /// Takes name and password.
    ///
    /// # Errors
    ///
    /// See [`SignInRefusal`].
    pub fn sign_in(
        &self,
        name: &str,
        password: &str,
        from: &Visitor,
    ) -> Result<Step, SignInRefusal> {
        let name = comparable(name);
        self.begin_try(&name, from.address)?;
        let account = self.state.account_named(&name).map_err(CenterError::from)?;
        let stored = account.as_ref().and_then(|account| account.password.as_deref());
        let right = self.hasher.is_right(password, stored)?;
        let known = account.is_some();
        let Some(account) = account.filter(|_| right) else {
            self.note_failure(known.then_some(&*name), "password", from.address)?;
            return Err(SignInRefusal::Wrong);
        };
        if account.disabled {
            self.note_failure(Some(&name), "moment: the account is disabled", from.address)?;
            return Err(SignInRefusal::Disabled);
        }
        if account.totp_secret.is_some() {
            return Ok(Step::Code(self.wait_for_code(account.id)));
        }
        self.memory().tries.forgive(&name, Some(from.address));
        Ok(Step::Done(self.new_session(&account, from, "with a password")?))
    }

    /// Takes the code of a sign-in that waits for it.
    ///
    /// # Errors
    ///
    /// See [`SignInRefusal`].
    pub fn sign_in_code(
        &self,
        proof: &str,
        code: &str,
        from: &Visitor,
    ) -> Result<Secret, SignInRefusal> {
        let proof = secret::hash(proof);
        let id = self.outstanding(&proof).ok_or(SignInRefusal::Over)?;
        let account = self.state.account(id).map_err(CenterError::from)?;
        let account = account.filter(|account| !account.disabled).ok_or(SignInRefusal::Over)?;
        self.begin_try(&account.name, from.address)?;
        if !self.use_code(&account, code, from.address)? {
            self.note_failure(Some(&account.name), "code", from.address)?;
            return Err(SignInRefusal::WrongCode);
        }
        let mut memory = self.memory();
        memory.tries.forgive(&account.name, Some(from.address));
        memory.waiting.remove(&proof);
        drop(memory);
        Ok(self.new_session(&account, from, "with password and code")?)
    }

    /// Whether a sign-in waits for its code with this proof.
    pub fn awaits_code(&self, proof: &str) -> bool {
        let now = self.clock.now();
        let memory = self.memory();
        let found = memory.waiting.get(&secret::hash(proof));
        found.is_some_and(|waiting| waiting.until > now && waiting.codes < CODES_MAX)
    }

    /// Opens a session for an account that has proved itself.
    pub(super) fn new_session(
        &self,
        account: &StoredAccount,
        from: &Visitor,
        how: &str,
    ) -> Result<Secret, CenterError> {
        self.session_of(account, from, how, self.times.at_most)
    }

    /// The same for one that ends after this time however busy it is.
    pub(super) fn session_of(
        &self,
        account: &StoredAccount,
        from: &Visitor,
        how: &str,
        lasts: Duration,
    ) -> Result<Secret, CenterError> {
        let now = self.clock.now();
        let secret = Secret::fresh(&*self.chance);
        let session = StoredSession {
            id: 0,
            account: account.id,
            created: now,
            last_seen: now,
            expires: now + lasts,
            address: from.address.to_canonical(),
            agent: presentable_within(&from.agent, AGENT_CHARS_MAX),
        };
        let hash = secret::hash(secret.reveal());
        let person = self.caller_of(account)?.from_address(session.address);
        let details = json!({ "browser": session.agent });
        let action = match account.emergency {
            true => AuditAction::EmergencySignIn,
            false => AuditAction::SignedIn,
        };
        let note = self.note(&person, action, how).with_details(details.to_string());
        self.done(&note, |to| to.add_session(&hash, &session, SESSIONS_MAX).map(drop))?;
        if account.emergency {
            self.raise_alarm(account, now, session.address);
        }
        Ok(secret)
    }

    /// Asks a person who is signed in for the password again; wrong ones
    /// count as they do at sign-in.
    pub(super) fn prove(
        &self,
        account: &StoredAccount,
        password: &str,
        from: IpAddr,
    ) -> Result<(), CenterError> {
        let refused = |refusal: SignInRefusal| CenterError::invalid(refusal.to_string());
        self.begin_try(&account.name, from).map_err(refused)?;
        if !self.hasher.is_right(password, account.password.as_deref())? {
            self.note_failure(Some(&account.name), "password, asked for again", from)?;
            return Err(CenterError::invalid("this is not the present password"));
        }
        self.memory().tries.forgive(&account.name, Some(from));
        Ok(())
    }

    /// Sign-ins of this account that wait for their code wait no more.
    pub(super) fn forget_proofs(&self, account: AccountId) {
        self.memory().waiting.retain(|_, outstanding| outstanding.account != account);
    }

    fn begin_try(&self, name: &str, from: IpAddr) -> Result<(), SignInRefusal> {
        let now = self.clock.now();
        self.memory().tries.begin(name, Some(from), now).map_err(SignInRefusal::Wait)
    }

    fn wait_for_code(&self, account: AccountId) -> Secret {
        let now = self.clock.now();
        let secret = Secret::fresh(&*self.chance);
        let waiting = &mut self.memory().waiting;
        waiting.retain(|_, outstanding| outstanding.until > now);
        if waiting.len() >= WAITING_MAX {
            let oldest = waiting.iter().min_by_key(|(_, waiting)| waiting.until);
            if let Some(hash) = oldest.map(|(hash, _)| *hash) {
                waiting.remove(&hash);
            }
        }
        let outstanding = Outstanding { account, until: now + CODE_WITHIN, codes: 0 };
        waiting.insert(secret::hash(secret.reveal()), outstanding);
        secret
    }

    /// The account of a proof, which one more code is tried with.
    fn outstanding(&self, proof: &SecretHash) -> Option<AccountId> {
        let now = self.clock.now();
        let mut memory = self.memory();
        let found = memory.waiting.get_mut(proof)?;
        found.codes += 1;
        (found.until > now && found.codes <= CODES_MAX).then_some(found.account)
    }
}
