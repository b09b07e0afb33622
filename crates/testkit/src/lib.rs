//! Dev-dependency only: the whole gateway in a simulated world, where twelve
//! hours of greylisting pass in a millisecond and a power cut is one line.
//!
//! ```text
//! scenario ──turns──► Gateway ──► engine, store, delivery (the real ones)
//!    │                   │
//!    └──speaks──► Client │ World: clock, chance, network, names, disk
//!                        └──► NextHop (what it was given is what arrived)
//! ```
//!
//! Nothing here decides or stores: every part that is tested is the one that
//! runs in production, wired as the binary wires it.

mod certificates;
mod client;
mod dns_server;
mod gateway;
pub mod hostile;
mod message;
mod next_hop;
pub mod scenario;
mod settings;
mod submitters;
mod wiring;

pub use certificates::{ClientAuthorities, ClientCertificateKind};
pub use client::Client;
pub use dns_server::{DnsServer, DnsTable};
pub use gateway::{Around, Gateway, settle, simulate};
pub use message::Mail;
pub use next_hop::{Delivery, NextHop};
pub use settings::{GatewaySettings, Greylisting, SettingError};
