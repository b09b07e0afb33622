//! Whatever is in a stored record: it is read or refused, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    store::journal::read_any(octets);
});
