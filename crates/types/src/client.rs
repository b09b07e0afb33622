//! Who is on the other end of a connection.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The connecting mail server, as the connection itself shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The address, from the PROXY header where one is expected. An
    /// IPv4-mapped IPv6 address is given as IPv4.
    pub ip: IpAddr,
    /// The TCP port of the client.
    pub port: u16,
    /// The listener that took the connection, as `address:port`.
    pub listener: Arc<str>,
}

/// What is known of the client once it has spoken; grows with the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    /// The connection.
    #[serde(flatten)]
    pub client: Client,
    /// Forward-confirmed reverse DNS name, if one was looked up and found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<Arc<str>>,
    /// The argument of EHLO or HELO, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<Arc<str>>,
    /// Whether the client said EHLO rather than HELO.
    #[serde(default)]
    pub esmtp: bool,
    /// The TLS parameters, after STARTTLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFacts>,
}

/// What STARTTLS agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: Arc<str>,
    /// The cipher suite by its IANA name.
    pub cipher: Arc<str>,
}
