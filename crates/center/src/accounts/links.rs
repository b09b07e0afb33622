//! Links that work once: for the first owner, for a person who is to choose a
//! password, and for whoever looks at the demo.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::state::accounts::{LinkKind, NewAccount, StoredAccount, StoredLink};
use types::{Caller, Permissions, Role, Via};

use super::people::{check_name, comparable, not_oneself};
use super::{Accounts, Secret, Visitor, password, permit_accounts, permit_all, secret};
use crate::CenterError;

/// How long a link works.
pub const LINK_VALID: Duration = Duration::from_secs(24 * 3_600);
/// The name of the demo's account.
const DEMO: &str = "demo";

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkPurpose {
    /// A new account that may do everything, with a name of one's own choice.
    Owner,
    /// A password for the account of this name.
    Password(String),
    /// Being signed in as the account of this name.
    SignIn(String),
}

/// How to get into the demo.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The account.
    pub name: String,
    /// Its password, a new one with each start.
    pub password: Secret,
    /// Signs in once.
    pub link: Secret,
}

impl Accounts {
    /// At start: a link for the first owner, if there is no account yet. Any
    /// made before works no more.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn first_link(&self) -> Result<Option<Secret>, CenterError> {
        match self.state.count()? {
            0 => self.new_link(LinkKind::Owner).map(Some),
            _ => Ok(None),
        }
    }

    /// Makes a link for a further owner, or with a name one for that
    /// person's new password. One made before for the same works no more.
    ///
    /// # Errors
    ///
    /// The caller may not, there is no such account, or the store fails.
    pub fn set_up_link(&self, caller: &Caller, name: Option<&str>) -> Result<Secret, CenterError> {
        permit_accounts(caller)?;
        let Some(name) = name else {
            permit_all(caller, Permissions::all())?;
            return self.new_link(LinkKind::Owner);
        };
        let account = self.named(name)?;
        permit_all(caller, account.role.permissions())?;
        not_oneself(caller, &account)?;
        self.new_link(LinkKind::Password(account.id))
    }

    /// What a link is for; nothing if it does not work (any more).
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn link(&self, secret: &str) -> Result<Option<LinkPurpose>, CenterError> {
        let Some(link) = self.living_link(secret)? else { return Ok(None) };
        let name = |id| Ok::<_, CenterError>(self.stored(id)?.name);
        Ok(Some(match link.kind {
            LinkKind::Owner => LinkPurpose::Owner,
            LinkKind::Password(account) => LinkPurpose::Password(name(account)?),
            LinkKind::SignIn(account) => LinkPurpose::SignIn(name(account)?),
        }))
    }

    /// Uses a set-up link: makes the owner, or sets the password and ends
    /// that account's sessions. Gives the secret of a session, or nothing if
    /// the account also wants a code.
    ///
    /// # Errors
    ///
    /// The link does not work, the name is taken or none, the password is too
    /// easy, or the store fails. The link still works then, unless it did not.
    pub fn set_up(
        &self,
        link: &str,
        name: &str,
        password: &str,
        from: &Visitor,
    ) -> Result<Option<Secret>, CenterError> {
        let found = self.living_link(link)?.ok_or_else(used_up)?;
        let account = match found.kind {
            LinkKind::Owner => self.make_owner(link, name, password)?,
            LinkKind::Password(id) => {
                let account = self.stored(id)?;
                password::check(password, &account.name)?;
                let hash = self.hasher.hash(password)?;
                self.take(link)?;
                self.state.set_password(id, &hash)?;
                self.state.end_sessions(id, None)?;
                account
            }
            LinkKind::SignIn(_) => return Err(used_up()),
        };
        match account.totp_secret {
            Some(_) => Ok(None),
            None => self.new_session(&account, from).map(Some),
        }
    }

    fn make_owner(
        &self,
        link: &str,
        name: &str,
        password: &str,
    ) -> Result<StoredAccount, CenterError> {
        let name = comparable(name);
        check_name(&name)?;
        password::check(password, &name)?;
        let taken = || CenterError::invalid("there is an account of this name already");
        if self.state.account_named(&name)?.is_some() {
            return Err(taken());
        }
        let hash = self.hasher.hash(password)?;
        let link = self.take(link)?;
        let by = "set-up link".to_owned();
        let (role, at) = (Role::Owner, self.clock.now());
        let new = NewAccount { name, role, password: Some(hash), at, by };
        match self.state.add_account(&new)? {
            Some(id) => self.stored(id),
            None => {
                // Somebody took the name between the question and the answer.
                self.state.put_link(&link.0, &link.1)?;
                Err(taken())
            }
        }
    }

    /// Uses a link that signs in.
    ///
    /// # Errors
    ///
    /// The link does not work, or the store fails.
    pub fn sign_in_by_link(&self, link: &str, from: &Visitor) -> Result<Secret, CenterError> {
        let found = self.living_link(link)?.ok_or_else(used_up)?;
        let LinkKind::SignIn(id) = found.kind else { return Err(used_up()) };
        let account = self.stored(id)?;
        self.take(link)?;
        self.new_session(&account, from)
    }

    /// Makes the demo's account, which may do everything, gives it a new
    /// password, and a link that signs in. For the machine itself only:
    /// whoever comes in over the network cannot sign in as somebody else.
    ///
    /// # Errors
    ///
    /// The caller is not the machine, or the store fails.
    pub fn demo(&self, caller: &Caller) -> Result<Demo, CenterError> {
        permit_accounts(caller)?;
        if caller.via != Via::Machine {
            return Err(CenterError::invalid("only the machine itself lets people look around"));
        }
        let mut octets = [0; 9];
        self.chance.fill(&mut octets);
        let password = Secret::spoken(&octets);
        let hash = self.hasher.hash(password.reveal())?;
        let id = match self.state.account_named(DEMO)? {
            Some(account) => {
                self.state.set_password(account.id, &hash)?;
                account.id
            }
            None => {
                let (role, at, by) = (Role::Owner, self.clock.now(), caller.name.to_string());
                let name = DEMO.to_owned();
                let new = NewAccount { name, role, password: Some(hash), at, by };
                self.state.add_account(&new)?.ok_or_else(used_up)?
            }
        };
        let link = self.new_link(LinkKind::SignIn(id))?;
        Ok(Demo { name: DEMO.to_owned(), password, link })
    }

    fn new_link(&self, kind: LinkKind) -> Result<Secret, CenterError> {
        let secret = Secret::fresh(&*self.chance);
        let link = StoredLink { kind, expires: self.clock.now() + LINK_VALID };
        self.state.put_link(&secret::hash(secret.reveal()), &link)?;
        Ok(secret)
    }

    fn living_link(&self, secret: &str) -> Result<Option<StoredLink>, CenterError> {
        let found = self.state.link(&secret::hash(secret))?;
        Ok(found.filter(|link| link.expires > self.clock.now()))
    }

    fn take(&self, link: &str) -> Result<([u8; 32], StoredLink), CenterError> {
        let hash = secret::hash(link);
        let taken = self.state.take_link(&hash)?;
        taken.map(|link| (hash, link)).ok_or_else(used_up)
    }
}

fn used_up() -> CenterError {
    CenterError::NotFound("such link, or it was used or is too old".to_owned())
}
