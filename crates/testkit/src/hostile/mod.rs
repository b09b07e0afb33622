//! What reads the octets of strangers, as one table: each reader is fed
//! anything and has to end, within its limits and without a panic. A few of
//! the properties that follow are asserted as well.
//!
//! `fuzz/run` drives each entry with libFuzzer, a test of this crate drives
//! them with what is in `fuzz/seeds` and near it.

mod answers;
mod files;
mod mail;

/// A reader of what strangers send.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which the program and the seeds for libFuzzer bear.
    pub name: &'static str,
    /// Feeds it; panics where something is wrong with it.
    pub feed: fn(&[u8]),
}

macro_rules! targets {
    ($($module:ident: $($name:ident)*;)*) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[
            $($(Target { name: stringify!($name), feed: $module::$name },)*)*
        ];
        $($(pub use $module::$name;)*)*
    };
}

targets! {
    mail: command content_reader session auth message policy_request proxy_header;
    answers: spf dns_text mta_sts host_name ldap;
    files: lists zone_file delegations directory settings policy_document query stored_record;
}

/// What octets are as text, whatever they are.
fn text(octets: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(octets)
}

/// The octets in two pieces; the first octet says where they are cut.
fn cut(data: &[u8]) -> Option<(&[u8], [&[u8]; 2])> {
    let (at, octets) = data.split_first()?;
    let (one, two) = octets.split_at(usize::from(*at).min(octets.len()));
    Some((octets, [one, two]))
}
