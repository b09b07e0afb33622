//! Any line is a command or an error, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    let _ = smtp::Command::parse(line);
});
