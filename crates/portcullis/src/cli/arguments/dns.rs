//! What domains publish.

use clap::Subcommand;
use types::Domain;

/// `dns …`
#[derive(Debug, Subcommand)]
pub enum DnsCommand {
    /// Show what a domain says of mail to it (MTA-STS): what is published, what is kept here, which
    /// of its mail servers are listed, and how mail would go.
    MtaSts {
        /// The domain, as in `ann@corp.example`.
        domain: Domain,
    },
}
