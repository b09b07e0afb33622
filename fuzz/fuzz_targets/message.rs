#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| testkit::hostile::message(octets));
