//! The real program, seen from outside: started with a settings file, spoken
//! to over real sockets, ended by real signals. What is checked is what a
//! client, a next hop or an administrator can see.
//!
//! Tests with real mail servers need the layers that `./test` prepares, and
//! some need root; a test that cannot run says so in one sentence on standard
//! error.

// `cfg(test)` tells the lints that all of it is test.
#[cfg(test)]
mod client;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod waiting;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod tls;
