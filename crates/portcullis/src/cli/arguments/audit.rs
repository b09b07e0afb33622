//! What people and programs did.

use clap::{Args, Subcommand};

use super::row_limit;

/// What of the audit log is wanted.
#[derive(Clone, Debug, Default, Args)]
pub struct AuditFilter {
    /// Only entries with this text in name, address, reference, subject, note or details.
    #[arg(default_value = "")]
    pub text: String,
    /// Only this action (`token.made`) or all of one kind (`token`).
    #[arg(long, default_value = "", value_name = "ACTION")]
    pub action: String,
    /// Only of this person or program, by the exact name.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub by: String,
    /// Only from the row of the attempt with this reference.
    #[arg(long, value_name = "REFERENCE")]
    pub row: Option<String>,
    /// From when on: `2026-11-21`, `now-7d`.
    #[arg(long, default_value = "", value_name = "TIME")]
    pub from: String,
    /// Before when.
    #[arg(long, default_value = "", value_name = "TIME")]
    pub to: String,
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List what people and programs did, newest first.
    List {
        /// Which of it.
        #[command(flatten)]
        filter: AuditFilter,
        /// Most rows to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Show one entry with everything that belongs to it.
    Show {
        /// Its number.
        number: u64,
    },
    /// Print all of it that matches; the export is an entry itself.
    Export {
        /// Which of it.
        #[command(flatten)]
        filter: AuditFilter,
        /// `csv` or `ndjson`.
        #[arg(long, default_value = "csv", value_parser = ["csv", "ndjson"])]
        format: String,
    },
    /// Say whether the log is what was written, and where it is not.
    Verify {
        /// Also whether it still leads through this number and hash, as an
        /// earlier `verify` printed them.
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<String>,
    },
}
