//! One request to a program of somebody else over HTTPS: a message handed
//! over ([`Post`]), or a document asked for ([`Fetch`]).
//!
//! Whoever names the address chooses where our connection goes, so it is
//! looked at twice: as a text when it is set, and as an address when it is
//! connected to, because a name can lead elsewhere tomorrow. What leads inward
//! is refused unless the operator listed it; the address that was looked at is
//! the one that is dialled; nothing is followed to where an answer points.

mod address;
mod client;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use address::{WebAddress, WebAddressError};
pub use client::HttpClient;

use crate::{Authorities, BoxFuture, DnsError, Reach};

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The host has no address.
    #[error("{host}: {why}")]
    Name {
        /// Which host.
        host: String,
        /// What the name system says.
        why: DnsError,
    },
    /// It leads inward, and the operator does not allow that.
    #[error("{host} leads to {ip}, which is not public and not in {listed}")]
    Inward {
        /// Which host.
        host: String,
        /// Where it leads.
        ip: IpAddr,
        /// The setting that could allow it.
        listed: &'static str,
    },
    /// It would be sent in the clear to another machine.
    #[error("{host} leads to {ip}; http:// is for this machine only, elsewhere https:// is needed")]
    InTheClear {
        /// Which host.
        host: String,
        /// Where it leads.
        ip: IpAddr,
    },
    /// There is no connection.
    #[error("no connection to {to}: {error}")]
    Unreachable {
        /// Which address.
        to: SocketAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The other end does not prove who it is.
    #[error("TLS with {host}: {error}")]
    Tls {
        /// Which host.
        host: String,
        /// What is wrong.
        error: io::Error,
    },
    /// There was no answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The connection broke, or what came is no HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer points elsewhere, where nobody goes.
    #[error("it answered {0}, which points elsewhere; name that address instead")]
    Elsewhere(u16),
    /// The answer says no.
    #[error("it answered {0}")]
    NotTaken(u16),
    /// The document is longer than whoever asked for it takes (octets).
    #[error("the answer is longer than {0} octets")]
    TooLong(usize),
}

impl WebError {
    /// Whether it is no use to try again: what is wrong is the address.
    pub fn is_final(&self) -> bool {
        // 410 says that nobody wants this any more (RFC 9110 section 15.5.11).
        matches!(self, WebError::InTheClear { .. } | WebError::NotTaken(410))
    }
}

/// Fields of a message, beside those that every one has.
pub type Fields = Vec<(&'static str, String)>;

/// Posts messages.
pub trait Post: Send + Sync + 'static {
    /// Posts a JSON document with these fields. Done is what was answered
    /// with a 2xx.
    ///
    /// # Errors
    /// See [`WebError`]; it may have been taken all the same if the answer
    /// was lost.
    fn post<'a>(
        &'a self,
        to: &'a WebAddress,
        fields: Fields,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), WebError>>;
}

/// A document that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// What the answer says it is, without parameters, in lower case:
    /// `text/plain`. Empty if it does not say.
    pub media_type: String,
    /// The document.
    pub body: Vec<u8>,
}

/// Asks for documents.
pub trait Fetch: Send + Sync + 'static {
    /// The document at this address, of at most `octets_max` octets.
    ///
    /// # Errors
    /// See [`WebError`].
    fn fetch<'a>(
        &'a self,
        from: &'a WebAddress,
        octets_max: usize,
    ) -> BoxFuture<'a, Result<Fetched, WebError>>;
}

/// What may be asked, and for how long.
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// Where requests may go.
    pub reach: Reach,
    /// Whose certificates are believed.
    pub authorities: Authorities,
    /// How long all of it may take, from the name to the answer.
    pub timeout: Duration,
}
