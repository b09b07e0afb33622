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
    /// Whether the client proved who it is by AUTH (RFC 4954).
    pub authenticated: bool,
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
        let plain = |text: &str| host(text).unwrap_or_else(|altered| altered);
        let mut field = FoldedField::new("Received:");
        let (name, known) = self.from();
        field.clause(&["from", &name, &known]);
        let tls = self.client.tls.as_ref();
        let tls = tls.map(|tls| format!("({} {})", plain(&tls.version), plain(&tls.cipher)));
        let by = plain(self.by);
        let by = ["by", &by, "with", self.protocol()];
        field.clause(&by.into_iter().chain(tls.as_deref()).collect::<Vec<_>>());
        match self.recipient.filter(|recipient| self.utf8 || recipient.as_str().is_ascii()) {
            Some(recipient) => {
                field.clause(&[
                    "id",
                    self.id.as_str(),
                    "for",
                    &format!("<{}>;", recipient.as_str()),
                ]);
            }
            None => field.clause(&["id", &format!("{};", self.id)]),
        }
        field.clause(&[&self.at.to_rfc5322()]);
        field.finish()
    }

    /// Name and comment of the client: `HELO` and `(name [address])`. A HELO
    /// argument that is no host name moves into the comment and the address
    /// takes its place.
    fn from(&self) -> (String, String) {
        let address = match self.client.client.ip {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        };
        let name = self.client.host_name.as_deref().and_then(|name| host(name).ok());
        let known = name.map_or_else(|| address.clone(), |name| format!("{name} {address}"));
        match self.client.helo.as_deref().map(host) {
            Some(Ok(helo)) => (helo, format!("({known})")),
            Some(Err(altered)) if !altered.is_empty() => {
                (address, format!("(helo={altered} {known})"))
            }
            _ => (address, format!("({known})")),
        }
    }

    /// The protocol keyword (RFC 3848, RFC 6531 section 4.3).
    fn protocol(&self) -> &'static str {
        match (self.client.tls.is_some(), self.utf8, self.client.esmtp) {
            // AUTH is offered inside TLS alone.
            (_, true, _) if self.authenticated => "UTF8SMTPSA",
            (_, false, _) if self.authenticated => "ESMTPSA",
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

/// Writes a field and folds it where a line would become too long.
pub(crate) struct FoldedField {
    text: String,
    /// Octets on the present line; 0 just after a fold.
    line_octets: usize,
}

impl FoldedField {
    /// Begins with the name, colon included.
    pub(crate) fn new(name: &str) -> Self {
        FoldedField { text: name.to_owned(), line_octets: name.len() }
    }

    /// Adds words that belong together: on one line if they fit on one.
    pub(crate) fn clause(&mut self, words: &[&str]) {
        let octets = words.iter().map(|word| word.len() + 1).sum();
        if octets <= LINE_OCTETS {
            self.make_room(octets);
        }
        for word in words {
            self.make_room(word.len() + 1);
            self.text.push(if self.line_octets == 0 { '\t' } else { ' ' });
            self.text.push_str(word);
            self.line_octets += 1 + word.len();
        }
    }

    /// Adds words on a line of their own, and on more where one is too short.
    pub(crate) fn line(&mut self, words: &[String]) {
        self.text.push_str("\r\n");
        self.line_octets = 0;
        words.iter().for_each(|word| self.clause(&[word]));
    }

    fn make_room(&mut self, octets: usize) {
        if self.line_octets > 0 && self.line_octets + octets > LINE_OCTETS {
            self.text.push_str("\r\n");
            self.line_octets = 0;
        }
    }

    /// Ends the field.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("\r\n");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use types::{Client, QueueId, TlsFacts};

    fn client() -> ClientFacts {
        ClientFacts {
            client: Client {
                ip: "192.0.2.7".parse().unwrap(),
                port: 4025,
                listener: "x".into(),
                direction: Default::default(),
            },
            host_name: Some("mail.sender.example".into()),
            helo: Some("mail.sender.example".into()),
            esmtp: true,
            tls: None,
        }
    }

    fn tls() -> Option<TlsFacts> {
        let (version, cipher) = ("TLSv1.3".into(), "TLS13_AES_256_GCM_SHA384".into());
        Some(TlsFacts { version, cipher })
    }

    fn field<'a>(client: &'a ClientFacts, recipient: Option<&'a ForwardPath>) -> ReceivedField<'a> {
        let id = QueueId::from_bytes([0x5A; 16]).reference();
        let at = Timestamp::from_millis(1_795_255_455_900);
        let (by, authenticated, utf8) = ("mx.corp.example", false, false);
        ReceivedField { client, by, authenticated, utf8, id, recipient, at }
    }

    #[test]
    fn a_field_names_client_protocol_identifier_and_time() {
        let client = ClientFacts { tls: tls(), ..client() };
        let bob = ForwardPath::Address("bob@corp.example".parse().unwrap());
        assert_eq!(
            field(&client, Some(&bob)).to_text(),
            "Received: from mail.sender.example (mail.sender.example [192.0.2.7])\r\n\
             \tby mx.corp.example with ESMTPS (TLSv1.3 TLS13_AES_256_GCM_SHA384)\r\n\
             \tid MPJTB9D5MPJT for <bob@corp.example>; Sat, 21 Nov 2026 10:04:15 +0000\r\n"
        );
    }

    #[test]
    fn the_protocol_keyword_is_a_registered_one() {
        for (tls_on, utf8, esmtp, keyword) in [
            (false, false, false, " SMTP "),
            (false, false, true, " ESMTP "),
            (true, false, true, " ESMTPS "),
            (false, true, true, " UTF8SMTP "),
            (true, true, true, " UTF8SMTPS "),
        ] {
            let client = ClientFacts { tls: tls().filter(|_| tls_on), esmtp, ..client() };
            let text = ReceivedField { utf8, ..field(&client, None) }.to_text();
            assert!(text.replace("\r\n\t", " ").contains(keyword), "{text}");
        }
    }

    #[test]
    fn whoever_proved_himself_sent_with_esmtpsa() {
        let client = ClientFacts { tls: tls(), ..client() };
        for (utf8, keyword) in [(false, " ESMTPSA "), (true, " UTF8SMTPSA ")] {
            let field = ReceivedField { utf8, authenticated: true, ..field(&client, None) };
            let text = field.to_text().replace("\r\n\t", " ");
            assert!(text.contains(keyword), "{text}");
        }
    }

    #[test]
    fn a_hostile_helo_can_write_neither_field_nor_comment() {
        for helo in [
            "x\r\nBcc: all@corp.example",
            "x) by real.example (",
            "x\\",
            "mail sender",
            "",
            "\u{fc}ml\u{e4}ut",
            "from;",
            &"(".repeat(5_000),
        ] {
            let helo: Option<Arc<str>> = Some(helo.into());
            let client = ClientFacts { helo, host_name: None, ..client() };
            let text = field(&client, None).to_text();
            assert!(text.starts_with("Received: from [192.0.2.7]"), "{text}");
            let lines: Vec<_> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
            assert!(lines[1..].iter().all(|line| line.starts_with('\t')), "{text}");
            assert_eq!((text.matches('(').count(), text.matches(')').count()), (1, 1), "{text}");
            assert_eq!(text.matches(';').count(), 1, "{text}");
            assert!(text.is_ascii() && text.len() < 800);
        }
    }

    #[test]
    fn an_ipv6_client_without_name_or_helo_is_its_address() {
        let mut client = ClientFacts { helo: None, host_name: None, ..client() };
        client.client.ip = "2001:db8::1".parse().unwrap();
        let text = field(&client, None).to_text();
        assert!(
            text.starts_with("Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])"),
            "{text}"
        );
    }

    #[test]
    fn a_utf8_recipient_is_named_only_in_a_utf8_transaction() {
        let client = client();
        let recipient = ForwardPath::Address("用户@corp.example".parse().unwrap());
        let plain = field(&client, Some(&recipient));
        assert!(!plain.to_text().contains("for"));
        assert!(ReceivedField { utf8: true, ..plain }.to_text().contains("<用户@corp.example>;"));
    }
}
