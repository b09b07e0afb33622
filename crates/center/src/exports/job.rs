//! One export: what was asked for, and how far it is. Everything here is
//! shown to people and kept beside the file as it is.

use serde::{Deserialize, Serialize};
use types::policy::DomainPattern;
use types::{AccountId, ExportId, Timestamp};

use crate::search::SearchRequest;

/// As what a list is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// Comma-separated values, RFC 4180, UTF-8.
    Csv,
    /// A spreadsheet, with typed dates and numbers.
    Xlsx,
    /// One JSON object per line, with the field names of the API.
    Ndjson,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [ExportFormat; 3] =
        [ExportFormat::Csv, ExportFormat::Xlsx, ExportFormat::Ndjson];

    /// The word in addresses and on the command line, and the end of the
    /// file's name.
    pub fn slug(self) -> &'static str {
        match self {
            ExportFormat::Csv => "csv",
            ExportFormat::Xlsx => "xlsx",
            ExportFormat::Ndjson => "ndjson",
        }
    }

    /// The media type of the file.
    pub fn media_type(self) -> &'static str {
        match self {
            ExportFormat::Csv => "text/csv; charset=utf-8",
            ExportFormat::Xlsx => {
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            }
            ExportFormat::Ndjson => "application/x-ndjson",
        }
    }
}

/// Which rows of which list, and as what: the same request from which the
/// list itself was made, so that what is seen is what is exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ExportRequest {
    /// As what.
    pub format: ExportFormat,
    /// The list; its page does not matter.
    #[serde(default)]
    pub search: SearchRequest,
    /// Leaves out the apostrophe before what a spreadsheet would take for a
    /// formula. Only CSV has it.
    #[serde(default)]
    pub raw: bool,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportState {
    /// Waits for its turn.
    Queued,
    /// Is being written.
    Running,
    /// The file is there.
    Done,
    /// Somebody stopped it; there is no file.
    Cancelled,
    /// It could not be written, see [`ExportJob::problem`]; there is no file.
    Failed,
    /// The gateway stopped meanwhile; there is no file.
    Interrupted,
}

impl ExportState {
    /// Every state.
    pub const ALL: [ExportState; 6] = [
        ExportState::Queued,
        ExportState::Running,
        ExportState::Done,
        ExportState::Cancelled,
        ExportState::Failed,
        ExportState::Interrupted,
    ];

    /// The word in API and metrics.
    pub fn slug(self) -> &'static str {
        match self {
            ExportState::Queued => "queued",
            ExportState::Running => "running",
            ExportState::Done => "done",
            ExportState::Cancelled => "cancelled",
            ExportState::Failed => "failed",
            ExportState::Interrupted => "interrupted",
        }
    }

    /// Whether nothing more will happen to it.
    pub fn is_over(self) -> bool {
        !matches!(self, ExportState::Queued | ExportState::Running)
    }
}

/// An export as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ExportJob {
    /// Which one.
    pub id: ExportId,
    /// Who asked for it, by name.
    pub by: String,
    /// The account that asked for it; nothing if it was the machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
    /// What was asked for.
    pub request: ExportRequest,
    /// The domains whose mail it has, where it has not everybody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainPattern>,
    /// The groups whose members' mail it has, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Tells the members those had when it was asked for from others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub members: String,
    /// How far it is.
    pub state: ExportState,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it began to be written; the rows are those of this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The span the rows lie in, from (inclusive) and to (exclusive).
    pub times: (Timestamp, Timestamp),
    /// Names of the columns, in order.
    pub columns: Vec<String>,
    /// Rows written so far.
    pub rows: u64,
    /// Rows there are, once they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_total: Option<u64>,
    /// Rows written a second, on average.
    pub rows_per_s: u64,
    /// Why it failed, a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Spans whose events could not be read: their rows are not in the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<(Timestamp, Timestamp)>,
    /// The file, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ExportFile>,
}

/// The file of an export that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ExportFile {
    /// The name a person saves it under.
    pub name: String,
    /// Its size in octets.
    pub size_octets: u64,
    /// Its SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// When it is removed.
    pub expires: Timestamp,
}
