//! A message that we write to somebody of ours: plain text, in our name, and
//! marked so that no program answers it.

use types::{EmailAddress, Timestamp};

use crate::quoted_printable;

/// Longest subject in characters; the rest is cut off.
const SUBJECT_CHARS_MAX: usize = 200;
/// Longest encoded word, so that a line with the name of the field before it
/// has 76 octets at most (RFC 2047 section 2); and what stands around its text.
const WORD_OCTETS_MAX: usize = 66;
const WORD_BEGIN: &str = "=?utf-8?Q?";
const WORD_END: &str = "?=";

/// A message to one person.
#[derive(Clone, Debug)]
pub struct Notification<'a> {
    /// The name of this server.
    pub host_name: &'a str,
    /// In whose name it is written.
    pub from: &'a EmailAddress,
    /// Whom it goes to.
    pub to: &'a EmailAddress,
    /// The subject; what cannot stand in a field becomes a space.
    pub subject: &'a str,
    /// Makes the Message-ID unique; letters, digits and hyphens of it are used.
    pub unique: &'a str,
    /// When it is written.
    pub at: Timestamp,
    /// The text, lines ending in LF.
    pub text: &'a str,
}

impl Notification<'_> {
    /// It as a message: CRLF line ends, nothing dot-stuffed.
    pub fn to_message(&self) -> Vec<u8> {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let named = |text: &str| text.chars().filter(plain).collect::<String>();
        let mut out = format!("From: Portcullis <{}>\r\n", self.from);
        out.push_str(&format!("To: <{}>\r\n", self.to));
        out.push_str(&format!("Subject: {}\r\n", unstructured(self.subject)));
        out.push_str(&format!("Date: {}\r\n", self.at.to_rfc5322()));
        let (unique, host) = (named(self.unique), named(self.host_name));
        out.push_str(&format!("Message-ID: <{unique}@{host}>\r\n"));
        // RFC 3834 section 5: nobody's vacation notice answers this.
        out.push_str("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
        out.push_str("Content-Type: text/plain; charset=utf-8\r\n");
        out.push_str("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        let text = self.text.replace('\r', " ").replace('\n', "\r\n");
        out.push_str(&quoted_printable::encode(text.as_bytes()));
        if !out.ends_with("\r\n") {
            out.push_str("\r\n");
        }
        out.into_bytes()
    }
}

/// A text as the body of an unstructured field (RFC 5322 section 2.2.1): as
/// it is where it is short and ASCII, in encoded words where not.
fn unstructured(text: &str) -> String {
    let text: String = text
        .chars()
        .take(SUBJECT_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let text = text.trim();
    if text.is_ascii() && !text.contains("=?") && text.len() <= WORD_OCTETS_MAX {
        return text.to_owned();
    }
    let room = WORD_OCTETS_MAX - WORD_BEGIN.len() - WORD_END.len();
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in text.chars() {
        let encoded = encoded(c);
        // A character is never torn apart (RFC 2047 section 5).
        if word.len() + encoded.len() > room {
            words.push(std::mem::take(&mut word));
        }
        word.push_str(&encoded);
    }
    words.push(word);
    let words: Vec<String> =
        words.iter().map(|word| format!("{WORD_BEGIN}{word}{WORD_END}")).collect();
    words.join("\r\n ")
}

/// One character in the Q encoding (RFC 2047 section 4.2).
fn encoded(c: char) -> String {
    match c {
        ' ' => "_".to_owned(),
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => c.encode_utf8(&mut [0; 4]).bytes().map(|octet| format!("={octet:02X}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    /// Writes a message and reads subject and text back.
    fn check(subject: &str, text: &str, read: (&str, &str)) {
        let address = |text: &str| text.parse::<EmailAddress>().unwrap();
        let message = Notification {
            host_name: "mx.corp.example",
            from: &address("postmaster@mx.corp.example"),
            to: &address("ops@corp.example"),
            subject,
            unique: "msg_1>\r\nX: y",
            at: Timestamp::from_millis(1_795_255_400_000),
            text,
        }
        .to_message();
        let written = String::from_utf8(message.clone()).unwrap();
        assert!(written.is_ascii() && written.split("\r\n").all(|line| line.len() <= 78));
        assert!(!written.replace("\r\n", "").contains(['\r', '\n']), "{written}");
        assert!(written.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{written}");
        assert!(written.contains("\r\nMessage-ID: <msg_1Xy@mx.corp.example>\r\n"), "{written}");
        let parsed = MessageParser::new().parse(&message).unwrap();
        assert_eq!(parsed.subject(), Some(read.0));
        assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n"), read.1);
        assert_eq!(parsed.headers().len(), 9, "{written}");
    }

    #[test]
    fn a_message_is_read_back_whatever_it_says() {
        check("5 mails: Rejected", "one\ntwo\n", ("5 mails: Rejected", "one\ntwo\n"));
        check("a\r\nBcc: x@y", "a\r\n.\r\nb\n", ("a  Bcc: x@y", "a \n. \nb\n"));
        let long = "gr\u{fc}n \u{1f4e7} =?utf-8?Q?x?= ".repeat(4);
        check(&long, &long, (long.trim(), &format!("{long}\n")));
    }
}
