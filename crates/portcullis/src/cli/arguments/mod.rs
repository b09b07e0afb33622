//! The command line as a table: nouns, then verbs. Help, completions and the
//! reference page come from here.

mod accounts;
mod attempts;
mod audit;
mod clients;
mod dkim;
mod dns;
mod policies;
mod queue;
mod recipients;
mod requests;
mod senders;
mod server;
mod submitters;

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};

pub(super) use accounts::RoleCommand;
pub use accounts::{AccountCommand, TokenCommand};
pub(super) use attempts::{ExportArguments, FileFormat, RowsFormat};
pub use audit::AuditCommand;
pub(super) use audit::AuditFilter;
pub use clients::GeoCommand;
pub(super) use clients::ReputationCommand;
pub use dkim::DkimCommand;
pub use dns::DnsCommand;
pub use policies::{Change, DefinitionCommand, GroupCommand, PolicyCommand, ReplayArguments};
pub use queue::{GreylistCommand, QueueCommand, Which};
pub(super) use recipients::RecipientsCommand;
pub use requests::RequestsCommand;
pub(super) use senders::{AutoAllowCommand, EntryAction, ImportFormat};
pub use senders::{DecideArguments, SendersCommand};
pub use server::{ConfigCommand, DemoArguments};
pub use submitters::SubmittersCommand;

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
    /// The keys that sign outbound mail (DKIM).
    #[command(subcommand)]
    Dkim(DkimCommand),
    /// What the name system says of a domain.
    #[command(subcommand)]
    Dns(DnsCommand),
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
    /// Devices and programs that send mail to the world with a name and password.
    #[command(subcommand, visible_alias = "submitter")]
    Submitters(SubmittersCommand),
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

/// A network, or an address alone.
fn network(text: &str) -> Result<ipnet::IpNet, String> {
    types::written_network(text).map_err(|error| error.to_string())
}

/// A list of no rows is nothing anybody asks for.
fn row_limit() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
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
