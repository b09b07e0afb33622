//! Who is permitted, blocked or expected to answer.

use std::path::PathBuf;

use center::importing::ListFormat;
use clap::{Args, Subcommand, ValueEnum};
use types::lists::SenderAction;

use super::row_limit;

/// What a managed sender that a person makes can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EntryAction {
    /// Skip greylisting, reputation and spam scanning.
    Permit,
    /// Refuse.
    Block,
    /// Kept, without effect.
    Disabled,
}

impl EntryAction {
    /// The name in requests and files.
    pub fn slug(self) -> &'static str {
        match self {
            EntryAction::Permit => SenderAction::Permit,
            EntryAction::Block => SenderAction::Block,
            EntryAction::Disabled => SenderAction::Disabled,
        }
        .slug()
    }
}

/// The formats of `senders import`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// CSV as `senders export` prints it.
    Managed,
    /// The CSV of Mimecast's managed senders.
    Mimecast,
    /// An address or a domain per line; takes --action.
    Plain,
    /// postgrey's whitelist_clients.
    PostgreyClients,
    /// postgrey's whitelist_recipients.
    PostgreyRecipients,
    /// A Postfix access table, by sender.
    PostfixSender,
    /// A Postfix access table, by client.
    PostfixClient,
    /// A Postfix CIDR table, by client.
    PostfixCidr,
}

impl ImportFormat {
    /// The same as the message center has it.
    pub fn list_format(self) -> ListFormat {
        match self {
            ImportFormat::Managed => ListFormat::Managed,
            ImportFormat::Mimecast => ListFormat::Mimecast,
            ImportFormat::Plain => ListFormat::Plain,
            ImportFormat::PostgreyClients => ListFormat::PostgreyClients,
            ImportFormat::PostgreyRecipients => ListFormat::PostgreyRecipients,
            ImportFormat::PostfixSender => ListFormat::PostfixSender,
            ImportFormat::PostfixClient => ListFormat::PostfixClient,
            ImportFormat::PostfixCidr => ListFormat::PostfixCidr,
        }
    }
}

/// `senders …`
#[derive(Debug, Subcommand)]
pub enum SendersCommand {
    /// List managed senders.
    List {
        /// Only those with this text in sender, recipient or note.
        #[arg(default_value = "")]
        text: String,
        /// Most rows to show.
        #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Permit or block a sender for a recipient; replaces the entry of the pair.
    Add {
        /// What the entry does.
        action: EntryAction,
        /// An address or a domain; `dkim:DOMAIN` for what that domain has signed.
        sender: String,
        /// Whose list it goes into.
        recipient: String,
        /// A permit counts only for mail that SPF, DKIM or DMARC proves to be
        /// from its sender.
        #[arg(long)]
        authenticated_only: bool,
        /// A remark.
        #[arg(long, default_value = "")]
        note: String,
        /// Until when it counts, RFC 3339.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Permit the sender of an attempt for its recipient: says what that would
    /// do to the attempt, asks, and does it.
    Permit(DecideArguments),
    /// Block the sender of an attempt for its recipient, likewise.
    Block(DecideArguments),
    /// Remove entries.
    Remove {
        /// Their numbers.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Import a list of managed senders, or of another program. Says of every
    /// line what it becomes; nothing changes unless all lines are good, or
    /// only the good ones are asked for.
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Whose list it is.
        #[arg(long, value_enum, default_value = "managed", value_name = "FORMAT")]
        format: ImportFormat,
        /// What the lines of a plain list do.
        #[arg(long, value_enum, value_name = "ACTION")]
        action: Option<EntryAction>,
        /// Whose list a plain list goes into, instead of everyone's.
        #[arg(long = "for", value_name = "RECIPIENT")]
        recipient: Option<String>,
        /// Only say what would be stored.
        #[arg(long)]
        dry_run: bool,
        /// Store the good lines though others are bad.
        #[arg(long, conflicts_with = "dry_run")]
        partial: bool,
        /// What it is for.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Print all entries as CSV.
    Export,
    /// To whom people wrote, and who may therefore answer.
    #[command(subcommand)]
    Auto(AutoAllowCommand),
}

/// `senders permit` and `senders block`
#[derive(Debug, Args)]
pub struct DecideArguments {
    /// The reference of the attempt.
    pub reference: String,
    /// The address or domain that is meant, or `dkim:DOMAIN` for what that
    /// domain has signed; the advised one if absent.
    #[arg(long, value_name = "SENDER")]
    pub sender: Option<String>,
    /// For everyone, as a policy, instead of the recipient alone.
    #[arg(long)]
    pub everyone: bool,
    /// A permit counts only for mail that SPF, DKIM or DMARC proves to be from
    /// its sender.
    #[arg(long, conflicts_with = "everyone")]
    pub authenticated_only: bool,
    /// Until when it counts, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// A remark.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub note: String,
    /// Only say what it would do.
    #[arg(long)]
    pub dry_run: bool,
}

/// `senders auto …`
#[derive(Debug, Subcommand)]
pub enum AutoAllowCommand {
    /// List who may answer whom, the newest mail first.
    List {
        /// Only pairs with this text in one of the addresses.
        #[arg(default_value = "")]
        text: String,
        /// Most rows to show; the server gives 1,000 at most.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Forget pairs, as if nobody had written.
    Purge {
        /// Pairs with this text in one of the addresses.
        #[arg(default_value = "")]
        text: String,
        /// Pairs of this person outside.
        #[arg(long, value_name = "ADDRESS")]
        sender: Option<String>,
        /// Pairs of this person of ours.
        #[arg(long, value_name = "ADDRESS")]
        recipient: Option<String>,
    },
    /// Take over pairs from CSV with the columns sender, recipient and, if
    /// there is one, wrote; nothing changes unless all lines are good, or only
    /// the good ones are asked for.
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Only say what would be taken over.
        #[arg(long)]
        dry_run: bool,
        /// Take over the good lines though others are bad.
        #[arg(long, conflicts_with = "dry_run")]
        partial: bool,
    },
    /// Print pairs as CSV.
    Export {
        /// Only pairs with this text in one of the addresses.
        #[arg(default_value = "")]
        text: String,
    },
}
