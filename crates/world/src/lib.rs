//! What is not ours, as traits and the real ones: clock, chance, DNS,
//! dialling, asking a web address, reading a directory by LDAP, whose
//! certificates count, the next hop's word on a recipient, the space on the disk.
//!
//! Everything that would make a test slow, flaky or dependent on a machine is
//! behind one of these traits, and [`simulated`] has the other half: twelve
//! hours of greylisting and a week of history pass there in milliseconds.
//! Nothing here knows the store, policy or SMTP.

mod authorities;
pub mod chance;
mod client_certificate;
pub mod clock;
pub mod dial;
pub mod disk_space;
pub mod dns;
mod dns_answers;
mod dns_failures;
pub mod inward;
pub mod ldap;
pub mod recipient_probe;
pub mod simulated;
pub mod web;

pub use authorities::Authorities;
pub use chance::{Chance, SystemChance};
pub use client_certificate::{ClientChain, VerifiedCertificate};
pub use clock::{Clock, Sleep, SystemClock};
pub use dial::{Connection, Dial, DialOptions, Stream, TcpDial};
pub use disk_space::{DiskSpace, FolderSpace};
pub use dns::{DnsError, DnsResolver, Family, MxAnswer, MxHost, Resolver, ResolverSettings};
pub use inward::{Reach, is_inward};
pub use recipient_probe::{ProbeAnswer, RecipientProbe};
pub use web::{Fetch, Fetched, HttpClient, Post, WebAddress, WebError, WebSettings};

/// An answer that takes time: what the asynchronous traits of this crate
/// return, so that they can stand behind `Arc<dyn …>`.
pub use futures_util::future::BoxFuture;
