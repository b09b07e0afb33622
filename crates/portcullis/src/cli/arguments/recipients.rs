//! Recipients, and what is asked on their behalf.

use std::path::PathBuf;

use clap::Subcommand;

use super::row_limit;

/// `recipients …`
#[derive(Debug, Subcommand)]
pub enum RecipientsCommand {
    /// Say how each domain knows its recipients.
    Status,
    /// List recipients known by name: imported, or learned from mail that the next hop took.
    List {
        /// Those of this domain.
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<String>,
        /// With this in their address.
        #[arg(long)]
        text: Option<String>,
        /// Behind this address.
        #[arg(long, value_name = "ADDRESS")]
        after: Option<String>,
        /// Most rows to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Say what is known here of an address.
    Show {
        /// The address.
        address: String,
    },
    /// Import a list: CSV with a column of addresses, or an address a line.
    Import {
        /// The file; - for standard input.
        file: PathBuf,
        /// Take the place of all that was imported for this domain.
        #[arg(long, value_name = "DOMAIN")]
        replace: Option<String>,
        /// Store nothing, say what every line becomes.
        #[arg(long)]
        dry_run: bool,
        /// Take the good lines though others are bad.
        #[arg(long)]
        partial: bool,
        /// With --replace: more than half of those imported before may go.
        #[arg(long, requires = "replace")]
        accept_removals: bool,
    },
    /// Say how directories on servers are: what they have, how old that is, what failed.
    Directories,
    /// List what people in directories have of the attributes that policies can name.
    Attributes,
    /// Read directories from their servers now, and say what changed.
    Sync {
        /// Which one; all without it.
        name: Option<String>,
        /// Change nothing, say what would change.
        #[arg(long)]
        dry_run: bool,
        /// Take an answer that names nobody, or far fewer than before, as long as no more recipients than this are gone in it.
        #[arg(long, value_name = "GONE", requires = "name", conflicts_with = "dry_run")]
        accept: Option<usize>,
        /// Take such an answer about groups, as long as no more memberships than this are gone in it.
        #[arg(long, value_name = "GONE", requires = "name", conflicts_with = "dry_run")]
        accept_groups: Option<usize>,
    },
    /// Forget an address, imported or learned.
    Forget {
        /// The address.
        address: String,
    },
    /// Forget everybody of a domain that is no more in the settings.
    ForgetDomain {
        /// The domain.
        domain: String,
    },
    /// Take the directory file of a domain as it is now, even if nobody is in it.
    AcceptFile {
        /// The domain.
        domain: String,
    },
    /// Forget what was learned of a domain, which begins to learn anew.
    LearnAnew {
        /// The domain.
        domain: String,
    },
}
