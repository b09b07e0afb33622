//! A session takes any octets without a panic and without an endless loop.
#![no_main]

use std::sync::Arc;

use smtp::{Answer, Output, Session, SessionLimits, SessionProfile};

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let profile = SessionProfile::new("mx.example", true, SessionLimits::default())
        .offering_auth("mx.example");
    let mut session = Session::new(Arc::new(profile));
    let mut replies = Vec::new();
    let mut input: &[u8] = &[];
    let mut greeted = false;
    loop {
        match session.advance(&mut input, &mut replies) {
            Output::Wait if !std::mem::replace(&mut greeted, true) => input = octets,
            Output::Wait | Output::Close => return,
            Output::Ask(_) => session.answer(Answer::Proceed, &mut replies),
            Output::StartTls => session.tls_established(),
            Output::DataBegan | Output::Content(_) | Output::Ended(_) => {}
        }
    }
});
