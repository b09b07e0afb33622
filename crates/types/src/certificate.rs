//! The certificate that a client shows while the connection is encrypted, as
//! far as policy and people need it: whether it counts, and whom it names.
//!
//! The names are the client's text until an authority has vouched for them,
//! and text of a stranger after that too: whoever shows them makes them
//! presentable.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Most names of a certificate that are kept. Large senders have a few dozen;
/// whether a name covers the sender is found out from all of them.
pub const CERTIFICATE_NAMES_MAX: usize = 8;

/// What is known of the certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificate {
    /// It was not asked for one: its connection is older than the wish.
    NotAsked,
    /// Another mail server has the connection, and does not tell.
    NotTold,
    /// It was asked for one and showed none.
    NotShown,
    /// It showed one that does not count.
    NotVerified {
        /// What is wrong with it.
        flaw: CertificateFlaw,
    },
    /// It showed one that leads to an authority that is trusted here, counts
    /// now, and whose key it has.
    Verified(CertificateNames),
}

/// Why the certificate of a client does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateFlaw {
    /// It leads to no authority that is trusted here.
    UnknownAuthority,
    /// It, or one it depends on, has run out.
    Expired,
    /// It, or one it depends on, does not count yet.
    NotYetValid,
    /// It was made neither for clients nor for servers (RFC 5280 section
    /// 4.2.1.12).
    WrongPurpose,
    /// The client did not show that it has the key.
    KeyNotProven,
    /// More certificates came with it than are looked at, or larger ones.
    TooLarge,
    /// It cannot be read, or breaks a rule for certificates.
    Malformed,
}

/// Whom a certificate names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CertificateNames {
    /// The first DNS names among its alternative names, at most
    /// [`CERTIFICATE_NAMES_MAX`]. A subject's common name is none (RFC 9525
    /// section 2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Arc<str>>,
    /// How many names there are beyond those.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
    /// Whether one of all names covers the domain of MAIL FROM (RFC 9525
    /// section 6.3).
    #[serde(default)]
    pub covers_sender: bool,
    /// Whether one covers the forward-confirmed host name of the client.
    #[serde(default)]
    pub host: HostCoverage,
}

/// Whether a certificate covers the forward-confirmed host name of the client.
/// What is not known is no *no*: from that, nobody is refused for good.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HostCoverage {
    /// One of its names does.
    Covered,
    /// None does, or the client has no such name.
    NotCovered,
    /// Nobody knows: the look-up of the client's name had no answer.
    Unanswered,
    /// Nobody knows: the name was not there, and no policy had it waited for.
    #[default]
    NotSought,
}

/// Whether there is nothing to say; serde hands over references.
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_small_and_reads_back() {
        let check = |certificate: ClientCertificate, text: &str| {
            assert_eq!(serde_json::to_string(&certificate).unwrap(), text);
            assert_eq!(serde_json::from_str::<ClientCertificate>(text).unwrap(), certificate);
        };
        check(ClientCertificate::NotShown, r#""not_shown""#);
        let flaw = CertificateFlaw::Expired;
        check(ClientCertificate::NotVerified { flaw }, r#"{"not_verified":{"flaw":"expired"}}"#);
        let names = CertificateNames {
            names: vec!["mx.bank.example".into()],
            host: HostCoverage::NotCovered,
            ..CertificateNames::default()
        };
        check(
            ClientCertificate::Verified(names),
            r#"{"verified":{"names":["mx.bank.example"],"covers_sender":false,"host":"not_covered"}}"#,
        );
        // As it was written before that could be unknown: what is missing is.
        let before = r#"{"verified":{"covers_sender":true,"covers_host":false}}"#;
        let names = CertificateNames { covers_sender: true, ..CertificateNames::default() };
        let read: ClientCertificate = serde_json::from_str(before).unwrap();
        assert_eq!(read, ClientCertificate::Verified(names));
    }
}
