//! What signing outbound mail costs, for each kind of key and for the hash of
//! the body: `cargo run --release -p checks --example signing_cost`.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use checks::{Arrived, KeyKind, Leaving, Signing, SigningKey, SigningSettings};
use types::Timestamp;

const MESSAGES: u32 = 300;
const BODY_OCTETS: usize = 10 * 1024;
const LARGE_OCTETS: usize = 16 * 1024 * 1024;

struct Message(Vec<u8>);

impl Arrived for Message {
    fn octets(&self) -> &[u8] {
        &self.0
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn body_hashes(&self) -> Option<content::BodyHashes> {
        None
    }
}

#[expect(clippy::print_stdout, reason = "its output is its purpose")]
fn say(text: &str) {
    println!("{text}");
}

fn message(body_octets: usize) -> Vec<u8> {
    let header = "From: Bob <bob@corp.example>\r\nTo: sue@stranger.example\r\nSubject: Lunch\r\n\
                  Date: Mon, 16 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@corp.example>\r\n\r\n";
    let line = "The quick brown fox jumps over the lazy dog, and does so once more.\r\n";
    let mut message = header.as_bytes().to_vec();
    message.extend(line.bytes().cycle().take(body_octets));
    message
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let large = message(LARGE_OCTETS);
    let began = Instant::now();
    let body_hash = content::BodyHash::of(&large);
    let per_s = large.len() as f64 / began.elapsed().as_secs_f64() / 1e6;
    say(&format!("body hash: {per_s:.0} MB/s ({:02x}…)", body_hash[0]));
    let folder = tempfile::tempdir()?;
    for kind in [KeyKind::Rsa2048, KeyKind::Rsa4096, KeyKind::Ed25519] {
        let (_, text) = SigningKey::generate(kind)?;
        let file = folder.path().join("key.pem");
        std::fs::write(&file, text)?;
        let signing = Signing::default();
        let (domain, selector) = ("corp.example".parse()?, "s2026".parse()?);
        signing.replace(vec![SigningSettings { domain, selector, file }]);
        let octets = message(BODY_OCTETS);
        let body_hash = content::BodyHash::of(&octets);
        let message: Arc<dyn Arrived> = Arc::new(Message(octets));
        let began = Instant::now();
        for _ in 0..MESSAGES {
            let from = vec!["bob@corp.example".to_owned()];
            let leaving =
                Leaving { message: Arc::clone(&message), body_hash, from, may_be_theirs: true };
            let signed = signing.sign(leaving, Timestamp::from_millis(1_795_000_000_000)).await;
            if signed.fields.is_empty() {
                return Err("not signed".into());
            }
        }
        let each_us = began.elapsed().as_micros() / u128::from(MESSAGES);
        say(&format!("{kind:?}: {each_us} us for one message, the way to a thread included"));
    }
    Ok(())
}
