//! The street from the first octet of a connection to the event that
//! explains it: listener, session, checks, policy, commit, event.
//!
//! This crate joins the others and decides nothing: the protocol is `smtp`'s,
//! evidence is `checks`', the verdict is `policy`'s, durability is `store`'s.
//! What is left is the order, and two promises: every attempt ends in exactly
//! one event, and 250 is said only when message and event are durable.
//!
//! [`policy_service`] is the second way in: a mail server that has the session
//! itself asks here.

mod attempt;
mod client_certificate;
mod connection;
mod content_buffer;
mod data;
mod desk;
mod ending;
mod engine;
mod expiry;
mod host_name;
mod judge;
mod learning;
mod listener;
mod looked_up;
mod mistake;
mod pending;
pub mod policy_service;
pub mod proxy;
mod session_lists;
mod signing;
mod spf;
mod submission;
mod tally;
mod tls;
mod transaction;
mod wire;

pub use connection::{Arrival, Wish, serve};
pub use engine::{Engine, EngineParts, Health, ReceiveSettings, Timeouts};
pub use expiry::write_expired;
pub use listener::{Door, DoorRole, Listener, ListenerSettings, counted, welcome};
pub use submission::{Proof, Renewed, Submitters};
pub use tally::{TLS_VERSIONS, Tally, TallySnapshot};
pub use tls::{ReadTls, Tls, TlsError, TlsFiles, self_signed};
