//! Links that work once: for the first owner, for a person who is to choose a
//! password, and for whoever looks at the demo.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::state::accounts::{LinkKind, NewAccount, StoredAccount, StoredLink};
use types::{Actor, AuditAction, AuditNote, Caller, Permissions, Role, Timestamp, Via};

use super::names::{check_free_name, comparable, name_taken};
use super::people::{no_way_around, not_oneself};
use super::{Accounts, Secret, Tokens, Visitor, password, permit_accounts, permit_all, secret};
use crate::CenterError;

/// How long a link works.
pub const LINK_VALID: Duration = Duration::from_secs(24 * 3_600);
/// Who does what nobody asked for, in the audit log.
const GATEWAY: &str = "portcullis";
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
            0 => {
                let machine = Caller::with_all(GATEWAY);
                let note = self.note(&machine, AuditAction::LinkMade, "for the first owner");
                self.new_link(LinkKind::Owner, &note).map(Some)
            }
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
            let note = self.note(caller, AuditAction::LinkMade, "for a new owner");
            return self.new_link(LinkKind::Owner, &note);
        };
        let account = self.named(name)?;
        permit_all(caller, account.permissions())?;
        not_oneself(caller, &account)?;
        no_way_around(&account)?;
        if account.disabled {
            return Err(CenterError::invalid("this account is disabled; enable it first"));
        }
        let note = self.note(caller, AuditAction::LinkMade, &account.name);
        self.new_link(LinkKind::Password(account.id), &note)
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

    /// Uses a set-up link: makes the owner, or sets the password, which ends
    /// what hung on the old one; `tokens` says what becomes of those. Gives
    /// the secret of a session, or nothing if the account also wants a code.
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
        tokens: Tokens,
        from: &Visitor,
    ) -> Result<Option<Secret>, CenterError> {
        let found = self.living_link(link)?.ok_or_else(used_up)?;
        let account = match found.kind {
            LinkKind::Owner => self.make_owner(link, name, password, from)?,
            LinkKind::Password(id) => {
                let account = self.stored(id)?;
                password::check(password, &account.name)?;
                let hash = self.hasher.hash(password)?;
                let person = self.caller_of(&account)?.from_address(from.address);
                let note = self.note(&person, AuditAction::SetUp, "a new password");
                let note = note.with_details(self.told_unlinked(&account)?);
                let link = secret::hash(link);
                let new = tokens.anew(&hash, &account);
                let done = self.changed(&note, |to| {
                    if to.take_link(&link)?.is_none() {
                        return Ok(None);
                    }
                    to.set_password(id, &new).map(Some)
                })?;
                done.ok_or_else(used_up)?;
                self.forget_proofs(id);
                account
            }
            LinkKind::SignIn(_) => return Err(used_up()),
        };
        match account.totp_secret {
            Some(_) => Ok(None),
            None => self.new_session(&account, from, "with a set-up link").map(Some),
        }
    }

    fn make_owner(
        &self,
        link: &str,
        name: &str,
        password: &str,
        from: &Visitor,
    ) -> Result<StoredAccount, CenterError> {
        let name = comparable(name);
        check_free_name(&name)?;
        password::check(password, &name)?;
        if self.state.account_named(&name)?.is_some() {
            return Err(name_taken());
        }
        let hash = self.hasher.hash(password)?;
        let by = "set-up link".to_owned();
        let at = self.clock.now();
        let new = NewAccount { password: Some(hash), ..owner(name, at, by) };
        let mut note = self.note(
            &Caller::new(&new.name, Permissions::NONE),
            AuditAction::SetUp,
            "a new owner",
        );
        note.actor =
            Actor { name: new.name.as_str().into(), ..Actor::visitor(from.address.to_canonical()) };
        let (link, mut was_there) = (secret::hash(link), false);
        // Should somebody take the name meanwhile, the link is not used up.
        let made = self.changed(&note, |to| {
            was_there = to.take_link(&link)?.is_some();
            if was_there { to.add_account(&new) } else { Ok(None) }
        })?;
        match made {
            Some(id) => self.stored(id),
            None if was_there => Err(name_taken()),
            None => Err(used_up()),
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
        self.take(link, &account, from)?;
        self.new_session(&account, from, "with a link")
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
                let note = self.note(caller, AuditAction::PasswordSet, DEMO);
                self.change(&note, &account, &Tokens::Keep.with(&hash, None))?;
                account.id
            }
            None => {
                let (at, by) = (self.clock.now(), caller.name.to_string());
                let new = NewAccount { password: Some(hash), ..owner(DEMO.to_owned(), at, by) };
                let note = self.note(caller, AuditAction::AccountAdded, DEMO);
                self.changed(&note, |to| to.add_account(&new))?.ok_or_else(used_up)?
            }
        };
        let note = self.note(caller, AuditAction::LinkMade, DEMO);
        let link = self.new_link(LinkKind::SignIn(id), &note)?;
        Ok(Demo { name: DEMO.to_owned(), password, link })
    }

    fn new_link(&self, kind: LinkKind, note: &AuditNote) -> Result<Secret, CenterError> {
        let secret = Secret::fresh(&*self.chance);
        let link = StoredLink { kind, expires: self.clock.now() + LINK_VALID };
        let hash = secret::hash(secret.reveal());
        self.done(note, |to| to.put_link(&hash, &link))?;
        Ok(secret)
    }

    fn living_link(&self, secret: &str) -> Result<Option<StoredLink>, CenterError> {
        let found = self.state.link(&secret::hash(secret))?;
        Ok(found.filter(|link| link.expires > self.clock.now()))
    }

    fn take(&self, link: &str, account: &StoredAccount, from: &Visitor) -> Result<(), CenterError> {
        let hash = secret::hash(link);
        let person = self.caller_of(account)?.from_address(from.address);
        let note = self.note(&person, AuditAction::SetUp, "a link that signs in");
        let taken = self.changed(&note, |to| Ok(to.take_link(&hash)?.map(drop)))?;
        taken.ok_or_else(used_up)
    }
}

/// An account that may do everything.
fn owner(name: String, at: Timestamp, by: String) -> NewAccount {
    let (role, limit) = (Role::Owner.into(), None);
    NewAccount { name, role, limit, emergency: false, password: None, at, by }
}

fn used_up() -> CenterError {
    CenterError::NotFound("such link, or it was used or is too old".to_owned())
}
