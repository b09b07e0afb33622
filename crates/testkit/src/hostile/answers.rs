//! What strangers publish in the name system and elsewhere, and what servers
//! answer that we ask.

use std::sync::Arc;
use std::time::Duration;

use checks::{Arrived, AuthenticationQuestion, SpfQuestion};
use content::BodyHashes;
use deliver::sts::{Policy, announced_in};
use futures_util::FutureExt;
use types::{Domain, ListAnswer, Timestamp};
use world::simulated::{SimulatedClock, SimulatedResolver};

use super::text;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// A domain publishes anything as its SPF record: its evaluation ends, within
/// the limits of RFC 7208 section 4.6.4.
pub fn spf(record: &[u8]) {
    let resolver = SimulatedResolver::new();
    let record = [b"v=spf1 ".as_slice(), record].concat();
    resolver.set_texts("sender.example", Ok(vec![record]));
    let question = SpfQuestion {
        ip: [192, 0, 2, 1].into(),
        helo: "helo.sender.example".to_owned(),
        sender: "ann@sender.example".to_owned(),
        host_name: "mx.corp.example".to_owned(),
        now_s: 1_795_000_000,
    };
    // Nobody in a simulated world is waited for.
    assert!(checks::spf(&question, &resolver).now_or_never().is_some());
}

/// A text is published as a key, as a policy of an author, as an announcement
/// of a policy of transport, and as the explanation of a block list, which
/// goes into a reply.
pub fn dns_text(octets: &[u8]) {
    let resolver = SimulatedResolver::new();
    for name in ["k1._domainkey.sender.example", "_dmarc.sender.example"] {
        resolver.set_texts(name, Ok(vec![octets.to_vec()]));
    }
    let question = AuthenticationQuestion {
        header_from: &["ann@sender.example".to_owned()],
        spf: None,
        at: NOW,
        deadline: Duration::from_secs(1),
    };
    let clock = SimulatedClock::new(NOW);
    let found = checks::authenticate(Arc::new(Letter), question, &resolver, &clock);
    assert!(found.now_or_never().is_some());
    let _ = announced_in(&[octets.to_vec()]);
    let listed = ListAnswer::listed(vec![[127, 0, 0, 2].into()], Some(&text(octets)));
    if let ListAnswer::Listed { text: Some(text), .. } = listed {
        assert!(text.len() <= 200 && text.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
    }
}

/// A message that says it is signed.
struct Letter;

impl Arrived for Letter {
    fn octets(&self) -> &[u8] {
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=k1;\r\n \
          h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AAAA\r\n\
          From: Ann <ann@sender.example>\r\n\r\n\r\n"
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn body_hashes(&self) -> Option<BodyHashes> {
        None
    }
}

/// A policy of transport reads as the same when it is written.
pub fn mta_sts(document: &[u8]) {
    let Ok(policy) = Policy::read(document) else { return };
    assert_eq!(Policy::read(policy.to_string().as_bytes()), Ok(policy));
}

/// A name that an address claims is a name without anything that could end a
/// line or a word, or it is none.
pub fn host_name(name: &[u8]) {
    let Ok(name) = text(name).parse::<Domain>() else { return };
    assert!(name.as_str().bytes().all(|octet| octet.is_ascii_graphic()), "{name}");
    assert_eq!(name.as_str().parse(), Ok(name));
}

/// What a directory server answers.
pub fn ldap(octets: &[u8]) {
    world::ldap::read_anything(octets);
}
