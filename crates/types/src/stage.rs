//! The steps of an SMTP session at which something can be decided.

use serde::{Deserialize, Serialize};

/// Where in a session something was found or decided, in the order in which
/// a session passes through them (RFC 5321 section 3).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The TCP connection, before the greeting.
    Connect,
    /// EHLO or HELO.
    Helo,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// The message data: size, hops, header.
    Data,
    /// The message as a whole, after the final dot.
    Content,
    /// The transfer to the next hop, after 250.
    Deliver,
}

impl Stage {
    /// Every stage, in session order.
    pub const ALL: [Stage; 7] = [
        Stage::Connect,
        Stage::Helo,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Content,
        Stage::Deliver,
    ];

    /// The name used in the search language, in events and in metrics.
    pub fn slug(self) -> &'static str {
        match self {
            Stage::Connect => "connect",
            Stage::Helo => "helo",
            Stage::Mail => "mail",
            Stage::Rcpt => "rcpt",
            Stage::Data => "data",
            Stage::Content => "content",
            Stage::Deliver => "deliver",
        }
    }
}
