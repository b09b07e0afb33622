//! People whom a sign-in service vouches for: letting them in, and linking
//! them to accounts.
//!
//! An account is only ever found by issuer and subject (OpenID Connect Core
//! section 5.7). A name or an address proves nothing: whoever can choose
//! theirs at the service would choose the one of an owner here. So nobody
//! gets an account that is there already, except by a link, which its person
//! makes with their password, or somebody who manages accounts.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::state::accounts::{NewAccount, StoredAccount, StoredIdentity};
use types::{AccountId, Actor, AuditAction, AuditNote, Caller, Timestamp};

use super::people::{check_name, comparable, not_oneself};
use super::provider::Given;
use super::{Accounts, Identity, Newcomers, ProviderRules, Secret, Visitor, limits, permit_accounts};
use crate::{CenterError, presentable_within};

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

/// Why somebody whom the service vouches for was not let in. The sentence is
/// for that person.
#[derive(Debug, thiserror::Error)]
pub enum IdentityRefusal {
    /// Their groups give no role.
    #[error(
        "{provider} knows you, but none of your groups there has a role here{}",
        granted_by(owners)
    )]
    NoRole {
        /// The service.
        provider: String,
        /// Who can give one.
        owners: Vec<String>,
    },
    /// What it says of their groups cannot be understood, or is missing where
    /// they had some: nothing follows from that.
    #[error("{provider} knows you, but does not say your groups: {why}; ask whoever runs it")]
    NoGroups {
        /// The service.
        provider: String,
        /// What is wrong.
        why: String,
    },
    /// They have no account, and the service does not make one.
    #[error("{provider} knows you, but you have no account here{}", granted_by(owners))]
    NoAccount {
        /// The service.
        provider: String,
        /// Who can make one.
        owners: Vec<String>,
    },
    /// An account has their name, and nobody said that it is theirs.
    #[error(
        "there is an account {name:?} here, and nobody has said that it is yours: sign in with \
         its password and link it under /me, or ask whoever manages accounts to link it"
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Their name cannot be the name of an account.
    #[error("{provider} does not say what to call you here: {why}")]
    NoName {
        /// The service.
        provider: String,
        /// What is wrong with it.
        why: String,
    },
    /// The account is closed.
    #[error("your account here is disabled; an owner can enable it")]
    Disabled,
    /// Our failure, or a mistake in the settings.
    #[error(transparent)]
    Failed(#[from] CenterError),
}

fn granted_by(owners: &[String]) -> String {
    match owners.is_empty() {
        true => "; an owner can grant it".to_owned(),
        false => format!("; an owner can grant it: {}", owners.join(", ")),
    }
}

impl Accounts {
    /// The same, believing this sign-in service.
    #[must_use]
    pub fn with_provider(self, rules: ProviderRules) -> Self {
        Accounts { provider: Some(Arc::new(rules)), ..self }
    }

    fn rules(&self) -> Result<Arc<ProviderRules>, CenterError> {
        let text = "no sign-in service is set up; see [sign_in] of the settings";
        self.provider.clone().ok_or_else(|| CenterError::invalid(text))
    }

    /// Lets somebody in whom the service vouches for. What it says of their
    /// role counts each time, except for accounts that were linked by hand:
    /// those keep the role they have here.
    ///
    /// # Errors
    ///
    /// See [`IdentityRefusal`].
    pub fn sign_in_by_identity(
        &self,
        identity: &Identity,
        from: &Visitor,
    ) -> Result<Secret, IdentityRefusal> {
        let rules = self.rules()?;
        check_subject(&identity.subject)?;
        let known = self.state.identity(&rules.issuer, &identity.subject);
        let account = match known.map_err(CenterError::from)? {
            Some(known) => self.known(&rules, &known, identity),
            None => self.newcomer(&rules, identity),
        };
        let account = account.inspect_err(|refusal| {
            // That nobody comes in does not hang on its entry.
            let _ = self.note_refusal(&rules, identity, refusal, from.address);
        })?;
        Ok(self.new_session(&account, from, &format!("with {}", rules.name))?)
    }

    /// Somebody who was here, or was linked.
    fn known(
        &self,
        rules: &ProviderRules,
        known: &StoredIdentity,
        identity: &Identity,
    ) -> Result<StoredAccount, IdentityRefusal> {
        let account = self.stored(known.account)?;
        if account.disabled {
            return Err(IdentityRefusal::Disabled);
        }
        if !known.gives_role {
            return Ok(account);
        }
        let (groups, said) = groups_of(rules, identity)?;
        let given = self.given(rules, &groups)?;
        if given.as_ref().is_some_and(|g| account.role == g.role && account.limit == g.limit) {
            return Ok(account);
        }
        if !said {
            // A claim that went missing gives nobody more, and takes nothing away.
            return Err(no_groups(rules, "it says none at all"));
        }
        let Some(given) = given else {
            self.withdraw(rules, &account)?;
            return Err(self.no_role(rules));
        };
        let details = json!({
            "before": limits::told(&account.role, account.limit.as_ref()),
            "after": limits::told(&given.role, given.limit.as_ref()),
        });
        let note = self.note_of(rules, AuditAction::RoleGiven, &account.name);
        self.done(&note.with_details(details.to_string()), |to| {
            to.set_role(account.id, &given.role)?;
            to.set_limit(account.id, given.limit.as_ref())
        })?;
        Ok(self.stored(account.id)?)
    }

    /// Somebody who was never here.
    fn newcomer(
        &self,
        rules: &ProviderRules,
        identity: &Identity,
    ) -> Result<StoredAccount, IdentityRefusal> {
        let (groups, _) = groups_of(rules, identity)?;
        let given = self.given(rules, &groups)?.ok_or_else(|| self.no_role(rules))?;
        let provider = rules.name.clone();
        if rules.newcomers == Newcomers::Refused {
            let owners = self.owners().unwrap_or_default();
            return Err(IdentityRefusal::NoAccount { provider, owners });
        }
        let nameless = |why: String| IdentityRefusal::NoName { provider: provider.clone(), why };
        let name = comparable(identity.name.as_ref().map_err(|why| nameless(why.clone()))?);
        let shown = presentable_within(&name, 80);
        check_name(&name).map_err(|error| nameless(format!("{shown:?} is no name: {error}")))?;
        let told = limits::told(&given.role, given.limit.as_ref());
        let details = json!({ "given": told, "subject": identity.subject });
        let (at, by) = (self.clock.now(), rules.name.clone());
        let Given { role, limit } = given;
        let new = NewAccount { name, role, limit, emergency: false, password: None, at, by };
        let note = self.note_of(rules, AuditAction::AccountAdded, &new.name);
        let made = self.changed(&note.with_details(details.to_string()), |to| {
            let Some(id) = to.add_account(&new)? else { return Ok(None) };
            let identity = stored(rules, &identity.subject, id, true, at, &rules.name);
            // Two first sign-ins at once: the other made the account.
            Ok(to.add_identity(&identity)?.then_some(id))
        })?;
        let taken = || IdentityRefusal::NameTaken { name: new.name.clone() };
        Ok(self.stored(made.ok_or_else(taken)?)?)
    }

    /// What the service gives, whose role must be there.
    fn given(
        &self,
        rules: &ProviderRules,
        groups: &BTreeSet<String>,
    ) -> Result<Option<Given>, CenterError> {
        let given = rules.given(groups)?;
        if let Some(given) = &given {
            self.allowed_by(&given.role)?;
        }
        Ok(given)
    }

    fn no_role(&self, rules: &ProviderRules) -> IdentityRefusal {
        let owners = self.owners().unwrap_or_default();
        IdentityRefusal::NoRole { provider: rules.name.clone(), owners }
    }

    /// Ends what somebody still has who has no role any more.
    fn withdraw(&self, rules: &ProviderRules, account: &StoredAccount) -> Result<(), CenterError> {
        let note = self.note_of(rules, AuditAction::RoleWithdrawn, &account.name);
        let tokens = self.state.tokens(Some(account.id))?;
        self.changed(&note, |to| {
            let mut ended = to.end_sessions(account.id, None)?;
            for token in &tokens {
                ended += usize::from(to.remove_token(token.id)?);
            }
            Ok((ended > 0).then_some(()))
        })?;
        Ok(())
    }

    /// An entry about what the service says.
    fn note_of(&self, rules: &ProviderRules, action: AuditAction, subject: &str) -> AuditNote {
        AuditNote::new(Actor::machine(&rules.name), action, subject, self.clock.now())
    }

    fn note_refusal(
        &self,
        rules: &ProviderRules,
        identity: &Identity,
        refusal: &IdentityRefusal,
        from: IpAddr,
    ) -> Result<(), CenterError> {
        let who = identity.name.as_deref().unwrap_or(&identity.subject);
        let why = match refusal {
            IdentityRefusal::NoRole { .. } => "no role",
            IdentityRefusal::NoAccount { .. } => "no account",
            IdentityRefusal::NameTaken { .. } => "the name is somebody else's",
            IdentityRefusal::NoName { .. } => "no name",
            IdentityRefusal::NoGroups { .. } => "its groups were not said",
            IdentityRefusal::Disabled => "the account is disabled",
            IdentityRefusal::Failed(_) => "it could not be done",
        };
        let subject = format!("{} with {}: {why}", presentable_within(who, 80), rules.name);
        let details = json!({ "issuer": rules.issuer, "subject": identity.subject });
        self.note_refused(&subject, Some(details.to_string()), from)
    }

    /// Notes that the way to the service and back was not gone to its end.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn note_lost_on_the_way(&self, why: &str, from: IpAddr) -> Result<(), CenterError> {
        let rules = self.rules()?;
        let subject = format!("with {}: {}", rules.name, presentable_within(why, 200));
        self.note_refused(&subject, None, from)
    }

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
/// The groups that somebody is in, none if the service says nothing of groups;
/// and whether it does.
fn groups_of(
    rules: &ProviderRules,
    identity: &Identity,
) -> Result<(BTreeSet<String>, bool), IdentityRefusal> {
    match &identity.groups {
        Ok(Some(groups)) => Ok((groups.clone(), true)),
        Ok(None) => Ok((BTreeSet::new(), false)),
        Err(why) => Err(no_groups(rules, why)),
    }
}

fn no_groups(rules: &ProviderRules, why: &str) -> IdentityRefusal {
    IdentityRefusal::NoGroups { provider: rules.name.clone(), why: why.to_owned() }
}

fn linkable(account: &StoredAccount) -> Result<(), CenterError> {
    match account.emergency {
        true => Err(CenterError::invalid("an account for emergencies is not linked")),
        false => Ok(()),
    }
}

fn check_subject(subject: &str) -> Result<(), CenterError> {
    let fits = (1..=SUBJECT_OCTETS_MAX).contains(&subject.len());
    match fits && !subject.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(CenterError::invalid(
            "a subject has 1 to 255 characters: what the service writes into the claim sub",
        )),
    }
}

fn stored(
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
