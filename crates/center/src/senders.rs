//! Keeping managed senders: what a recipient permits and blocks. There may be
//! a million of them, so lists are pages and files are streams.

use std::io::{Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::state::{
    Difference, Edit, Hits, Object, ObjectKey, Plan, Provenance, SenderQuery, StoredSender,
};
use types::evidence::{Loss, Parties};
use types::lists::{ManagedSender, Pattern, SenderAction};
use types::{
    AuditAction, Caller, EmailAddress, ForwardPath, Permission, PolicyId, PolicyRef, PolicyType,
    ReversePath, Sight, Stage,
};

use crate::daily_log::spreadsheet_safe;
use crate::explain::{loss_words, short};
use crate::importing::ImportedLine;
use crate::input::sender_problem;
use crate::sight::permit_recipient;
use crate::{Center, CenterError, ChangeResult, Problem, permit};

/// Most rows of one page.
const PAGE_ROWS_MAX: usize = 1_000;
/// Most rows of one imported file.
pub(crate) const IMPORT_ROWS_MAX: usize = 1_000_000;
/// Most problems reported of one file; a person reads the first few.
pub(crate) const PROBLEMS_MAX: usize = 100;
/// Stands for an address of a domain that nobody has named.
const ANYBODY: &str = "anybody-at-all";
/// The columns of the file.
const COLUMNS: [&str; 5] = ["sender", "recipient", "action", "note", "valid_until"];

/// Which entries are wanted; what is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SenderSearch {
    /// Sender, recipient or note contains this.
    pub text: Option<String>,
    /// In the list of this recipient.
    pub recipient: Option<String>,
    /// For exactly this address or pattern.
    pub sender: Option<String>,
    /// Only entries that do this.
    pub action: Option<SenderAction>,
    /// Only entries that have not decided for this many days, and are older.
    pub unused_days: Option<u32>,
    /// Numbers above this one: where the page before ended.
    pub after: Option<PolicyId>,
    /// Most rows; 0 for 100, at most 1,000.
    pub limit: usize,
}

/// A managed sender with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SenderRow {
    /// The entry.
    pub sender: ManagedSender,
    /// Who made it and when.
    pub provenance: Provenance,
    /// How often it decided.
    pub hits: Hits,
    /// Whether it still counts: `active`, `disabled` or `expired`.
    pub standing: String,
    /// What decides before it, whatever it says: the policy or entry, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadowed_by: Option<String>,
}

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
    /// A page of managed senders, by number.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn senders(
        &self,
        caller: &Caller,
        search: &SenderSearch,
    ) -> Result<Vec<SenderRow>, CenterError> {
        permit(caller, Permission::SeeSenders)?;
        let rows_max = match search.limit {
            0 => 100,
            wanted => wanted.min(PAGE_ROWS_MAX),
        };
        let query = self.sender_query(caller, search);
        let found = self.parts.policies.senders(&query, search.after, rows_max)?;
        Ok(found.into_iter().map(|stored| self.sender_row(stored)).collect())
    }

    /// One managed sender.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn sender(&self, caller: &Caller, id: PolicyId) -> Result<SenderRow, CenterError> {
        permit(caller, Permission::SeeSenders)?;
        Ok(self.sender_row(self.seen_sender(caller, id)?))
    }

    /// An entry of a recipient whom the caller sees.
    fn seen_sender(&self, caller: &Caller, id: PolicyId) -> Result<StoredSender, CenterError> {
        let stored = self.parts.policies.sender(id)?;
        let is_seen = |stored: &StoredSender| sees(caller, &stored.sender);
        let stored = stored.filter(is_seen);
        stored.ok_or_else(|| CenterError::NotFound(format!("managed sender {id}")))
    }

    fn sender_row(&self, stored: StoredSender) -> SenderRow {
        let now = self.parts.clock.now();
        let is_over = stored.sender.valid_until.is_some_and(|until| until <= now);
        let standing = match stored.sender.action {
            SenderAction::Disabled => "disabled",
            _ if is_over => "expired",
            _ => "active",
        };
        let shadowed_by = match standing {
            "active" => self.shadowed_by(&stored.sender),
            _ => None,
        };
        SenderRow {
            sender: stored.sender,
            provenance: stored.provenance,
            hits: stored.hits,
            standing: standing.to_owned(),
            shadowed_by,
        }
    }

    /// What decides before an entry on every address it names, as far as one
    /// address stands for all: for a domain, one that nobody has named.
    fn shadowed_by(&self, entry: &ManagedSender) -> Option<String> {
        let sender: EmailAddress = match &entry.sender {
            Pattern::Address(address) => address.clone(),
            Pattern::Domain(domain) => {
                let below = if domain.below { "any." } else { "" };
                format!("{ANYBODY}@{below}{}", domain.domain).parse().ok()?
            }
        };
        let reverse_path = ReversePath::Address(sender);
        let recipient = ForwardPath::Address(entry.recipient.clone());
        let who = Parties {
            ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
            host_name: None,
            tls: None,
            reverse_path: Some(&reverse_path),
            recipient: Some(&recipient),
            header_from: &[],
        };
        let set = self.parts.activator.in_force();
        let chosen = set.selections(Stage::Rcpt, self.parts.clock.now(), &who);
        let own = chosen.iter().find(|consulted| consulted.kind == PolicyType::ManagedSenders)?;
        let is_it = |policy: &PolicyRef| matches!(policy, PolicyRef::ManagedSender { id } if Some(*id) == entry.id);
        let (_, loss) = own.losers.iter().find(|(policy, _)| is_it(policy))?;
        let by = match loss {
            Loss::BelowAdministrator => chosen
                .iter()
                .filter(|consulted| consulted.kind != PolicyType::ManagedSenders)
                .find_map(|consulted| match consulted.winner {
                    Some(policy @ PolicyRef::Policy { .. }) => Some(policy),
                    _ => None,
                }),
            _ => own.winner,
        };
        let by = by.map_or(String::new(), |policy| format!("{}: ", short(policy)));
        Some(format!("{by}{}", loss_words(*loss)))
    }

    fn sender_query(&self, caller: &Caller, search: &SenderSearch) -> SenderQuery {
        let unused = search.unused_days.map(|days| {
            self.parts.clock.now().before(Duration::from_secs(u64::from(days) * 86_400))
        });
        SenderQuery { unused_since: unused, within: caller.sight.clone(), ..query(search) }
    }

    /// Adds an entry; it replaces any other for the same pair.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`], for instance a permit for an own domain.
    pub fn put_sender(
        &self,
        caller: &Caller,
        sender: ManagedSender,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditSenders)?;
        permit_recipient(caller, &ForwardPath::Address(sender.recipient.clone()))?;
        // With the number of another entry it takes that one's place.
        if let Some(id) = sender.id
            && self.parts.policies.sender(id)?.is_some()
        {
            self.seen_sender(caller, id)?;
        }
        let sender = ManagedSender {
            created_by: caller.name.to_string(),
            created: self.parts.clock.now(),
            ..sender
        };
        let base = self.parts.activator.base();
        if let Some(problem) = sender_problem(&sender, &base, self.parts.clock.now()) {
            return Err(CenterError::invalid(problem));
        }
        if let Some(problem) = self.sender_problems(vec![sender.clone()]).first() {
            return Err(CenterError::invalid(problem.wrong.to_string()));
        }
        let who = self.author(caller, None, note);
        let edit = Edit::Put(Object::Sender(sender));
        self.activated(self.parts.policies.change(&who, vec![edit])?)
    }

    /// Removes an entry by its number.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn remove_sender(
        &self,
        caller: &Caller,
        id: PolicyId,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditSenders)?;
        self.seen_sender(caller, id)?;
        let who = self.author(caller, None, note);
        let edit = Edit::Remove(ObjectKey::Sender(id));
        self.activated(self.parts.policies.change(&who, vec![edit])?)
    }

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
    /// if there are, note and valid_until. With `partial`, good lines are
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
            problems.push(Problem { line, object: None, message: problem.wrong.to_string() });
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
        let columns = Columns::find(reader.headers().map_err(|e| csv_error(&e))?)?;
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        let mut last_of_pair = std::collections::HashMap::new();
        let (base, now) = (self.parts.activator.base(), self.parts.clock.now());
        for record in reader.records() {
            let record = record.map_err(|e| csv_error(&e))?;
            let line = csv_line(&record);
            let read = columns
                .entry(&record)
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

/// Whether an entry belongs to a recipient whom the caller sees.
pub(crate) fn sees(caller: &Caller, entry: &ManagedSender) -> bool {
    caller.sight.sees_address(&entry.recipient)
}

/// Entries that are new or other than they were.
fn put(differences: &[Difference]) -> usize {
    differences.iter().filter(|difference| difference.after.is_some()).count()
}

fn query(search: &SenderSearch) -> SenderQuery {
    let recipient = search.recipient.as_deref().map(|text| {
        text.parse::<types::EmailAddress>().map_or(text.to_owned(), |a| a.key().to_owned())
    });
    SenderQuery {
        recipient,
        sender: search.sender.clone(),
        text: search.text.clone(),
        action: search.action,
        unused_since: None,
        within: Sight::Everything,
    }
}

pub(crate) fn csv_error(error: &csv::Error) -> CenterError {
    let line = error.position().map(|at| usize::try_from(at.line()).unwrap_or(0));
    CenterError::Invalid {
        problems: vec![Problem { line, object: None, message: error.to_string() }],
    }
}

/// The line at which a record begins.
pub(crate) fn csv_line(record: &csv::StringRecord) -> usize {
    // Of lines that end with CR LF the reader counts the LF to the next one.
    let line = record.position().map_or(0, |at| at.line().max(at.record() + 1));
    usize::try_from(line).unwrap_or(0)
}

fn record(sender: &ManagedSender) -> [String; 5] {
    let cell = |text: &str| spreadsheet_safe(text).into_owned();
    [
        cell(&sender.sender.to_string()),
        cell(sender.recipient.as_str()),
        sender.action.slug().to_owned(),
        cell(&sender.note),
        sender.valid_until.map(|until| until.to_string()).unwrap_or_default(),
    ]
}

/// Where each column of a file stands.
struct Columns([Option<usize>; 5]);

impl Columns {
    fn find(header: &csv::StringRecord) -> Result<Columns, CenterError> {
        let place = |name: &str| header.iter().position(|title| title.eq_ignore_ascii_case(name));
        let columns = Columns(COLUMNS.map(place));
        let unknown =
            header.iter().find(|t| !COLUMNS.iter().any(|name| name.eq_ignore_ascii_case(t)));
        let Columns([sender, recipient, action, ..]) = &columns;
        match unknown {
            Some(title) => {
                let message = format!("unknown column {title:?}; known are {}", COLUMNS.join(", "));
                Err(CenterError::Invalid { problems: vec![Problem::at_line(1, message)] })
            }
            None if sender.is_none() || recipient.is_none() || action.is_none() => {
                let message = "the first line must name the columns sender, recipient and action";
                Err(CenterError::Invalid { problems: vec![Problem::at_line(1, message)] })
            }
            None => Ok(columns),
        }
    }

    fn entry(&self, record: &csv::StringRecord) -> Result<ManagedSender, String> {
        let Columns([sender, recipient, action, note, until]) = self;
        // Undo what our own export did for spreadsheets.
        let cell = |place: &Option<usize>| {
            let text = place.and_then(|place| record.get(place)).unwrap_or("");
            match text.strip_prefix('\'') {
                Some(rest) if spreadsheet_safe(rest).len() > rest.len() => rest,
                _ => text,
            }
        };
        let sender_text = cell(sender);
        let recipient_text = cell(recipient);
        let until = match cell(until) {
            "" => None,
            text => {
                Some(text.parse().map_err(|error: types::time::TimestampError| error.to_string())?)
            }
        };
        Ok(ManagedSender {
            id: None,
            sender: sender_text.parse().map_err(|e| format!("sender {sender_text:?}: {e}"))?,
            recipient: recipient_text
                .parse()
                .map_err(|e| format!("recipient {recipient_text:?}: {e}"))?,
            action: sender_action(cell(action))?,
            note: cell(note).to_owned(),
            created_by: String::new(),
            created: types::Timestamp::EPOCH,
            created_from: None,
            valid_until: until,
        })
    }
}

fn sender_action(text: &str) -> Result<SenderAction, String> {
    [SenderAction::Permit, SenderAction::Block, SenderAction::Auto, SenderAction::Disabled]
        .into_iter()
        .find(|action| action.slug().eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("action {text:?}: expected permit, block, auto or disabled"))
}
