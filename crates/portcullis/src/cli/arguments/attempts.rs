//! What asks for attempts, and as what they are printed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::query;

/// As what rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowsFormat {
    /// Comma-separated values; nothing in them is taken for a formula.
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// As what a list is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// Comma-separated values.
    Csv,
    /// A spreadsheet.
    Xlsx,
    /// One JSON object per line.
    Ndjson,
}

/// `export`
#[derive(Clone, Debug, Args)]
pub struct ExportArguments {
    /// The query, as `trace` takes it.
    #[arg(default_value = "", allow_hyphen_values = true, value_parser = query)]
    pub query: String,
    /// The file to write; its end says as what, unless --format does.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// As what.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<FileFormat>,
    /// The columns in order, separated by commas.
    #[arg(long, value_name = "NAMES")]
    pub columns: Option<String>,
    /// The column to sort by; `-` before it for the largest or newest first.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// The time zone of the times, `Europe/Berlin`.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Leave texts as they are, also where a spreadsheet takes them for formulas.
    #[arg(long)]
    pub raw: bool,
}
