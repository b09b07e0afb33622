//! ARC chains, sealed by the library and validated by us. What a chain of
//! several sets has to look like is told by the public suite.

use mail_auth::arc::{ArcOutput, ArcSealer};
use mail_auth::dkim::Canonicalization;
use mail_auth::headers::HeaderWriter;
use mail_auth::{AuthenticatedMessage, AuthenticationResults};
use types::{ArcFacts, ArcResult, Flaw, Timestamp};
use world::simulated::SimulatedResolver;

use crate::simulated::{KEY, Message, NOW, authenticate_at, key};

/// One set over `message` with its body in this form, valid for so many
/// seconds. The library seals no header in simple form so that it verifies.
fn set(message: &str, body: Canonicalization, seconds: Option<u64>) -> String {
    let sealer = ArcSealer::from_key(key()).domain("list.example").selector("k1");
    let sealer = sealer.headers(["From", "Subject", "Subject"]);
    let sealer = sealer.body_canonicalization(body);
    let sealer = match seconds {
        Some(seconds) => sealer.expiration(std::time::Duration::from_secs(seconds)),
        None => sealer,
    };
    let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
    let results = AuthenticationResults::new("list.example");
    sealer.seal(&parsed, &results, &ArcOutput::default()).unwrap().to_header()
}

async fn chain(message: Message, at: Timestamp) -> ArcFacts {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.list.example", KEY);
    authenticate_at(message, &["ann@sender.example"], None, &world, at).await.arc
}

#[tokio::test]
async fn size_makes_no_difference_to_a_chain() {
    let body = "Some  blanks \t\r\n.\r\n\r\n".repeat(2_000);
    let message = format!("From: ann@sender.example\r\nSubject:  x\r\n\r\n{body}\r\n");
    let relaxed = set(&message, Canonicalization::Relaxed, None);
    let simple = set(&message, Canonicalization::Simple, None);
    let bad = Some(Flaw::BadSignature);
    let changed = |from: &str, to: &str| format!("{relaxed}{message}").replace(from, to);
    let rows = [
        (format!("{relaxed}{message}"), None),
        (format!("{simple}{message}"), None),
        (changed("Subject:  x", "subject: x"), None),
        (changed("Subject:  x", "Subject: y"), bad),
        (changed("Subject:  x", "Subject:  x\r\nSubject: y"), bad),
        (changed("Results: i=1; list", "Results: i=1; last"), bad),
        (format!("{relaxed}{message}Pay now.\r\n"), Some(Flaw::BodyChanged)),
        (changed("cv=none", "cv=pass"), Some(Flaw::BrokenChain)),
        (changed("i=1", "i=2"), Some(Flaw::BrokenChain)),
        (format!("{relaxed}{relaxed}{message}"), Some(Flaw::BrokenChain)),
        (format!("{}{message}", relaxed.repeat(51)), Some(Flaw::TooMany)),
        (changed("s=k1", "s=k2"), Some(Flaw::NoKey)),
        (changed("d=list.example", &"d=list.example; x=".repeat(2)), Some(Flaw::Syntax)),
        (changed("cv=none", &format!("cv=none; n={}", "x".repeat(4096))), Some(Flaw::Syntax)),
        (message.replacen("From", "ARC-Seal: i=1\r\nFrom", 1), Some(Flaw::BrokenChain)),
    ];
    for (text, flaw) in rows {
        let whole = chain(Message::whole(&text), NOW).await;
        assert_eq!(chain(Message::beginning(&text), NOW).await, whole, "{}", &text[..900]);
        let result = if flaw.is_none() { ArcResult::Pass } else { ArcResult::Fail };
        assert_eq!((whole.result, whole.flaw), (result, flaw), "{}", &text[..900]);
    }
}

#[tokio::test]
async fn who_sealed_last_is_named_and_an_expired_chain_fails() {
    let message = "From: ann@sender.example\r\nSubject: x\r\n\r\nHello.\r\n";
    let sealed = format!("{}{message}", set(message, Canonicalization::Relaxed, Some(60)));
    let far = Timestamp::from_millis(4_900_000_000_000);
    let facts = chain(Message::whole(&sealed), far).await;
    assert_eq!((facts.result, facts.flaw), (ArcResult::Fail, Some(Flaw::Expired)));
    assert_eq!((facts.sets, facts.sealer.as_str()), (1, "list.example"));
}
