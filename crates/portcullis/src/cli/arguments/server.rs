//! The server itself: its settings, and the demonstration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
