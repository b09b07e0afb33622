//! Replies of a peer, read with limits (RFC 5321 section 4.2).

use memchr::memchr;
use types::{EnhancedCode, Quoted};

/// Longest reply line that is read, in octets: RFC 5321 section 4.5.3.1.5
/// says 512, some peers say more.
pub const REPLY_LINE_OCTETS_MAX: usize = 4096;
/// Most lines one reply may have.
const REPLY_LINES_MAX: usize = 100;
/// Most text of one reply that is kept, in octets.
const REPLY_TEXT_OCTETS_MAX: usize = 8192;

/// Why a reply is none. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line over 4,096 octets.
    #[error("a reply line of the peer is too long")]
    LineTooLong,
    /// More than 100 lines.
    #[error("a reply of the peer has too many lines")]
    TooManyLines,
    /// No three-digit code between 200 and 599 at the start.
    #[error("a reply of the peer has no reply code")]
    NoCode,
    /// The lines of one reply have different codes.
    #[error("the lines of one reply of the peer have different codes")]
    CodesDiffer,
}

/// A reply of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReply {
    /// The reply code.
    pub code: u16,
    /// Its words, with both codes, fit to be passed on.
    pub quoted: Quoted,
}

impl PeerReply {
    /// Whether the peer agrees.
    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    /// Whether the peer asks to come back later.
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Whether the peer refuses for good.
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }
}

/// One reply as it was read: its lines without codes, joined by LF.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawReply {
    pub(super) code: u16,
    pub(super) text: String,
}

impl RawReply {
    /// The reply as it is reported: enhanced code taken out, lines joined.
    pub(super) fn into_reply(self) -> PeerReply {
        let (first, _) = self.text.split_once([' ', '\n']).unwrap_or((&self.text, ""));
        let agrees = |code: &EnhancedCode| u16::from(code.0) == self.code / 100;
        let enhanced = first.parse::<EnhancedCode>().ok().filter(agrees);
        let given = enhanced.map(|_| first).unwrap_or_default();
        let lines = self.text.lines().map(|line| match line.strip_prefix(given) {
            Some(rest) if enhanced.is_some() => rest.trim_start(),
            _ => line,
        });
        let text = lines.collect::<Vec<_>>().join(" ");
        PeerReply { code: self.code, quoted: Quoted::new(Some(self.code), enhanced, &text) }
    }
}

/// Reads replies from any parts of input.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    code: Option<u16>,
    lines: usize,
    text: String,
}

impl ReplyReader {
    /// Takes lines from `input` until a reply is complete; a line that is not
    /// complete stays in the input.
    pub(super) fn advance(&mut self, input: &mut &[u8]) -> Result<Option<RawReply>, ReplyError> {
        while let Some(at) = memchr(b'\n', input) {
            let (line, rest) = input.split_at(at);
            *input = rest.split_at(1).1;
            // Peers that end lines with LF alone are understood: nothing of
            // ours depends on where their lines end.
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(reply) = self.line(line)? {
                return Ok(Some(reply));
            }
        }
        if input.len() > REPLY_LINE_OCTETS_MAX {
            return Err(ReplyError::LineTooLong);
        }
        Ok(None)
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<RawReply>, ReplyError> {
        if line.len() > REPLY_LINE_OCTETS_MAX {
            return Err(ReplyError::LineTooLong);
        }
        let (code, rest) = line.split_first_chunk::<3>().ok_or(ReplyError::NoCode)?;
        let code = code_of(*code).ok_or(ReplyError::NoCode)?;
        if self.code.replace(code).is_some_and(|earlier| earlier != code) {
            return Err(ReplyError::CodesDiffer);
        }
        self.lines += 1;
        if self.lines > REPLY_LINES_MAX {
            return Err(ReplyError::TooManyLines);
        }
        let (goes_on, text) = match rest {
            [b'-', text @ ..] => (true, text),
            [b' ', text @ ..] => (false, text),
            [] => (false, rest),
            _ => return Err(ReplyError::NoCode),
        };
        if self.text.len() + text.len() < REPLY_TEXT_OCTETS_MAX {
            if self.lines > 1 {
                self.text.push('\n');
            }
            self.text.push_str(&String::from_utf8_lossy(text));
        }
        if goes_on {
            return Ok(None);
        }
        let text = std::mem::take(self).text;
        Ok(Some(RawReply { code, text }))
    }
}

fn code_of(digits: [u8; 3]) -> Option<u16> {
    let text = std::str::from_utf8(&digits).ok()?;
    let digits_only = digits.iter().all(u8::is_ascii_digit);
    text.parse().ok().filter(|code| digits_only && (200..600).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        let mut reader = ReplyReader::default();
        let found = match reader.advance(&mut input.as_bytes()) {
            Ok(Some(reply)) => reply.into_reply().quoted.to_string(),
            Ok(None) => "incomplete".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{input:?}");
    }

    #[test]
    fn replies_of_one_line_and_of_many() {
        check("250 OK\r\n", "250 OK");
        check("250\r\n", "250 ");
        check("250 2.1.5 Recipient OK\n", "250 2.1.5 Recipient OK");
        check("550-5.1.1 no such\r\n550 5.1.1 user\r\n", "550 5.1.1 no such user");
        check("550 4.1.1 contradicts itself\r\n", "550 4.1.1 contradicts itself");
        check("250-first\r\n", "incomplete");
        check("250 no line end", "incomplete");
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        check("hello\r\n", "a reply of the peer has no reply code");
        check("250x\r\n", "a reply of the peer has no reply code");
        check("+50 OK\r\n", "a reply of the peer has no reply code");
        check("199 early\r\n", "a reply of the peer has no reply code");
        check("250-a\r\n251 b\r\n", "the lines of one reply of the peer have different codes");
        check(&"250-more\r\n".repeat(200), "a reply of the peer has too many lines");
        check(&"2".repeat(5000), "a reply line of the peer is too long");
    }

    #[test]
    fn a_reply_may_come_in_any_parts() {
        let whole = b"250-mx.example\r\n250 SIZE 1000\r\n";
        for at in 0..whole.len() {
            let mut reader = ReplyReader::default();
            let mut buffer = whole[..at].to_vec();
            let mut input = &buffer[..];
            assert_eq!(reader.advance(&mut input), Ok(None), "cut at {at}");
            buffer = input.to_vec();
            buffer.extend_from_slice(&whole[at..]);
            let reply = reader.advance(&mut &buffer[..]).unwrap().unwrap();
            assert_eq!(reply.text, "mx.example\nSIZE 1000");
        }
    }
}
