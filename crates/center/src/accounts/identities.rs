//! People whom a sign-in service vouches for: letting them in.
//!
//! An account is only ever found by issuer and subject (OpenID Connect Core
//! section 5.7). A name or an address proves nothing: whoever can choose
//! theirs at the service would choose the one of an owner here. So nobody
//! gets an account that is there already, except by a link, which its person
//! makes with their password, or somebody who manages accounts.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;
use store::state::accounts::{NewAccount, StoredAccount, StoredIdentity};
use types::{Actor, AuditAction, AuditNote, RoleName};

use super::linking::{check_subject, stored};
use super::names::{check_free_name, comparable};
use super::provider::Given;
use super::{Accounts, Identity, Newcomers, ProviderRules, Secret, Visitor, limits};
use crate::{CenterError, presentable_within};

/// Why somebody whom the service vouches for was not let in. The sentence is
/// for that person.
#[derive(Debug, thiserror::Error)]
pub enum IdentityRefusal {
    /// Their groups give no role.
    #[error("{provider} knows you, but none of your groups there has a role here; {GRANTED}")]
    NoRole {
        /// The service.
        provider: String,
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
    #[error("{provider} knows you, but you have no account here; {GRANTED}")]
    NoAccount {
        /// The service.
        provider: String,
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
    /// Our failure, or a mistake in the settings, which is for the audit log.
    #[error("you could not be signed in; the audit log here says why")]
    Failed(#[from] CenterError),
}

/// Who they are is told to nobody who is not signed in: their names are half
/// of what a password needs.
const GRANTED: &str = "an owner can grant it";

impl Accounts {
    /// The same, believing this sign-in service.
    #[must_use]
    pub fn with_provider(self, rules: ProviderRules) -> Self {
        Accounts { provider: Some(Arc::new(rules)), ..self }
    }

    pub(super) fn rules(&self) -> Result<Arc<ProviderRules>, CenterError> {
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
        let lasts = self.times.by_provider;
        Ok(self.session_of(&account, from, &format!("with {}", rules.name), lasts)?)
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
            return Err(IdentityRefusal::NoAccount { provider });
        }
        let nameless = |why: String| IdentityRefusal::NoName { provider: provider.clone(), why };
        let name = comparable(identity.name.as_ref().map_err(|why| nameless(why.clone()))?);
        let shown = presentable_within(&name, 80);
        check_free_name(&name)
            .map_err(|error| nameless(format!("{shown:?} is no name: {error}")))?;
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
        IdentityRefusal::NoRole { provider: rules.name.clone() }
    }

    /// Ends what somebody still has who has no role any more: the account is
    /// left with one that allows nothing, so that it counts for nothing and
    /// its alerts see no rows.
    fn withdraw(&self, rules: &ProviderRules, account: &StoredAccount) -> Result<(), CenterError> {
        let details = json!({ "before": limits::told(&account.role, account.limit.as_ref()) });
        let note = self.note_of(rules, AuditAction::RoleWithdrawn, &account.name);
        let tokens = self.state.tokens(Some(account.id))?;
        self.changed(&note.with_details(details.to_string()), |to| {
            let mut ended = to.end_sessions(account.id, None)?;
            for token in &tokens {
                ended += usize::from(to.remove_token(token.id)?);
            }
            if !account.role.is_withdrawn() {
                to.set_role(account.id, &RoleName::withdrawn())?;
                ended += 1;
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
            IdentityRefusal::NoRole { .. } => "no role".to_owned(),
            IdentityRefusal::NoAccount { .. } => "no account".to_owned(),
            IdentityRefusal::NameTaken { .. } => "the name is somebody else's".to_owned(),
            IdentityRefusal::NoName { .. } => "no name".to_owned(),
            IdentityRefusal::NoGroups { .. } => "its groups were not said".to_owned(),
            IdentityRefusal::Disabled => "the account is disabled".to_owned(),
            IdentityRefusal::Failed(error) => format!("it could not be done: {error}"),
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
        self.note_stray(&subject, from)
    }
}

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
