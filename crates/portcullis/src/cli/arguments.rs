//! The command line as a table: nouns, then verbs. Help, completions and the
//! reference page come from here.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use center::importing::ListFormat;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use types::lists::SenderAction;

use super::bulk::BulkCommand;
use super::expecting::ExpectCommand;
use super::views::ViewsCommand;

/// Guards a mail server: takes SMTP from the world, decides on every attempt,
/// relays what it accepts and says of every attempt why it ended as it did.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, max_term_width = 100)]
#[command(after_help = super::exit::AFTER_HELP)]
pub struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The settings file; `conf.d/*.toml` beside it is read too.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder, instead of the one in the settings; the running
    /// server is reached through the socket in it.
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print JSON: one object, or one object per line for a list.
    #[arg(long, global = true)]
    pub json: bool,
    /// Do not ask; needed for changes without a terminal.
    #[arg(long, global = true)]
    pub yes: bool,
    /// A node elsewhere instead of the server on this machine,
    /// `https://gate.example:8443`; also PORTCULLIS_NODE.
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data_dir")]
    pub node: Option<String>,
    /// The file with the API token for the node; the token itself may be in
    /// PORTCULLIS_TOKEN.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The certificate authorities of the node (PEM), instead of those this
    /// system trusts.
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve {
        /// Only check the settings, as `check-config` does.
        #[arg(long)]
        check_config: bool,
    },
    /// Run the server with a next hop and real SMTP traffic, to look around.
    Demo(DemoArguments),
    /// Check the settings and every file they name.
    CheckConfig {
        /// Warnings count as errors (exit code 2).
        #[arg(long)]
        strict: bool,
        /// Also ask the resolvers and connect to the next hops.
        #[arg(long)]
        online: bool,
    },
    /// The settings.
    // Its own `help KEY` takes the place of clap's.
    #[command(subcommand, disable_help_subcommand = true)]
    Config(ConfigCommand),
    /// Find attempts: `portcullis trace 'is:rejected from:bank.example'`.
    Trace {
        /// The query; every attempt of the last days if absent. docs/reference/query.md
        /// has its language.
        #[arg(default_value = "", allow_hyphen_values = true, value_parser = query)]
        query: String,
        /// Most rows to show.
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = row_limit())]
        limit: usize,
        /// Print all rows, however many, as this.
        #[arg(long, value_name = "FORMAT", conflicts_with_all = ["limit", "follow", "json"])]
        format: Option<RowsFormat>,
        /// Go on and print attempts as they come, until interrupted.
        #[arg(long, conflicts_with = "limit")]
        follow: bool,
    },
    /// Write all that a query finds into a file.
    Export(ExportArguments),
    /// Explain one attempt: what was found, who decided, what can be done.
    Why {
        /// The reference from the reply, the log or a row.
        reference: String,
    },
    /// Everything that happened to one message for one person.
    Life {
        /// The life-line's id, or the reference of one of its attempts.
        id: String,
    },
    /// Accepted messages that have not left yet.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Policies and their versions.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Definitions that policies refer to by name.
    #[command(subcommand)]
    Definition(DefinitionCommand),
    /// Where addresses are: countries and autonomous systems.
    #[command(subcommand)]
    Geo(GeoCommand),
    /// Decide again on the mail of the last days: what would a change have
    /// changed? Without one, the policy set in force checks itself.
    Replay(ReplayArguments),
    /// Groups of addresses and domains.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Managed senders: who is permitted or blocked for whom.
    #[command(subcommand)]
    Senders(SendersCommand),
    /// Triplets that wait for a retry, and those that passed.
    #[command(subcommand)]
    Greylist(GreylistCommand),
    /// What was learned of clients: their score, and of what it is made.
    #[command(subcommand)]
    Reputation(ReputationCommand),
    /// Which recipients there are, and lists of them.
    #[command(subcommand)]
    Recipients(RecipientsCommand),
    /// Permit, block or let in all that a query finds.
    #[command(subcommand)]
    Bulk(BulkCommand),
    /// Who expects a mail, so that proven senders need not come back.
    #[command(subcommand)]
    Expect(ExpectCommand),
    /// Saved views, and what is told of them.
    #[command(subcommand)]
    Views(ViewsCommand),
    /// What refused senders wrote on the page that explains a refusal.
    #[command(subcommand)]
    Requests(RequestsCommand),
    /// Who may sign in to the console.
    #[command(subcommand, visible_alias = "accounts")]
    Account(AccountCommand),
    /// What accounts may do, by role.
    #[command(subcommand, visible_alias = "roles")]
    Role(RoleCommand),
    /// Tokens for programs that use the API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// What people and programs did, and whether the log of it is whole.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Whether mail is taken, how much, and whether all attempts are accounted for.
    Status {
        /// The attempts of each of the last hours instead, the running one first.
        #[arg(long, num_args = 0..=1, default_missing_value = "24", value_name = "N",
              value_parser = clap::value_parser!(u16).range(1..=168))]
        hours: Option<u16>,
    },
    /// Read settings, policies, certificates and directories again.
    Reload,
    /// Print the completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// A query may begin with a minus (`-is:accepted`); what begins with two is
/// an option that somebody misspelt.
fn query(text: &str) -> Result<String, String> {
    match text.starts_with("--") {
        true => Err(format!("{text} is no option of trace")),
        false => Ok(text.to_owned()),
    }
}

/// A list of no rows is nothing anybody asks for.
fn row_limit() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

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

/// `demo`
#[derive(Clone, Debug, Args)]
pub struct DemoArguments {
    /// Where the demo listens for SMTP.
    #[arg(long, default_value = "127.0.0.1:2525", value_name = "ADDRESS")]
    pub smtp: std::net::SocketAddr,
    /// Where the demo serves its pages.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub http: std::net::SocketAddr,
    /// A folder of real messages to send instead of made-up ones.
    #[arg(long, value_name = "DIR")]
    pub messages: Option<PathBuf>,
    /// Attempts of each simulated week; 0 for none.
    #[arg(long, default_value_t = 40_000, value_name = "N")]
    pub history: u32,
    /// Simulated weeks; of all but the last only the daily logs and the counts
    /// by the hour are left, as retention leaves them.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8))]
    pub weeks: u32,
    /// Live attempts a minute; 0 for none.
    #[arg(long, default_value_t = 60, value_name = "N")]
    pub rate: u32,
    /// The number from which all chance follows; the same makes the same week.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the settings in force.
    Show {
        /// Only the defaults.
        #[arg(long, conflicts_with = "changed")]
        defaults: bool,
        /// Only what differs from the defaults.
        #[arg(long)]
        changed: bool,
        /// Also where each value comes from.
        #[arg(long)]
        origin: bool,
    },
    /// Explain one setting: `portcullis config help smtp.idle_timeout`.
    Help {
        /// The key; all keys are listed if absent.
        key: Option<String>,
    },
    /// Print the JSON Schema of the settings file.
    Schema,
    /// Print a commented settings file with every key.
    Example,
    /// Write a settings file of an older format anew beside it, in the present
    /// format; the old one is left as it is.
    Migrate {
        /// The settings file; that of `--config`, or the default one, if absent.
        file: Option<PathBuf>,
    },
}

/// `queue …`
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List messages.
    List {
        /// Most rows to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Show one message with its recipients.
    Show {
        /// Its id or reference.
        id: String,
    },
    /// Keep messages back until they are released.
    Hold(Which),
    /// End a hold.
    Release(Which),
    /// Try the next hop now.
    Retry(Which),
    /// Give messages up without telling the sender.
    Delete(Which),
    /// Count messages by next hop and age.
    Shape,
}

/// Messages of the queue.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// Ids or references.
    #[arg(required_unless_present = "all")]
    pub ids: Vec<String>,
    /// Every message.
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
}

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

/// What a change of the policy set says of itself.
#[derive(Clone, Debug, Args)]
pub struct Change {
    /// What the change is for; `policy versions` shows it.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub note: String,
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

/// `geo …`
#[derive(Debug, Subcommand)]
pub enum GeoCommand {
    /// Make the map of countries from delegation files of the address registries. A running server
    /// takes it within ten seconds.
    Import {
        /// Files like `delegated-ripencc-extended-latest`; all of one import make one map.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show where addresses are, by the files of the settings and the imported map.
    Show {
        /// IPv4 or IPv6 addresses.
        #[arg(required = true, value_name = "IP")]
        ips: Vec<std::net::IpAddr>,
    },
}

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
        /// An address or a domain.
        sender: String,
        /// Whose list it goes into.
        recipient: String,
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

/// `senders permit` and `senders block`
#[derive(Debug, Args)]
pub struct DecideArguments {
    /// The reference of the attempt.
    pub reference: String,
    /// The address or domain that is meant; the advised one if absent.
    #[arg(long, value_name = "SENDER")]
    pub sender: Option<String>,
    /// For everyone, as a policy, instead of the recipient alone.
    #[arg(long)]
    pub everyone: bool,
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
        #[arg(long, value_delimiter = ',', value_name = "NETWORK")]
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

/// `greylist …`
#[derive(Debug, Subcommand)]
pub enum GreylistCommand {
    /// List triplets, newest first.
    List {
        /// Only those with this text in client, sender or recipient.
        #[arg(default_value = "")]
        text: String,
        /// Most rows to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Let the matching triplets pass at their next attempt.
    Pass {
        /// Text in client, sender or recipient.
        text: String,
    },
    /// Let the next attempt pass that is like this one: same client, sender and
    /// recipient.
    LetIn {
        /// The reference of the attempt that was asked to come back.
        reference: String,
    },
    /// Show how long greylisting delayed the mail of each sender domain, from
    /// counts of the last 30 days.
    Delays {
        /// Days to look back on.
        #[arg(long, default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=30))]
        days: u32,
        /// Most domains to show.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Forget the matching triplets, as if they had never been seen.
    Forget {
        /// Text in client, sender or recipient.
        text: String,
    },
}

/// `reputation …`
#[derive(Debug, Subcommand)]
pub enum ReputationCommand {
    /// List the clients with the highest scores, the worst first.
    List {
        /// Most rows to show.
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = row_limit())]
        limit: usize,
    },
    /// Show what was learned of a client.
    Show {
        /// Its address.
        ip: IpAddr,
    },
    /// Forget what a client did; its network keeps its marks.
    Reset {
        /// Its address.
        ip: IpAddr,
    },
}

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
    },
    /// Forget an address, imported or learned.
    Forget {
        /// The address.
        address: String,
    },
    /// Forget what was learned of a domain, which begins to learn anew.
    LearnAnew {
        /// The domain.
        domain: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let words = std::iter::once("portcullis").chain(line.split(' '));
        Arguments::try_parse_from(words).map(|a| a.command).map_err(|e| e.to_string())
    }

    #[test]
    fn the_table_of_commands_is_consistent_and_documented() {
        fn documented(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {argument}", command.get_name());
            }
            command.get_subcommands().for_each(documented);
        }
        let mut root = Arguments::command();
        root.build();
        root.clone().debug_assert();
        documented(&root);
    }

    #[test]
    fn options_for_every_command_may_stand_after_the_verb() {
        let words = ["portcullis", "queue", "list", "--json", "--data-dir", "/d", "--limit", "5"];
        let arguments = Arguments::try_parse_from(words).unwrap();
        assert!(arguments.global.json);
        assert_eq!(arguments.global.data_dir, Some("/d".into()));
        assert!(matches!(arguments.command, Command::Queue(QueueCommand::List { limit: 5 })));
    }

    #[test]
    fn messages_are_named_or_all_meant_but_not_both() {
        assert!(parse("queue hold A B").is_ok());
        assert!(parse("queue hold --all").is_ok());
        assert!(parse("queue hold").is_err());
        assert!(parse("queue hold A --all").is_err());
    }

    #[test]
    fn a_query_may_begin_with_a_minus_and_an_option_is_not_taken_for_one() {
        for (line, wanted, rows) in [
            ("trace -is:accepted", "-is:accepted", 50),
            ("trace -is:accepted --limit 5", "-is:accepted", 5),
            ("trace --limit 5 -is:accepted", "-is:accepted", 5),
            ("trace --json", "", 50),
        ] {
            match parse(line) {
                Ok(Command::Trace { query, limit, .. }) => {
                    assert_eq!((query.as_str(), limit), (wanted, rows))
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        assert!(parse("trace --limt").unwrap_err().contains("no option of trace"));
        for line in ["trace --limit 0", "queue list --limit 0", "senders list --limit 0"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_key_can_be_asked_for_help() {
        let command = parse("config help smtp.idle_timeout").unwrap();
        let Command::Config(ConfigCommand::Help { key: Some(key) }) = command else { panic!() };
        assert_eq!(key, "smtp.idle_timeout");
    }
}
