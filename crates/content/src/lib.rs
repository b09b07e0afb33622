//! A message as data: header fields, the facts an event keeps, our own trace
//! field, the reports we send about what could not be delivered, and other
//! messages of ours.
//!
//! Bytes in, values or bytes out. Everything read here was written by a
//! stranger: every loop has a limit, nothing panics, and what cannot be read
//! is kept as written rather than guessed. This crate knows no network, file
//! or clock; the time in a field is an argument.

mod addr_spec;
mod attachments;
pub mod authentication_results;
pub mod delivery_status;
pub mod facts;
pub mod header;
mod mailboxes;
pub mod notification;
mod quoted_printable;
pub mod signature;
pub mod trace;

pub use authentication_results::{AuthenticationResultsField, claimed_results};
pub use delivery_status::{DeliveryStatus, RecipientStatus, Report};
pub use facts::{Limits, comparable_addresses, read, read_beginning};
pub use header::{Field, HEADER_OCTETS_MAX, HeaderBlock};
pub use notification::Notification;
pub use signature::{BodyHash, BodyHashes, BodyHashing, HeaderForm, SignatureField, SignedHeader};
pub use trace::ReceivedField;
