//! A world made of values: time that is moved by hand, chance that repeats,
//! names and hosts that are entries of a table.
//!
//! Tests use it, and so does the product itself: the demo's week of history
//! runs through the real engine with these in place of the real ones.

mod chance;
mod clock;
mod disk_space;
mod ldap;
mod network;
mod recipient_probe;
mod resolver;

pub use chance::SeededChance;
pub use clock::SimulatedClock;
pub use disk_space::SimulatedDisk;
pub use ldap::{LdapFault, SimulatedLdap};
pub use network::{SimulatedListener, SimulatedNetwork};
pub use recipient_probe::SimulatedProbe;
pub use resolver::{Asked, SimulatedResolver};
