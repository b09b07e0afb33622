//! The public half of a refusal: what goes over the wire.
//!
//! A [`Reply`] can be made from fixed text and from typed parameters only, so
//! no list content, no path and no error of ours can reach a socket.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Reference;

/// An enhanced status code: class, subject, detail (RFC 3463 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl std::str::FromStr for EnhancedCode {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut part = || parts.next().and_then(|digits| digits.parse::<u16>().ok()).ok_or(());
        let code = EnhancedCode(u8::try_from(part()?).map_err(|_| ())?, part()?, part()?);
        let known_class = matches!(code.0, 2 | 4 | 5) && code.1 < 1_000 && code.2 < 1_000;
        if known_class && parts.next().is_none() { Ok(code) } else { Err(()) }
    }
}

/// One SMTP reply: a code and text that fit on one line of 512 octets
/// (RFC 5321 section 4.5.3.1.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reply {
    /// Three digits, 200 to 559.
    pub code: u16,
    /// The enhanced status code, where the reply has one (RFC 2034).
    pub enhanced: Option<EnhancedCode>,
    /// ASCII text without CR or LF.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply of the protocol itself, with fixed text.
    pub const fn fixed(code: u16, enhanced: Option<EnhancedCode>, text: &'static str) -> Self {
        Reply { code, enhanced, text: Cow::Borrowed(text) }
    }

    /// The reply to a message that was taken over; the reference leads to its
    /// event, as that of a refusal does.
    pub fn accepted(reference: Reference) -> Self {
        Reply {
            code: 250,
            enhanced: Some(EnhancedCode(2, 0, 0)),
            text: Cow::Owned(format!("Message accepted [ref {reference}]")),
        }
    }

    /// The same reply with what leads back to its event: reference and
    /// address of the explanation page.
    #[must_use]
    pub fn referring(self, parameters: &ReplyParameters<'_>) -> Self {
        Reply { text: sentence(&self.text, parameters), ..self }
    }

    /// Whether the reply refuses for good.
    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// Whether the reply asks to come back later.
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Whether the reply is a yes.
    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.enhanced {
            Some(enhanced) => write!(f, "{} {} {}", self.code, enhanced, self.text),
            None => write!(f, "{} {}", self.code, self.text),
        }
    }
}

/// Somebody else's answer that we pass on: a next hop's reply or a block
/// list's explanation. ASCII, at most [`Quoted::OCTETS_MAX`], no CR or LF.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Quoted {
    /// The code they gave; used only if its class is that of our reason.
    pub code: Option<u16>,
    /// Their enhanced code; used under the same condition.
    pub enhanced: Option<EnhancedCode>,
    text: String,
}

impl Quoted {
    /// Longest text that is passed on, in octets, so that text, reference
    /// and address of the explanation page stay on one line.
    pub const OCTETS_MAX: usize = 200;

    /// Takes `text` from outside: what is not printable ASCII becomes `?`,
    /// line breaks become blanks, the end is cut.
    pub fn new(code: Option<u16>, enhanced: Option<EnhancedCode>, text: &str) -> Self {
        let plain = |c: char| match c {
            '\r' | '\n' | '\t' => ' ',
            ' '..='~' => c,
            _ => '?',
        };
        let text = text.trim().chars().take(Self::OCTETS_MAX).map(plain).collect();
        Quoted { code, enhanced, text }
    }

    /// The cleaned text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code {
            write!(f, "{code} ")?;
        }
        if let Some(enhanced) = self.enhanced {
            write!(f, "{enhanced} ")?;
        }
        f.write_str(&self.text)
    }
}

/// All that may vary in a reply of the reason table.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplyParameters<'a> {
    /// In how many seconds a retry passes.
    pub retry_in_s: Option<u64>,
    /// What leads back to the verdict record.
    pub reference: Option<Reference>,
    /// What somebody else answered.
    pub quoted: Option<&'a Quoted>,
    /// Base address of the explanation pages, ASCII, from the settings.
    pub public_url: Option<&'a str>,
    /// Whether a refusal for a score has an explanation page too.
    pub explains_scores: bool,
}

/// Longest reply text: 512 octets less code, enhanced code, separators and
/// line end.
const TEXT_OCTETS_MAX: usize = 490;

/// Builds the reply of a reason from its table row.
pub(crate) fn compose(
    code: u16,
    enhanced: EnhancedCode,
    text: &'static str,
    parameters: &ReplyParameters<'_>,
) -> Reply {
    let quoted = parameters.quoted;
    // Their 421 says that *they* close the connection; ours stays open.
    let same_class = |theirs: u16| theirs / 100 == code / 100 && theirs % 100 < 60 && theirs != 421;
    let code_given = quoted.and_then(|q| q.code).filter(|&theirs| same_class(theirs));
    let enhanced_given =
        quoted.and_then(|q| q.enhanced).filter(|theirs| u16::from(theirs.0) == code / 100);
    let enhanced = match (code_given, enhanced_given) {
        (_, Some(theirs)) => theirs,
        (Some(_), None) => EnhancedCode(enhanced.0, 0, 0),
        (None, None) => enhanced,
    };
    Reply {
        code: code_given.unwrap_or(code),
        enhanced: Some(enhanced),
        text: sentence(text, parameters),
    }
}

/// The text with its parameters: seconds, quotation, reference, address.
fn sentence(text: &str, parameters: &ReplyParameters<'_>) -> Cow<'static, str> {
    use fmt::Write;
    let mut line = String::new();
    let wait = parameters.retry_in_s.unwrap_or(60);
    let unit = if wait == 1 { "second" } else { "seconds" };
    let written = match text.split_once("{wait}") {
        Some((before, after)) => write!(line, "{before}{wait} {unit}{after}"),
        None => write!(line, "{text}"),
    };
    let written = written.and_then(|()| match parameters.quoted {
        Some(quoted) if !quoted.text().is_empty() => write!(line, ": {}", quoted.text()),
        _ => Ok(()),
    });
    let written = written.and_then(|()| match parameters.reference {
        Some(reference) => write!(line, " [ref {reference}]"),
        None => Ok(()),
    });
    let written = written.and_then(|()| match (parameters.reference, parameters.public_url) {
        (Some(reference), Some(url)) => write!(line, " {url}/r/{reference}"),
        _ => Ok(()),
    });
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
    line.truncate(TEXT_OCTETS_MAX.min(line.len()));
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    #[test]
    fn a_quotation_cannot_end_the_line_or_change_the_class() {
        let hostile = Quoted::new(Some(250), None, "no\r\n250 yes \u{202e}evil");
        let parameters = ReplyParameters { quoted: Some(&hostile), ..Default::default() };
        let reply = Reason::NextHopRejected.reply(&parameters).unwrap();
        assert_eq!(reply.code, 550);
        assert!(!reply.text.contains(['\r', '\n']) && reply.text.is_ascii(), "{reply}");
    }

    #[test]
    fn a_next_hop_is_quoted_with_its_own_codes() {
        let quoted = Quoted::new(Some(552), Some(EnhancedCode(5, 2, 2)), "mailbox full");
        let parameters = ReplyParameters { quoted: Some(&quoted), ..Default::default() };
        let reply = Reason::NextHopRejected.reply(&parameters).unwrap();
        assert_eq!(reply.to_string(), "552 5.2.2 Refused by the mail server: mailbox full");
    }

    #[test]
    fn one_second_is_told_in_the_singular() {
        let text = |seconds| {
            let parameters = ReplyParameters { retry_in_s: Some(seconds), ..Default::default() };
            Reason::GreylistTooEarly.reply(&parameters).unwrap().text
        };
        assert_eq!(text(1), "Still greylisted, please try again in 1 second");
        assert_eq!(text(22), "Still greylisted, please try again in 22 seconds");
    }

    #[test]
    fn a_reply_stays_within_one_line() {
        let long = Quoted::new(None, None, &"x".repeat(5_000));
        let url = "https://".to_string() + &"y".repeat(1_000);
        let parameters = ReplyParameters {
            quoted: Some(&long),
            public_url: Some(&url),
            reference: "7K2M4QX9B0TA".parse().ok(),
            ..Default::default()
        };
        let reply = Reason::NextHopRejected.reply(&parameters).unwrap();
        assert!(reply.to_string().len() <= 510);
    }

    #[test]
    fn enhanced_codes_are_read_strictly() {
        assert_eq!("5.7.26".parse(), Ok(EnhancedCode(5, 7, 26)));
        for text in ["", "5.7", "5.7.1.2", "3.1.1", "5.x.1", "5.1000.1"] {
            assert!(text.parse::<EnhancedCode>().is_err(), "{text}");
        }
    }
}
