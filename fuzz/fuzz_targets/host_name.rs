#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| testkit::hostile::host_name(octets));
