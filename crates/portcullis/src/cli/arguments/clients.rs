//! What is known of clients: places and reputation.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Subcommand;

use super::row_limit;

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
