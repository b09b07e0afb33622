//! Reference pages made from tables elsewhere in the house, so that they
//! cannot fall behind. A test compares them with docs/reference.

pub mod checks;
pub mod commands;
pub mod lists;
pub mod log;
pub mod metrics;
pub mod policies;
pub mod query;
pub mod reasons;
pub mod roles;

/// What stands at the head of every generated page.
fn generated_from(what: &str) -> String {
    format!("<!-- Generated from {what}; `UPDATE=1 cargo test -p portcullis` rewrites it. -->\n\n")
}
