//! The header block of a message: where it ends and which fields it has, in
//! one pass and without understanding any of them.

use memchr::{memchr, memchr_iter};

/// Most octets that are searched for fields.
pub const HEADER_OCTETS_MAX: usize = 1024 * 1024;
/// Most fields that are looked at.
pub const FIELDS_MAX: usize = 5_000;

/// Most octets and most fields of a header that signatures are made and
/// verified over: each name a signature covers is searched for in all of it.
const SIGNED_OCTETS_MAX: usize = 256 * 1024;
const SIGNED_FIELDS_MAX: usize = 1_000;

/// The header block of a message, found but not parsed.
///
/// Lines end in CRLF; a lone LF is taken as a line end too, because what the
/// next program does with it is not ours to know. A line that is no field and
/// continues none is passed over rather than taken as the end: some programs
/// read on behind it, and a From field hidden there must not be missed.
#[derive(Clone, Copy, Debug)]
pub struct HeaderBlock<'a> {
    octets: &'a [u8],
    body_at: Option<usize>,
    cut: bool,
}

impl<'a> HeaderBlock<'a> {
    /// Finds the header block at the beginning of `message`.
    pub fn of(message: &'a [u8]) -> Self {
        let window = message.get(..HEADER_OCTETS_MAX).unwrap_or(message);
        let (octets, body_at) = match end(window) {
            Some((fields_end, body_at)) => {
                (window.get(..fields_end).unwrap_or(window), Some(body_at))
            }
            None => (window, None),
        };
        HeaderBlock { octets, body_at, cut: body_at.is_none() && window.len() < message.len() }
    }

    /// The fields with their line ends, without the empty line behind them.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Where the body begins, behind the empty line; nothing if the message
    /// has no empty line, or none within [`HEADER_OCTETS_MAX`].
    pub fn body_at(&self) -> Option<usize> {
        self.body_at
    }

    /// Whether a limit keeps part of the header from being seen.
    pub fn is_cut(&self) -> bool {
        self.is_cut_at(self.fields().count())
    }

    /// The same for a caller that has counted the fields anyway.
    pub(crate) fn is_cut_at(&self, fields: usize) -> bool {
        self.cut || fields == FIELDS_MAX
    }

    /// Whether it is larger than what signatures are made and verified over,
    /// 256 KiB or 1,000 fields.
    pub fn is_too_large_for_signatures(&self) -> bool {
        self.octets.len() > SIGNED_OCTETS_MAX || self.fields().nth(SIGNED_FIELDS_MAX).is_some()
    }

    /// The fields in order, at most [`FIELDS_MAX`].
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.fields_without_limit().take(FIELDS_MAX)
    }

    /// The fields in order, however many there are: for who does little with
    /// each and must miss none.
    pub(crate) fn fields_without_limit(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        Fields { rest: self.octets }
    }

    /// Whether there is nothing but fields in it, written as they are today
    /// (without the blank before the colon of RFC 5322 section 4.5), so that
    /// every program finds the same ones.
    pub fn is_all_fields(&self) -> bool {
        let mut rest = self.octets;
        while let Some((lines, behind)) = rest.split_at_checked(folded_end(rest)) {
            if lines.is_empty() {
                return true;
            }
            if field(lines).is_none_or(|found| lines.get(found.name.len()) != Some(&b':')) {
                return false;
            }
            rest = behind;
        }
        true
    }

    /// The fields of this name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Field<'a>> {
        self.fields().filter(move |field| field.is(name))
    }

    /// How many fields of this name there are.
    pub fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

/// The ends of the last field line and of the empty line behind it.
fn end(message: &[u8]) -> Option<(usize, usize)> {
    let mut line_at = 0;
    for feed in memchr_iter(b'\n', message) {
        if matches!(message.get(line_at..feed), Some(b"" | b"\r")) {
            return Some((line_at, feed + 1));
        }
        line_at = feed + 1;
    }
    None
}

/// One header field, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, in the sender's case.
    pub name: &'a [u8],
    /// Everything behind the colon with its folds, without the final line
    /// end.
    pub value: &'a [u8],
}

impl Field<'_> {
    /// Whether the field has this name; case does not matter.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Whether the value has more octets than this.
    pub fn is_longer_than(&self, octets: usize) -> bool {
        self.value.len() > octets
    }

    /// The first `octets_max` octets of the value.
    pub fn value_up_to(&self, octets_max: usize) -> &[u8] {
        self.value.get(..octets_max).unwrap_or(self.value)
    }
}

/// Walks from field to field.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        while !self.rest.is_empty() {
            let (lines, rest) = self.rest.split_at_checked(folded_end(self.rest))?;
            self.rest = rest;
            if let Some(field) = field(lines) {
                return Some(field);
            }
        }
        None
    }
}

/// Where the first line of `lines` ends, with the lines that continue it.
fn folded_end(lines: &[u8]) -> usize {
    memchr_iter(b'\n', lines)
        .map(|feed| feed + 1)
        .find(|&next| !matches!(lines.get(next), Some(b' ' | b'\t')))
        .unwrap_or(lines.len())
}

/// Splits at the colon; nothing if what is before it can be no field name.
fn field(lines: &[u8]) -> Option<Field<'_>> {
    let (name, value) = lines.split_at_checked(memchr(b':', lines)?)?;
    // RFC 5322 section 4.5 still allows blanks before the colon.
    let name = name.trim_ascii_end();
    let named = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    let value = value.get(1..)?;
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    named.then_some(Field { name, value: value.strip_suffix(b"\r").unwrap_or(value) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the fields of a message, written as `name=value` per line
    /// with line ends shown.
    fn check(message: &str, fields: &[&str], body_at: Option<usize>) {
        let header = HeaderBlock::of(message.as_bytes());
        let found: Vec<_> = header
            .fields()
            .map(|f| format!("{}={}", f.name.escape_ascii(), f.value.escape_ascii()))
            .collect();
        assert_eq!(found, fields, "{message:?}");
        assert_eq!(header.body_at(), body_at, "{message:?}");
    }

    #[test]
    fn fields_are_found_with_their_folds_and_the_body_behind_the_empty_line() {
        check(
            "A: 1\r\nB: 2\r\n\tx\r\n y\r\n\r\nC: 3\r\n",
            &[r"A= 1", r"B= 2\r\n\tx\r\n y"],
            Some(22),
        );
        check("\r\nA: 1\r\n", &[], Some(2));
        check("A:1\n\nbody", &["A=1"], Some(5));
    }

    #[test]
    fn a_header_without_end_is_all_header() {
        check("A: 1\r\nB: 2", &["A= 1", "B= 2"], None);
        check("", &[], None);
        check("nothing here", &[], None);
    }

    #[test]
    fn lines_that_are_no_field_hide_nothing() {
        check("From me\r\nA: 1\r\n\r\n", &["A= 1"], Some(17));
        check(": x\r\nB\0: y\r\nA : 1\r\n\r\n", &["A= 1"], Some(21));
        check(" folded first\r\nA: 1\r\n\r\n", &["A= 1"], Some(23));
        check("two words: x\r\nA:\r\n\r\n", &["A="], Some(20));
        let all_fields = |message: &str| HeaderBlock::of(message.as_bytes()).is_all_fields();
        for message in ["A: 1\r\n b\r\nB: 2\r\n\r\nbody", "A: 1", "", "\r\nbody"] {
            assert!(all_fields(message), "{message}");
        }
        for message in
            ["From me\r\nA: 1\r\n\r\n", "A: 1\r\nx\r\n\r\n", " a: b\r\n\r\n", "B : 2\r\n"]
        {
            assert!(!all_fields(message), "{message}");
        }
    }

    #[test]
    fn names_are_counted_in_any_case() {
        let header =
            HeaderBlock::of(b"RECEIVED: a\r\nreceived: b\r\nX-Received: c\r\n\r\nReceived: d");
        assert_eq!(header.count("Received"), 2);
        assert!(header.has("x-received") && !header.has("Subject"));
    }

    #[test]
    fn limits_are_kept_and_told() {
        let many = "A: 1\r\n".repeat(FIELDS_MAX + 1);
        let header = HeaderBlock::of(many.as_bytes());
        assert_eq!(header.fields().count(), FIELDS_MAX);
        assert!(header.is_cut());
        let long = format!("Subject: {}\r\n\r\n", "x".repeat(4 * HEADER_OCTETS_MAX));
        let header = HeaderBlock::of(long.as_bytes());
        assert!(header.is_cut());
        assert_eq!(header.octets().len(), HEADER_OCTETS_MAX);
        assert!(!HeaderBlock::of(b"A: 1\r\n\r\n").is_cut());
    }
}
