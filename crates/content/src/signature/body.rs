//! The hash of a body in relaxed or simple form (RFC 6376 sections 3.4.3 and
//! 3.4.4), made while the message arrives, so that it costs no memory however
//! large the message is.

use sha2::{Digest, Sha256};

/// Octets of a body hash.
pub const BODY_HASH_OCTETS: usize = 32;

/// The hashes of one body in the forms there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyHashes {
    /// Of the relaxed form.
    pub relaxed: [u8; BODY_HASH_OCTETS],
    /// Of the simple form.
    pub simple: [u8; BODY_HASH_OCTETS],
}

/// Makes them of a message whose octets may come in any pieces: a signature of
/// others may be in either form.
#[derive(Clone, Debug)]
pub struct BodyHashing {
    relaxed: BodyHash,
    simple: BodyHash,
}

impl Default for BodyHashing {
    fn default() -> Self {
        let simple = BodyHash { form: Form::Simple, ..BodyHash::default() };
        BodyHashing { relaxed: BodyHash::default(), simple }
    }
}

impl BodyHashing {
    /// Takes the next octets of the message, its header included.
    pub fn push(&mut self, piece: &[u8]) {
        self.relaxed.push(piece);
        self.simple.push(piece);
    }

    /// The hashes of what was taken so far, as if it were all.
    pub fn hashes(&self) -> BodyHashes {
        let BodyHashing { relaxed, simple } = self.clone();
        BodyHashes { relaxed: relaxed.finish(), simple: simple.finish() }
    }
}

/// The hash of the body of one message in relaxed form, whose octets may come
/// in any pieces.
#[derive(Clone, Debug, Default)]
pub struct BodyHash {
    form: Form,
    hash: Sha256,
    place: Place,
    /// Line ends that count only if something follows.
    line_ends: u64,
    /// Whether blanks are due before the next octet of this line.
    blank: bool,
    /// Whether the last octet was a CR whose LF has not come yet.
    carriage: bool,
    /// Whether there was anything but line ends.
    written: bool,
}

/// What is done to a body before it is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// Blanks within a line are one, and none at its end.
    #[default]
    Relaxed,
    /// Only the line ends at its end are one.
    Simple,
}

/// Where in the message we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the header, with this many octets of the present line, of which the
    /// first, if there is just one, is a CR or not.
    Header { line: usize, carriage: bool },
    /// In the body.
    Body,
}

impl Default for Place {
    fn default() -> Self {
        Place::Header { line: 0, carriage: false }
    }
}

impl BodyHash {
    /// The hash of the body of a whole message.
    pub fn of(message: &[u8]) -> [u8; BODY_HASH_OCTETS] {
        let mut hash = BodyHash::default();
        hash.push(message);
        hash.finish()
    }

    /// Takes the next octets of the message, its header included.
    pub fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Place::Header { line, carriage } = self.place {
            let Some(feed) = memchr::memchr(b'\n', rest) else {
                let first = if line == 0 { rest.first() == Some(&b'\r') } else { carriage };
                self.place = Place::Header { line: line + rest.len(), carriage: first };
                return;
            };
            let first = if line == 0 { rest.first() == Some(&b'\r') } else { carriage };
            self.place = match line + feed {
                0 => Place::Body,
                1 if first => Place::Body,
                _ => Place::default(),
            };
            rest = rest.get(feed + 1..).unwrap_or_default();
        }
        self.body(rest);
    }

    /// The hash; an empty body has one too.
    pub fn finish(mut self) -> [u8; BODY_HASH_OCTETS] {
        if self.carriage {
            self.due();
            self.hash.update(b"\r");
        }
        // In simple form even a body that is empty ends in one.
        if self.written || self.form == Form::Simple {
            self.hash.update(b"\r\n");
        }
        self.hash.finalize().into()
    }

    fn body(&mut self, mut rest: &[u8]) {
        if self.carriage && !rest.is_empty() {
            self.carriage = false;
            // Content has no bare CR; if it had one, it would be text.
            if rest.first() != Some(&b'\n') {
                self.due();
                self.hash.update(b"\r");
            }
        }
        while let Some(&octet) = rest.first() {
            let used = match (octet, rest.get(1)) {
                (b'\r', Some(b'\n')) => {
                    self.line_end();
                    2
                }
                (b'\n', _) => {
                    self.line_end();
                    1
                }
                (b' ' | b'\t', _) if self.form == Form::Relaxed => {
                    self.blank = true;
                    1
                }
                (b'\r', None) => {
                    self.carriage = true;
                    1
                }
                _ => self.run(rest),
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn line_end(&mut self) {
        // Blanks at the end of a line do not count.
        self.blank = false;
        self.line_ends += 1;
    }

    /// Hashes what comes before the next octet that needs care.
    fn run(&mut self, rest: &[u8]) -> usize {
        let end = match self.form {
            Form::Relaxed => run_end(rest),
            Form::Simple => memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len()).max(1),
        };
        self.due();
        self.hash.update(rest.get(..end).unwrap_or(rest));
        end
    }

    /// Hashes what was held back, now that something follows.
    fn due(&mut self) {
        const LINE_ENDS: &[u8; 32] =
            b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
        while self.line_ends > 0 {
            let now = self.line_ends.min(LINE_ENDS.len() as u64 / 2);
            self.line_ends -= now;
            let octets = usize::try_from(2 * now).unwrap_or(LINE_ENDS.len());
            self.hash.update(LINE_ENDS.get(..octets).unwrap_or(LINE_ENDS));
        }
        if std::mem::take(&mut self.blank) {
            self.hash.update(b" ");
        }
        self.written = true;
    }
}

/// Where a run ends that is hashed as it is, at least 1: single blanks within
/// a line belong to it.
fn run_end(rest: &[u8]) -> usize {
    let ends = |at: usize, octet: u8| match octet {
        b'\t' | b'\r' | b'\n' => true,
        b' ' => rest.get(at + 1).is_none_or(|next| *next <= b' '),
        _ => false,
    };
    let mut octets = rest.iter().enumerate().skip(1);
    octets.find(|(at, octet)| ends(*at, **octet)).map_or(rest.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The relaxed form written down as the standard says it, step by step.
    fn relaxed(body: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let mut lines: Vec<String> = text
            .split("\r\n")
            .map(|line| {
                let line = line.trim_end_matches([' ', '\t']);
                let mut out = String::new();
                for c in line.chars().map(|c| if c == '\t' { ' ' } else { c }) {
                    if c != ' ' || !out.ends_with(' ') {
                        out.push(c);
                    }
                }
                out
            })
            .collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
    }

    /// The same for the simple form.
    fn simple(body: &[u8]) -> Vec<u8> {
        let mut rest = body;
        while let Some(before) = rest.strip_suffix(b"\r\n") {
            rest = before;
        }
        [rest, b"\r\n"].concat()
    }

    fn hash(octets: &[u8]) -> [u8; BODY_HASH_OCTETS] {
        Sha256::digest(octets).into()
    }

    #[test]
    fn the_relaxed_form_of_the_standard() {
        // RFC 6376 section 3.4.5.
        let message = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        assert_eq!(BodyHash::of(message), hash(b" C\r\nD E\r\n"));
        let mut both = BodyHashing::default();
        both.push(message);
        let BodyHashes { relaxed, simple } = both.hashes();
        assert_eq!((relaxed, simple), (hash(b" C\r\nD E\r\n"), hash(b" C \r\nD \t E\r\n")));
        // RFC 6376 section 3.4.3: an empty body is hashed as a line end.
        assert_eq!(BodyHashing::default().hashes().simple, hash(b"\r\n"));
    }

    #[test]
    fn a_body_may_be_empty_or_missing_or_without_a_last_line_end() {
        for message in
            ["A: b\r\n", "A: b\r\n\r\n", "A: b\r\n\r\n\r\n\r\n", "", "A: b\r\n\r\n \t\r\n"]
        {
            assert_eq!(BodyHash::of(message.as_bytes()), hash(b""), "{message:?}");
        }
        assert_eq!(BodyHash::of(b"\r\nx"), hash(b"x\r\n"));
        assert_eq!(BodyHash::of(b"A: b\r\n\r\nx\ty  "), hash(b"x y\r\n"));
        let gap = format!("\r\na{}b", "\r\n".repeat(100));
        assert_eq!(
            BodyHash::of(gap.as_bytes()),
            hash(format!("a{}b\r\n", "\r\n".repeat(100)).as_bytes())
        );
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            body in "([ab .]|\t|\r\n| \t ){0,60}",
            header in "(A: b\r\n|C:\r\n d\r\n){0,3}",
            cuts in prop::collection::vec(0usize..200, 0..6),
        ) {
            let message = format!("{header}\r\n{body}").into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(message.len())).collect();
            cuts.extend([0, message.len()]);
            cuts.sort_unstable();
            let mut pieces = BodyHashing::default();
            for pair in cuts.windows(2) {
                pieces.push(&message[pair[0]..pair[1]]);
            }
            let BodyHashes { relaxed: in_relaxed, simple: in_simple } = pieces.hashes();
            prop_assert_eq!(in_relaxed, hash(&relaxed(body.as_bytes())));
            prop_assert_eq!(in_simple, hash(&simple(body.as_bytes())));
        }
    }
}
