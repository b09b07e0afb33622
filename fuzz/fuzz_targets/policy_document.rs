//! Any text is a policy document or a problem at a line, never a panic; what
//! was read is written so that it is read as the same again.
#![no_main]

use policy::Document;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(document) = Document::parse(text) else { return };
    if let Ok(written) = document.to_text() {
        let again = Document::parse(&written).map(|again| again.to_text().ok());
        assert_eq!(again.ok().flatten().as_ref(), Some(&written));
    }
});
