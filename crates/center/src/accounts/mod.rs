//! Who may come in: accounts, sessions, tokens, and the ways to get one.

mod preferences;

pub use preferences::{COLUMNS_MAX, Density, Preferences, Theme};
