//! What domains publish.

use clap::Subcommand;
use types::{Domain, Selector};

/// `dns …`
#[derive(Debug, Subcommand)]
pub enum DnsCommand {
    /// Show where the mail of a domain goes: its mail servers, best first, with their addresses.
    Mx {
        /// The domain, as in `ann@corp.example`.
        domain: Domain,
    },
    /// Show who may send mail of a domain (SPF): its record with all it leads to, and what that costs
    /// against the limits of RFC 7208 section 4.6.4.
    Spf {
        /// The domain, as in `ann@corp.example`.
        domain: Domain,
    },
    /// Show a key with which mail of a domain is signed (DKIM), as it is read when mail is verified.
    Dkim {
        /// The domain, as in `ann@corp.example`.
        domain: Domain,
        /// The name of the key: `s=` of a signature.
        selector: Selector,
    },
    /// Show which policy counts for mail in the name of a domain (DMARC), and whose it is: the domain
    /// itself, or one above it (RFC 9989 section 4.10).
    Dmarc {
        /// The domain, as in `ann@corp.example`.
        domain: Domain,
    },
    /// Show what a domain says of mail to it (MTA-STS): what is published, what is kept here, which
    /// of its mail servers are listed, and how mail would go.
    MtaSts {
        /// The domain, as in `ann@corp.example`.
        domain: Domain,
    },
}
