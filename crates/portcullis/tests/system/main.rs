//! The real program, seen from outside: started with a settings file, spoken
//! to over real sockets, ended by real signals. What is checked is what a
//! client, a next hop or an administrator can see.
//!
//! Tests with real mail servers need the layers that `./test` prepares, and
//! some need root; a test that cannot run says so in one sentence on standard
//! error.

// `cfg(test)` tells the lints that all of it is test.
#![cfg(test)]

// What the tests are made with.
mod client;
mod gateway;
mod names;
mod peer;
mod receiver;
mod sink;
mod waiting;

// The tests.
mod alerts;
mod corpus;
mod demo;
mod directories;
mod directory_attributes;
mod directory_groups;
mod dkim;
mod faults;
mod harvest;
mod interop;
mod kill;
mod lists;
mod mta_sts;
mod operation;
mod outbound;
mod policy_service;
mod proxy;
mod questions;
mod recipients;
mod remote;
mod reputation;
mod roles;
mod smoke;
mod submission;
mod tls;
mod usage;
mod verified_clients;
mod watchdog;
