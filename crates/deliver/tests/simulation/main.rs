//! Delivery in a simulated world: days pass in milliseconds, next hops follow
//! scripts, and what is checked is what anybody can see: the events, the
//! queue, and what the next hop was told.

// `cfg(test)` tells the lints that all of it is test.
#[cfg(test)]
mod bounces;
#[cfg(test)]
mod call_forward;
#[cfg(test)]
mod hops;
#[cfg(test)]
mod house;
#[cfg(test)]
mod memory_store;
#[cfg(test)]
mod next_hop;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod sts;
#[cfg(test)]
mod tls;

#[cfg(test)]
use house::{HOP, House, START, settings};
