//! Reports to the sender of a message that we took over: it could not be
//! delivered, or not yet (RFC 3464 inside RFC 6522).
//!
//! Everything in a report is seven-bit and short-lined, whatever the original
//! was, so that every next hop takes it; the exceptions are the From and To
//! fields where those addresses themselves are not ASCII.

use std::fmt::Write;

use types::{EmailAddress, EnhancedCode, ForwardPath, Quoted, Timestamp};

use crate::header::HeaderBlock;
use crate::quoted_printable;
use crate::trace::{FoldedField, host};

/// Octets of the original header that go back at most.
pub const ORIGINAL_HEADER_OCTETS_MAX: usize = 16 * 1024;
/// Recipients named in the text that people read; all of them are in the
/// part that programs read.
const RECIPIENTS_IN_TEXT_MAX: usize = 20;
/// Longest line sent as it is (RFC 5321 section 4.5.3.1.6: 998 and the line
/// end), in octets.
const LINE_OCTETS_MAX: usize = 998;

/// What is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// We have given up.
    Failed,
    /// We are still trying.
    Delayed {
        /// Until when.
        retry_until: Timestamp,
    },
}

/// A report about one message. Only what was sent with a reverse-path can be
/// reported on: answering the null reverse-path would make two servers answer
/// each other for ever (RFC 5321 section 4.5.5), so the type asks for an
/// address. The report itself is sent with the null reverse-path.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryStatus<'a> {
    /// Which report.
    pub report: Report,
    /// Our own host name.
    pub reporting_mta: &'a str,
    /// Whom people can write to about us; named in From.
    pub postmaster: &'a EmailAddress,
    /// The reverse-path of the message.
    pub to: &'a EmailAddress,
    /// Letters, digits and hyphens unique to this report, such as an event
    /// id; Message-ID and boundary are made from it.
    pub unique: &'a str,
    /// When the report is made.
    pub at: Timestamp,
    /// When we took the message over.
    pub arrived: Timestamp,
    /// Whom it could not be delivered to; at least one.
    pub recipients: &'a [RecipientStatus<'a>],
    /// The message, or as much of its beginning as is at hand. Its header
    /// goes back, cut at [`ORIGINAL_HEADER_OCTETS_MAX`].
    pub original: &'a [u8],
}

/// What became of one recipient.
#[derive(Clone, Copy, Debug)]
pub struct RecipientStatus<'a> {
    /// The recipient as given to us.
    pub recipient: &'a ForwardPath,
    /// What is wrong, by class and detail (RFC 3463).
    pub status: EnhancedCode,
    /// What the next hop said last, if it said anything.
    pub diagnostic: Option<&'a Quoted>,
    /// Why it was not asked, in our words, where that is for the sender to know.
    pub note: Option<&'a Quoted>,
    /// The next hop that said it.
    pub remote_mta: Option<&'a str>,
    /// When it was last tried.
    pub last_attempt: Option<Timestamp>,
}

impl DeliveryStatus<'_> {
    /// The report as a message: CRLF line ends, nothing dot-stuffed.
    pub fn to_message(&self) -> Vec<u8> {
        let boundary = format!("=_{}", token(self.unique));
        let mut out = self.header(&boundary);
        part(&mut out, &boundary, "text/plain; charset=utf-8", self.text().as_bytes());
        part(&mut out, &boundary, "message/delivery-status", self.status_fields().as_bytes());
        part(&mut out, &boundary, "text/rfc822-headers", self.original_header());
        out.push_str(&format!("--{boundary}--\r\n"));
        out.into_bytes()
    }

    fn header(&self, boundary: &str) -> String {
        let mta = self.mta();
        let subject = match self.report {
            Report::Failed => "Your message could not be delivered",
            Report::Delayed { .. } => "Your message is delayed",
        };
        let mut out = format!("From: Mail Delivery System <{}>\r\n", self.postmaster);
        out.push_str(&format!("To: <{}>\r\n", self.to));
        out.push_str(&format!("Subject: {subject}\r\n"));
        out.push_str(&format!("Date: {}\r\n", self.at.to_rfc5322()));
        out.push_str(&format!("Message-ID: <{}@{mta}>\r\n", token(self.unique)));
        if let Some(id) = self.original_message_id() {
            // RFC 3834 section 3.1.5: so that it is shown with what it answers.
            out.push_str(&format!("In-Reply-To: {id}\r\nReferences: {id}\r\n"));
        }
        // RFC 3834 section 5: nobody's vacation notice answers this.
        out.push_str("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
        out.push_str("Content-Type: multipart/report; report-type=delivery-status;\r\n");
        out.push_str(&format!("\tboundary=\"{boundary}\"\r\n\r\n"));
        out
    }

    fn mta(&self) -> String {
        host(self.reporting_mta).unwrap_or_else(|altered| altered)
    }

    /// The identifier of the original, if it is one that can be repeated.
    fn original_message_id(&self) -> Option<String> {
        let field = HeaderBlock::of(self.original).all("Message-ID").next()?;
        let id = std::str::from_utf8(field.value).ok()?.trim();
        let inner = id.strip_prefix('<')?.strip_suffix('>')?;
        let plain = |c: char| c.is_ascii_graphic() && c != '<' && c != '>';
        (inner.len() <= 250 && inner.contains('@') && inner.chars().all(plain))
            .then(|| id.to_owned())
    }

    /// What a person reads.
    fn text(&self) -> String {
        let mta = self.mta();
        let mut out = format!("This is the mail server {mta}.\r\n\r\n");
        out.push_str(match self.report {
            Report::Failed => {
                "Your message could not be delivered to the recipients below. It will not\r\n\
                 be tried again.\r\n"
            }
            Report::Delayed { .. } => {
                "Your message could not yet be delivered to the recipients below. There is\r\n\
                 nothing you need to do: it will be tried again.\r\n"
            }
        });
        for status in self.recipients.iter().take(RECIPIENTS_IN_TEXT_MAX) {
            out.push_str(&format!("\r\n  {}\r\n", status.recipient.as_str()));
            match (status.diagnostic, status.remote_mta.map(host)) {
                (Some(said), Some(Ok(remote) | Err(remote))) => {
                    out.push_str(&format!("    {remote} answered: {said}\r\n"));
                }
                (Some(said), None) => out.push_str(&format!("    The answer was: {said}\r\n")),
                (None, _) => match status.note {
                    Some(note) => out.push_str(&format!("    {note}\r\n")),
                    None => out.push_str(&format!("    Status {}\r\n", status.status)),
                },
            }
        }
        if let more @ 1.. = self.recipients.len().saturating_sub(RECIPIENTS_IN_TEXT_MAX) {
            out.push_str(&format!("\r\n  and {more} more, see the attached report\r\n"));
        }
        out.push_str(&format!(
            "\r\nWe took the message over on {}.\r\n",
            self.arrived.to_rfc5322()
        ));
        if let Report::Delayed { retry_until } = self.report {
            out.push_str(&format!("It is tried until {}.\r\n", retry_until.to_rfc5322()));
        }
        out.push_str(&format!("Questions? Write to {}.\r\n", self.postmaster));
        out
    }

    /// What a program reads (RFC 3464 section 2).
    fn status_fields(&self) -> String {
        let mut out = format!("Reporting-MTA: dns; {}\r\n", self.mta());
        out.push_str(&format!("Arrival-Date: {}\r\n", self.arrived.to_rfc5322()));
        for status in self.recipients {
            out.push_str("\r\n");
            let recipient = typed_address(status.recipient.as_str());
            out.push_str(&format!("Final-Recipient: {recipient}\r\n"));
            out.push_str(match self.report {
                Report::Failed => "Action: failed\r\n",
                Report::Delayed { .. } => "Action: delayed\r\n",
            });
            out.push_str(&format!("Status: {}\r\n", status.status));
            if let Some(Ok(remote) | Err(remote)) = status.remote_mta.map(host) {
                out.push_str(&format!("Remote-MTA: dns; {remote}\r\n"));
            }
            if let Some(said) = status.diagnostic {
                let mut field = FoldedField::new("Diagnostic-Code: smtp;");
                said.to_string().split(' ').for_each(|word| field.clause(&[word]));
                out.push_str(&field.finish());
            }
            if let Some(at) = status.last_attempt {
                out.push_str(&format!("Last-Attempt-Date: {}\r\n", at.to_rfc5322()));
            }
            if let Report::Delayed { retry_until } = self.report {
                out.push_str(&format!("Will-Retry-Until: {}\r\n", retry_until.to_rfc5322()));
            }
        }
        out
    }

    /// The header of the original as far as it goes back, whole lines only
    /// where the limit cuts it.
    fn original_header(&self) -> &[u8] {
        let header = HeaderBlock::of(self.original).octets();
        let Some(cut) = header.get(..ORIGINAL_HEADER_OCTETS_MAX) else { return header };
        let end = memchr::memrchr(b'\n', cut).map_or(cut.len(), |feed| feed + 1);
        cut.get(..end).unwrap_or(cut)
    }
}

/// One part: as it is if every line is short and plain, else encoded.
fn part(out: &mut String, boundary: &str, media_type: &str, content: &[u8]) {
    out.push_str(&format!("--{boundary}\r\nContent-Type: {media_type}\r\n"));
    match std::str::from_utf8(content).ok().filter(|text| is_plain(text, boundary)) {
        Some(text) => out.push_str(&format!("\r\n{text}\r\n")),
        None => {
            out.push_str("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
            out.push_str(&quoted_printable::encode(content));
            out.push_str("\r\n");
        }
    }
}

/// Whether text can be sent as it is: ASCII, lines that end in CRLF and are
/// short enough, and none that looks like the end of the part.
fn is_plain(text: &str, boundary: &str) -> bool {
    let character = |c: char| c == '\t' || c == ' ' || c.is_ascii_graphic();
    !text.contains(boundary)
        && text
            .split("\r\n")
            .all(|line| line.len() <= LINE_OCTETS_MAX && line.chars().all(character))
}

/// The address with its type: `rfc822` or, where it is not ASCII, `utf-8`
/// with the other characters in hexadecimal (RFC 6533 section 3).
fn typed_address(address: &str) -> String {
    if address.is_ascii() {
        return format!("rfc822; {address}");
    }
    let mut out = String::from("utf-8; ");
    for c in address.chars() {
        if c.is_ascii_graphic() && !matches!(c, '\\' | '+' | '=') {
            out.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{{{:02X}}}", u32::from(c));
        }
    }
    out
}

/// What of `text` may stand in a boundary and an identifier.
fn token(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::{Message, MessageParser};

    const ORIGINAL: &[u8] =
        b"From: ann@sender.example\r\nMessage-ID: <m1@sender.example>\r\n\r\nsecret body";

    /// Builds a report on `recipients` with the rest fixed and hands text and
    /// parse to `look`.
    fn check(
        report: Report,
        recipients: &[RecipientStatus<'_>],
        original: &[u8],
        look: impl FnOnce(&str, &Message<'_>),
    ) {
        let (postmaster, to) = ("postmaster@corp.example", "ann@sender.example");
        let message = DeliveryStatus {
            report,
            reporting_mta: "mx.corp.example",
            postmaster: &postmaster.parse().unwrap(),
            to: &to.parse().unwrap(),
            unique: "0193-abc",
            at: Timestamp::from_millis(1_795_255_455_900),
            arrived: Timestamp::from_millis(1_795_255_000_000),
            recipients,
            original,
        }
        .to_message();
        let text = std::str::from_utf8(&message).unwrap();
        assert!(text.split("\r\n").all(|l| l.len() <= 998 && !l.contains(['\r', '\n'])), "{text}");
        look(text, &MessageParser::new().parse(&message).unwrap());
    }

    fn part_text(message: &Message<'_>, number: usize) -> String {
        let part = message.parts().nth(number).unwrap();
        String::from_utf8_lossy(&part.decoded()).into_owned()
    }

    fn address(text: &str) -> ForwardPath {
        ForwardPath::Address(text.parse().unwrap())
    }

    #[test]
    fn a_failure_reads_back_as_a_delivery_status_report() {
        let bob = address("bob@corp.example");
        let said = Quoted::new(Some(550), Some(EnhancedCode(5, 1, 1)), "No such user\r\nBcc: x");
        let status = RecipientStatus {
            recipient: &bob,
            status: EnhancedCode(5, 1, 1),
            diagnostic: Some(&said),
            note: None,
            remote_mta: Some("hop.corp.example"),
            last_attempt: Some(Timestamp::from_millis(1_795_255_400_000)),
        };
        check(Report::Failed, &[status], ORIGINAL, |text, message| {
            assert!(text.is_ascii());
            let content_type = message.content_type().unwrap();
            assert_eq!(content_type.subtype(), Some("report"));
            assert_eq!(content_type.attribute("report-type"), Some("delivery-status"));
            assert!(text.contains("\r\nAuto-Submitted: auto-replied\r\n"));
            assert_eq!(message.message_id(), Some("0193-abc@mx.corp.example"));
            assert!(text.contains("\r\nIn-Reply-To: <m1@sender.example>\r\n"));
            assert!(part_text(message, 1).contains("hop.corp.example answered: 550 5.1.1 No such"));
            assert_eq!(
                part_text(message, 2).trim_end(),
                "Reporting-MTA: dns; mx.corp.example\r\n\
                 Arrival-Date: Sat, 21 Nov 2026 09:56:40 +0000\r\n\r\n\
                 Final-Recipient: rfc822; bob@corp.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
                 Remote-MTA: dns; hop.corp.example\r\n\
                 Diagnostic-Code: smtp; 550 5.1.1 No such user  Bcc: x\r\n\
                 Last-Attempt-Date: Sat, 21 Nov 2026 10:03:20 +0000"
            );
            assert!(part_text(message, 3).contains("From: ann@sender.example"));
            assert!(!text.contains("secret body"));
        });
    }

    #[test]
    fn a_delay_says_until_when_it_is_tried_and_why_it_was_not_taken() {
        let bob = address("bob@corp.example");
        let note = Quoted::new(None, None, "it does not offer TLS\r\nBcc: x");
        let status = RecipientStatus {
            recipient: &bob,
            status: EnhancedCode(4, 4, 1),
            diagnostic: None,
            note: Some(&note),
            remote_mta: None,
            last_attempt: None,
        };
        let retry_until = Timestamp::from_millis(1_795_600_000_000);
        check(Report::Delayed { retry_until }, &[status], ORIGINAL, |_, message| {
            let fields = part_text(message, 2);
            assert!(fields.contains("Action: delayed\r\nStatus: 4.4.1\r\n"));
            assert!(fields.contains("Will-Retry-Until: Wed, 25 Nov 2026 09:46:40 +0000"));
            assert_eq!(message.subject(), Some("Your message is delayed"));
            assert!(part_text(message, 1).contains("\r\n    it does not offer TLS  Bcc: x\r\n"));
        });
    }

    #[test]
    fn addresses_and_headers_that_are_not_ascii_stay_seven_bit() {
        let bob = address("b\u{fc}b@corp.example");
        let status = RecipientStatus {
            recipient: &bob,
            status: EnhancedCode(5, 6, 7),
            diagnostic: None,
            note: None,
            remote_mta: Some("h\u{f6}p evil"),
            last_attempt: None,
        };
        let original = "Subject: gr\u{fc}n\r\nX: \0\u{1b}\r\nMessage-ID: <a\nb@c>\r\n\r\n";
        check(Report::Failed, &[status], original.as_bytes(), |text, message| {
            assert!(text.is_ascii());
            assert!(text.contains(r"Final-Recipient: utf-8; b\x{FC}b@corp.example"));
            assert!(text.contains("Remote-MTA: dns; h?p?evil"));
            assert!(!text.contains("In-Reply-To"));
            assert!(part_text(message, 1).contains("b\u{fc}b@corp.example"));
            assert!(part_text(message, 3).starts_with("Subject: gr\u{fc}n\r\n"));
        });
    }

    #[test]
    fn a_hostile_original_goes_back_cut_and_cannot_end_its_part() {
        let bob = address("bob@corp.example");
        let status = RecipientStatus {
            recipient: &bob,
            status: EnhancedCode(5, 0, 0),
            diagnostic: None,
            note: None,
            remote_mta: None,
            last_attempt: None,
        };
        let statuses = vec![status; 500];
        let original = format!("A: 1\r\n--=_0193-abc--\r\nB: {}\r\n", "x".repeat(4 << 20));
        check(Report::Failed, &statuses, original.as_bytes(), |text, message| {
            assert!(text.len() < 120_000);
            assert_eq!(message.parts().count(), 4);
            assert_eq!(part_text(message, 3).trim_end(), "A: 1\r\n--=_0193-abc--");
            assert!(part_text(message, 1).contains("and 480 more"));
        });
    }
}
