//! Content on its way out by DATA: doubles dots at line starts and ends with
//! the final dot (RFC 5321 section 4.5.2).
//!
//! The counterpart of the content reader, and as lazy: what it yields are
//! slices of the content, with a dot between them where one is due, fit for a
//! vectored write. The content must have CR LF line ends, as everything the
//! reader handed out has.

use memchr::memchr;

/// Writes the content of one message, which may be given in any parts.
#[derive(Clone, Copy, Debug)]
pub struct ContentWriter {
    last: [u8; 2],
}

const CRLF: [u8; 2] = *b"\r\n";

impl Default for ContentWriter {
    fn default() -> Self {
        ContentWriter::new()
    }
}

impl ContentWriter {
    /// A writer at the start of a message.
    pub fn new() -> Self {
        ContentWriter { last: CRLF }
    }

    /// The slices to write for the next part of the content. All of them must
    /// be taken.
    pub fn pieces<'c>(&mut self, content: &'c [u8]) -> Pieces<'c> {
        let starts_line = self.last == CRLF;
        match content {
            [.., a, b] => self.last = [*a, *b],
            [b] => self.last = [self.last[1], *b],
            [] => {}
        }
        Pieces { rest: content, dot_due: starts_line && content.first() == Some(&b'.') }
    }

    /// Appends the next part of the content.
    pub fn append(&mut self, content: &[u8], out: &mut Vec<u8>) {
        out.reserve(content.len());
        for piece in self.pieces(content) {
            out.extend_from_slice(piece);
        }
    }

    /// What ends the message: the final dot, after a line end if the content
    /// lacks its last one.
    pub fn finish(self) -> &'static [u8] {
        if self.last == CRLF { b".\r\n" } else { b"\r\n.\r\n" }
    }
}

/// The slices of one part of the content; see [`ContentWriter::pieces`].
#[derive(Clone, Debug)]
pub struct Pieces<'c> {
    rest: &'c [u8],
    dot_due: bool,
}

impl<'c> Iterator for Pieces<'c> {
    type Item = &'c [u8];

    fn next(&mut self) -> Option<&'c [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.dot_due) {
            return Some(b".");
        }
        let end = self.run_end();
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.dot_due = !rest.is_empty();
        Some(run)
    }
}

impl Pieces<'_> {
    /// Where the next dot at a line start stands, or the end.
    ///
    /// Content has a line end every 76 octets and a dot every few dozen, so
    /// the search is for the rarer of the two, the line end.
    fn run_end(&self) -> usize {
        let mut from = 0;
        while let Some(rest) = self.rest.get(from..) {
            let Some(at) = memchr(b'\n', rest) else { break };
            from += at + 1;
            let ends_line = from >= 2 && self.rest.get(from - 2) == Some(&b'\r');
            let ends_line = ends_line || from == 1;
            if ends_line && self.rest.get(from) == Some(&b'.') {
                return from;
            }
        }
        self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[&str]) -> String {
        let mut writer = ContentWriter::new();
        let mut out = Vec::new();
        for part in parts {
            writer.append(part.as_bytes(), &mut out);
        }
        out.extend_from_slice(writer.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_are_doubled_at_line_starts_only() {
        assert_eq!(written(&["a.b\r\n.c\r\n..d\r\n"]), "a.b\r\n..c\r\n...d\r\n.\r\n");
        assert_eq!(written(&[".\r\n"]), "..\r\n.\r\n");
        assert_eq!(written(&[]), ".\r\n");
    }

    #[test]
    fn parts_may_be_cut_anywhere() {
        let content = ".a\r\n.\r\n\r\n..b\r\n.";
        let whole = written(&[content]);
        for at in 0..=content.len() {
            let (one, two) = content.split_at(at);
            assert_eq!(written(&[one, two]), whole, "cut at {at}");
        }
        assert_eq!(whole, "..a\r\n..\r\n\r\n...b\r\n..\r\n.\r\n");
    }
}
