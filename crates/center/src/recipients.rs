//! Which recipients there are: how each domain knows it, who is known by name,
//! and lists that people bring ([`importing`]).
//!
//! The lists themselves are kept where mail is received.

#[cfg(test)]
mod book_tests;
pub(crate) mod importing;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::StoreError;
use types::policy::RecipientValidation;
use types::{
    AuditAction, Caller, Domain, EmailAddress, KnownRecipient, Observed, Permission,
    RecipientsChange, Source, Timestamp, spoken,
};

use crate::directories::{DirectoryReading, ReadDirectory, SyncedDirectory};
use crate::explain::evidence_words;
use crate::{Center, CenterError, permit, presentable_within};

/// Most rows shown at once.
const SHOWN_MAX: usize = 1_000;
/// Knows which recipients there are. The binary implements it over the checks
/// and the store.
pub trait RecipientBook: Send + Sync {
    /// How each of our domains knows its recipients.
    fn domains(&self) -> Vec<RecipientDomain>;

    /// What is known here of a recipient; a next hop is not asked.
    fn look(&self, validation: RecipientValidation, recipient: &EmailAddress)
    -> (Observed, Source);

    /// Recipients known by name, in the order of their addresses.
    fn known(&self, search: &RecipientSearch, max: usize) -> Vec<KnownRecipient>;

    /// What [`RecipientBook::import`] would change.
    fn would_import(
        &self,
        recipients: &[EmailAddress],
        in_place_of: Option<&Domain>,
    ) -> Result<RecipientsChange, StoreError>;

    /// Knows these until they are removed; with a domain, removes what was
    /// imported for it and is not among them.
    fn import(
        &self,
        recipients: &[EmailAddress],
        in_place_of: Option<&Domain>,
    ) -> Result<RecipientsChange, StoreError>;

    /// Forgets one; false if it was not known.
    fn forget(&self, recipient: &EmailAddress) -> Result<bool, StoreError>;

    /// Forgets all of a domain; gives how many there were.
    fn forget_all_of(&self, domain: &Domain) -> Result<usize, StoreError>;

    /// Whether a domain has a directory file.
    fn has_file(&self, domain: &Domain) -> bool;

    /// Takes the directory file of a domain as it is now, though nobody is in
    /// it; gives how many it has, and nothing where there is no file.
    ///
    /// # Errors
    /// Why the file cannot be used. A sentence for people.
    fn accept_file(&self, domain: &Domain) -> Result<Option<usize>, String>;

    /// Forgets what was learned of a domain, which begins to learn anew.
    fn learn_anew(&self, domain: &Domain) -> Result<usize, StoreError>;

    /// How each directory on a server is.
    fn synced(&self) -> Vec<SyncedDirectory>;

    /// Reads a directory from its server, and waits until that is done.
    ///
    /// # Errors
    /// Why it could not be read. A sentence for people.
    fn read_directory(&self, name: &str, how: ReadDirectory) -> Result<DirectoryReading, String>;
}

/// For a message center without a receiver beside it.
pub(crate) struct NoRecipients;

impl RecipientBook for NoRecipients {
    fn domains(&self) -> Vec<RecipientDomain> {
        Vec::new()
    }

    fn look(&self, validation: RecipientValidation, _: &EmailAddress) -> (Observed, Source) {
        let answer = types::finding::RecipientAnswer::Unknown;
        (Observed::Recipient { validation, answer }, Source::Settings)
    }

    fn known(&self, _: &RecipientSearch, _: usize) -> Vec<KnownRecipient> {
        Vec::new()
    }

    fn would_import(
        &self,
        _: &[EmailAddress],
        _: Option<&Domain>,
    ) -> Result<RecipientsChange, StoreError> {
        Ok(RecipientsChange::default())
    }

    fn import(
        &self,
        _: &[EmailAddress],
        _: Option<&Domain>,
    ) -> Result<RecipientsChange, StoreError> {
        Ok(RecipientsChange::default())
    }

    fn forget(&self, _: &EmailAddress) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn forget_all_of(&self, _: &Domain) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn has_file(&self, _: &Domain) -> bool {
        false
    }

    fn accept_file(&self, _: &Domain) -> Result<Option<usize>, String> {
        Ok(None)
    }

    fn learn_anew(&self, _: &Domain) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn synced(&self) -> Vec<SyncedDirectory> {
        Vec::new()
    }

    fn read_directory(&self, _: &str, _: ReadDirectory) -> Result<DirectoryReading, String> {
        Err("there is no directory".to_owned())
    }
}

/// How a domain knows its recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecipientDomain {
    /// The domain.
    pub domain: Domain,
    /// The way the settings say; a policy may say another.
    pub validation: RecipientValidation,
    /// Its directories.
    pub directories: Vec<DirectoryRow>,
    /// Recipients that were imported.
    pub imported: usize,
    /// Recipients that were learned.
    pub learned: usize,
    /// When it began to learn; nothing while nobody of it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learns_since: Option<Timestamp>,
    /// Until when it takes every address while it learns, if it is validated
    /// by what it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learns_until: Option<Timestamp>,
}

/// One directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DirectoryRow {
    /// `file`, or the name of the service.
    pub name: String,
    /// How many recipients it has.
    pub entries: usize,
    /// When it was last seen that this is what it says; nothing if it never
    /// was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    /// Whether it is too old to be believed when it lacks somebody.
    pub stale: bool,
    /// Whether what it last said of this domain waits for somebody to accept it.
    #[serde(default)]
    pub waits: bool,
}

impl RecipientDomain {
    /// What there is, in words: `file: 120 recipients, confirmed 5 s ago;
    /// 3 imported; 80 learned`.
    pub fn words(&self, now: Timestamp) -> String {
        let mut parts: Vec<String> = self.directories.iter().map(|one| one.words(now)).collect();
        let known = [(self.imported, "imported"), (self.learned, "learned")];
        let some = known.iter().filter(|(count, _)| *count > 0);
        parts.extend(some.map(|(count, how)| format!("{count} {how}")));
        if let Some(until) = self.learns_until.filter(|until| *until > now) {
            let left = spoken(until.since(now));
            parts.push(format!("takes every address and learns for another {left}"));
        }
        match (parts.is_empty(), self.validation) {
            (false, _) => parts.join("; "),
            (true, RecipientValidation::Known) => {
                "nobody is known yet, so every address is taken".to_owned()
            }
            (true, _) => "nothing is known by name".to_owned(),
        }
    }
}

impl DirectoryRow {
    fn words(&self, now: Timestamp) -> String {
        let DirectoryRow { name, entries, confirmed, stale, waits } = self;
        let waits = if *waits { ", and what it says now waits to be accepted" } else { "" };
        match confirmed {
            None => format!("{name}: nothing to be believed was ever read{waits}"),
            Some(at) => {
                let old = if *stale { ", too old to be believed" } else { "" };
                let age = spoken(now.since(*at));
                format!("{name}: {entries} recipients, confirmed {age} ago{old}{waits}")
            }
        }
    }
}

/// Which known recipients are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct RecipientSearch {
    /// Those of this domain.
    pub domain: Option<String>,
    /// With this in their address.
    pub text: Option<String>,
    /// Behind this address.
    pub after: Option<String>,
    /// At most so many; 0 for a hundred.
    pub limit: usize,
}

/// What is known of one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecipientShown {
    /// The address.
    pub address: String,
    /// How its domain is validated.
    pub validation: RecipientValidation,
    /// What is found, in words.
    pub found: String,
    /// Where.
    pub source: String,
    /// Its entry, if it is known by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownRecipient>,
}

impl Center {
    /// How each domain knows its recipients.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn recipient_domains(&self, caller: &Caller) -> Result<Vec<RecipientDomain>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        Ok(self.recipients.domains())
    }

    /// Recipients known by name.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn known_recipients(
        &self,
        caller: &Caller,
        search: &RecipientSearch,
    ) -> Result<Vec<KnownRecipient>, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let lower = |text: &Option<String>| {
            text.as_ref().map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty())
        };
        let max = if search.limit == 0 { 100 } else { search.limit.min(SHOWN_MAX) };
        let search = RecipientSearch {
            domain: lower(&search.domain),
            text: lower(&search.text),
            after: search.after.clone(),
            limit: max,
        };
        Ok(self.recipients.known(&search, max))
    }

    /// What is known here of one recipient.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for an address that is none of ours.
    pub fn recipient(
        &self,
        caller: &Caller,
        recipient: &EmailAddress,
    ) -> Result<RecipientShown, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let set = self.parts.activator.in_force();
        let of = |(domain, _): &&(Domain, _)| domain.as_str() == recipient.domain_key();
        let Some((_, validation)) = set.base().domains.iter().find(of) else {
            let text = presentable_within(recipient.as_str(), 80);
            return Err(CenterError::invalid(format!("{text:?} is in no domain of ours")));
        };
        let (observed, source) = self.recipients.look(*validation, recipient);
        let (found, source) = match validation {
            RecipientValidation::CallForward | RecipientValidation::CallForwardNull => {
                let text = "the next hop is asked when mail comes";
                (text.to_owned(), String::new())
            }
            _ => evidence_words(&observed, &source),
        };
        let exactly = RecipientSearch { text: Some(recipient.key().into()), ..Default::default() };
        let named = self.recipients.known(&exactly, SHOWN_MAX);
        let known = named.into_iter().find(|one| one.address == recipient.key());
        let address = recipient.as_str().to_owned();
        Ok(RecipientShown { address, validation: *validation, found, source, known })
    }

    /// Forgets a recipient that is known by name; false if it was not.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn forget_recipient(
        &self,
        caller: &Caller,
        recipient: &EmailAddress,
    ) -> Result<bool, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        self.record(caller, AuditAction::RecipientForgotten, recipient.key(), &json!({}))?;
        Ok(self.recipients.forget(recipient)?)
    }

    /// Forgets everybody of a domain that is not in the settings any more;
    /// gives how many there were.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for a domain of ours: nobody can want to take
    /// mail for all of it again by mistake.
    pub fn forget_recipients_of(
        &self,
        caller: &Caller,
        domain: &Domain,
    ) -> Result<usize, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        if self.parts.activator.in_force().is_internal(domain.as_str()) {
            return Err(CenterError::invalid(format!("{domain} is a domain of ours")));
        }
        self.record(caller, AuditAction::RecipientsForgotten, domain.as_str(), &json!({}))?;
        Ok(self.recipients.forget_all_of(domain)?)
    }

    /// Takes the directory file of a domain as it is now, though nobody is in
    /// it; gives how many recipients it has.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for a domain without a file, or one that cannot
    /// be used.
    pub fn accept_directory_file(
        &self,
        caller: &Caller,
        domain: &Domain,
    ) -> Result<usize, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let without = || CenterError::invalid(format!("{domain} has no directory file"));
        if !self.recipients.has_file(domain) {
            return Err(without());
        }
        self.record(caller, AuditAction::DirectoryFileAccepted, domain.as_str(), &json!({}))?;
        let accepted = self.recipients.accept_file(domain).map_err(CenterError::invalid)?;
        accepted.ok_or_else(without)
    }

    /// Forgets what was learned of a domain, which learns anew; gives how many
    /// recipients that were.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for a domain that is none of ours.
    pub fn learn_recipients_anew(
        &self,
        caller: &Caller,
        domain: &Domain,
    ) -> Result<usize, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        if !self.parts.activator.in_force().is_internal(domain.as_str()) {
            return Err(CenterError::invalid(format!("{domain} is no domain of ours")));
        }
        self.record(caller, AuditAction::RecipientsLearnedAnew, domain.as_str(), &json!({}))?;
        Ok(self.recipients.learn_anew(domain)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_says_what_it_has_in_one_line() {
        let now = Timestamp::from_millis(10_000);
        let domain = RecipientDomain {
            domain: "corp.example".parse().unwrap(),
            validation: RecipientValidation::Directory,
            directories: vec![DirectoryRow {
                name: "file".to_owned(),
                entries: 2,
                confirmed: Some(Timestamp::from_millis(5_000)),
                stale: true,
                waits: false,
            }],
            imported: 3,
            learned: 0,
            learns_since: None,
            learns_until: None,
        };
        let expected = "file: 2 recipients, confirmed 5 s ago, too old to be believed; 3 imported";
        assert_eq!(domain.words(now), expected);
        let learns_until = Some(Timestamp::from_millis(15_000));
        let learns = RecipientDomain { learns_until, ..domain.clone() };
        let expected = format!("{expected}; takes every address and learns for another 5 s");
        assert_eq!(learns.words(now), expected);
        let (directories, validation) = (Vec::new(), RecipientValidation::Known);
        let empty = RecipientDomain { directories, validation, imported: 0, ..domain };
        assert_eq!(empty.words(now), "nobody is known yet, so every address is taken");
    }
}
