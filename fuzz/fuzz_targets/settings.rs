//! Any text is settings or problems, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    portcullis::settings::read_anything(text);
});
