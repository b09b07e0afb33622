//! What `portcullis demo` shows: traffic that speaks real SMTP to the real
//! server, a next hop that takes what is relayed, and a week of history that
//! runs through the same engine with a simulated clock. Nothing is painted:
//! every row on the page is something that happened in a conversation.
//!
//! ```text
//! cast ─draws→ errand ─tries→ conversation ══ SMTP ══► the gateway ══► sink
//!                 │                │
//!       writer, letter, words   agenda (when) ◄─ week (simulated) or live
//! ```
//!
//! Nothing here knows a store, a check or a policy. All names end in
//! `.example` or `.test` and all simulated addresses are reserved for
//! documentation and benchmarks, so that nobody real is ever spoken of.

mod agenda;
mod asking;
mod cast;
mod conversation;
pub mod corp;
mod dice;
mod errand;
mod floor;
mod folder;
mod letter;
pub mod listed;
mod live;
mod mishap;
mod names;
mod origin;
pub mod places;
mod rhythm;
mod seal;
mod sink;
mod submission;
mod traffic;
mod week;
mod wire;
mod words;
mod writer;

pub use conversation::Doors;
pub use folder::{FolderError, Messages};
pub use live::{LiveSettings, live};
pub use names::DemoNames;
pub use sink::{Sink, SinkCounts};
pub use traffic::Counts;
pub use week::{DemoWorld, Timers, WeekPlan, WeekReport, week};
