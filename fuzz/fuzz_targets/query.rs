//! Any text typed into the search field is a search or an error at a place
//! within it.
#![no_main]

use center::query::{Moment, search};
use types::Timestamp;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let moment = Moment::utc(Timestamp::from_millis(1_795_000_000_000));
    let Err(error) = search(text, &moment) else { return };
    for problem in error.all() {
        let (before, below) = problem.place_in(text);
        assert!(before + below <= text.chars().count().max(1) + 1);
        let _ = problem.mended(text);
        let _ = problem.pointing_into(text);
    }
});
