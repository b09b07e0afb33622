//! Letters: messages made of a few words, the same for the same seed, and
//! written only when they are sent.

use std::fmt::Write;

use types::Timestamp;

use crate::dice::Dice;
use crate::seal;
use crate::words;

/// How to write one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// What everything drawn follows from.
    pub(crate) seed: u64,
    /// The address in From.
    pub(crate) from: String,
    /// The address in To.
    pub(crate) to: String,
    /// What its subject is like.
    pub(crate) tone: Tone,
    /// What is wrong with it, if anything is.
    pub(crate) flaw: Flaw,
    /// The domain that signs it, if one does.
    pub(crate) signed_by: Option<&'static str>,
}

/// What a letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Business.
    Ordinary,
    /// Nobody asked for it.
    Spam,
    /// A bounce.
    Bounce,
}

/// What is wrong with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing.
    None,
    /// It has so many Received fields.
    Received(u32),
    /// A line ends with LF alone, and behind it stands another envelope.
    BareLf,
    /// A line has so many octets.
    LongLine(usize),
    /// It has an attachment of so many octets.
    Attachment(usize),
}

impl Letter {
    /// Writes the message as of `at`, with CR LF line ends.
    pub(crate) fn write(&self, at: Timestamp) -> Vec<u8> {
        let dice = Dice::new(self.seed);
        let mut text = String::with_capacity(1_024);
        self.write_header(&dice, at, &mut text);
        let boundary = format!("part-{:016x}", dice.seed());
        match self.flaw {
            Flaw::Attachment(octets) => {
                line(&mut text, &format!("Content-Type: multipart/mixed; boundary=\"{boundary}\""));
                line(&mut text, "");
                line(&mut text, &format!("--{boundary}"));
                line(&mut text, "Content-Type: text/plain; charset=utf-8");
                line(&mut text, "");
                body(&dice, &mut text);
                line(&mut text, &format!("--{boundary}"));
                attachment(&dice, octets, &mut text);
                line(&mut text, &format!("--{boundary}--"));
            }
            _ => {
                line(&mut text, "Content-Type: text/plain; charset=utf-8");
                line(&mut text, "Content-Transfer-Encoding: 8bit");
                line(&mut text, "");
                body(&dice, &mut text);
            }
        }
        self.spoil(&mut text);
        if let Some(domain) = self.signed_by {
            let signature = seal::signature(&text, domain).unwrap_or_default();
            if domain == seal::BROKEN && dice.percent(80) {
                line(&mut text, "This line was added on the way.");
            }
            text.insert_str(0, &signature);
        }
        text.into_bytes()
    }

    fn write_header(&self, dice: &Dice, at: Timestamp, text: &mut String) {
        if let Flaw::Received(times) = self.flaw {
            for turn in 0..times {
                let (from, by) = if turn % 2 == 0 { ("a", "b") } else { ("b", "a") };
                let date = at.to_rfc5322();
                line(
                    text,
                    &format!(
                        "Received: from {from}.forwarder.example by {by}.forwarder.example; {date}"
                    ),
                );
            }
        }
        line(text, &format!("Date: {}", at.to_rfc5322()));
        line(text, &format!("From: {} <{}>", phrase(dice.word(words::NAMES)), self.from));
        line(text, &format!("To: <{}>", self.to));
        let subject = self.subject(dice);
        if !subject.is_empty() {
            line(text, &format!("Subject: {}", encoded(&subject)));
        }
        let domain = self.from.rsplit('@').next().unwrap_or("localhost");
        line(text, &format!("Message-ID: <{:016x}@{domain}>", dice.seed()));
        line(text, "MIME-Version: 1.0");
    }

    fn subject(&self, dice: &Dice) -> String {
        let number = dice.between(100, 99_999).to_string();
        let template = match self.tone {
            Tone::Bounce => "Undelivered Mail Returned to Sender",
            _ if dice.percent(3) => dice.word(words::HOSTILE_SUBJECTS),
            Tone::Ordinary => dice.word(words::SUBJECTS),
            Tone::Spam => dice.word(words::SPAM_SUBJECTS),
        };
        template.replace('#', &number)
    }

    fn spoil(&self, text: &mut String) {
        match self.flaw {
            Flaw::BareLf => text.push_str(
                "before\n.\r\nMAIL FROM:<boss@corp.example>\r\nRCPT TO:<ann@corp.example>\r\n",
            ),
            Flaw::LongLine(octets) => {
                text.extend(std::iter::repeat_n('x', octets));
                text.push_str("\r\n");
            }
            Flaw::None | Flaw::Received(_) | Flaw::Attachment(_) => {}
        }
    }
}

fn line(text: &mut String, content: &str) {
    text.push_str(content);
    text.push_str("\r\n");
}

fn body(dice: &Dice, text: &mut String) {
    for _ in 0..dice.between(2, 24) {
        line(text, dice.word(words::SENTENCES));
    }
}

fn attachment(dice: &Dice, octets: usize, text: &mut String) {
    const LINE_OCTETS: usize = 76;
    line(text, "Content-Type: application/pdf");
    line(text, "Content-Disposition: attachment; filename=\"curriculum vitae.pdf\"");
    line(text, "Content-Transfer-Encoding: base64");
    line(text, "");
    let mut row = String::new();
    while row.len() < LINE_OCTETS {
        let _ = write!(row, "{:016x}", dice.seed());
    }
    row.truncate(LINE_OCTETS);
    for _ in 0..octets / (LINE_OCTETS + 2) {
        line(text, &row);
    }
}

/// A display name, quoted or encoded as RFC 5322 section 3.2.5 wants it.
fn phrase(name: &str) -> String {
    if name.is_ascii() { format!("\"{name}\"") } else { encoded(name) }
}

/// Text of a header field: as it is, or as encoded words of RFC 2047 if it
/// goes beyond printable ASCII.
fn encoded(text: &str) -> String {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return text.to_owned();
    }
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        // 45 octets become 60 of base64, and with `=?utf-8?B??=` 72 of the 75
        // that a word may have.
        if words.last().is_some_and(|word| word.len() + c.len_utf8() > 45) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    let word = |word: String| format!("=?utf-8?B?{}?=", base64(word.as_bytes()));
    words.into_iter().map(word).collect::<Vec<_>>().join("\r\n ")
}

/// Base64 with padding (RFC 4648 section 4).
pub(crate) fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let octet = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for place in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            let digit = ALPHABET.get(digit).copied().map_or('=', char::from);
            text.push(if place > group.len() { '=' } else { digit });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(seed: u64, flaw: Flaw) -> Letter {
        Letter {
            seed,
            from: "ann@sender.example".into(),
            to: "bob@corp.example".into(),
            tone: Tone::Ordinary,
            flaw,
            signed_by: None,
        }
    }

    #[test]
    fn the_same_seed_writes_the_same_letter() {
        let at = Timestamp::from_millis(1_795_000_000_000);
        for flaw in [Flaw::None, Flaw::Received(26), Flaw::Attachment(70_000)] {
            assert_eq!(letter(5, flaw).write(at), letter(5, flaw).write(at));
            assert_ne!(letter(5, flaw).write(at), letter(6, flaw).write(at));
        }
    }

    #[test]
    fn lines_end_with_cr_lf_unless_that_is_the_flaw() {
        let bare = |text: &str| text.replace("\r\n", "").contains(['\r', '\n']);
        for seed in 0..200 {
            let text = String::from_utf8(letter(seed, Flaw::None).write(Timestamp::EPOCH)).unwrap();
            assert!(!bare(&text) && text.ends_with("\r\n"), "{text}");
            let header = text.split("\r\n\r\n").next().unwrap();
            assert!(header.is_ascii() && header.lines().all(|line| line.len() < 200), "{header}");
        }
        let text = String::from_utf8(letter(1, Flaw::BareLf).write(Timestamp::EPOCH)).unwrap();
        assert!(bare(&text));
        let long = letter(1, Flaw::LongLine(3_000)).write(Timestamp::EPOCH);
        assert!(long.len() > 3_000);
    }

    #[test]
    fn words_are_encoded_as_rfc_4648_has_them() {
        for (plain, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), expected);
        }
        assert_eq!(encoded("plain"), "plain");
        assert_eq!(encoded("né"), "=?utf-8?B?bsOp?=");
    }
}
