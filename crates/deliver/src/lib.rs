//! From the queue to the next hop: route, connection, transfer, retry, bounce.
//!
//! [`Deliverer`] leases due messages, hands each to the workers of its next
//! hops and records what came of it, one journal record per message. It also
//! answers call-forward questions ([`Deliverer::recipient_probe`]). A crash
//! may send a message twice and never loses one.
//!
//! ```text
//! queue ─lease→ dispatch ─job→ hop ─turn→ worker ─→ opening → connection
//!   ↑                                       │ answers
//!   └──── one record ←── lease ←─ settlement, bounce
//! ```
//!
//! What other domains ask of those who send to them is [`sts`]. Nothing here
//! knows a check, a policy of ours or how a message is made.

mod bounce;
mod bounce_rate;
mod call_forward;
mod connection;
mod deliverer;
mod hop;
mod lease;
pub mod notice;
mod opening;
mod probe_line;
pub mod route;
pub mod schedule;
pub mod settings;
mod settlement;
mod shared;
pub mod status;
pub mod sts;
mod tls;
mod tried;
mod worker;

pub use deliverer::{Deliverer, Parts};
pub use notice::{Notice, NoticeKind, NoticeRecipient, NoticeText, NoticeWriter};
pub use route::{
    Chosen, FixedHosts, Host, Mail, NextHop, Preference, Route, RouteError, RouteFailure,
    RoutingTable, Target,
};
pub use schedule::{RetrySchedule, ScheduleError};
pub use settings::{
    BounceLimits, DeliverySettings, HopLimits, OwnHosts, ProbeSettings, Timeouts, TlsUse,
};
pub use status::{DeliveryCounts, DeliveryStatus, HopState, HopStatus};
pub use sts::StsSettings;
