//! Who a client and a sender say they are, and what the name system says of
//! that. Every name here was written by strangers.

use serde::{Deserialize, Serialize};

/// What the reverse DNS says of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReverseFacts {
    /// The names its address claims, as far as they were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claimed: Vec<String>,
    /// The one that leads back to the address (RFC 8601 section 2.7.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<String>,
}

/// What the name in EHLO or HELO is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeloForm {
    /// A whole domain name.
    Name,
    /// The confirmed name of the client itself.
    OwnName,
    /// The client's own address, as a literal.
    OwnAddress,
    /// An address that is not the client's.
    OtherAddress,
    /// A name without a dot, which is nobody's on the Internet.
    SingleLabel,
    /// Our own name, or one of our domains, which only a liar has.
    Ours,
    /// No name and no address.
    Unusable,
}

/// Where the domain of a sender takes its mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SenderDomainFacts {
    /// The domain, in comparable form.
    pub domain: String,
    /// Where it takes mail.
    pub takes_mail: TakesMail,
}

/// Where a domain takes mail, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TakesMail {
    /// At its mail exchangers.
    Exchangers,
    /// At its own address (RFC 5321 section 5.1).
    OwnAddress,
    /// Nowhere, and it says so (RFC 7505).
    NullMx,
    /// Nowhere: it has neither exchangers nor an address.
    Nowhere,
    /// The domain does not exist.
    NoSuchDomain,
}
