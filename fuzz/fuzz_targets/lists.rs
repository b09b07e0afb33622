//! Any text is a list of any other program or problems, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    center::importing::read_anything(text);
});
