//! Any text may stand in a settings file; none makes the reader panic.

use proptest::prelude::*;

/// Pieces that get past the first character of the grammar.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[smtp]\n".to_owned()),
        Just("[[domain]]\n".to_owned()),
        Just("[[smtp.listener]]\n".to_owned()),
        Just("listen = ".to_owned()),
        Just("idle_timeout = ".to_owned()),
        Just("next_hop = [".to_owned()),
        Just("retry_schedule = [\"1h x".to_owned()),
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        "[0-9]{0,25}[smhd]?",
        "\\PC{0,20}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn settings_text_never_panics(text in text()) {
        portcullis::settings::read_anything(&text);
    }
}
