//! Who sends mail to the world with a name and password.

use clap::Subcommand;

use super::network;

/// `submitters …`
#[derive(Debug, Subcommand)]
pub enum SubmittersCommand {
    /// List submitters.
    List,
    /// Add a submitter, and print its password this once.
    Add {
        /// What it authenticates with: a name or an address.
        name: String,
        /// A domain of the settings it may send as, or an address in one; may be given again.
        #[arg(long = "sender", value_delimiter = ',', value_name = "SENDER", required = true)]
        senders: Vec<String>,
        /// A network it may come from; may be given again. Without one, from anywhere.
        #[arg(long = "from", value_delimiter = ',', value_name = "NETWORK", value_parser = network)]
        networks: Vec<ipnet::IpNet>,
        /// What it is.
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
        /// Take a password of one's own: asked for, or one line of standard input.
        #[arg(long)]
        own_password: bool,
    },
    /// Change what a submitter may send as, or from where.
    Change {
        /// Its name.
        name: String,
        /// A domain of the settings it may send as, or an address in one, in place of those it has; may be given again.
        #[arg(long = "sender", value_delimiter = ',', value_name = "SENDER")]
        senders: Vec<String>,
        /// A network it may come from, in place of those it has; may be given again.
        #[arg(
            long = "from",
            value_delimiter = ',',
            value_name = "NETWORK",
            value_parser = network,
            conflicts_with = "anywhere"
        )]
        networks: Vec<ipnet::IpNet>,
        /// It may come from anywhere.
        #[arg(long)]
        anywhere: bool,
        /// What it is.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Give a submitter a new password, and print it this once.
    Password {
        /// Its name.
        name: String,
        /// Take a password of one's own: asked for, or one line of standard input.
        #[arg(long)]
        own_password: bool,
    },
    /// Take nothing from a submitter any more, open connections included.
    Disable {
        /// Its name.
        name: String,
    },
    /// Take mail from a submitter again.
    Enable {
        /// Its name.
        name: String,
    },
    /// Remove a submitter.
    Remove {
        /// Its name.
        name: String,
    },
}
