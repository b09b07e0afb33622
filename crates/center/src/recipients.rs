//! Which recipients there are: how each domain knows it, who is known by name,
//! and lists that people bring.
//!
//! The lists themselves are kept where mail is received.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::StoreError;
use types::policy::RecipientValidation;
use types::{
    AuditAction, Caller, Domain, EmailAddress, KnownRecipient, Observed, Permission, Source,
    Timestamp, spoken,
};

use crate::explain::evidence_words;
use crate::importing::ImportedLine;
use crate::{Center, CenterError, Problem, permit, presentable_within};

/// Most rows shown at once.
const SHOWN_MAX: usize = 1_000;
/// Characters of a line that are repeated in the report.
const SHOWN_CHARS_MAX: usize = 160;
/// What the column of addresses is called, in lower case and without what is
/// no letter.
const COLUMNS: &[&str] = &[
    "address",
    "email",
    "emailaddress",
    "mail",
    "primarysmtpaddress",
    "recipient",
    "recipientaddress",
    "smtpaddress",
];

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

    /// Knows these until they are removed; with a domain, removes what was
    /// imported for it and is not among them. Gives how many were added and
    /// removed.
    fn import(
        &self,
        recipients: &[EmailAddress],
        in_place_of: Option<&Domain>,
    ) -> Result<(usize, usize), StoreError>;

    /// Forgets one; false if it was not known.
    fn forget(&self, recipient: &EmailAddress) -> Result<bool, StoreError>;

    /// Forgets what was learned of a domain, which begins to learn anew.
    fn learn_anew(&self, domain: &Domain) -> Result<usize, StoreError>;
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

    fn import(&self, _: &[EmailAddress], _: Option<&Domain>) -> Result<(usize, usize), StoreError> {
        Ok((0, 0))
    }

    fn forget(&self, _: &EmailAddress) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn learn_anew(&self, _: &Domain) -> Result<usize, StoreError> {
        Ok(0)
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
    /// When it began to learn.
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
            parts.push(format!("takes every address and learns until {until}"));
        }
        if parts.is_empty() { "nothing is known by name".to_owned() } else { parts.join("; ") }
    }
}

impl DirectoryRow {
    fn words(&self, now: Timestamp) -> String {
        let DirectoryRow { name, entries, confirmed, stale } = self;
        match confirmed {
            None => format!("{name}: was never read"),
            Some(at) => {
                let old = if *stale { ", too old to be believed" } else { "" };
                let age = spoken(now.since(*at));
                format!("{name}: {entries} recipients, confirmed {age} ago{old}")
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

/// How a list is imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientImport {
    /// The domain whose imported recipients the list takes the place of.
    pub in_place_of: Option<Domain>,
    /// The good lines are taken though others are bad.
    pub partial: bool,
    /// Nothing is stored.
    pub dry_run: bool,
}

/// What came of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecipientsImported {
    /// Every line that says something.
    pub lines: Vec<ImportedLine>,
    /// Recipients that the list names.
    pub named: usize,
    /// Those of them that were not imported before.
    pub added: usize,
    /// Imported ones that went, because the list took their place.
    pub removed: usize,
    /// Lines that are bad.
    pub bad: usize,
    /// Whether nothing was stored.
    pub dry_run: bool,
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

    /// Imports a list of recipients: CSV with a column of addresses, or an
    /// address a line.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] with every bad line, unless the good ones are
    /// wanted all the same or nothing is stored.
    pub fn import_recipients(
        &self,
        caller: &Caller,
        text: &str,
        how: &RecipientImport,
    ) -> Result<RecipientsImported, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let set = self.parts.activator.in_force();
        let is_ours = |domain: &str| set.is_internal(domain);
        let list = read(text, &is_ours, how.in_place_of.as_ref())?;
        if let (Some(domain), true) = (&how.in_place_of, list.recipients.is_empty()) {
            // An export that failed looks like this, and nobody would be known any more.
            let message =
                format!("the list names nobody, so it is not put in place of that of {domain}");
            let mut problems = list.problems();
            problems.insert(0, Problem { line: None, object: None, message });
            return Err(CenterError::Invalid { problems });
        }
        let bad: Vec<Problem> = list.problems();
        if !bad.is_empty() && !how.partial && !how.dry_run {
            return Err(CenterError::Invalid { problems: bad });
        }
        let mut told = RecipientsImported {
            named: list.recipients.len(),
            added: 0,
            removed: 0,
            bad: bad.len(),
            dry_run: how.dry_run,
            lines: list.lines,
        };
        if how.dry_run {
            return Ok(told);
        }
        let subject = how.in_place_of.as_ref().map_or("", |domain| domain.as_str());
        let details = json!({ "named": told.named, "bad": told.bad });
        self.record(caller, AuditAction::RecipientsImported, subject, &details)?;
        (told.added, told.removed) =
            self.recipients.import(&list.recipients, how.in_place_of.as_ref())?;
        Ok(told)
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

/// A list that was read.
#[derive(Debug, Default)]
struct List {
    lines: Vec<ImportedLine>,
    recipients: Vec<EmailAddress>,
}

impl List {
    fn problems(&self) -> Vec<Problem> {
        let bad = |line: &ImportedLine| {
            let message = line.problem.clone()?;
            Some(Problem { line: Some(line.line), object: None, message })
        };
        self.lines.iter().filter_map(bad).collect()
    }
}

/// Reads a list: a CSV whose first line names a column of addresses, or else
/// the first column of every line.
fn read(
    text: &str,
    is_ours: &dyn Fn(&str) -> bool,
    only: Option<&Domain>,
) -> Result<List, CenterError> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let separator = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut rows = csv::ReaderBuilder::new();
    let rows = rows.has_headers(false).flexible(true).delimiter(separator);
    let mut list = List::default();
    let mut column = None;
    let mut lines = Lines { text, seen: 0, line: 1 };
    for row in rows.trim(csv::Trim::All).from_reader(text.as_bytes()).records() {
        let row = row.map_err(|error| CenterError::invalid(format!("this is no CSV: {error}")))?;
        let line = lines.of(&row);
        if row.get(0).is_some_and(|first| first.starts_with('#')) {
            continue;
        }
        let is_first = column.is_none();
        let place = *column.get_or_insert_with(|| titled(&row).unwrap_or(0));
        if is_first && titled(&row).is_some() {
            continue;
        }
        let said = row.get(place).unwrap_or_default();
        if said.is_empty() && row.iter().all(str::is_empty) {
            continue;
        }
        let read = recipient(said, is_ours, only);
        let (becomes, problem) = match &read {
            Ok(address) => (Some(format!("{address} is known")), None),
            Err(problem) => (None, Some(problem.clone())),
        };
        let text = presentable_within(said, SHOWN_CHARS_MAX);
        list.lines.push(ImportedLine { line, text, becomes, problem });
        list.recipients.extend(read);
    }
    Ok(list)
}

/// Says on which line each row stands. The reader counts empty lines to the
/// row behind them.
struct Lines<'a> {
    text: &'a str,
    /// Octets that were looked at.
    seen: usize,
    /// The line they end on.
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, row: &csv::StringRecord) -> usize {
        let begins = row.position().map_or(0, |at| usize::try_from(at.byte()).unwrap_or(0));
        let rest = self.text.as_bytes().get(begins..).unwrap_or_default();
        let empty = rest.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
        let passed = self.text.as_bytes().get(self.seen..begins + empty).unwrap_or_default();
        self.line += passed.iter().filter(|octet| **octet == b'\n').count();
        self.seen = begins + empty;
        self.line
    }
}

/// Where the addresses stand, if this row names its columns.
fn titled(row: &csv::StringRecord) -> Option<usize> {
    let letters = |title: &str| -> String {
        title.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase()
    };
    row.iter().position(|title| !title.contains('@') && COLUMNS.contains(&&*letters(title)))
}

/// The recipient of a field: an address, bare or as directories write it
/// (`smtp:ann@corp.example`).
fn recipient(
    said: &str,
    is_ours: &dyn Fn(&str) -> bool,
    only: Option<&Domain>,
) -> Result<EmailAddress, String> {
    let bare = match said.get(..5) {
        Some(kind) if kind.eq_ignore_ascii_case("smtp:") => said.get(5..).unwrap_or_default(),
        _ => said,
    };
    let address: EmailAddress = bare.parse().map_err(|error| format!("not an address: {error}"))?;
    match only {
        Some(domain) if address.domain_key() != domain.as_str() => {
            Err(format!("the address is not in {domain}"))
        }
        _ if !is_ours(address.domain_key()) => Err("its domain is none of ours".to_owned()),
        _ => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let list = read(text, &|domain| domain == "corp.example", None).unwrap();
        let words = list.lines.iter().map(|line| {
            let said = line.becomes.clone().or(line.problem.clone()).unwrap_or_default();
            format!("{} {}: {said}\n", line.line, line.text)
        });
        words.collect()
    }

    #[test]
    fn a_list_is_csv_with_titles_or_an_address_a_line() {
        let expected = "2 ann@corp.example: ann@corp.example is known\n";
        for text in [
            "Name,E-Mail,Unit\n\"Miller, Ann\",ann@corp.example,Sales\n",
            "Primary SMTP address;Name\nann@corp.example;Ann\n",
            "# people\nann@corp.example\n\n",
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        assert_eq!(
            told("SMTP:Ann@corp.example\n"),
            "1 SMTP:Ann@corp.example: Ann@corp.example is known\n"
        );
    }

    #[test]
    fn bad_lines_are_named_with_the_reason() {
        let told = told("ann@corp.example\nann\n\n\neve@elsewhere.example\n");
        assert!(told.contains("2 ann: not an address"), "{told}");
        assert!(told.contains("5 eve@elsewhere.example: its domain is none of ours"), "{told}");
        let only = "corp.example".parse().unwrap();
        let error = recipient("a@other.example", &|_| true, Some(&only)).unwrap_err();
        assert_eq!(error, "the address is not in corp.example");
    }

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
            }],
            imported: 3,
            learned: 0,
            learns_since: None,
            learns_until: None,
        };
        let expected = "file: 2 recipients, confirmed 5 s ago, too old to be believed; 3 imported";
        assert_eq!(domain.words(now), expected);
    }
}
