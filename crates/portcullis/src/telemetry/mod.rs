//! What the server tells the world of itself: log lines, made from events
//! and from a closed list of operational messages.

pub mod line;
pub mod log;
pub mod message;
pub mod watched;

pub use log::{Log, LogOptions, LogWriter};
pub use message::Message;
