//! What refused senders ask for.

use clap::Subcommand;

use super::row_limit;

/// `requests …`
#[derive(Debug, Subcommand)]
pub enum RequestsCommand {
    /// List requests, newest first.
    List {
        /// Only those with this reference, or this text in what was written, in the contact, or in
        /// sender, recipient or reason of the attempt.
        #[arg(default_value = "")]
        text: String,
        /// Also those that were answered.
        #[arg(long)]
        all: bool,
        /// Most rows to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Show one request with all that was written.
    Show {
        /// Its number.
        number: u64,
    },
    /// Mark requests as answered.
    Answer {
        /// Their numbers.
        #[arg(required = true)]
        numbers: Vec<u64>,
        /// A note for colleagues.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Take requests up again.
    Reopen {
        /// Their numbers.
        #[arg(required = true)]
        numbers: Vec<u64>,
    },
}
