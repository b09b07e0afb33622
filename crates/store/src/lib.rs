//! What we remember: messages until they have left us, events, triplets,
//! policies.
//!
//! Small things that change live in a database ([`state`]), big things that
//! do not in append-only files. One journal carries the write path: content
//! as it arrives, then one commit record with envelope and events, one flush
//! shared by all who wait, and only then may anyone say 250. Queue, search,
//! triplets and who wrote to whom are tables in memory that are rebuilt from it.
//!
//! This crate knows no policy, no check and no SMTP. It is the only user of
//! database drivers.

mod checkpoint;
pub mod contract;
pub mod correspondence;
pub mod disk;
pub mod events;
pub mod journal;
pub mod message;
mod options;
mod queue;
pub mod search;
pub mod spool;
pub mod state;
mod store;
pub mod triplets;

pub use contract::{
    Acceptance, ContentWriter, CorrespondenceTable, EventLog, EventWatcher, Filter, MessageQueue,
    Position, QueueDepth, QueueStep, StoreError, TripletTable,
};
pub use message::{QueuedMessage, QueuedRecipient, RecipientState};
pub use options::StoreOptions;
pub use search::EventSearch;
pub use store::{OpenReport, Store};
