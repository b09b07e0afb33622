//! Reading a directory by LDAP (RFC 4511): who there is, in pages.
//!
//! Nothing of a mail ever stands in a question: whole lists are read from time
//! to time, and recipients are looked up in what was read. What a server
//! answers is hostile all the same, so every answer has a limit of octets,
//! entries and time. Referrals are counted and never followed, because they
//! would choose where our password goes.

mod ber;
mod client;
mod dn;
mod filter;
mod message;
mod ranges;
#[cfg(test)]
mod tests;
mod url;

use std::path::PathBuf;
use std::time::Duration;

pub use client::{Ldap, read_anything};
pub use dn::{DistinguishedName, DistinguishedNameError};
pub use filter::{Filter, FilterError};
pub use url::{LdapUrl, LdapUrlError};

use crate::BoxFuture;

/// A server, or several with the same content, and how to sign in there.
#[derive(Clone, PartialEq, Eq)]
pub struct LdapServer {
    /// Where they are, in the order in which they are to be tried.
    pub urls: Vec<LdapUrl>,
    /// Whether a connection that begins in the clear goes on encrypted (RFC
    /// 4511 section 4.14).
    pub start_tls: bool,
    /// The authorities their certificates may be of, PEM; those of the system
    /// if absent.
    pub ca_file: Option<PathBuf>,
    /// Who we are there, and our password; nobody if absent.
    pub sign_in: Option<(String, String)>,
    /// How long connecting, signing in, and each page may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for LdapServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.sign_in.as_ref().map(|(name, _)| name);
        f.debug_struct("LdapServer").field("urls", &self.urls).field("name", &name).finish()
    }
}

/// How far below its base a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The entry itself.
    Base,
    /// Everything.
    Whole,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct LdapSearch<'a> {
    /// Where it begins.
    pub base: &'a str,
    /// How far it goes.
    pub scope: Scope,
    /// Which entries are wanted.
    pub filter: &'a Filter,
    /// Which attributes of them.
    pub attributes: &'a [String],
    /// Entries of a page (RFC 2696); 0 asks for all at once.
    pub page_size: u32,
    /// Entries after which the search is given up.
    pub entries_max: usize,
}

/// One entry, with all values of its attributes. They are whatever octets the
/// server sent; one that is too long to be kept is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LdapEntry {
    /// Its distinguished name.
    pub name: String,
    /// Its attributes with their values.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// How a search ended that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LdapDone {
    /// Entries that came.
    pub entries: usize,
    /// Pages they came in.
    pub pages: usize,
    /// Referrals to other servers, none of which was followed.
    pub referrals: usize,
}

/// Why a directory could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LdapError {
    /// The host has no address.
    #[error("{host} has no address: {why}")]
    Name {
        /// Which host.
        host: String,
        /// What the name system says.
        why: String,
    },
    /// There is no connection.
    #[error("no connection to {at}: {why}")]
    Unreachable {
        /// Which server.
        at: String,
        /// What the operating system said.
        why: String,
    },
    /// The other end does not prove who it is, or does not encrypt.
    #[error("TLS with {at}: {why}")]
    Tls {
        /// Which server.
        at: String,
        /// What is wrong.
        why: String,
    },
    /// The sign-in was refused.
    #[error("{at} refuses the sign-in: {why}")]
    SignIn {
        /// Which server.
        at: String,
        /// What it said.
        why: String,
    },
    /// A search was refused, or ended early.
    #[error("{at} does not answer the search: {why}")]
    Refused {
        /// Which server.
        at: String,
        /// What it said, and what may help.
        why: String,
    },
    /// It did not answer in time.
    #[error("{at} did not answer within {} s", .after.as_secs())]
    TimedOut {
        /// Which server.
        at: String,
        /// How long it had.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection to {at} broke: {why}")]
    Broken {
        /// Which server.
        at: String,
        /// What the operating system said.
        why: String,
    },
    /// What came is no LDAP.
    #[error("what {at} answers is no LDAP")]
    Malformed {
        /// Which server.
        at: String,
    },
    /// The parts of an attribute that came in several make no whole.
    #[error("{at} gives an attribute in parts that do not fit")]
    Parts {
        /// Which server.
        at: String,
    },
    /// There is more than we take.
    #[error("{at} has more than {max} {what}, so the search was given up")]
    TooMuch {
        /// Which server.
        at: String,
        /// Of what.
        what: &'static str,
        /// How many are taken.
        max: usize,
    },
}

/// Opens directories.
pub trait LdapDial: Send + Sync + 'static {
    /// Connects to `url`, which is one of the server's, and signs in.
    ///
    /// # Errors
    /// See [`LdapError`].
    fn open<'a>(
        &'a self,
        server: &'a LdapServer,
        url: &'a LdapUrl,
    ) -> BoxFuture<'a, Result<Box<dyn LdapSession>, LdapError>>;
}

/// What is done with each entry as it comes.
pub type TakeEntry<'a> = &'a mut (dyn FnMut(LdapEntry) + Send);

/// A directory to which we are connected.
pub trait LdapSession: Send {
    /// Searches to the end, and gives every entry to `take`, each whole: what
    /// a server gives of an attribute in parts is fetched to its end. Who gets
    /// an error has seen some entries at most, and must not believe them.
    ///
    /// # Errors
    /// See [`LdapError`].
    fn search<'a>(
        &'a mut self,
        search: &'a LdapSearch<'a>,
        take: TakeEntry<'a>,
    ) -> BoxFuture<'a, Result<LdapDone, LdapError>>;
}
