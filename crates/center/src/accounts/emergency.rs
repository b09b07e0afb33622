//! The account for emergencies (break glass): made on the machine itself, its
//! password kept in an envelope, and loud when it is used. It may do
//! everything an owner may, and does not count as one: the last owner stays.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::state::accounts::{NewAccount, StoredAccount};
use types::{AuditAction, Caller, Role, Timestamp, Via};

use super::names::{check_name, comparable, name_taken};
use super::{Accounts, Secret, Tokens, permit_accounts};
use crate::CenterError;

/// For how long everybody who manages accounts is told of a use.
pub const EMERGENCY_TOLD_FOR: Duration = Duration::from_secs(7 * 86_400);

/// That somebody came in with the account for emergencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EmergencyUse {
    /// The account.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Where from, where it is known.
    pub from: Option<IpAddr>,
}

/// Is told at once when somebody comes in with the account for emergencies;
/// the binary implements it and writes to the log.
pub trait EmergencyAlarm: Send + Sync {
    /// It happened.
    fn used(&self, what: &EmergencyUse);
}

impl Accounts {
    /// The same, with somebody who is told of emergencies.
    #[must_use]
    pub fn with_alarm(self, alarm: Arc<dyn EmergencyAlarm>) -> Self {
        Accounts { alarm: Some(alarm), ..self }
    }

    /// Makes the account for emergencies, or gives the one of this name a new
    /// password, which is told this once; its sessions end and its codes are
    /// off. For the machine itself only: whoever could make one over the
    /// network would have a way in that nobody else knows.
    ///
    /// # Errors
    ///
    /// The caller is not the machine, the name is taken or none, or the store
    /// fails.
    pub fn emergency_account(&self, caller: &Caller, name: &str) -> Result<Secret, CenterError> {
        permit_accounts(caller)?;
        if caller.via != Via::Machine {
            return Err(CenterError::invalid(
                "an account for emergencies is made on the machine itself, with `portcullis \
                 account emergency`",
            ));
        }
        let name = comparable(name);
        check_name(&name)?;
        let mut octets = [0; 15];
        self.chance.fill(&mut octets);
        let password = Secret::spoken(&octets);
        let hash = self.hasher.hash(password.reveal())?;
        let note = self.note(caller, AuditAction::EmergencyMade, &name);
        match self.state.account_named(&name)? {
            Some(account) if account.emergency => {
                self.done(&note, |to| {
                    to.set_totp(account.id, None, &[])?;
                    to.set_disabled(account.id, false)?;
                    // Whatever was made of it: this is the way back in.
                    to.set_role(account.id, &Role::Owner.into())?;
                    to.set_limit(account.id, None)?;
                    to.set_password(account.id, &Tokens::Revoke.with(&hash, None))
                })?;
                self.forget_proofs(account.id);
            }
            Some(_) => return Err(name_taken()),
            None => {
                let (role, limit) = (Role::Owner.into(), None);
                let (at, by) = (self.clock.now(), caller.name.to_string());
                let new =
                    NewAccount { name, role, limit, emergency: true, password: Some(hash), at, by };
                self.changed(&note, |to| to.add_account(&new))?.ok_or_else(name_taken)?;
            }
        }
        Ok(password)
    }

    /// The last use of an account for emergencies, if it was not long ago.
    /// Read from the store once, and kept.
    pub fn emergency_use(&self) -> Option<EmergencyUse> {
        let now = self.clock.now();
        let known = self.memory().emergency.clone();
        let last = match known {
            Some(known) => known,
            None => {
                // A database that is busy for a moment is asked again.
                let accounts = self.state.accounts().ok()?;
                let uses = accounts.into_iter().filter(|account| account.emergency);
                let last = uses.filter_map(use_of).max_by_key(|used| used.at);
                self.memory().emergency.get_or_insert(last).clone()
            }
        };
        last.filter(|used| now.since(used.at) < EMERGENCY_TOLD_FOR)
    }

    pub(super) fn raise_alarm(&self, account: &StoredAccount, at: Timestamp, from: IpAddr) {
        let used = EmergencyUse { name: account.name.clone(), at, from: Some(from) };
        self.memory().emergency = Some(Some(used.clone()));
        if let Some(alarm) = &self.alarm {
            alarm.used(&used);
        }
    }
}

fn use_of(account: StoredAccount) -> Option<EmergencyUse> {
    Some(EmergencyUse { name: account.name, at: account.signed_in?, from: None })
}
