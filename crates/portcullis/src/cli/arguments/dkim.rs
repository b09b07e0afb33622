//! The keys that sign outbound mail.

use clap::Subcommand;
use types::{Domain, Selector};

/// `dkim …`
#[derive(Debug, Subcommand)]
pub enum DkimCommand {
    /// Make a key and print the record to publish. Mail is signed with it once its selector stands
    /// in `dkim_selectors` of the domain.
    Create {
        /// A domain of the settings.
        domain: Domain,
        /// The name of the key; a new one for each key, with the year for instance.
        #[arg(long, value_name = "NAME")]
        selector: Selector,
        /// An RSA key of so many bits; 2048 if nothing is said.
        #[arg(long, value_name = "BITS", value_parser = ["2048", "4096"], conflicts_with = "ed25519")]
        rsa: Option<String>,
        /// An Ed25519 key (RFC 8463), beside an RSA key: not everybody can verify it.
        #[arg(long)]
        ed25519: bool,
    },
    /// Print the records to publish.
    Record {
        /// The domain.
        domain: Domain,
        /// Only this key.
        #[arg(long, value_name = "NAME")]
        selector: Option<Selector>,
    },
    /// Ask the name system whether what is published fits the keys; exit code 1 if one that signs
    /// does not.
    Check {
        /// The domain.
        domain: Domain,
        /// Only this key.
        #[arg(long, value_name = "NAME")]
        selector: Option<Selector>,
    },
}
