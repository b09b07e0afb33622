//! Policies, what they refer to, and what a change would do.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

/// `policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// List policies.
    List,
    /// Show one policy as TOML.
    Show {
        /// Its number.
        id: String,
    },
    /// Add a policy written in TOML.
    Add {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// Replace a policy by one written in TOML.
    Set {
        /// Its number.
        id: String,
        /// The file; `-` for standard input.
        file: PathBuf,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// Remove a policy.
    Remove {
        /// Its number.
        id: String,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// Print policies, groups, definitions and managed senders as one TOML document.
    Export,
    /// Put a document in place of all policies, groups, definitions and managed senders.
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// Check a document, or one policy as `add` takes it, without a running server.
    Check {
        /// The file; `-` for standard input.
        file: PathBuf,
    },
    /// Say what a document would change, and what that would have done to the
    /// mail of the last days; nothing is stored.
    Plan {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// How far back.
        #[arg(long, default_value = "7d", value_name = "SPAN", value_parser = span)]
        last: Duration,
    },
    /// Do what `plan` says: put a document in place of all policies, groups and
    /// managed senders, unless somebody changed them in between.
    Apply {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// How far back.
        #[arg(long, default_value = "7d", value_name = "SPAN", value_parser = span)]
        last: Duration,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// Run unit tests against a document, without a running server.
    Test {
        /// The document, or one policy; `-` for standard input.
        file: PathBuf,
        /// Files of tests (docs/reference/policy-tests.md).
        #[arg(required = true)]
        tests: Vec<PathBuf>,
    },
    /// What a policy in observe mode would have done since it was put there,
    /// against what happened.
    Compare {
        /// Its number.
        id: String,
    },
    /// Enforce a policy that is in observe mode.
    Enforce {
        /// Its number.
        id: String,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// What people took back of what each policy, entry or setting refused:
    /// permits from its rows, rows that were let in, releases.
    Precision {
        /// Of how many days.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: u32,
    },
    /// List the versions of the policy set.
    Versions,
    /// Show what changed between two versions.
    Diff {
        /// The older version.
        from: u64,
        /// The newer version.
        to: u64,
    },
    /// Undo one version, if what it changed was not changed since.
    Undo {
        /// That version.
        version: u64,
    },
    /// Make the policy set what it was in an older version; what the policy file
    /// manages stays.
    Rollback {
        /// That version.
        version: u64,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
}

/// `replay`
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// How far back.
    #[arg(long, default_value = "7d", value_name = "SPAN", value_parser = span)]
    pub last: Duration,
    /// A policy written in TOML that is added, or takes the place of the one of
    /// its number.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["document", "remove", "back_to"])]
    pub policy: Option<PathBuf>,
    /// The number of the policy that it takes the place of.
    #[arg(long, value_name = "NUMBER", requires = "policy")]
    pub id: Option<String>,
    /// A whole document, as `policy import` takes it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["remove", "back_to"])]
    pub document: Option<PathBuf>,
    /// A policy that is removed.
    #[arg(long, value_name = "NUMBER", conflicts_with = "back_to")]
    pub remove: Option<String>,
    /// The policy set as it was in an older version.
    #[arg(long, value_name = "VERSION")]
    pub back_to: Option<u64>,
}

/// `7d`, `36h`: a span of time.
fn span(text: &str) -> Result<Duration, String> {
    let span = crate::settings::value::duration(text).filter(|span| !span.is_zero());
    span.ok_or_else(|| "a number with a unit, such as 7d or 36h".to_owned())
}

/// `definition …`
#[derive(Debug, Subcommand)]
pub enum DefinitionCommand {
    /// List definitions and the policies that refer to them.
    List,
    /// Show a definition as TOML.
    Show {
        /// Its name.
        name: String,
    },
    /// Make a definition, or replace the one of its name for all policies that refer to it.
    Set {
        /// A file with one `[[definition]]`; `-` for standard input.
        file: PathBuf,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// Remove a definition that no policy refers to.
    Remove {
        /// Its name.
        name: String,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
}

/// `group …`
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List groups.
    List,
    /// Show the members of a group.
    Show {
        /// Its name.
        name: String,
    },
    /// Make a group, or replace its members.
    Set {
        /// Its name.
        name: String,
        /// Addresses and domains.
        members: Vec<String>,
        /// The group it stands below.
        #[arg(long)]
        parent: Option<String>,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// Add members to a group.
    Add {
        /// Its name.
        name: String,
        /// Addresses and domains.
        #[arg(required = true)]
        members: Vec<String>,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
    /// Remove members from a group, or the group itself.
    Remove {
        /// Its name.
        name: String,
        /// Addresses and domains; the whole group if absent.
        members: Vec<String>,
        /// What it is for.
        #[command(flatten)]
        change: Change,
    },
}

/// What a change of the policy set says of itself.
#[derive(Clone, Debug, Args)]
pub struct Change {
    /// What the change is for; `policy versions` shows it.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub note: String,
}
