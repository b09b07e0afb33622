//! The audit log for people: what everybody did, who may read it, whether it
//! is whole. And the way in which the message center notes what it does.
//!
//! Policies, accounts and saved views note their changes in the transaction of
//! the change. What lives elsewhere (the queue, triplets, files) is noted
//! before it is done, so that nothing is done unseen; an entry then says what
//! was asked for.

use std::io::{self, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::state::AuditState;
use store::state::audit::{AuditEntry, AuditQuery, ChainBreak, ChainHead};
use types::{AuditAction, AuditNote, Caller, Permission, Reference, Timestamp, Via, hexadecimal};

use crate::daily_log::spreadsheet_safe;
pub use crate::effects::AuditEffect;
use crate::query::{Moment, range_between};
use crate::{Center, CenterError, permit, presentable};

/// Most entries of one page.
pub const AUDIT_PAGE_MAX: usize = 500;
/// Entries read at once for an export.
const EXPORT_PAGE: usize = 1_000;
/// Longest text searched for, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// Which entries are wanted; what is empty or absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct AuditSearch {
    /// What they contain, without case: in name, address, reference, subject,
    /// note or details.
    pub q: String,
    /// An action (`token.made`) or all of one kind (`token`).
    pub action: String,
    /// Who did it, by their exact name.
    pub who: String,
    /// The reference of the attempt whose row was acted on.
    pub row: Option<Reference>,
    /// The version of the policy set that was made.
    pub version: Option<u64>,
    /// From when on: `2026-11-21`, `2026-11-21T10:04`, `now-7d`.
    pub from: String,
    /// Before when, in the same forms; a day is meant with its whole.
    pub to: String,
    /// The time zone in which days are meant, by its IANA name; UTC if empty.
    pub zone: String,
}

/// One entry, for people. All texts are made [`presentable`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditRow {
    /// Its number; none is left out.
    pub number: u64,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it; empty for a stranger at the sign-in page.
    pub who: String,
    /// How they came in: `machine`, `visitor`, `account` or `token`.
    pub via: String,
    /// The address they came from; absent for the machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What was done, by name.
    pub action: String,
    /// What was done, as a sentence.
    pub did: String,
    /// To what.
    pub subject: String,
    /// What the person wrote about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The attempt whose row was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Reference>,
    /// The version of the policy set that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Before, after and whatever else belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// SHA-256 over this entry and the hash before it, in hexadecimal digits.
    pub hash: String,
}

/// One page of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditPage {
    /// The entries, newest first.
    pub rows: Vec<AuditRow>,
    /// Whether these are only the caller's own, because they may not see
    /// those of others.
    pub own_only: bool,
    /// Where the next page begins: entries with numbers below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// What looking at the whole chain found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditVerified {
    /// How far the chain is whole: the number of the last good entry.
    pub number: u64,
    /// Its hash. Whoever keeps number and hash elsewhere can prove later that
    /// nothing up to it was changed.
    pub hash: String,
    /// What is wrong after it; absent if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// How an export is written.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AuditFormat {
    /// Comma-separated values (RFC 4180), safe to open in a spreadsheet.
    #[default]
    Csv,
    /// One JSON object per line.
    Ndjson,
}

impl AuditFormat {
    /// The media type of a file in it.
    pub const fn media_type(self) -> &'static str {
        match self {
            AuditFormat::Csv => "text/csv; charset=utf-8",
            AuditFormat::Ndjson => "application/x-ndjson",
        }
    }

    /// How such files end.
    pub const fn extension(self) -> &'static str {
        match self {
            AuditFormat::Csv => "csv",
            AuditFormat::Ndjson => "ndjson",
        }
    }
}

/// An export of the audit log that was noted and can be written.
pub struct AuditExport {
    state: Arc<dyn AuditState>,
    query: AuditQuery,
    format: AuditFormat,
    /// Entries from here on came after it was asked for.
    end: u64,
}

impl Center {
    /// Entries that match, newest first, with numbers below `before`. Whoever
    /// may not see the audit log sees what they did themselves.
    ///
    /// # Errors
    ///
    /// A search that cannot be understood, or a store that fails.
    pub fn audit(
        &self,
        caller: &Caller,
        search: &AuditSearch,
        before: Option<u64>,
        rows_max: usize,
    ) -> Result<AuditPage, CenterError> {
        let query = self.audit_query(caller, search)?;
        let rows_max = if rows_max == 0 { 100 } else { rows_max.min(AUDIT_PAGE_MAX) };
        let mut entries = self.parts.audit.entries(&query, before, rows_max + 1)?;
        let more = entries.len() > rows_max;
        entries.truncate(rows_max);
        let before = entries.last().filter(|_| more).map(|entry| entry.number);
        let own_only = query.account.is_some();
        Ok(AuditPage { rows: entries.iter().map(row).collect(), own_only, before })
    }

    /// One entry.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`], also for one of somebody else that the
    /// caller may not see.
    pub fn audit_entry(&self, caller: &Caller, number: u64) -> Result<AuditRow, CenterError> {
        let missing = || CenterError::NotFound(format!("entry {number} of the audit log"));
        let own = own_only(caller)?;
        let entry = self.parts.audit.entry(number)?.ok_or_else(missing)?;
        let account = match entry.note.actor.via {
            Via::Account(account) | Via::Token { account, .. } => Some(account),
            Via::Machine | Via::Visitor => None,
        };
        match own.is_none() || own == account {
            true => Ok(row(&entry)),
            false => Err(missing()),
        }
    }

    /// Goes through the whole log and says whether it is what was written.
    /// With an `expected` number and hash, kept from an earlier look, also
    /// whether the log still leads there.
    ///
    /// # Errors
    ///
    /// The caller may not, the hash is none, or the store fails.
    pub fn verify_audit(
        &self,
        caller: &Caller,
        expected: Option<(u64, &str)>,
    ) -> Result<AuditVerified, CenterError> {
        permit(caller, Permission::SeeAudit)?;
        let verified = self.parts.audit.verify()?;
        let ChainHead { number, hash } = verified.head;
        let mut broken = verified.broken.as_ref().map(ChainBreak::to_string);
        if let Some((kept_number, kept_hash)) = expected {
            let kept = self.parts.audit.entry(kept_number)?;
            let same =
                kept.is_some_and(|kept| hexadecimal(&kept.hash) == kept_hash.trim().to_lowercase());
            if !same && broken.is_none() {
                broken = Some(format!(
                    "entry {kept_number} does not have the hash you kept: the log was written anew"
                ));
            }
        }
        Ok(AuditVerified { number, hash: hexadecimal(&hash), broken })
    }

    /// Everything that matches, to be written oldest last; the export itself
    /// is noted first and is not in it.
    ///
    /// # Errors
    ///
    /// As [`Center::audit`].
    pub fn export_audit(
        &self,
        caller: &Caller,
        search: &AuditSearch,
        format: AuditFormat,
    ) -> Result<AuditExport, CenterError> {
        let query = self.audit_query(caller, search)?;
        let details = serde_json::to_string(search).unwrap_or_default();
        let note = self.audit_note(caller, AuditAction::AuditTaken, format.extension());
        let end = self.parts.audit.record(&note.with_details(details))?;
        let state = Arc::clone(&self.parts.audit);
        Ok(AuditExport { state, query, format, end })
    }

    fn audit_query(
        &self,
        caller: &Caller,
        search: &AuditSearch,
    ) -> Result<AuditQuery, CenterError> {
        let account = own_only(caller)?;
        let text = search.q.trim();
        if text.chars().count() > TEXT_CHARS_MAX {
            let message = format!("a search has at most {TEXT_CHARS_MAX} characters");
            return Err(CenterError::invalid(message));
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let moment = Moment::in_zone(self.parts.clock.now(), &search.zone)?;
        let times = match (search.from.trim(), search.to.trim()) {
            ("", "") => None,
            (from, to) => Some(range_between(from, to, &moment)?),
        };
        Ok(AuditQuery {
            account,
            text: given(text),
            actions: actions(search.action.trim())?,
            actor: given(search.who.trim()),
            row: search.row,
            version: search.version,
            times,
        })
    }

    /// An entry about what the caller does now.
    pub(crate) fn audit_note(
        &self,
        caller: &Caller,
        action: AuditAction,
        subject: &str,
    ) -> AuditNote {
        AuditNote::new(caller.into(), action, subject, self.parts.clock.now())
    }

    /// Notes what the caller is about to do where it cannot be one
    /// transaction with the doing.
    ///
    /// # Errors
    ///
    /// The store fails; then it must not be done.
    pub(crate) fn record(
        &self,
        caller: &Caller,
        action: AuditAction,
        subject: &str,
        details: &impl Serialize,
    ) -> Result<(), CenterError> {
        let details = serde_json::to_string(details)
            .map_err(|error| CenterError::invalid(error.to_string()))?;
        let note = self.audit_note(caller, action, subject).with_details(details);
        self.parts.audit.record(&note)?;
        Ok(())
    }
}

impl AuditExport {
    /// Writes all entries. Blocks for the database and for the reader.
    ///
    /// # Errors
    ///
    /// A reader that has gone, or a store that fails: what was written is not
    /// all there is then.
    pub fn write(self, out: &mut dyn Write) -> io::Result<()> {
        let AuditExport { state, query, format, end } = self;
        let mut before = Some(end);
        if format == AuditFormat::Csv {
            write_csv(out, &CSV_HEADER.map(str::to_owned))?;
        }
        loop {
            let page = state.entries(&query, before, EXPORT_PAGE).map_err(io::Error::other)?;
            let Some(last) = page.last() else { return out.flush() };
            before = Some(last.number);
            for entry in &page {
                match format {
                    AuditFormat::Csv => write_csv(out, &csv_cells(&row(entry)))?,
                    AuditFormat::Ndjson => {
                        serde_json::to_writer(&mut *out, &row(entry)).map_err(io::Error::other)?;
                        out.write_all(b"\n")?;
                    }
                }
            }
        }
    }
}

/// The columns of the CSV file.
const CSV_HEADER: [&str; 12] = [
    "number", "at", "who", "via", "address", "action", "subject", "note", "row", "version",
    "details", "hash",
];

fn csv_cells(row: &AuditRow) -> [String; 12] {
    let text = |text: &str| spreadsheet_safe(text).into_owned();
    [
        row.number.to_string(),
        row.at.to_string(),
        text(&row.who),
        row.via.clone(),
        row.address.clone().unwrap_or_default(),
        row.action.clone(),
        text(&row.subject),
        text(&row.note),
        row.row.map(|row| row.to_string()).unwrap_or_default(),
        row.version.map(|version| version.to_string()).unwrap_or_default(),
        row.details.as_ref().map(ToString::to_string).unwrap_or_default(),
        row.hash.clone(),
    ]
}

fn write_csv(out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(cells).map_err(io::Error::other)?;
    writer.flush()
}

/// Whose entries alone the caller may see; nothing means everybody's.
pub(crate) fn own_only(caller: &Caller) -> Result<Option<types::AccountId>, CenterError> {
    match (caller.may(Permission::SeeAudit), caller.account()) {
        (true, _) => Ok(None),
        (false, Some(own)) => Ok(Some(own)),
        (false, None) => Err(CenterError::Denied { permission: Permission::SeeAudit }),
    }
}

/// The actions of a name or of a kind.
fn actions(named: &str) -> Result<Vec<AuditAction>, CenterError> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let is_meant = |action: &&AuditAction| action.slug() == named || action.kind() == named;
    let found: Vec<_> = AuditAction::ALL.iter().filter(is_meant).copied().collect();
    match found.is_empty() {
        true => Err(CenterError::none_of("action or kind", named, AuditAction::kinds())),
        false => Ok(found),
    }
}

fn row(entry: &AuditEntry) -> AuditRow {
    let AuditEntry { number, note, hash } = entry;
    let shown = |text: &str| presentable(text).into_owned();
    let details = (!note.details.is_empty()).then(|| {
        // What another version wrote and this one cannot read is still shown.
        let text = || serde_json::Value::String(shown(&note.details));
        serde_json::from_str(&note.details).map_or_else(|_| text(), presentable_value)
    });
    let via = match note.actor.via {
        Via::Machine => "machine",
        Via::Visitor => "visitor",
        Via::Account(_) => "account",
        Via::Token { .. } => "token",
    };
    AuditRow {
        number: *number,
        at: note.at,
        who: shown(&note.actor.name),
        via: via.to_owned(),
        address: note.actor.from.map(|from| from.to_string()),
        action: note.action.slug().to_owned(),
        did: note.action.doc().to_owned(),
        subject: shown(&note.subject),
        note: shown(&note.note),
        row: note.actor.row,
        version: note.version,
        details,
        hash: hexadecimal(hash),
    }
}

/// The same with every text in it made presentable.
fn presentable_value(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(presentable(&text).into_owned()),
        Value::Array(values) => Value::Array(values.into_iter().map(presentable_value).collect()),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| {
                (presentable(&name).into_owned(), presentable_value(value))
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        plain => plain,
    }
}
