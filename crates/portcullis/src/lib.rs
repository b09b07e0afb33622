//! The binary: settings, command line, wiring, telemetry. Everything that
//! decides, stores or speaks SMTP lives in the crates it joins together.

pub mod cli;
mod demonstration;
pub mod notices;
pub mod pages;
pub mod serve;
pub mod settings;
pub mod telemetry;
