//! The binary: settings, wiring, CLI, telemetry; no logic.

fn main() {}
