//! Tokens for programs: a part of what their owner may, for some time, from
//! some networks.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::state::accounts::{StoredAccount, StoredToken};
use types::{AccountId, AuditAction, Caller, Permission, Permissions, Timestamp, TokenId, Via};

use super::sessions::SEEN_EVERY;
use super::{Accounts, Secret, permit_all, secret};
use crate::{CenterError, permit};

/// What every token begins with.
pub(crate) const TOKEN_PREFIX: &str = "portcullis_";
/// Longest name of a token, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Most networks of one token.
const NETWORKS_MAX: usize = 50;
/// Most tokens of one account.
const TOKENS_MAX: usize = 200;
/// Latest end of a token from now on.
const EXPIRY_MAX: Duration = Duration::from_secs(3_650 * 86_400);

/// A token to be made.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// Whose it is to be; the caller's own if absent, which the machine has
    /// to name.
    #[serde(default)]
    pub account: Option<String>,
    /// What it may do; it never may more than its owner.
    pub permissions: Permissions,
    /// From where it may be used; empty means from everywhere.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNet>,
    /// When it ends; nothing means never.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// A token that was made; the secret is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MadeToken {
    /// Its number.
    pub id: TokenId,
    /// What programs send as `Authorization: Bearer …`.
    pub secret: String,
}

/// One token, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TokenRow {
    /// Its number.
    pub id: TokenId,
    /// Whose it is.
    pub account: String,
    /// What people call it.
    pub name: String,
    /// What it may do, as long as its owner may.
    pub permissions: Permissions,
    /// From where it may be used; empty means from everywhere.
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNet>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; nothing means never.
    pub expires: Option<Timestamp>,
    /// The last use, as of about a minute.
    pub last_used: Option<Timestamp>,
    /// Where that came from.
    pub last_address: Option<IpAddr>,
}

/// Why a token lets nobody in.
#[derive(Debug, thiserror::Error)]
pub enum TokenRefusal {
    /// No such token.
    #[error("the token is not known")]
    Unknown,
    /// Its account is disabled.
    #[error("the account of this token is disabled")]
    Disabled,
    /// It has ended.
    #[error("the token ended at {0}")]
    Expired(Timestamp),
    /// Not from there.
    #[error("the token may not be used from {0}")]
    Elsewhere(IpAddr),
    /// Our failure.
    #[error(transparent)]
    Failed(#[from] CenterError),
}

impl Accounts {
    /// The caller whose token this is.
    ///
    /// # Errors
    ///
    /// See [`TokenRefusal`].
    pub fn token(&self, secret: &str, from: IpAddr) -> Result<Caller, TokenRefusal> {
        if !secret.starts_with(TOKEN_PREFIX) {
            return Err(TokenRefusal::Unknown);
        }
        let (now, from) = (self.clock.now(), from.to_canonical());
        let found = self.state.token(&secret::hash(secret)).map_err(CenterError::from)?;
        let (token, account) = found.ok_or(TokenRefusal::Unknown)?;
        if account.disabled {
            return Err(TokenRefusal::Disabled);
        }
        if let Some(end) = token.expires.filter(|end| *end <= now) {
            return Err(TokenRefusal::Expired(end));
        }
        let inside = |network: &IpNet| network.contains(&from);
        if !token.networks.is_empty() && !token.networks.iter().any(inside) {
            return Err(TokenRefusal::Elsewhere(from));
        }
        let seen = token.last_used;
        if seen.is_none_or(|(at, by)| now.since(at) >= SEEN_EVERY || by != from) {
            // As with sessions: the next use notes it.
            let _ = self.state.touch_token(token.id, now, from);
        }
        Ok(self.of_token(&account, &token)?.from_address(from))
    }

    /// Makes a token.
    ///
    /// # Errors
    ///
    /// The caller may not, or not that much; the name, the networks or the
    /// end make no sense; or the store fails.
    pub fn add_token(&self, caller: &Caller, new: &NewToken) -> Result<MadeToken, CenterError> {
        permit(caller, Permission::ManageTokens)?;
        permit_all(caller, new.permissions)?;
        let owner = self.owner_of(caller, new)?;
        permit_all(caller, owner.permissions())?;
        permit_all(&self.caller_of(&owner)?, new.permissions)?;
        self.check_token(new)?;
        if self.state.tokens(Some(owner.id))?.len() >= TOKENS_MAX {
            return Err(CenterError::invalid("this account has too many tokens; remove some"));
        }
        let secret = Secret::with_prefix(&*self.chance, TOKEN_PREFIX);
        let token = StoredToken {
            id: TokenId(0),
            account: owner.id,
            name: new.name.trim().to_owned(),
            permissions: new.permissions,
            networks: new.networks.iter().map(IpNet::trunc).collect(),
            created: self.clock.now(),
            expires: new.expires,
            last_used: None,
        };
        let subject = format!("{} of {}", token.name, owner.name);
        let details = json!({
            "permissions": token.permissions,
            "networks": token.networks,
            "expires": token.expires,
        });
        let note =
            self.note(caller, AuditAction::TokenMade, &subject).with_details(details.to_string());
        let hash = secret::hash(secret.reveal());
        let id = self.changed(&note, |to| to.add_token(&hash, &token).map(Some))?;
        let id = id.ok_or_else(|| CenterError::NotFound("such token".to_owned()))?;
        Ok(MadeToken { id, secret: secret.reveal().to_owned() })
    }

    fn owner_of(&self, caller: &Caller, new: &NewToken) -> Result<StoredAccount, CenterError> {
        match (&new.account, caller.account()) {
            (Some(name), _) => self.named(name),
            (None, Some(id)) => self.stored(id),
            (None, None) => Err(CenterError::invalid("say for which account the token is to be")),
        }
    }

    fn check_token(&self, new: &NewToken) -> Result<(), CenterError> {
        let name = new.name.trim();
        let plain = !name.is_empty()
            && name.chars().count() <= NAME_CHARS_MAX
            && crate::presentable(name) == name;
        if !plain {
            return Err(CenterError::invalid(
                "the token needs a name of up to 100 plain characters",
            ));
        }
        if new.permissions == Permissions::NONE {
            return Err(CenterError::invalid("the token needs at least one permission"));
        }
        if new.networks.len() > NETWORKS_MAX {
            return Err(CenterError::invalid("these are too many networks for one token"));
        }
        let now = self.clock.now();
        match new.expires {
            Some(end) if end <= now => {
                Err(CenterError::invalid("the token would have ended already"))
            }
            Some(end) if end > now + EXPIRY_MAX => Err(CenterError::invalid(
                "the token would end in more than ten years; let it never end",
            )),
            _ => Ok(()),
        }
    }

    /// The caller's tokens; with the permission to manage them and `of_all`,
    /// everybody's. Newest first.
    ///
    /// # Errors
    ///
    /// The caller may not see them, or the store fails.
    pub fn tokens(&self, caller: &Caller, of_all: bool) -> Result<Vec<TokenRow>, CenterError> {
        // A token does not learn of its owner's other tokens.
        let account = match (of_all, &caller.via) {
            (false, Via::Account(own)) => Some(*own),
            _ => {
                permit(caller, Permission::ManageTokens)?;
                None
            }
        };
        let names = self.state.accounts()?;
        let name = |id: AccountId| {
            names.iter().find(|account| account.id == id).map_or("", |account| &account.name)
        };
        let tokens = self.state.tokens(account)?;
        Ok(tokens.into_iter().map(|token| row(name(token.account), token)).collect())
    }

    /// Revokes a token: one's own, or with the permission any.
    ///
    /// # Errors
    ///
    /// There is no such token, the caller may not, or the store fails.
    pub fn remove_token(&self, caller: &Caller, id: TokenId) -> Result<(), CenterError> {
        let not_there = || CenterError::NotFound("such token".to_owned());
        let tokens = self.state.tokens(None)?;
        let token = tokens.iter().find(|token| token.id == id).ok_or_else(not_there)?;
        // A token of its own account may not outlive what it was given for,
        // but only a person or a manager revokes.
        if caller.via != Via::Account(token.account) {
            permit(caller, Permission::ManageTokens)?;
        }
        let owner = self.stored(token.account)?;
        let subject = format!("{} of {}", token.name, owner.name);
        let note = self.note(caller, AuditAction::TokenRevoked, &subject);
        let removed = self.changed(&note, |to| Ok(to.remove_token(id)?.then_some(())))?;
        removed.ok_or_else(not_there)
    }

    /// The caller that a token of this account is: it sees what the account
    /// sees.
    pub(super) fn of_token(
        &self,
        account: &StoredAccount,
        token: &StoredToken,
    ) -> Result<Caller, CenterError> {
        let person = self.caller_of(account)?;
        Ok(Caller {
            name: format!("{} (token {})", account.name, token.name).into(),
            permissions: token.permissions.and(person.permissions),
            via: Via::Token { account: account.id, token: token.id },
            ..person
        })
    }
}

fn row(account: &str, token: StoredToken) -> TokenRow {
    TokenRow {
        id: token.id,
        account: account.to_owned(),
        name: token.name,
        permissions: token.permissions,
        networks: token.networks,
        created: token.created,
        expires: token.expires,
        last_used: token.last_used.map(|(at, _)| at),
        last_address: token.last_used.map(|(_, from)| from),
    }
}
