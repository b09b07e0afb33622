//! The trace field we put in front of every message we take over.

use std::net::IpAddr;

use types::{ClientFacts, ForwardPath, Reference, Timestamp};

/// Lines are folded at this length where a blank allows it (RFC 5322 section
/// 2.1.1), in octets without the line end.
const LINE_OCTETS: usize = 78;
/// Longest host name written, in octets (RFC 5321 section 4.5.3.1.2).
const HOST_OCTETS_MAX: usize = 255;

/// What goes into `Received:` (RFC 5321 section 4.4).
#[derive(Clone, Copy, Debug)]
pub struct ReceivedField<'a> {
    /// Whom we took it from.
    pub client: &'a ClientFacts,
    /// Our own host name.
    pub by: &'a str,
    /// Whether SMTPUTF8 was asked for at MAIL (RFC 6531).
    pub utf8: bool,
    /// Under which reference we keep the message.
    pub id: Reference,
    /// The recipient, if there is just one: with more, the field would tell
    /// each of the others (RFC 5321 section 7.2).
    pub recipient: Option<&'a ForwardPath>,
    /// When we took it.
    pub at: Timestamp,
}

impl ReceivedField<'_> {
    /// The field, folded, with its final CRLF.
    ///
    /// What the client said of itself is written only as far as it is made of
    /// the characters of host names: a HELO argument with a line break or a
    /// parenthesis could otherwise write fields or comments of its own.
    pub fn to_text(&self) -> String {
        let mut line = FoldedField::new("Received:");
        self.write_from(&mut line);
        line.word("by");
        line.word(&host(self.by).unwrap_or_else(|altered| altered));
        line.word("with");
        line.word(self.protocol());
        if let Some(tls) = &self.client.tls {
            let plain = |text: &str| host(text).unwrap_or_else(|altered| altered);
            line.word(&format!("({} {})", plain(&tls.version), plain(&tls.cipher)));
        }
        line.word("id");
        match self.recipient.filter(|recipient| self.utf8 || recipient.as_str().is_ascii()) {
            Some(recipient) => {
                line.word(self.id.as_str());
                line.word("for");
                line.word(&format!("<{}>;", recipient.as_str()));
            }
            None => line.word(&format!("{};", self.id)),
        }
        line.unbroken(&self.at.to_rfc5322());
        line.finish()
    }

    /// `from HELO (name [address])`. A HELO argument that is no host name
    /// moves into the comment and the address takes its place.
    fn write_from(&self, line: &mut FoldedField) {
        let address = match self.client.client.ip {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        };
        let name = self.client.host_name.as_deref().and_then(|name| host(name).ok());
        let known = name.map_or_else(|| address.clone(), |name| format!("{name} {address}"));
        line.word("from");
        match self.client.helo.as_deref().map(host) {
            Some(Ok(helo)) => {
                line.word(&helo);
                line.word(&format!("({known})"));
            }
            Some(Err(altered)) if !altered.is_empty() => {
                line.word(&address);
                line.word(&format!("(helo={altered} {known})"));
            }
            _ => {
                line.word(&address);
                line.word(&format!("({known})"));
            }
        }
    }

    /// The protocol keyword (RFC 3848, RFC 6531 section 4.3).
    fn protocol(&self) -> &'static str {
        match (self.client.tls.is_some(), self.utf8, self.client.esmtp) {
            (true, true, _) => "UTF8SMTPS",
            (false, true, _) => "UTF8SMTP",
            // There is no keyword for TLS without extensions; STARTTLS is one.
            (true, false, _) => "ESMTPS",
            (false, false, true) => "ESMTP",
            (false, false, false) => "SMTP",
        }
    }
}

/// The text if it is made of the characters of host names and address
/// literals alone; else the text with the others as `?`, at most 255 long.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let plain: String =
        text.chars().take(HOST_OCTETS_MAX).map(|c| if allowed(c) { c } else { '?' }).collect();
    if !plain.is_empty() && plain == text { Ok(plain) } else { Err(plain) }
}

/// Writes a field word by word and folds before a word that does not fit.
pub(crate) struct FoldedField {
    text: String,
    line_octets: usize,
}

impl FoldedField {
    /// Begins with the name, colon included.
    pub(crate) fn new(name: &str) -> Self {
        FoldedField { text: name.to_owned(), line_octets: name.len() }
    }

    /// Adds the words of `text`, each of which may begin a line.
    pub(crate) fn word(&mut self, text: &str) {
        text.split(' ').for_each(|word| self.unbroken(word));
    }

    /// Adds `text` as a whole.
    pub(crate) fn unbroken(&mut self, text: &str) {
        if self.line_octets + 1 + text.len() > LINE_OCTETS {
            self.text.push_str("\r\n\t");
            // A tab counts as one octet, however wide it is shown.
            self.line_octets = 1 + text.len();
        } else {
            self.text.push(' ');
            self.line_octets += 1 + text.len();
        }
        self.text.push_str(text);
    }

    /// Ends the field.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("\r\n");
        self.text
    }
}
