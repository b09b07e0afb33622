//! Lists of recipients that people bring: read line by line, weighed, stored.
//!
//! What a list would change is known before anything is changed. One that
//! would remove most of a domain looks like an export that was cut short, and
//! mail for everybody it lacks would be refused for good, so it has to be
//! accepted in so many words.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use serde_json::json;
use types::{AuditAction, Caller, Domain, EmailAddress, Permission, RecipientsChange};

use crate::importing::ImportedLine;
use crate::{Center, CenterError, Problem, permit, presentable_within};

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

/// How a list is imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientImport {
    /// The domain whose imported recipients the list takes the place of.
    pub in_place_of: Option<Domain>,
    /// The good lines are taken though others are bad.
    pub partial: bool,
    /// More than half of the imported recipients of that domain may go.
    pub accept_removals: bool,
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
    /// How many had been imported of the domain whose list this takes the
    /// place of.
    #[serde(default)]
    pub before: usize,
    /// Whether more than half of those go, which has to be accepted.
    #[serde(default)]
    pub removes_most: bool,
    /// Lines that are bad.
    pub bad: usize,
    /// Whether nothing was stored.
    pub dry_run: bool,
}

impl Center {
    /// Imports a list of recipients: CSV with a column of addresses, or an
    /// address a line.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] with every bad line, unless the good ones are
    /// wanted all the same or nothing is stored; and for a list that is too
    /// long, or that removes most of a domain where this is not accepted.
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
        let bad = list.refused(how)?;
        // What it changes is what was weighed: no other list comes between.
        let _turn = self.importing_recipients.lock().unwrap_or_else(PoisonError::into_inner);
        let would = self.recipients.would_import(&list.recipients, how.in_place_of.as_ref());
        let change = match would.map_err(CenterError::from) {
            Ok(change) if how.dry_run || how.accept_removals || !change.removes_most() => change,
            Ok(change) => {
                return Err(self.list_refused(caller, how, &list, removes_most(change, how))?);
            }
            Err(error) if how.dry_run => return Err(error),
            Err(error) => return Err(self.list_refused(caller, how, &list, error)?),
        };
        let told = RecipientsImported {
            named: list.recipients.len(),
            added: change.added,
            removed: change.removed,
            before: change.before,
            removes_most: change.removes_most(),
            bad,
            dry_run: how.dry_run,
            lines: Vec::new(),
        };
        if !how.dry_run && (change.added, change.removed) != (0, 0) {
            let details = json!({
                "named": told.named, "bad": bad, "added": told.added, "removed": told.removed,
            });
            self.record(caller, AuditAction::RecipientsImported, how.subject(), &details)?;
            self.recipients.import(&list.recipients, how.in_place_of.as_ref())?;
        }
        Ok(RecipientsImported { lines: list.lines, ..told })
    }

    /// Notes that a list is not taken, and why.
    fn list_refused(
        &self,
        caller: &Caller,
        how: &RecipientImport,
        list: &List,
        error: CenterError,
    ) -> Result<CenterError, CenterError> {
        let details = json!({ "named": list.recipients.len(), "why": error.to_string() });
        self.record(caller, AuditAction::RecipientsRefused, how.subject(), &details)?;
        Ok(error)
    }
}

impl RecipientImport {
    /// What the audit log calls it.
    fn subject(&self) -> &str {
        self.in_place_of.as_ref().map_or("", |domain| domain.as_str())
    }
}

/// The refusal of a list that was likely cut short.
fn removes_most(change: RecipientsChange, how: &RecipientImport) -> CenterError {
    let RecipientsChange { removed, before, .. } = change;
    CenterError::invalid(format!(
        "the list would remove {removed} of the {before} recipients that were imported for {}, more \
         than half of them; if that is meant, accept the removals",
        how.subject()
    ))
}

/// A list that was read.
#[derive(Debug, Default)]
struct List {
    lines: Vec<ImportedLine>,
    recipients: Vec<EmailAddress>,
}

impl List {
    /// How many lines are bad, unless the list is refused for them or because
    /// nobody would be known any more.
    fn refused(&self, how: &RecipientImport) -> Result<usize, CenterError> {
        let mut problems = self.problems();
        if let (Some(domain), true) = (&how.in_place_of, self.recipients.is_empty()) {
            // An export that failed looks like this.
            let message =
                format!("the list names nobody, so it is not put in place of that of {domain}");
            problems.insert(0, Problem::new(message));
            return Err(CenterError::Invalid { problems });
        }
        match problems.is_empty() || how.partial || how.dry_run {
            true => Ok(problems.len()),
            false => Err(CenterError::Invalid { problems }),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let bad = |line: &ImportedLine| {
            let message = line.problem.clone()?;
            Some(Problem::at_line(line.line, message))
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
}
