//! Reports to the sender of a message that we took over: it could not be
//! delivered, or not yet (RFC 3464 inside RFC 6522).
//!
//! Everything in a report is seven-bit and short-lined, whatever the original
//! was, so that every next hop takes it; the one exception is the To field of
//! a report to an address that is not ASCII itself.

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
                (None, _) => out.push_str(&format!("    Status {}\r\n", status.status)),
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
                field.word(&said.to_string());
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
