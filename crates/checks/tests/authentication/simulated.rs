//! Sender authentication in a simulated world: what is found, and that what
//! strangers publish or send cannot make us work without end.

use std::sync::Arc;
use std::time::Duration;

use checks::{Arrived, Authenticated, AuthenticationQuestion, SIGNATURES_MAX, SpfQuestion};
use content::{BodyHashes, BodyHashing, HeaderBlock};
use mail_auth::crypto::Ed25519Key;
use mail_auth::dkim::{Canonicalization, DkimSigner};
use mail_auth::headers::HeaderWriter;
use types::{
    ArcResult, DkimResult, DmarcRequest, DmarcResult, Flaw, SpfFacts, SpfResult, Timestamp,
};
use world::simulated::{SimulatedClock, SimulatedResolver};
use world::{BoxFuture, Clock, DnsError, Family, MxAnswer, Resolver};

/// A Monday in 2026.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_255_455_900);

pub(crate) struct Message {
    octets: Vec<u8>,
    whole: bool,
    hashes: Option<BodyHashes>,
}

impl Message {
    pub(crate) fn whole(text: &str) -> Self {
        Message { octets: text.as_bytes().to_vec(), whole: true, hashes: None }
    }

    /// A message of which only the header was kept, and its body hashed.
    pub(crate) fn beginning(text: &str) -> Self {
        let mut body = BodyHashing::default();
        body.push(text.as_bytes());
        let header = HeaderBlock::of(text.as_bytes()).body_at().unwrap();
        let octets = text.as_bytes()[..header].to_vec();
        Message { octets, whole: false, hashes: Some(body.hashes()) }
    }
}

impl Arrived for Message {
    fn octets(&self) -> &[u8] {
        &self.octets
    }

    fn is_whole(&self) -> bool {
        self.whole
    }

    fn body_hashes(&self) -> Option<BodyHashes> {
        self.hashes
    }
}

/// The key of RFC 8463 appendix A.2.
pub(crate) fn key() -> Ed25519Key {
    let pkcs8 = [
        &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..],
        &[
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ],
    ]
    .concat();
    Ed25519Key::from_pkcs8_maybe_unchecked_der(&pkcs8).unwrap()
}

pub(crate) const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// A signature of `domain` over `message`, valid for so many seconds.
fn signature(message: &str, domain: &str, seconds: Option<u64>) -> String {
    let signer =
        DkimSigner::from_key(key()).domain(domain).selector("k1").headers(["From", "Subject"]);
    let signer = match seconds {
        Some(seconds) => signer.expiration(Duration::from_secs(seconds)),
        None => signer,
    };
    signer.sign(message.as_bytes()).unwrap().to_header()
}

async fn authenticate(
    message: &str,
    from: &[&str],
    spf: Option<&SpfFacts>,
    world: &dyn Resolver,
) -> Authenticated {
    authenticate_at(Message::whole(message), from, spf, world, NOW).await
}

pub(crate) async fn authenticate_at(
    message: Message,
    from: &[&str],
    spf: Option<&SpfFacts>,
    world: &dyn Resolver,
    at: Timestamp,
) -> Authenticated {
    let header_from: Vec<String> = from.iter().map(|one| (*one).to_owned()).collect();
    let deadline = Duration::from_secs(20);
    let question = AuthenticationQuestion { header_from: &header_from, spf, at, deadline };
    checks::authenticate(Arc::new(message), question, world, &SimulatedClock::new(at)).await
}

fn spf_question(sender: &str) -> SpfQuestion {
    SpfQuestion {
        ip: "192.0.2.1".parse().unwrap(),
        helo: "mail.sender.example".to_owned(),
        sender: sender.to_owned(),
        host_name: "mx.corp.example".to_owned(),
        now_s: 0,
    }
}

const MESSAGE: &str = "From: Ann <ann@mail.sender.example>\r\nSubject: x\r\n\r\nHello.\r\n";

#[tokio::test]
async fn a_signature_passes_and_stands_for_the_domain_above_its_author() {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.sender.example", KEY);
    world.add_text("_dmarc.sender.example", "v=DMARC1; p=reject; sp=quarantine");
    let signed = format!("{}{MESSAGE}", signature(MESSAGE, "sender.example", None));
    let found = authenticate(&signed, &["ann@mail.sender.example"], None, &world).await;
    assert_eq!(found.dkim.result, DkimResult::Pass);
    assert_eq!(found.dkim.signatures[0].domain, "sender.example");
    assert_eq!(found.dmarc.result, DmarcResult::Pass);
    assert!(found.dmarc.dkim_aligned && !found.dmarc.spf_aligned);
    assert_eq!(found.arc.result, ArcResult::None);
    let changed = signed.replace("Hello.", "Pay now.");
    let found = authenticate(&changed, &["ann@mail.sender.example"], None, &world).await;
    assert_eq!(found.dkim.signatures[0].flaw, Some(Flaw::BodyChanged));
    assert_eq!((found.dkim.result, found.dmarc.result), (DkimResult::Fail, DmarcResult::Fail));
    assert_eq!(found.dmarc.request, DmarcRequest::Quarantine);
}

#[tokio::test]
async fn a_signature_that_does_not_cover_the_author_proves_nothing() {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.sender.example", KEY);
    world.add_text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let signer = DkimSigner::from_key(key()).domain("sender.example").selector("k1");
    let field = signer.headers(["Subject"]).sign(MESSAGE.as_bytes()).unwrap().to_header();
    let text = format!("{field}{MESSAGE}").replace("ann@", "boss@");
    for message in [Message::whole(&text), Message::beginning(&text)] {
        let from = ["boss@mail.sender.example"];
        let found = authenticate_at(message, &from, None, &world, NOW).await;
        assert_eq!(found.dkim.result, DkimResult::PermError);
        assert_eq!(found.dkim.signatures[0].flaw, Some(Flaw::AuthorUnsigned));
        assert_eq!(found.dmarc.result, DmarcResult::Fail);
    }
}

#[tokio::test]
async fn time_is_ours_and_an_expired_signature_fails() {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.sender.example", KEY);
    let signed = format!("{}{MESSAGE}", signature(MESSAGE, "sender.example", Some(60)));
    // The signer takes the time from the machine; a century later is late.
    let late = Timestamp::from_millis(4_900_000_000_000);
    let message = Message::whole(&signed);
    let found = authenticate_at(message, &["ann@mail.sender.example"], None, &world, late).await;
    assert_eq!(found.dkim.signatures[0].flaw, Some(Flaw::Expired));
}

#[tokio::test]
async fn of_several_authors_the_worst_counts() {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.evil.example", KEY);
    world.add_text("_dmarc.bank.example", "v=DMARC1; p=reject");
    let message = "From: a@evil.example, b@bank.example\r\nSubject: x\r\n\r\nHello.\r\n";
    let signed = format!("{}{message}", signature(message, "evil.example", None));
    let found = authenticate(&signed, &["a@evil.example", "b@bank.example"], None, &world).await;
    assert_eq!(
        (found.dmarc.result, found.dmarc.domain.as_str()),
        (DmarcResult::Fail, "bank.example")
    );
    assert_eq!(found.dmarc.request, DmarcRequest::Reject);
}

#[tokio::test]
async fn a_tag_twice_or_a_length_makes_a_signature_void() {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.sender.example", KEY);
    let field = signature(MESSAGE, "sender.example", None);
    for (change, result) in [
        ("d=sender.example; d=sender.example;", DkimResult::Neutral),
        ("d=sender.example; l=3;", DkimResult::Policy),
    ] {
        let signed = format!("{}{MESSAGE}", field.replace("d=sender.example;", change));
        let found = authenticate(&signed, &["ann@mail.sender.example"], None, &world).await;
        assert_eq!(found.dkim.result, result, "{signed}");
    }
}

#[tokio::test]
async fn thousands_of_signatures_and_fields_cost_what_a_few_do() {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.sender.example", KEY);
    let one = signature(MESSAGE, "sender.example", None);
    let many = format!("{}{MESSAGE}", one.repeat(400));
    let found = authenticate(&many, &["ann@mail.sender.example"], None, &world).await;
    assert_eq!(found.dkim.signatures.len(), SIGNATURES_MAX);
    assert_eq!(found.dkim.ignored, 392);
    assert_eq!(found.dkim.result, DkimResult::Pass);
    let fields = "A:\r\n".repeat(4_000);
    let found = authenticate(&format!("{one}{fields}{MESSAGE}"), &[], None, &world).await;
    // The header is not gone through at all, so nothing can be quadratic in it.
    assert_eq!((found.dkim.result, found.dkim.flaw), (DkimResult::Neutral, Some(Flaw::TooLarge)));
    let long = format!("DKIM-Signature: v=1; h={}; d=x\r\n{MESSAGE}", "a:".repeat(40_000));
    let found = authenticate(&long, &[], None, &world).await;
    assert_eq!(found.dkim.signatures[0].flaw, Some(Flaw::TooLarge));
}

/// The header of nobody has more fields than are looked at.
fn with_too_many_fields(message: &str) -> String {
    format!("{}{message}", "A: b\r\n".repeat(1_001))
}

#[tokio::test]
async fn a_header_too_large_proves_nothing_and_disproves_only_whom_it_does_not_name() {
    let world = SimulatedResolver::new();
    world.add_text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let signed = format!("{}{MESSAGE}", signature(MESSAGE, "sender.example", None));
    let from = ["ann@sender.example"];
    let found = authenticate(&with_too_many_fields(&signed), &from, None, &world).await;
    assert_eq!((found.dkim.result, found.dkim.flaw), (DkimResult::Neutral, Some(Flaw::TooLarge)));
    assert_eq!(found.dkim.signatures[0].domain, "sender.example");
    assert_eq!(
        (found.dmarc.result, found.dmarc.flaw, found.dmarc.request),
        (DmarcResult::TempError, Some(Flaw::TooLarge), DmarcRequest::Reject)
    );
    // A signature of somebody else, or none, leaves nothing open.
    let other = format!("{}{MESSAGE}", signature(MESSAGE, "evil.example", None));
    for message in [other.as_str(), MESSAGE] {
        let found = authenticate(&with_too_many_fields(message), &from, None, &world).await;
        assert_eq!((found.dmarc.result, found.dmarc.flaw), (DmarcResult::Fail, None));
    }
}

#[tokio::test]
async fn size_makes_no_difference_to_a_signature() {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.sender.example", KEY);
    world.add_text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let body = "Some  blanks \t\r\n.\r\n\r\n".repeat(2_000);
    let message = format!("From: ann@sender.example\r\nSubject: x\r\n\r\n{body}\r\n");
    let by = |domain: &str, header: Canonicalization, body: Canonicalization| {
        let signer = DkimSigner::from_key(key()).domain(domain).selector("k1");
        let signer = signer.headers(["From", "Subject"]).header_canonicalization(header);
        signer.body_canonicalization(body).sign(message.as_bytes()).unwrap().to_header()
    };
    use Canonicalization::{Relaxed, Simple};
    let simple = by("sender.example", Simple, Simple);
    let mixed = by("sender.example", Simple, Relaxed);
    let relaxed = by("sender.example", Relaxed, Relaxed);
    let stranger = by("stranger.example", Relaxed, Simple);
    let expired = signature(&message, "sender.example", Some(60));
    let identity = relaxed.replace("d=sender.example;", "d=sender.example; i=x@evil.example;");
    let length = relaxed.replace("d=sender.example;", "d=sender.example; l=3;");
    let all = [&*stranger, &*mixed, &*simple, &*length, "DKIM-Signature: v=1\r\n", &*relaxed];
    let malformed = message.replacen("\r\n\r\n", "\r\nPay now\r\n\r\n", 1);
    let rows: [(String, Option<DkimResult>); 11] = [
        (format!("{simple}{message}"), Some(DkimResult::Pass)),
        (format!("{mixed}{message}"), Some(DkimResult::Pass)),
        (format!("{relaxed}{message}"), Some(DkimResult::Pass)),
        (format!("{}{message}", all.concat()), Some(DkimResult::Pass)),
        (format!("{stranger}{message}"), Some(DkimResult::PermError)),
        (format!("{relaxed}{message}Pay now.\r\n"), Some(DkimResult::Fail)),
        (format!("{relaxed}{message}").replace("Subject: x", "Subject: y"), Some(DkimResult::Fail)),
        (format!("{identity}{message}"), Some(DkimResult::Fail)),
        (format!("{expired}{message}"), None),
        (format!("{simple}{malformed}"), Some(DkimResult::Neutral)),
        (format!("{}{malformed}", all.concat()), Some(DkimResult::Neutral)),
    ];
    for (text, expected) in rows {
        let from = ["ann@sender.example"];
        for at in [NOW, Timestamp::from_millis(4_900_000_000_000)] {
            let whole = authenticate_at(Message::whole(&text), &from, None, &world, at).await;
            let cut = authenticate_at(Message::beginning(&text), &from, None, &world, at).await;
            assert_eq!((&cut.dkim, &cut.dmarc), (&whole.dkim, &whole.dmarc), "{}", &text[..400]);
            assert!(expected.is_none_or(|expected| expected == whole.dkim.result), "{whole:?}");
        }
    }
}

#[tokio::test]
async fn size_makes_no_difference_to_how_a_key_is_written() {
    let world = SimulatedResolver::new();
    let signed = format!("{}{MESSAGE}", signature(MESSAGE, "sender.example", None));
    let bare = KEY.trim_end_matches('=').replace("qYAYK", "qYA YK");
    for record in [
        [b"n=f\xfcr uns; ", KEY.as_bytes()].concat(),
        KEY.replace("p=", "P=").replace("k=e", "K=E").into_bytes(),
        KEY.replace("p=", "p = ").into_bytes(),
        bare.into_bytes(),
        format!("{KEY}=; p=!").into_bytes(),
    ] {
        world.set_texts("k1._domainkey.sender.example", Ok(vec![record.clone()]));
        for message in [Message::whole(&signed), Message::beginning(&signed)] {
            let found = authenticate_at(message, &[], None, &world, NOW).await;
            assert_eq!(found.dkim.result, DkimResult::Pass, "{}", record.escape_ascii());
        }
    }
}

/// Lines that are no field, in a header that otherwise is what was signed: what
/// programs that end the header there show first was signed by nobody.
const NO_FIELDS: &[&str] = &[
    "Pay to IBAN 123 now\r\n more text\r\n",
    "Pay to IBAN 123: now\r\n",
    "Pay: to IBAN 123\r\nnow\r\n",
    "Pay : now\r\n",
    "Pay to IBAN 123 now\n",
    ": now\r\n",
];

#[tokio::test]
async fn no_signature_stands_for_a_header_with_a_line_that_is_no_field() {
    let world = SimulatedResolver::new();
    world.add_text("k1._domainkey.sender.example", KEY);
    world.add_text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let from = ["ann@mail.sender.example"];
    let field = signature(MESSAGE, "sender.example", None);
    let junk = "DKIM-Signature: x\r\n".to_owned();
    let many = format!("{field}{}", junk.repeat(SIGNATURES_MAX));
    for signatures in [field.clone(), format!("{junk}{field}"), format!("{field}{junk}"), many] {
        let sound = format!("{signatures}{MESSAGE}");
        for message in [Message::whole(&sound), Message::beginning(&sound)] {
            let found = authenticate_at(message, &from, None, &world, NOW).await;
            assert_eq!(found.dmarc.result, DmarcResult::Pass, "{sound}");
        }
        for lines in NO_FIELDS {
            let behind = sound.replacen("\r\n\r\n", &format!("\r\n{lines}\r\n"), 1);
            let first = format!("{lines}{sound}");
            for text in [behind, first] {
                for message in [Message::whole(&text), Message::beginning(&text)] {
                    let found = authenticate_at(message, &from, None, &world, NOW).await;
                    let flawed = (DkimResult::Neutral, Some(Flaw::Syntax));
                    assert_eq!((found.dkim.result, found.dkim.flaw), flawed, "{text}");
                    let dmarc = (found.dmarc.result, found.dmarc.request);
                    assert_eq!(dmarc, (DmarcResult::Fail, DmarcRequest::Reject), "{text}");
                }
            }
        }
    }
    // Of a chain nothing is believed either.
    let set = "ARC-Seal: i=1; cv=none\r\nARC-Message-Signature: i=1\r\n";
    let text = format!("{set}{}{MESSAGE}", NO_FIELDS[0]);
    let found = authenticate(&text, &from, None, &world).await;
    assert_eq!((found.arc.result, found.arc.flaw), (ArcResult::Fail, Some(Flaw::Syntax)));
}

#[tokio::test]
async fn an_spf_bomb_ends_after_ten_terms_or_two_empty_answers() {
    let world = SimulatedResolver::new();
    let includes: Vec<String> = (0..40).map(|n| format!("include:b{n}.sender.example")).collect();
    world.add_text("sender.example", &format!("v=spf1 {} -all", includes.join(" ")));
    for n in 0..40 {
        world.add_text(
            &format!("b{n}.sender.example"),
            &format!("v=spf1 {} ?all", includes.join(" ")),
        );
    }
    let facts = checks::spf(&spf_question("ann@sender.example"), &world).await;
    assert_eq!((facts.result, facts.flaw), (SpfResult::PermError, Some(Flaw::TooManyTerms)));
    assert!(facts.questions <= 11, "{}", facts.questions);
    let names: Vec<String> = (0..2_000).map(|n| format!("a:n{n}.void.example")).collect();
    world.add_text("void.example", &format!("v=spf1 {}", names.join(" ")));
    let facts = checks::spf(&spf_question("ann@void.example"), &world).await;
    assert_eq!((facts.result, facts.flaw), (SpfResult::PermError, Some(Flaw::TooManyVoids)));
    assert!(facts.questions <= 4);
    world.set_texts("long.example", Ok(vec![[&b"v=spf1 "[..], &vec![b'x'; 64 * 1024]].concat()]));
    let facts = checks::spf(&spf_question("ann@long.example"), &world).await;
    assert_eq!(facts.flaw, Some(Flaw::Syntax));
}

/// Records that lead in a circle, and names that macros make endless, cost no
/// more than the terms that are allowed.
#[tokio::test]
async fn circles_and_macro_bombs_end_in_a_defined_result() {
    let world = SimulatedResolver::new();
    for (domain, record) in [
        ("circle.example", "v=spf1 include:other.example -all"),
        ("other.example", "v=spf1 redirect=circle.example"),
        ("redirect.example", "v=spf1 redirect=redirect.example"),
    ] {
        world.add_text(domain, record);
    }
    for domain in ["circle.example", "redirect.example"] {
        let facts = checks::spf(&spf_question(&format!("ann@{domain}")), &world).await;
        let ended = (facts.result, facts.flaw);
        assert_eq!(ended, (SpfResult::PermError, Some(Flaw::TooManyTerms)), "{domain}");
        assert!(facts.questions <= 11, "{domain}: {}", facts.questions);
    }
    let endless = format!("exists:{}.bomb.example", "%{S255r+-.,/_=}%{L}%{H}".repeat(2_500));
    world.add_text("bomb.example", &format!("v=spf1 {endless} {endless} {endless} -all"));
    let sender = format!("{}@bomb.example", "a.b+c".repeat(12));
    let question = SpfQuestion { helo: "h".repeat(255), ..spf_question(&sender) };
    let facts = checks::spf(&question, &world).await;
    assert_eq!((facts.result, facts.flaw), (SpfResult::PermError, Some(Flaw::TooManyVoids)));
    // A few octets do not stand for many questions.
    assert!(facts.questions <= 4, "{}", facts.questions);
}

/// Name servers that never answer.
struct Silence;

macro_rules! never {
    ($($name:ident($($argument:ty),*) -> $answer:ty;)*) => {
        $(fn $name<'a>(&'a self, $(_: $argument),*) -> BoxFuture<'a, Result<$answer, DnsError>> {
            Box::pin(std::future::pending())
        })*
    };
}

impl Resolver for Silence {
    never! {
        mx(&'a types::Domain) -> MxAnswer;
        exchangers(&'a str) -> Vec<String>;
        addresses(&'a str) -> Vec<std::net::IpAddr>;
        addresses_in(Family, &'a str) -> Vec<std::net::IpAddr>;
        texts(&'a str) -> Vec<Vec<u8>>;
    }

    fn reverse(&self, _: std::net::IpAddr) -> BoxFuture<'_, Result<Vec<types::Domain>, DnsError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn silent_name_servers_end_in_a_temporary_error_after_the_deadline() {
    let clock = SimulatedClock::new(NOW);
    let signed = format!("{}{MESSAGE}", signature(MESSAGE, "sender.example", None));
    let message = Message::whole(&signed);
    let waiting = clock.clone();
    let asked = tokio::spawn(async move {
        let header_from = ["ann@sender.example".to_owned()];
        let question = AuthenticationQuestion {
            header_from: &header_from,
            spf: None,
            at: NOW,
            deadline: Duration::from_secs(20),
        };
        checks::authenticate(Arc::new(message), question, &Silence, &waiting).await
    });
    for _ in 0..4 {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(21));
    }
    let found = asked.await.unwrap();
    assert_eq!(found.dkim.result, DkimResult::TempError);
    assert_eq!(
        (found.dmarc.result, found.dmarc.flaw),
        (DmarcResult::TempError, Some(Flaw::TimedOut))
    );
    assert!(clock.elapsed() >= Duration::from_secs(40));
}
