//! Messages are signed here and verified by the other half, mail-auth's.

use std::path::Path;

use content::{BodyHashes, BodyHashing};

use super::*;

struct Whole(Vec<u8>);

impl Arrived for Whole {
    fn octets(&self) -> &[u8] {
        &self.0
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn body_hashes(&self) -> Option<BodyHashes> {
        None
    }
}

/// Only so many octets of a message were kept, and its body hashed.
struct Beginning(Vec<u8>, BodyHashes);

impl Beginning {
    fn of(message: &[u8], kept: usize) -> Self {
        let mut body = BodyHashing::default();
        body.push(message);
        Beginning(message[..kept].to_vec(), body.hashes())
    }
}

impl Arrived for Beginning {
    fn octets(&self) -> &[u8] {
        &self.0
    }

    fn is_whole(&self) -> bool {
        false
    }

    fn body_hashes(&self) -> Option<BodyHashes> {
        Some(self.1)
    }
}

const DOMAIN: &str = "corp.example";
/// In the past of every clock: the library has one of its own.
const AT: Timestamp = Timestamp::from_millis(1_760_000_000_000);

struct Signer {
    signing: Signing,
    folder: tempfile::TempDir,
    keys: Vec<SigningSettings>,
}

impl Signer {
    /// Signs for the domain with keys of these kinds, called `k0`, `k1`.
    fn new(kinds: &[KeyKind]) -> Signer {
        let folder = tempfile::tempdir().unwrap();
        let mut keys = Vec::new();
        for (number, kind) in kinds.iter().enumerate() {
            let (_, text) = SigningKey::generate(*kind).unwrap();
            let file = folder.path().join(format!("k{number}.pem"));
            std::fs::write(&file, text).unwrap();
            let selector = format!("k{number}").parse().unwrap();
            keys.push(SigningSettings { domain: DOMAIN.parse().unwrap(), selector, file });
        }
        let signing = Signing::default();
        assert!(signing.replace(keys.clone()).is_empty());
        Signer { signing, folder, keys }
    }

    fn key(&self, number: usize) -> Arc<SigningKey> {
        Arc::clone(self.signing.domains.load()[DOMAIN][number].key.as_ref().unwrap())
    }

    async fn sign(&self, message: &[u8]) -> Signed {
        let from = content::comparable_addresses(&content::read(message, &Default::default()));
        let message: Arc<dyn Arrived> = Arc::new(Whole(message.to_vec()));
        let body_hash = content::BodyHash::of(message.octets());
        self.signing.sign(Leaving { message, body_hash, from, may_be_theirs: true }, AT).await
    }

    /// Signs and gives the message as it leaves, verified with each key.
    async fn round_trip(&self, message: &[u8]) -> Vec<u8> {
        let signed = self.sign(message).await;
        assert_eq!(signed.facts.unsigned, None, "{}", message.escape_ascii());
        let received = b"Received: from a (b)\r\n\tby c; Sat, 21 Nov 2026 10:04:15 +0000\r\n";
        let leaves = [signed.fields.as_bytes(), received, message].concat();
        for (number, settings) in self.keys.iter().enumerate() {
            assert!(
                self.verifies(&leaves, number),
                "{}: {}",
                settings.selector,
                leaves.escape_ascii()
            );
        }
        leaves
    }

    fn verifies(&self, message: &[u8], number: usize) -> bool {
        let selector = &self.keys[number].selector;
        let record = self.key(number).record().unwrap();
        let whole = Whole(message.to_vec());
        let verified = |message| verified_with(message, &selector.name_at(DOMAIN), &record, AT);
        let facts = verified(&whole);
        // Where the body was not kept, the answer is the same.
        if let Some(body_at) = HeaderBlock::of(message).body_at() {
            assert_eq!(verified(&Beginning::of(message, body_at)), facts);
        }
        let passes = |one: &types::SignatureFacts| {
            one.selector == selector.as_str() && one.result == DkimResult::Pass
        };
        facts.signatures.iter().any(passes)
    }
}

const TEXT: &[u8] = b"From: Bob <bob@corp.example>\r\nTo: sue@stranger.example\r\n\
    Subject: Lunch\r\n\r\nAt one?\r\n\r\n.\r\n..two dots\r\n \t\r\n\r\n";

#[tokio::test]
async fn both_kinds_of_keys_sign_and_are_verified() {
    let signer = Signer::new(&[KeyKind::Rsa2048, KeyKind::Ed25519]);
    let leaves = signer.round_trip(TEXT).await;
    let text = String::from_utf8(leaves).unwrap();
    assert!(text.contains("a=rsa-sha256;") && text.contains("a=ed25519-sha256;"), "{text}");
    for (from, to) in
        [("At one?", "At two?"), ("Subject: Lunch", "Subject: Work"), ("bob@", "eve@")]
    {
        let changed = text.replace(from, to);
        assert!(!signer.verifies(changed.as_bytes(), 0), "{from}");
        assert!(!signer.verifies(changed.as_bytes(), 1), "{from}");
    }
    // A second field that people would be shown breaks it; one more hop does not.
    for added in
        ["From: e@x.example", "Subject: x", "Reply-To: e@x.example", "Content-Type: text/html"]
    {
        assert!(!signer.verifies(format!("{added}\r\n{text}").as_bytes(), 0), "{added}");
    }
    assert!(signer.verifies(format!("Received: x\r\n{text}").as_bytes(), 0));
    assert_eq!(signer.signing.counts(), (1, 0));
}

#[tokio::test]
async fn all_shapes_of_messages_are_signed() {
    let signer = Signer::new(&[KeyKind::Ed25519]);
    let large =
        [b"From: a@corp.example\r\n\r\n".to_vec(), b"word  word \r\n".repeat(50_000)].concat();
    let long = format!("From: a@corp.example\r\nX-Long: {}\r\n\r\nb\r\n", "x y\t".repeat(40_000));
    let many = format!("From: a@corp.example\r\n{}\r\nb\r\n", "X: y\r\n".repeat(900));
    let utf8 = "From: \u{fc} <\u{fc}@corp.example>\r\nSubject: \u{7528}\u{6237}\r\n\r\n\u{e4}\r\n";
    let messages: [&[u8]; 12] = [
        b"From: a@corp.example\r\n",
        b"From: a@corp.example\r\n\r\n",
        b"From: a@corp.example\r\n\r\n\r\n\r\n",
        b"From: a@corp.example\r\n\r\nno line end",
        b"FROM:a@CORP.example\r\nSubject:\r\n\tx\r\n\r\nb\r\n",
        b"From: a@CORP.example\r\nSubject:\r\n \r\n\tx\r\n\r\nb\r\n",
        b"From: a@corp.example\r\nSubject: \xff\xfe\r\n\r\n\xff\x00\x01\r\n",
        b"From: a@corp.example, b@corp.example\r\nList-Id: x\r\nDate: y\r\n\r\nb\r\n",
        utf8.as_bytes(),
        &large,
        long.as_bytes(),
        many.as_bytes(),
    ];
    for message in messages {
        signer.round_trip(message).await;
    }
}

#[tokio::test]
async fn what_cannot_be_signed_leaves_without_and_says_why() {
    let signer = Signer::new(&[KeyKind::Ed25519]);
    let long = format!("From: a@corp.example\r\nX: {}\r\n\r\n", "x".repeat(10 << 20));
    let many = format!("From: a@corp.example\r\n{}\r\n", "X: y\r\n".repeat(5_000));
    let messages: [(&[u8], Unsigned); 10] = [
        (b"Subject: x\r\n\r\n", Unsigned::NoAuthor),
        (b"", Unsigned::NoAuthor),
        (b"From: somebody\r\n\r\n", Unsigned::NoAuthor),
        (b"From: a@corp.example\r\nFrom: b@corp.example\r\n\r\n", Unsigned::SeveralAuthors),
        (b"From: a@corp.example, b@x.example\r\n\r\n", Unsigned::SeveralAuthors),
        (b"From: a@x.corp.example\r\n\r\n", Unsigned::NoSelector),
        (b"From : a@corp.example\r\n\r\n", Unsigned::MalformedHeader),
        (b"From: a@corp.example\r\nno field\r\n\r\n", Unsigned::MalformedHeader),
        (long.as_bytes(), Unsigned::HeaderTooLarge),
        (many.as_bytes(), Unsigned::HeaderTooLarge),
    ];
    for (message, why) in messages {
        let signed = signer.sign(message).await;
        assert_eq!((signed.facts.unsigned, &*signed.fields), (Some(why), ""), "{why:?}");
    }
    assert_eq!(signer.signing.counts(), (0, 10));
}

#[tokio::test]
async fn of_a_message_that_is_not_kept_the_header_is_enough() {
    let signer = Signer::new(&[KeyKind::Ed25519]);
    let message = [TEXT.to_vec(), b"line\r\n".repeat(1_000)].concat();
    let leaving = |kept: usize| Leaving {
        message: Arc::new(Beginning::of(&message, kept)),
        body_hash: content::BodyHash::of(&message),
        from: vec!["bob@corp.example".to_owned()],
        may_be_theirs: kept != 201,
    };
    let signed = signer.signing.sign(leaving(200), AT).await;
    let leaves = [signed.fields.as_bytes(), &message].concat();
    assert!(signer.verifies(&leaves, 0));
    let denied = signer.signing.sign(leaving(201), AT).await;
    assert_eq!((denied.facts.unsigned, &*denied.fields), (Some(Unsigned::DeniedAuthor), ""));
    let cut = signer.signing.sign(leaving(40), AT).await;
    assert_eq!(cut.facts.unsigned, Some(Unsigned::HeaderTooLarge));
}

#[tokio::test]
async fn a_valid_signature_with_the_key_is_not_repeated_and_others_stay() {
    let signer = Signer::new(&[KeyKind::Rsa2048]);
    let leaves = signer.round_trip(TEXT).await;
    let again = signer.sign(&leaves).await;
    assert_eq!(again.fields, "");
    assert!(again.facts.signatures[0].brought);
    // One that is broken, or of another key, is no reason not to sign.
    let broken = String::from_utf8(leaves).unwrap().replace("At one?", "At two?");
    signer.round_trip(broken.as_bytes()).await;
    let other = Signer::new(&[KeyKind::Rsa2048]).round_trip(TEXT).await;
    signer.round_trip(&other).await;
}

#[tokio::test]
async fn a_key_that_becomes_unreadable_stays_and_one_that_never_was_signs_nothing() {
    let signer = Signer::new(&[KeyKind::Ed25519]);
    let before = signer.key(0).record().unwrap();
    std::fs::write(&signer.keys[0].file, "broken").unwrap();
    assert_eq!(signer.signing.replace(signer.keys.clone()).len(), 1);
    let status = signer.signing.status().remove(0);
    assert!(status.signs && status.problem.is_some(), "{status:?}");
    assert_eq!(signer.key(0).record().unwrap(), before);
    signer.round_trip(TEXT).await;
    // Replaced, the new key signs.
    let (new, text) = SigningKey::generate(KeyKind::Ed25519).unwrap();
    std::fs::write(&signer.keys[0].file, text).unwrap();
    assert!(signer.signing.replace(signer.keys.clone()).is_empty());
    assert_eq!(signer.key(0).record().unwrap(), new.record().unwrap());
    signer.round_trip(TEXT).await;
    // A key that is not there.
    let file = signer.folder.path().join(Path::new("nowhere.pem"));
    let missing = SigningSettings { file, ..signer.keys[0].clone() };
    assert_eq!(signer.signing.replace(vec![missing]).len(), 1);
    assert_eq!(signer.sign(TEXT).await.facts.unsigned, Some(Unsigned::NoKey));
    assert!(signer.signing.replace(Vec::new()).is_empty() && !signer.signing.is_wanted());
}
