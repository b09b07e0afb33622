//! Who may use the console and the API.

use clap::Subcommand;

/// `account …`
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// List accounts.
    List,
    /// Add an account, and print a link with which the person chooses a password.
    Add {
        /// What the person signs in with: a name or an address.
        name: String,
        /// The role; `role list` has them.
        #[arg(long, default_value = "viewer")]
        role: String,
        /// Recipient domains whose mail alone they see: `corp.example`, or `*.corp.example` for all below.
        #[arg(long = "domain", value_delimiter = ',', value_name = "DOMAIN")]
        domains: Vec<String>,
        /// A group whose members' mail they see; may be given again. `group list` has them.
        #[arg(long = "group", value_name = "NAME")]
        groups: Vec<String>,
    },
    /// Change whose mail an account sees.
    Limit {
        /// Its name.
        name: String,
        /// Recipient domains whose mail alone it sees; without domains and groups, it sees everything again.
        #[arg(long = "domain", value_delimiter = ',', value_name = "DOMAIN")]
        domains: Vec<String>,
        /// A group whose members' mail it sees; may be given again.
        #[arg(long = "group", value_name = "NAME")]
        groups: Vec<String>,
    },
    /// Let nobody in with an account any more; its sessions end, its tokens do not work.
    Disable {
        /// Its name.
        name: String,
    },
    /// Let people in with an account again.
    Enable {
        /// Its name.
        name: String,
    },
    /// Make the account for emergencies, or give it a new password, which is printed this once.
    ///
    /// It may do everything, and its use is loud: an entry of its own in the audit log, an error in the log, a notice
    /// on every page of owners and auditors for seven days. Keep the password in an envelope.
    Emergency {
        /// What it signs in with.
        #[arg(default_value = "emergency")]
        name: String,
    },
    /// Remove an account with its sessions and tokens.
    Remove {
        /// Its name.
        name: String,
    },
    /// Give an account another role.
    Role {
        /// Its name.
        name: String,
        /// The role; `role list` has them.
        role: String,
    },
    /// Set the password of an account: asked for, or one line of standard input.
    Password {
        /// Its name.
        name: String,
        /// Revoke the account's tokens too: if somebody else may have known the password.
        #[arg(long)]
        revoke_tokens: bool,
    },
    /// Print a link that works once: for a new owner, or for somebody's new password.
    SetupLink {
        /// Whose password; a new owner if absent.
        name: Option<String>,
    },
    /// Link an account to who its person is at the sign-in service; it keeps its role.
    Link {
        /// Its name.
        name: String,
        /// Who the person is there: what the service writes into the claim `sub`.
        #[arg(long)]
        subject: String,
    },
    /// Unlink an account; it keeps the role it has.
    Unlink {
        /// Its name.
        name: String,
        /// Who the person is at the sign-in service; `account list --json` has them.
        #[arg(long)]
        subject: String,
    },
    /// Turn codes at sign-in off for somebody who has lost them.
    ResetTotp {
        /// The account's name.
        name: String,
    },
}

/// `role …`
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// List roles with what they allow and who has them.
    List,
    /// Make a role, or put what it allows in place of what it allowed.
    Set {
        /// Its name: small letters, digits, `-` and `_`.
        name: String,
        /// What it allows, such as `see_metadata`; comma-separated or repeated.
        #[arg(long = "may", required = true, value_delimiter = ',', value_name = "PERMISSION")]
        permissions: Vec<String>,
        /// Whom it is for.
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// Switch one permission of a role on or off; of one there is from the start, one that can be switched.
    Switch {
        /// The role.
        name: String,
        /// The permission.
        permission: String,
        /// `on` or `off`.
        #[arg(value_parser = ["on", "off"])]
        state: String,
    },
    /// Remove a role that no account has; of one there is from the start, undo what was switched.
    Remove {
        /// Its name.
        name: String,
    },
}

/// `token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List all tokens.
    List,
    /// Make a token and print it, this once.
    Add {
        /// Whose it is; it never may more than that account.
        account: String,
        /// What people call it.
        name: String,
        /// What it may do, such as `see_metadata`; comma-separated or repeated.
        #[arg(long = "may", required = true, value_delimiter = ',', value_name = "PERMISSION")]
        permissions: Vec<String>,
        /// Networks it may be used from; anywhere if absent.
        #[arg(long, value_delimiter = ',', value_name = "NETWORK", value_parser = super::network)]
        from: Vec<ipnet::IpNet>,
        /// When it ends, RFC 3339; never if absent.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Revoke a token.
    Revoke {
        /// Its number.
        id: u64,
    },
}
