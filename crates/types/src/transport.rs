//! By which rule mail leaves this server.

use serde::{Deserialize, Serialize};

/// What decided how the connection to a next hop had to be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsPolicy {
    /// The MTA-STS policy of the domain, in mode `enforce` (RFC 8461 section 5).
    MtaStsEnforce,
    /// That policy in mode `testing`: what it would refuse is told and goes.
    MtaStsTesting,
    /// The settings: encrypted where that is offered and works (RFC 7435).
    Opportunistic,
    /// The settings: never without encryption.
    Required,
    /// The settings: in clear text.
    Never,
    /// A host of the settings takes all mail for the world, so no policy of a
    /// domain was looked for; it is encrypted where that works.
    Smarthost,
}

impl TlsPolicy {
    /// The word in the log.
    pub const fn slug(self) -> &'static str {
        match self {
            TlsPolicy::MtaStsEnforce => "mta-sts enforce",
            TlsPolicy::MtaStsTesting => "mta-sts testing",
            TlsPolicy::Opportunistic => "opportunistic",
            TlsPolicy::Required => "required",
            TlsPolicy::Never => "never",
            TlsPolicy::Smarthost => "smarthost",
        }
    }
}
