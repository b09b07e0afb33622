//! Search filters: the text of RFC 4515 as it goes over the wire (RFC 4511
//! section 4.5.1.7).

use super::ber::{OCTETS, Writer};

/// How deep filters may stand in each other.
const DEPTH_MAX: usize = 20;
/// Longest filter, in octets.
const OCTETS_MAX: usize = 8_000;

/// What is wrong with the text of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is longer than 8,000 octets.
    #[error("the filter is longer than 8,000 octets")]
    TooLong,
    /// Filters stand in each other more than twenty deep.
    #[error("the filter is nested more than 20 deep")]
    TooDeep,
    /// A bracket is missing or is too many.
    #[error("the brackets of the filter do not fit at character {0}")]
    Bracket(usize),
    /// Something in brackets is no comparison.
    #[error("the filter has no comparison such as (mail=*) at character {0}")]
    Comparison(usize),
    /// A backslash without two hexadecimal digits behind it.
    #[error("a backslash in the filter has no two hexadecimal digits behind it at character {0}")]
    Escape(usize),
}

/// A filter that can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    text: String,
    octets: Vec<u8>,
}

impl Filter {
    /// What every entry fits.
    pub(super) fn anything() -> Filter {
        let mut out = Writer::default();
        out.octets(PRESENT, b"objectClass");
        Filter { text: "(objectClass=*)".to_owned(), octets: out.0 }
    }

    /// The filter as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        let trimmed = text.trim();
        if trimmed.len() > OCTETS_MAX {
            return Err(FilterError::TooLong);
        }
        let mut reader = Text { octets: trimmed.as_bytes(), at: 0 };
        let mut out = Writer::default();
        reader.filter(&mut out, 0)?;
        match reader.at == trimmed.len() {
            true => Ok(Filter { text: trimmed.to_owned(), octets: out.0 }),
            false => Err(FilterError::Bracket(reader.at + 1)),
        }
    }
}

struct Text<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Text<'_> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    fn bracket(&mut self, which: u8) -> Result<(), FilterError> {
        match self.peek() == Some(which) {
            true => {
                self.at += 1;
                Ok(())
            }
            false => Err(FilterError::Bracket(self.at + 1)),
        }
    }

    fn filter(&mut self, out: &mut Writer, depth: usize) -> Result<(), FilterError> {
        if depth > DEPTH_MAX {
            return Err(FilterError::TooDeep);
        }
        self.bracket(b'(')?;
        let several = |which| match which {
            b'&' => Some(AND),
            b'|' => Some(OR),
            b'!' => Some(NOT),
            _ => None,
        };
        match self.peek().and_then(several) {
            Some(tag) => {
                self.at += 1;
                let mut inner = Writer::default();
                self.filter(&mut inner, depth + 1)?;
                while tag != NOT && self.peek() == Some(b'(') {
                    self.filter(&mut inner, depth + 1)?;
                }
                out.octets(tag, &inner.0);
            }
            None => self.comparison(out)?,
        }
        self.bracket(b')')
    }

    /// `attribute=value` and its kin.
    fn comparison(&mut self, out: &mut Writer) -> Result<(), FilterError> {
        let begins = self.at;
        let wrong = FilterError::Comparison(begins + 1);
        let rest = self.octets.get(begins..).unwrap_or_default();
        let length = rest.iter().position(|octet| *octet == b')').ok_or(wrong)?;
        let item = rest.get(..length).unwrap_or_default();
        let equals = item.iter().position(|octet| *octet == b'=').ok_or(wrong)?;
        let (left, value) =
            (item.get(..equals).ok_or(wrong)?, item.get(equals + 1..).ok_or(wrong)?);
        let (tag, attribute) = match left.split_last() {
            Some((b'>', before)) => (GREATER, before),
            Some((b'<', before)) => (LESS, before),
            Some((b'~', before)) => (APPROXIMATE, before),
            Some((b':', before)) => (EXTENSIBLE, before),
            _ => (EQUAL, left),
        };
        let plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-.;:_".contains(octet);
        if attribute.is_empty() || !attribute.iter().all(plain) {
            return Err(wrong);
        }
        let value_at = begins + equals + 1;
        match (tag, value) {
            (EQUAL, b"*") => out.octets(PRESENT, attribute),
            (EQUAL, value) if value.contains(&b'*') => {
                substrings(out, attribute, value, value_at)?;
            }
            (EXTENSIBLE, value) => extensible(out, attribute, &unescaped(value, value_at)?)?,
            (tag, value) => {
                let value = unescaped(value, value_at)?;
                out.made_of(tag, |out| {
                    out.octets(OCTETS, attribute);
                    out.octets(OCTETS, &value);
                });
            }
        }
        self.at = begins + length;
        Ok(())
    }
}

/// `attribute=first*any*last`.
fn substrings(
    out: &mut Writer,
    attribute: &[u8],
    value: &[u8],
    at: usize,
) -> Result<(), FilterError> {
    let parts: Vec<&[u8]> = value.split(|octet| *octet == b'*').collect();
    let last = parts.len() - 1;
    let mut pieces = Writer::default();
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        let tag = match index {
            0 => SUBSTRING_FIRST,
            index if index == last => SUBSTRING_LAST,
            _ => SUBSTRING_ANY,
        };
        pieces.octets(tag, &unescaped(part, at)?);
    }
    if pieces.0.is_empty() {
        return Err(FilterError::Comparison(at + 1));
    }
    out.made_of(SUBSTRINGS, |out| {
        out.octets(OCTETS, attribute);
        out.octets(super::ber::SEQUENCE, &pieces.0);
    });
    Ok(())
}

/// `attribute:rule:=value`, as Active Directory compares bits.
fn extensible(out: &mut Writer, left: &[u8], value: &[u8]) -> Result<(), FilterError> {
    let mut parts = left.split(|octet| *octet == b':');
    let attribute = parts.next().unwrap_or_default();
    let (mut rule, mut of_names) = (&b""[..], false);
    for part in parts {
        match part.eq_ignore_ascii_case(b"dn") {
            true => of_names = true,
            false => rule = part,
        }
    }
    out.made_of(EXTENSIBLE, |out| {
        if !rule.is_empty() {
            out.octets(MATCH_RULE, rule);
        }
        if !attribute.is_empty() {
            out.octets(MATCH_ATTRIBUTE, attribute);
        }
        out.octets(MATCH_VALUE, value);
        if of_names {
            out.octets(MATCH_NAMES, &[0xff]);
        }
    });
    Ok(())
}

/// A value with its `\2a` made octets.
fn unescaped(value: &[u8], at: usize) -> Result<Vec<u8>, FilterError> {
    let mut out = Vec::with_capacity(value.len());
    let mut octets = value.iter().enumerate();
    while let Some((index, octet)) = octets.next() {
        match octet {
            b'\\' => {
                let mut digit =
                    || octets.next().and_then(|(_, octet)| char::from(*octet).to_digit(16));
                let both = digit().zip(digit());
                let octet = both.and_then(|(high, low)| u8::try_from((high << 4) | low).ok());
                out.push(octet.ok_or(FilterError::Escape(at + index + 1))?);
            }
            b'(' => return Err(FilterError::Bracket(at + index + 1)),
            octet => out.push(*octet),
        }
    }
    Ok(out)
}

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER: u8 = 0xa5;
const LESS: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;
const SUBSTRING_FIRST: u8 = 0x80;
const SUBSTRING_ANY: u8 = 0x81;
const SUBSTRING_LAST: u8 = 0x82;
const MATCH_RULE: u8 = 0x81;
const MATCH_ATTRIBUTE: u8 = 0x82;
const MATCH_VALUE: u8 = 0x83;
const MATCH_NAMES: u8 = 0x84;

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> Vec<u8> {
        text.parse::<Filter>().unwrap().octets
    }

    #[test]
    fn filters_are_written_as_the_protocol_has_them() {
        assert_eq!(sent("(mail=*)"), b"\x87\x04mail");
        assert_eq!("(objectClass=*)".parse(), Ok(Filter::anything()));
        assert_eq!(sent("(cn=a\\2ab)"), b"\xa3\x09\x04\x02cn\x04\x03a*b");
        assert_eq!(sent("(!(cn=a))"), b"\xa2\x09\xa3\x07\x04\x02cn\x04\x01a");
        assert_eq!(
            sent("(&(a=1)(b>=2))"),
            b"\xa0\x10\xa3\x06\x04\x01a\x04\x011\xa5\x06\x04\x01b\x04\x012"
        );
        assert_eq!(sent("(cn=a*b*c)"), b"\xa4\x0f\x04\x02cn\x30\x09\x80\x01a\x81\x01b\x82\x01c");
        let bits = sent("(userAccountControl:1.2.840.113556.1.4.803:=2)");
        assert_eq!(bits[0], 0xa9);
        assert!(bits.ends_with(b"\x82\x12userAccountControl\x83\x012"));
    }

    #[test]
    fn a_text_that_is_no_filter_is_named_with_its_place() {
        for (text, expected) in [
            ("mail=*", FilterError::Bracket(1)),
            ("(mail=*", FilterError::Comparison(2)),
            ("(mail=*))", FilterError::Bracket(9)),
            ("(mail)", FilterError::Comparison(2)),
            ("(=x)", FilterError::Comparison(2)),
            ("(cn=\\2)", FilterError::Escape(5)),
            ("(&)", FilterError::Bracket(3)),
            ("(cn=**)", FilterError::Comparison(5)),
            ("(cn=a(b)", FilterError::Bracket(6)),
            ("", FilterError::Bracket(1)),
        ] {
            assert_eq!(text.parse::<Filter>(), Err(expected), "{text}");
        }
        let deep = "(!".repeat(50) + "(a=b)" + &")".repeat(50);
        assert_eq!(deep.parse::<Filter>(), Err(FilterError::TooDeep));
        assert_eq!(
            format!("(a={})", "x".repeat(9_000)).parse::<Filter>(),
            Err(FilterError::TooLong)
        );
    }
}
