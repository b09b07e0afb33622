//! Devices and programs that send mail through us to the world with a name
//! and password: who they are, and what they may send as.
//!
//! They are no accounts: they can do nothing but send, and only as senders of
//! our own domains. Their passwords are hashed as those of people are, but
//! checked in turns of their own, so that a flood of devices keeps nobody
//! from signing in.

mod proving;
#[cfg(test)]
mod tests;
mod uses;

use std::sync::{Arc, Mutex};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::state::{StoredSubmitter, SubmitterChange, SubmitterState};
use types::lists::Pattern;
use types::{AuditAction, AuditNote, Caller, Permission, Timestamp};
use world::{Chance, Clock};

pub use proving::{SubmitRefusal, Wrong};

use crate::accounts::{Hasher, Secret, Tries, check_name, check_password, comparable};
use crate::{Center, CenterError, PolicyActivator, Problem, permit};

/// Most submitters there may be.
pub const SUBMITTERS_MAX: usize = 1_000;
/// Most senders, and most networks, of one submitter.
const LISTED_MAX: usize = 100;
/// Longest note, in characters.
const NOTE_CHARS_MAX: usize = 200;
/// Octets of a password that we make.
const PASSWORD_OCTETS: usize = 15;

/// What submitters are made of.
pub struct SubmitterParts {
    /// Where they are kept.
    pub state: Arc<dyn SubmitterState>,
    /// Which domains are ours.
    pub activator: Arc<dyn PolicyActivator>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where passwords come from.
    pub chance: Arc<dyn Chance>,
}

/// The submitters.
pub struct Submitters {
    parts: SubmitterParts,
    hasher: Hasher,
    tries: Mutex<Tries>,
    uses: uses::Uses,
}

/// A device or program to be given a name and password.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubmitter {
    /// What it authenticates with.
    pub name: String,
    /// The domains and addresses of ours that it may send as.
    pub senders: Vec<String>,
    /// The networks it may come from; anywhere if there are none.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNet>,
    /// What it is.
    #[serde(default)]
    pub note: String,
    /// Its password; one is made and told if there is none.
    #[serde(default)]
    pub password: Option<String>,
}

/// What is to be different about a submitter; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitterEdit {
    /// The domains and addresses of ours that it may send as.
    #[serde(default)]
    pub senders: Option<Vec<String>>,
    /// The networks it may come from; anywhere if there are none.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub networks: Option<Vec<IpNet>>,
    /// What it is.
    #[serde(default)]
    pub note: Option<String>,
    /// Whether it may not send any more.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// One submitter, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SubmitterRow {
    /// What it authenticates with.
    pub name: String,
    /// What it may send as.
    pub senders: Vec<String>,
    /// Where it may come from; anywhere if there are none.
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNet>,
    /// What it is.
    pub note: String,
    /// Whether it may not send any more.
    pub disabled: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it authenticated last, within some minutes.
    pub last_used: Option<Timestamp>,
    /// From where.
    pub last_address: Option<std::net::IpAddr>,
}

/// A password that was made, told this once.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct MadePassword {
    /// The submitter.
    pub name: String,
    /// The password; nothing where the caller gave it.
    pub password: Option<String>,
}

impl Center {
    /// The same, with submitters.
    #[must_use]
    pub fn with_submitters(self, submitters: Arc<Submitters>) -> Self {
        Center { submitters: Some(submitters), ..self }
    }

    /// The submitters.
    ///
    /// # Errors
    ///
    /// This message center has no receiver beside it.
    pub fn submitters(&self) -> Result<&Submitters, CenterError> {
        let text = "nobody submits mail here";
        self.submitters.as_deref().ok_or_else(|| CenterError::invalid(text))
    }
}

impl Submitters {
    /// Over these parts; nothing is read or written.
    pub fn new(parts: SubmitterParts) -> Self {
        let hasher = Hasher::new(Arc::clone(&parts.chance));
        Submitters {
            parts,
            hasher,
            tries: Mutex::new(Tries::of_devices()),
            uses: uses::Uses::default(),
        }
    }

    /// All, by name.
    ///
    /// # Errors
    ///
    /// The caller may not, or the store fails.
    pub fn list(&self, caller: &Caller) -> Result<Vec<SubmitterRow>, CenterError> {
        permit(caller, Permission::ManageAccounts)?;
        let all = self.parts.state.submitters()?.into_iter();
        Ok(all.map(|one| row(self.uses.with(one))).collect())
    }

    /// How many may send.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn able(&self) -> Result<usize, CenterError> {
        let all = self.parts.state.submitters()?;
        Ok(all.iter().filter(|one| !one.disabled).count())
    }

    /// Makes one. Its password is told if it was made here.
    ///
    /// # Errors
    ///
    /// The caller may not; the name is taken or none; a sender is not ours;
    /// the password is too easy; there are too many; or the store fails.
    pub fn add(&self, caller: &Caller, new: &NewSubmitter) -> Result<MadePassword, CenterError> {
        permit(caller, Permission::ManageAccounts)?;
        let name = comparable(&new.name);
        check_name(&name)?;
        let senders = self.senders(&new.senders)?;
        check_networks(&new.networks)?;
        let (told, hash) = self.password(&name, new.password.as_deref())?;
        let stored = StoredSubmitter {
            name: name.clone(),
            password: hash,
            senders,
            networks: new.networks.iter().map(IpNet::trunc).collect(),
            note: note_of(&new.note)?,
            disabled: false,
            created: self.parts.clock.now(),
            created_by: caller.name.to_string(),
            last_used: None,
        };
        let details = json!({ "after": told_of(&stored) });
        let note = self.note(caller, AuditAction::SubmitterAdded, &name, &details);
        let change = SubmitterChange::Add { new: stored, max: SUBMITTERS_MAX };
        match self.parts.state.change_submitters(&note, &change)? {
            true => Ok(MadePassword { name, password: told }),
            false => Err(CenterError::invalid(format!(
                "there is a submitter of this name already, or there are {SUBMITTERS_MAX} of them"
            ))),
        }
    }

    /// Changes what one may send as, from where, or whether at all.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), or there is none of this name.
    pub fn change(
        &self,
        caller: &Caller,
        name: &str,
        edit: &SubmitterEdit,
    ) -> Result<(), CenterError> {
        let before = self.named(caller, name)?;
        let mut after = before.clone();
        if let Some(senders) = &edit.senders {
            after.senders = self.senders(senders)?;
        }
        if let Some(networks) = &edit.networks {
            check_networks(networks)?;
            after.networks = networks.iter().map(IpNet::trunc).collect();
        }
        if let Some(note) = &edit.note {
            after.note = note_of(note)?;
        }
        after.disabled = edit.disabled.unwrap_or(after.disabled);
        if before == after {
            return Ok(());
        }
        let details = json!({ "before": told_of(&before), "after": told_of(&after) });
        let change = SubmitterChange::Put(after);
        self.put(caller, AuditAction::SubmitterChanged, &before.name, &change, &details)
    }

    /// Gives one another password, which is told if it was made here.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn set_password(
        &self,
        caller: &Caller,
        name: &str,
        password: Option<&str>,
    ) -> Result<MadePassword, CenterError> {
        let name = self.named(caller, name)?.name;
        let (told, hash) = self.password(&name, password)?;
        let change = SubmitterChange::Password { name: name.clone(), hash };
        self.put(caller, AuditAction::SubmitterPassword, &name, &change, &json!({}))?;
        Ok(MadePassword { name, password: told })
    }

    /// Removes one.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn remove(&self, caller: &Caller, name: &str) -> Result<(), CenterError> {
        let submitter = self.named(caller, name)?;
        let details = json!({ "before": told_of(&submitter) });
        let change = SubmitterChange::Remove(submitter.name.clone());
        self.put(caller, AuditAction::SubmitterRemoved, &submitter.name, &change, &details)?;
        self.uses.forget(&submitter.name);
        Ok(())
    }

    fn named(&self, caller: &Caller, name: &str) -> Result<StoredSubmitter, CenterError> {
        permit(caller, Permission::ManageAccounts)?;
        self.parts.state.submitter(&comparable(name))?.ok_or_else(missing)
    }

    fn put(
        &self,
        caller: &Caller,
        action: AuditAction,
        name: &str,
        change: &SubmitterChange,
        details: &serde_json::Value,
    ) -> Result<(), CenterError> {
        let note = self.note(caller, action, name, details);
        match self.parts.state.change_submitters(&note, change)? {
            true => Ok(()),
            false => Err(missing()),
        }
    }

    fn note(
        &self,
        caller: &Caller,
        action: AuditAction,
        name: &str,
        details: &serde_json::Value,
    ) -> AuditNote {
        let note = AuditNote::new(caller.into(), action, name, self.parts.clock.now());
        note.with_details(details.to_string())
    }

    /// The password to tell, if it is made here, and its hash.
    fn password(
        &self,
        name: &str,
        given: Option<&str>,
    ) -> Result<(Option<String>, String), CenterError> {
        if let Some(given) = given {
            check_password(given, name)?;
            return Ok((None, self.hasher.hash(given)?));
        }
        let mut octets = [0; PASSWORD_OCTETS];
        self.parts.chance.fill(&mut octets);
        let made = Secret::spoken(&octets);
        let hash = self.hasher.hash(made.reveal())?;
        Ok((Some(made.reveal().to_owned()), hash))
    }

    /// The senders, each of which must be ours: mail in any other name would
    /// be refused whoever sends it.
    fn senders(&self, texts: &[String]) -> Result<Vec<Pattern>, CenterError> {
        if texts.is_empty() || texts.len() > LISTED_MAX {
            return Err(CenterError::invalid(format!(
                "a submitter needs 1 to {LISTED_MAX} senders: domains or addresses of yours"
            )));
        }
        let base = self.parts.activator.base();
        let ours = |domain: &str| base.domains.iter().any(|(own, _)| own.as_str() == domain);
        let mut senders = Vec::with_capacity(texts.len());
        let mut problems = Vec::new();
        for text in texts {
            match text.parse() {
                Ok(Pattern::Address(address)) if ours(address.domain_key()) => {
                    senders.push(Pattern::Address(address));
                }
                Ok(Pattern::Domain(domain)) if !domain.below && ours(domain.domain.as_str()) => {
                    senders.push(Pattern::Domain(domain));
                }
                Ok(_) => problems.push(Problem::new(format!(
                    "{text} is neither one of the domains of the settings nor an address in one"
                ))),
                Err(error) => problems.push(Problem::new(format!("{text}: {error}"))),
            }
        }
        match problems.is_empty() {
            true => Ok(senders),
            false => Err(CenterError::Invalid { problems }),
        }
    }
}

fn check_networks(networks: &[IpNet]) -> Result<(), CenterError> {
    match networks.len() > LISTED_MAX {
        true => Err(CenterError::invalid(format!("a submitter has at most {LISTED_MAX} networks"))),
        false => Ok(()),
    }
}

fn note_of(text: &str) -> Result<String, CenterError> {
    let text = text.trim();
    match text.chars().count() > NOTE_CHARS_MAX || text.chars().any(char::is_control) {
        true => Err(CenterError::invalid(format!(
            "a note is one line of up to {NOTE_CHARS_MAX} characters"
        ))),
        false => Ok(text.to_owned()),
    }
}

fn missing() -> CenterError {
    CenterError::NotFound("submitter of this name".to_owned())
}

/// What the audit log keeps of one: never its password.
fn told_of(submitter: &StoredSubmitter) -> serde_json::Value {
    let StoredSubmitter { senders, networks, note, disabled, .. } = submitter;
    json!({ "senders": senders, "networks": networks, "note": note, "disabled": disabled })
}

fn row(submitter: StoredSubmitter) -> SubmitterRow {
    SubmitterRow {
        name: submitter.name,
        senders: submitter.senders.iter().map(ToString::to_string).collect(),
        networks: submitter.networks,
        note: submitter.note,
        disabled: submitter.disabled,
        created: submitter.created,
        created_by: submitter.created_by,
        last_used: submitter.last_used.map(|(at, _)| at),
        last_address: submitter.last_used.map(|(_, from)| from),
    }
}
