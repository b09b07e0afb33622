//! Small messages for tests, one line per thing that matters.

use types::Timestamp;

/// Builds a message. What is not said has a harmless default.
///
/// ```
/// let mail = testkit::Mail::new("ann@sender.example", "bob@corp.example").subject("Lunch");
/// assert!(mail.to_text().starts_with("From: ann@sender.example\r\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Mail {
    fields: Vec<(String, String)>,
    body: String,
}

impl Mail {
    /// A short message between these two, with the fields RFC 5322
    /// section 3.6 asks for.
    pub fn new(from: &str, to: &str) -> Self {
        let mail = Mail { fields: Vec::new(), body: "Hello.\r\n".to_owned() };
        mail.field("From", from).field("To", to).at(Timestamp::from_millis(1_767_603_600_000))
    }

    /// Adds a field; one of the same name is replaced, unless it may stand
    /// there more than once.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        if !name.eq_ignore_ascii_case("received") {
            self.fields.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        }
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the subject.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        self.field("Subject", subject)
    }

    /// Sets the date.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        self.field("Date", &at.to_rfc5322())
    }

    /// Sets the Message-ID, without its angle brackets.
    #[must_use]
    pub fn message_id(self, id: &str) -> Self {
        self.field("Message-ID", &format!("<{id}>"))
    }

    /// Adds this many Received fields, as if it had come that far.
    #[must_use]
    pub fn hops(mut self, hops: usize) -> Self {
        for hop in 0..hops {
            self = self.field("Received", &format!("from hop{hop}.example by next.example"));
        }
        self
    }

    /// Sets the body; lines may end with LF alone here.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = body.lines().flat_map(|line| [line, "\r\n"]).collect();
        self
    }

    /// Fills the body with lines until the message has at least this size.
    #[must_use]
    pub fn octets(mut self, octets: usize) -> Self {
        const LINE: &str = "All work and no play makes Jack a dull boy, says the proverb.\r\n";
        self.body.clear();
        let missing = octets.saturating_sub(self.to_text().len());
        self.body = LINE.repeat(missing.div_ceil(LINE.len()));
        self
    }

    /// The message, CR LF at each line end, no dot doubled.
    pub fn to_text(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        fields.collect::<String>() + "\r\n" + &self.body
    }

    /// The message as DATA carries it: dots doubled, the final dot behind it
    /// (RFC 5321 section 4.5.2).
    pub fn to_data(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        for line in self.to_text().split_inclusive("\r\n") {
            if line.starts_with('.') {
                wire.push(b'.');
            }
            wire.extend_from_slice(line.as_bytes());
        }
        wire.extend_from_slice(b".\r\n");
        wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_size_and_the_dots_it_was_told() {
        let mail = Mail::new("ann@sender.example", "bob@corp.example").octets(5_000);
        assert!((5_000..5_100).contains(&mail.to_text().len()));
        let dots = Mail::new("ann@sender.example", "bob@corp.example").body(".\n..x\n");
        let wire = String::from_utf8(dots.to_data()).unwrap();
        assert!(wire.ends_with("\r\n\r\n..\r\n...x\r\n.\r\n"), "{wire}");
        assert_eq!(dots.hops(3).to_text().matches("Received:").count(), 3);
    }
}
