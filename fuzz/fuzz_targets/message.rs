//! A message from a stranger: reading its facts must end, within limits,
//! whatever the octets are.
#![no_main]

use content::{Limits, comparable_addresses, read};

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    let facts = read(message, &Limits::default());
    assert!(facts.header_from.len() <= content::facts::HEADER_FROM_MAX);
    assert!(facts.attachments.len() <= types::message::ATTACHMENTS_MAX);
    assert!(comparable_addresses(&facts).len() <= facts.header_from.len());
});
