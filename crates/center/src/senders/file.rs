//! Managed senders as CSV files: written for spreadsheets, and read again.

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};
use store::state::{Difference, Edit, Object, Plan};
use types::lists::{ManagedSender, SenderAction};
use types::{AuditAction, Caller, Permission};

use super::{PAGE_ROWS_MAX, SenderSearch};
use crate::csv_columns::{Columns, csv_error, csv_line, shown};
use crate::daily_log::spreadsheet_safe;
use crate::importing::ImportedLine;
use crate::input::sender_problem;
use crate::{Center, CenterError, Problem, permit};

/// Most rows of one imported file.
pub(crate) const IMPORT_ROWS_MAX: usize = 1_000_000;
/// Most problems reported of one file; a person reads the first few.
pub(crate) const PROBLEMS_MAX: usize = 100;
/// The columns of the file.
const COLUMNS: [&str; 6] =
    ["sender", "recipient", "action", "note", "valid_until", "authenticated_only"];
/// How many of them a file must have.
const NEEDED: usize = 3;

/// How an import goes about bad lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportHow {
    /// Whether good lines are stored even if others are not.
    pub partial: bool,
    /// Whether nothing is stored.
    pub dry_run: bool,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Imported {
    /// Entries stored, new or changed.
    pub stored: usize,
    /// Lines left out, each with why.
    pub problems: Vec<Problem>,
    /// Whether it was only asked about: then nothing is stored.
    #[serde(default)]
    pub dry_run: bool,
    /// The version there is now.
    pub version: u64,
    /// Every line of a list of another program with what it becomes, as far
    /// as they can be shown: a thousand good ones and a thousand bad ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ImportedLine>,
}

impl Center {
    /// Writes all matching entries as CSV, spreadsheet-safe.
    ///
    /// # Errors
    ///
    /// A store or a writer that fails.
    pub fn export_senders(
        &self,
        caller: &Caller,
        search: &SenderSearch,
        out: &mut dyn Write,
    ) -> Result<(), CenterError> {
        permit(caller, Permission::SeeSenders)?;
        self.record(caller, AuditAction::SendersTaken, "managed senders", search)?;
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(COLUMNS).map_err(|e| csv_error(&e))?;
        let mut after = None;
        loop {
            let query = self.sender_query(caller, search);
            let page = self.parts.policies.senders(&query, after, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { break };
            after = last.sender.id;
            for stored in &page {
                writer.write_record(record(&stored.sender)).map_err(|e| csv_error(&e))?;
            }
        }
        writer.flush().map_err(|error| CenterError::file("writing the list", &error))
    }

    /// Reads entries from CSV with the columns sender, recipient, action and,
    /// if there are, note, valid_until and authenticated_only. With `partial`, good lines are
    /// stored even if others are not; else one bad line leaves all unchanged.
    /// With `dry_run` nothing is stored, and bad lines are no error.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] with a problem per bad line.
    pub fn import_senders(
        &self,
        caller: &Caller,
        csv: &mut dyn Read,
        how: ImportHow,
        note: &str,
    ) -> Result<Imported, CenterError> {
        permit(caller, Permission::EditLists)?;
        let (entries, mut problems) = self.read_entries(caller, csv)?;
        let lines: Vec<usize> = entries.iter().map(|(line, _)| *line).collect();
        let senders: Vec<ManagedSender> = entries.into_iter().map(|(_, entry)| entry).collect();
        let mut refused = std::collections::HashSet::new();
        for problem in self.sender_problems(senders.clone()) {
            let policy::ObjectName::ManagedSender(_, place) = problem.object else { continue };
            refused.insert(place);
            let line = place.checked_sub(1).and_then(|place| lines.get(place)).copied();
            problems.push(Problem { line, ..Problem::new(problem.wrong.to_string()) });
        }
        problems.sort_by_key(|problem| problem.line);
        problems.truncate(PROBLEMS_MAX);
        if !problems.is_empty() && !how.partial && !how.dry_run {
            return Err(CenterError::Invalid { problems });
        }
        let good = (1..).zip(senders).filter(|(place, _)| !refused.contains(place));
        let edits: Vec<Edit> = good.map(|(_, sender)| Edit::Put(Object::Sender(sender))).collect();
        let who = self.author(caller, None, note);
        let (stored, version) = match how.dry_run {
            true => {
                let plan = self.parts.policies.plan(&who, Plan::Edits(edits))?;
                (put(&plan.differences), plan.version)
            }
            false => {
                let changed = self.parts.policies.change(&who, edits)?;
                (put(&changed.differences), self.activated(changed)?.version)
            }
        };
        Ok(Imported { stored, problems, dry_run: how.dry_run, version, lines: Vec::new() })
    }

    /// The entries of a file with their lines, and what is wrong with others.
    #[expect(clippy::type_complexity, reason = "the pair is taken apart at the one call")]
    fn read_entries(
        &self,
        caller: &Caller,
        csv: &mut dyn Read,
    ) -> Result<(Vec<(usize, ManagedSender)>, Vec<Problem>), CenterError> {
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(csv);
        let header = reader.headers().map_err(|e| csv_error(&e))?;
        let columns = Columns::find(header, COLUMNS, NEEDED)?;
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        let mut last_of_pair = std::collections::HashMap::new();
        let (base, now) = (self.parts.activator.base(), self.parts.clock.now());
        for record in reader.records() {
            let record = record.map_err(|e| csv_error(&e))?;
            let line = csv_line(&record);
            let read = entry(columns.cells(&record))
                .and_then(|entry| sender_problem(&entry, &base, now).map_or(Ok(entry), Err));
            match read {
                Ok(entry) => {
                    let pair = (entry.sender.to_string(), entry.recipient.key().to_owned());
                    if let Some(first) = last_of_pair.insert(pair, line) {
                        let message = format!("the same pair as in line {first}");
                        problems.push(Problem::at_line(line, message));
                    }
                    entries.push((line, self.made_by(caller, entry)));
                }
                Err(message) => problems.push(Problem::at_line(line, message)),
            }
            if entries.len() > IMPORT_ROWS_MAX || problems.len() > PROBLEMS_MAX {
                let message =
                    format!("more than {IMPORT_ROWS_MAX} entries or {PROBLEMS_MAX} problems");
                problems.push(Problem::at_line(line, message));
                return Err(CenterError::Invalid { problems });
            }
        }
        Ok((entries, problems))
    }

    fn made_by(&self, caller: &Caller, entry: ManagedSender) -> ManagedSender {
        let created_by = caller.name.to_string();
        ManagedSender { created_by, created: self.parts.clock.now(), ..entry }
    }
}

/// Entries that are new or other than they were.
fn put(differences: &[Difference]) -> usize {
    differences.iter().filter(|difference| difference.after.is_some()).count()
}

fn record(sender: &ManagedSender) -> [String; COLUMNS.len()] {
    let cell = |text: &str| spreadsheet_safe(text).into_owned();
    [
        cell(&sender.sender.to_string()),
        cell(sender.recipient.as_str()),
        sender.action.slug().to_owned(),
        cell(&sender.note),
        sender.valid_until.map(|until| until.to_string()).unwrap_or_default(),
        if sender.authenticated_only { YES } else { "" }.to_owned(),
    ]
}

/// The entry of a line.
fn entry(
    [sender, recipient, action, note, until, authenticated]: [&str; COLUMNS.len()],
) -> Result<ManagedSender, String> {
    let valid_until = match until {
        "" => None,
        text => Some(text.parse().map_err(|error: types::time::TimestampError| error.to_string())?),
    };
    Ok(ManagedSender {
        id: None,
        sender: sender.parse().map_err(|e| format!("sender {:?}: {e}", shown(sender)))?,
        recipient: recipient
            .parse()
            .map_err(|e| format!("recipient {:?}: {e}", shown(recipient)))?,
        action: sender_action(action)?,
        authenticated_only: yes_or_no(authenticated)?,
        note: note.to_owned(),
        created_by: String::new(),
        created: types::Timestamp::EPOCH,
        created_from: None,
        valid_until,
    })
}

/// What a cell says that is true.
const YES: &str = "true";

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        YES => Ok(true),
        "" | "false" => Ok(false),
        _ => Err(format!("authenticated_only {:?}: expected true, false or nothing", shown(text))),
    }
}

fn sender_action(text: &str) -> Result<SenderAction, String> {
    [SenderAction::Permit, SenderAction::Block, SenderAction::Auto, SenderAction::Disabled]
        .into_iter()
        .find(|action| action.slug().eq_ignore_ascii_case(text))
        .ok_or_else(|| {
            format!("action {:?}: expected permit, block, auto or disabled", shown(text))
        })
}
