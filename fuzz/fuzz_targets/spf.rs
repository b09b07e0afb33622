//! A domain publishes anything as its SPF record: its evaluation ends, within
//! the limits of RFC 7208 section 4.6.4.
#![no_main]

use checks::{SpfQuestion, spf};
use world::simulated::SimulatedResolver;

libfuzzer_sys::fuzz_target!(|record: &[u8]| {
    let resolver = SimulatedResolver::new();
    let text = [b"v=spf1 ".as_slice(), record].concat();
    resolver.set_texts("sender.example", Ok(vec![text]));
    let question = SpfQuestion {
        ip: [192, 0, 2, 1].into(),
        helo: "helo.sender.example".to_owned(),
        sender: "ann@sender.example".to_owned(),
        host_name: "mx.corp.example".to_owned(),
        now_s: 1_795_000_000,
    };
    let _ = futures::executor::block_on(spf(&question, &resolver));
});
