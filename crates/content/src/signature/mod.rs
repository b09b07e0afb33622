//! A DKIM signature as text (RFC 6376): which fields it covers, the hash of
//! the body, what the key has to sign, and the field itself.
//!
//! Header and body are taken in relaxed form, so that what mail servers do to
//! blanks on the way breaks nothing. There is no `l=`, with which anybody
//! could write on behind the body (RFC 6376 section 8.2). Keys are not known
//! here.

mod body;
mod fields;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use types::{Selector, Timestamp};

use crate::Field;

pub use body::{BODY_HASH_OCTETS, BodyHash, BodyHashes, BodyHashing};
pub use fields::{HeaderForm, SignedHeader};

/// Lines are folded before they are longer (RFC 5322 section 2.1.1), in
/// octets without the line end.
const LINE_OCTETS: usize = 76;

/// The field that signs a message.
#[derive(Clone, Copy, Debug)]
pub struct SignatureField<'a> {
    /// Who signs, `d=`, in A-labels.
    pub domain: &'a str,
    /// The name of the key, `s=`.
    pub selector: &'a Selector,
    /// The algorithm, `a=`, such as `rsa-sha256`.
    pub algorithm: &'a str,
    /// When, `t=`.
    pub at: Timestamp,
    /// The fields it covers.
    pub header: &'a SignedHeader,
    /// The hash of the body.
    pub body_hash: &'a [u8; BODY_HASH_OCTETS],
}

/// A signature field without its signature.
#[derive(Clone, Debug)]
pub struct UnsignedField {
    folded: Folded,
    /// The octets that the key has to sign.
    pub to_sign: Vec<u8>,
}

impl SignatureField<'_> {
    /// The field as far as it is known before it is signed, and what is to be
    /// signed: the header in its relaxed form, then this field (RFC 6376
    /// section 3.7).
    pub fn unsigned(&self) -> UnsignedField {
        let seconds = self.at.as_millis().div_euclid(1000).max(0);
        let mut folded = Folded::new("DKIM-Signature:");
        folded.word("v=1;");
        folded.word(&format!("a={};", self.algorithm));
        folded.word("c=relaxed/relaxed;");
        folded.word(&format!("d={};", self.domain));
        folded.word(&format!("s={};", self.selector));
        folded.word(&format!("t={seconds};"));
        let mut names = self.header.names().peekable();
        folded.word("h=");
        while let Some(name) = names.next() {
            folded.piece(name);
            folded.piece(if names.peek().is_some() { ":" } else { ";" });
        }
        folded.word("bh=");
        folded.octets(self.body_hash);
        folded.piece(";");
        folded.word("b=");
        let mut to_sign = self.header.relaxed().to_vec();
        let (name, value) = folded.text.split_once(':').unwrap_or_default();
        let field = Field { name: name.as_bytes(), value: value.as_bytes() };
        HeaderForm::Relaxed.append(field, &mut to_sign);
        to_sign.truncate(to_sign.trim_ascii_end().len());
        UnsignedField { folded, to_sign }
    }
}

impl UnsignedField {
    /// The whole field with its final CRLF.
    pub fn signed(mut self, signature: &[u8]) -> String {
        self.folded.octets(signature);
        self.folded.text + "\r\n"
    }
}

/// A field that is folded as it grows.
#[derive(Clone, Debug)]
struct Folded {
    text: String,
    /// Octets of the last line.
    line: usize,
}

impl Folded {
    fn new(name: &str) -> Self {
        Folded { text: name.to_owned(), line: name.len() }
    }

    /// Adds a tag, behind a blank or on a line of its own.
    fn word(&mut self, word: &str) {
        if self.line + 1 + word.len() > LINE_OCTETS {
            self.fold();
        } else {
            self.text.push(' ');
            self.line += 1;
        }
        self.add(word);
    }

    /// Goes on with a tag, folding before this piece if need be.
    fn piece(&mut self, piece: &str) {
        // A colon or semicolon stays with what is before it.
        if piece.len() > 1 && self.line + piece.len() + 1 > LINE_OCTETS {
            self.fold();
        }
        self.add(piece);
    }

    /// Goes on with octets in Base64.
    fn octets(&mut self, octets: &[u8]) {
        let text = BASE64_STANDARD.encode(octets);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let room = (LINE_OCTETS - 1).saturating_sub(self.line);
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.add(now);
            rest = later;
            if !rest.is_empty() {
                self.fold();
            }
        }
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.line += text.len();
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        self.line = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeaderBlock;

    #[test]
    fn a_field_is_folded_and_says_what_is_to_be_signed() {
        let message = b"From: Bob <bob@corp.example>\r\nSubject:  Hi\r\n\tthere \r\n\r\nBody\r\n";
        let header = SignedHeader::of(&HeaderBlock::of(message)).unwrap();
        let body_hash = BodyHash::of(message);
        let field = SignatureField {
            domain: "corp.example",
            selector: &"s2026".parse().unwrap(),
            algorithm: "rsa-sha256",
            at: Timestamp::from_millis(1_795_255_455_900),
            header: &header,
            body_hash: &body_hash,
        };
        let unsigned = field.unsigned();
        let to_sign = String::from_utf8(unsigned.to_sign.clone()).unwrap();
        assert!(
            to_sign.starts_with("from:Bob <bob@corp.example>\r\nsubject:Hi there\r\ndkim-signature:v=1; a=rsa-sha256;"),
            "{to_sign}"
        );
        assert!(to_sign.ends_with("; b="), "{to_sign}");
        let text = unsigned.signed(&[0xA5; 256]);
        assert!(text.ends_with("\r\n") && text.lines().all(|line| line.len() <= 78), "{text}");
        assert!(text.contains("t=1795255455;"), "{text}");
        let bare: String = text.split_whitespace().collect();
        assert!(
            bare.contains("h=From:From:Reply-To:To:Cc:Subject:Subject:Content-Type:"),
            "{bare}"
        );
        assert!(bare.ends_with(&format!("b={}", BASE64_STANDARD.encode([0xA5; 256]))), "{bare}");
        assert!(!bare.contains("l=") && !bare.contains("x="), "{bare}");
    }
}
